import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { canvasStub } from '../../connectors/canvas/stub.ts';
import { startStub as startTarget } from '../../src/connector/stub.ts';
import { type Aviary, aviaryForEach, type Canary, canary, objects, quoting, secrets } from '../support/canaries.ts';
import { askSocket, type Process } from '../support/daemon-site.ts';
import { freePort } from '../support/free-port.ts';
import { person, type Slapd, slapdMissing, startSlapd } from '../support/ldap/slapd.ts';
import { type Reply, startStub } from '../support/ldap/stub.ts';
import { requireServer } from '../support/requirements.ts';
import { type Rule, sisServer, slice } from '../support/sis.ts';

/**
 * As in canaries.test.ts, over the other ways in: a directory, an HTTP endpoint, what is pushed, and the daemon with its
 * log at debug and what its socket answers.
 */

let at: Aviary;
aviaryForEach((one) => {
  at = one;
});

/** What a server was logged in with by the `n`th of the ways below, as it echoes that. */
function loginBy(n: number): string {
  const { CANARY_TOKEN, CANARY_CLIENT, CANARY_PASSWORD } = secrets;
  if (n === 0) return `Authorization: Bearer ${CANARY_TOKEN} {"token":"${CANARY_TOKEN}"}`;
  const basic = Buffer.from(`ROSTERD:${CANARY_PASSWORD}`).toString('base64');
  return n === 1
    ? `Basic ${basic} ${CANARY_PASSWORD}`
    : `${new URLSearchParams({ client_secret: CANARY_CLIENT })} ${CANARY_CLIENT}`;
}

/** Syncs and looks; gives how the run ended and what was said of it. */
async function tried(): Promise<{ status: string; error: string }> {
  const { stdout } = await at.on('sync', '--json');
  const [{ runs }] = objects(stdout) as [
    { runs: { status: string; error: { kind: string; message: string } | null }[] },
  ];
  const { status, error } = runs[0]!;
  // where all is well it shows records on purpose, masked
  if (status === 'failed') await at.on('check', '--connect');
  return { status, error: error ? `${error.kind}: ${error.message}` : '' };
}

const columns = `faculty: { constant: Science }, department: { constant: Biology }, course: { constant: Ornithology }`;

requireServer('ldap', slapdMissing)('a real directory', () => {
  const entry = (n: number, more: Record<string, string | string[]> = {}): string => {
    const { firstName, lastName, email, id, phone } = canary(n);
    // a DN is the place of a row, as file and line are elsewhere, and is told: this one is nobody's
    const facts = {
      cn: `entry${n}`,
      employeeNumber: id,
      sn: lastName,
      givenName: firstName,
      mail: email,
      telephoneNumber: phone,
    };
    return person(n, undefined, { ...facts, ...more });
  };

  async function directory(): Promise<{ server: Slapd; use(more?: Record<string, string>): void }> {
    const entries = Array.from({ length: 20 }, (_, n) => entry(n));
    const server = await startSlapd(entries.join(''));
    onTestFinished(() => server.stop());
    const password = Buffer.from(secrets.CANARY_PASSWORD).toString('base64');
    server.modify(`dn: ${server.reader.dn}\nchangetype: modify\nreplace: userPassword\nuserPassword:: ${password}\n`);
    return {
      server,
      use(more = {}) {
        const lines = {
          ...{ kind: 'ldap', url: server.ldaps, ca: server.ca, bindDN: server.reader.dn, incremental: 'on' },
          ...{ password: '{ env: CANARY_PASSWORD }', base: `ou=people,${server.suffix}` },
          map: `{ ${columns}, id: employeeNumber, attributes: { phone: telephoneNumber } }`,
          ...more,
        };
        at.configure({
          source: Object.entries(lines)
            .map(([name, value]) => `\n    ${name}: ${value}`)
            .join(''),
        });
      },
    };
  }

  test('whose entries come, change, and cannot be read', { timeout: 120_000 }, async () => {
    const { server, use } = await directory();
    use();
    expect(await tried()).toEqual({ status: 'applied', error: '' });
    const change = (text: string): string => text.replace('\n', '\nchangetype: add\n');
    server.modify(
      [
        change(entry(30, { mail: `${canary(30).firstName} at vogelhaus` })),
        change(entry(34)),
        change(entry(31, { mail: canary(1).email })),
        change(entry(32, { sn: `${canary(32).lastName}\u0007` })),
        change(entry(33, { mail: [canary(33).email, canary(35).email] })),
        `dn: cn=entry2,ou=people,${server.suffix}\nchangetype: modrdn\nnewrdn: cn=entry50\ndeleteoldrdn: 1\n\n`,
      ].join(''),
    );
    expect(await tried()).toMatchObject({ status: 'applied' });
    server.empty(`ou=people,${server.suffix}`);
    expect((await tried()).error).toMatch(/^Incomplete: .*found nobody|^$/);
  });

  test('that refuses the login, the trust, the reading, and goes away', { timeout: 120_000 }, async () => {
    const { server, use } = await directory();
    for (const [more, kind] of [
      [{ password: '{ env: CANARY_TOKEN }' }, 'Denied'],
      [{ password: `{ file: '${join(at.directory, 'none')}' }` }, 'Misconfigured'],
      [{ ca: server.strangeCa }, 'Denied'],
      [{ base: `ou=nobody,${server.suffix}` }, 'Incomplete'],
    ] as const) {
      use(more);
      expect((await tried()).error.split(':')[0]).toBe(kind);
    }
  });

  test('that quotes, and stops in the middle', { timeout: 120_000 }, async () => {
    const one = canary(1);
    const dn = `cn=${one.id},ou=people,dc=example,dc=edu`;
    const facts = { cn: [one.id], sn: [one.lastName], givenName: [one.firstName], mail: [one.email] };
    const quoted = `no ${secrets.CANARY_PASSWORD} for ${one.email}, ${loginBy(1)}`;
    for (const script of [
      (reply: Reply) => reply.entry(dn, facts).end(53, null, quoted),
      (reply: Reply) => reply.entry(dn, facts).end(50, null, quoted),
      (reply: Reply) => reply.entry(dn, { ...facts, 'mail;range=0-0': [one.email] }).end(),
      (reply: Reply) => reply.entry(dn, facts).reference('ldap://elsewhere.example/ou=people').end(),
      (reply: Reply) => reply.entry(dn, facts).end(12, null, 'x'.repeat(190) + quoted),
    ]) {
      const stub = await startStub((_asked, reply) => void script(reply));
      at.configure({
        source: `
    kind: ldap
    url: ${stub.url}
    bindDN: cn=rosterd
    password: { env: CANARY_PASSWORD }
    base: ou=people,dc=example,dc=edu
    map: { ${columns} }`,
      });
      expect((await tried()).status).toBe('failed');
    }
  });
});

/** A record of a person as a SIS gives it. */
const recordOf = ({ id, firstName, lastName, email, phone }: Canary) => ({ id, firstName, lastName, email, phone });
const everybody = Array.from({ length: 20 }, (_, n) => recordOf(canary(n)));
const sisMap = `{ ${columns}, id: id, email: email, firstName: firstName, lastName: lastName, attributes: { phone: phone } }`;

test('an HTTP endpoint that refuses, quotes, cuts and repeats', { timeout: 240_000 }, async () => {
  const good: Rule = ({ query }) => ({ body: { total: everybody.length, people: slice(everybody, query) } });
  const sis = await sisServer(good);
  const auths = [
    'auth: { kind: bearer, token: { env: CANARY_TOKEN } }',
    'auth: { kind: basic, username: ROSTERD, password: { env: CANARY_PASSWORD } }',
    `auth: { kind: oauth2, tokenUrl: '${sis.url}/token', clientId: rosterd, clientSecret: { env: CANARY_CLIENT } }`,
  ];
  const use = (auth: string): void =>
    at.configure({
      source: `
    kind: sis-http
    url: '${sis.url}/people?since=1'
    records: people
    key: id
    paging: { kind: offset, size: 7 }
    total: { path: total }
    ${auth}
    map: ${sisMap}`,
    });
  use(auths[0]!);
  expect(await tried()).toEqual({ status: 'applied', error: '' });
  const later = { 'retry-after': '7200' };
  const second =
    (said: Rule): Rule =>
    (asked, response) =>
      Number(asked.query.get('offset')) > 0 ? said(asked, response) : good(asked, response);
  const rules: Rule[] = [
    ...[400, 401, 404, 429, 500].flatMap((status): Rule[] => [
      () => ({ status, headers: later, body: quoting(canary(1), loginBy(0)) }),
      () => ({ status, headers: later, body: { error: 'invalid', error_description: quoting(canary(2), loginBy(1)) } }),
      () => ({ status, headers: later, body: { message: `${'x'.repeat(190)} ${loginBy(2)}` } }),
    ]),
    // pages that are none, of others, twice, without a key, and cut in the middle of a name
    second(() => ({ body: quoting(canary(1), loginBy(0)) })),
    second(() => ({ body: { total: everybody.length, people: everybody.slice(0, 7) } })),
    second(() => ({ body: { total: everybody.length, people: [{ ...everybody[8], id: null }] } })),
    second(() => ({ body: { [canary(3).email]: everybody } })),
    second(() => ({ body: `{"total":20,"people":[${JSON.stringify(everybody[9]).slice(0, 40)}` })),
    second(() => ({
      status: 302,
      headers: { location: `${sis.url}/login?user=${canary(4).id}&token=${secrets.CANARY_TOKEN}` },
    })),
    second((_asked, response) => {
      const whole = JSON.stringify({ total: everybody.length, people: everybody.slice(7, 14) });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length });
      response.write(whole.slice(0, 60), () => response.destroy());
      return null;
    }),
  ];
  for (const [n, rule] of rules.entries()) {
    sis.rule = rule;
    // the token's server fails in the same way, and the page's where it is let in
    use(auths[n < 15 ? n % auths.length : 0]!);
    // a cut line is tried again by a run, for a minute
    const said = n % 2 || n === rules.length - 1 ? await at.on('check', '--connect') : await at.on('sync');
    expect([n, said.status], said.stdout).not.toEqual([n, 0]);
  }
  // rows that cannot be read
  sis.rule = () => ({
    body: {
      total: 3,
      people: [
        { ...everybody[0], email: [everybody[1]] },
        { ...everybody[1], firstName: { x: canary(1).lastName } },
        { ...everybody[2], email: 'canarina at vogelhaus' },
      ],
    },
  });
  use(auths[0]!);
  await tried();
  await at.on('runs');
});

const pushKey = `rosterd_${'KanarieKey'.repeat(5).slice(0, 43)}`;

/** Asks the socket of the daemon, and keeps what it answers. */
async function ask(method: string, path: string, body?: unknown): Promise<void> {
  const { text, headers } = await askSocket(join(at.directory, 'var/control.sock'), method, path, body);
  at.heard.push({ command: `${method} ${path}`, text: `${JSON.stringify(headers)} ${text}` });
}

test('a daemon that is pushed to, well and badly, delivers to a target that refuses, and is asked', {
  timeout: 120_000,
}, async () => {
  const target = await startTarget(canvasStub);
  onTestFinished(() => target.close());
  const port = await freePort();
  const sis = await sisServer(() => ({
    status: 500,
    headers: { 'retry-after': '7200' },
    body: quoting(canary(1), loginBy(0)),
  }));
  at.configure({
    source: `
    kind: push
    key: { sha256: ${createHash('sha256').update(pushKey).digest('hex')} }
    maxBody: 64KB
    format: unitu
  broken: { kind: sis-http, url: '${sis.url}', records: people, key: id, map: ${sisMap}, auth: { kind: bearer, token: { env: CANARY_TOKEN } } }`,
    targets: `{ canvas: { kind: canvas, url: '${target.url}', token: { env: CANARY_TOKEN }, pollEvery: 50ms } }`,
    more: `listen: { port: ${port} }`,
  });
  const { firstName: first, lastName: last, email, id } = canary(1);
  target.setFaults([
    // what is sent, not what a check asks: there nobody is known whose name could be taken out
    {
      method: 'POST',
      status: 400,
      path: '/sis_imports',
      body: `no ${first} ${last} <${email}> (${id}), ${loginBy(0)}`,
    },
  ]);
  const daemon = await at.daemon();
  const record = (n: number, more: Record<string, unknown> = {}) => {
    const { firstName, lastName, email, id } = canary(n);
    return {
      faculty: 'Science',
      department: 'Biology',
      course: 'Ornithology',
      firstName,
      lastName,
      email,
      year: 1,
      id,
      ...more,
    };
  };
  const send = async (path: string, body: string, type = 'application/json', key = pushKey): Promise<number> => {
    const headers = { API_KEY: key, 'content-type': type, 'idempotency-key': `${canary(9).id}-${Math.random()}` };
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/sources/sis-students/${path}`, {
      method: 'POST',
      headers,
      body,
    });
    // reasons show no name, address or id, even to the sender
    at.heard.push({ command: `push ${path}`, text: await response.text() });
    return response.status;
  };
  const json = (records: unknown): string => JSON.stringify({ data: records });
  const all = Array.from({ length: 20 }, (_, n) => record(n));
  expect(await send('students', json(all))).toBe(202);
  await daemon.says('run.applied');
  await daemon.says('delivery.stopped');
  for (const [status, body] of [
    [
      202,
      json([
        ...all,
        record(20, { email: 'canarina at vogelhaus' }),
        record(21, { year: canary(21).phone }),
        record(22, { [canary(22).email]: 1 }),
      ]),
    ],
    [422, json([record(1, { year: canary(1).lastName })])],
    [400, json(all).slice(0, 700)],
    [400, `{"data":[{"${canary(1).id}":1,"${canary(1).id}":2}]}`],
    [400, `{"${canary(1).email}":[]}`],
    [400, `${canary(1).email} ${canary(1).firstName}`],
    [413, json(Array(1000).fill(record(1)))],
  ] as const)
    expect([status, await send('students', body)]).toEqual([status, status]);
  const head = Object.keys(record(1)).join();
  const row = Object.values(record(1)).join();
  for (const [status, body] of [
    [202, `${head}\n${row}\n${row},${canary(2).phone}\n"${canary(3).email}"x,${row}\n`],
    [400, `${head}\n${row}`],
    [400, `${head},${canary(2).email}\n${row}\n`],
    [400, `${row}\n${row}\n`],
    [400, ''],
  ] as const)
    expect([status, await send('upload', body, 'text/csv')]).toEqual([status, status]);
  expect(await send('students', json(all), 'application/json', `${pushKey.slice(0, -1)}x`)).toBe(401);
  expect(await send(`students?${encodeURIComponent(canary(1).email)}=1`, json(all))).toBe(400);
  expect(await send(`students?answer=${encodeURIComponent(canary(1).email)}`, json(all))).toBe(400);
  expect(await send(`upload/${encodeURIComponent(canary(1).email)}`, json(all))).toBe(404);
  // cut, by a sender that quotes its key where none belongs
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.end(
    `POST /${canary(1).id} HTTP/1.1\r\nauthorization: Bearer ${pushKey}\r\ncontent-length: 99\r\n\r\n{"data":["${canary(1).email}"`,
  );
  await once(socket.resume(), 'close');
  // an empty list is held; a delta after it finds no list
  expect(await send('students', json([]))).toBe(202);
  await daemon.says('run.held');
  expect(await send('students?answer=delta', json([record(1)]))).toBe(202);
  await daemon.says('run.failed');
  await asked(daemon);
});

async function asked(daemon: Process): Promise<void> {
  await ask('POST', '/v1/run', { source: ['broken'], wait: true });
  await ask('POST', '/v1/run', { source: [canary(1).id], wait: true });
  for (const path of ['/v1/status', '/v1/runs', '/v1/metrics', '/v1/log-level', '/v1/openapi.json', '/v1/nothing'])
    await ask('GET', path);
  await ask('PUT', '/v1/log-level', { level: 'debug' });
  await ask('POST', '/v1/reload');
  for (const command of [
    ['status'],
    ['runs'],
    ['run', '--source', 'broken'],
    ['check', '--connect'],
    ['sync'],
  ] as const)
    await at.on(...(command as unknown as [string]));
  await daemon.says('push.refused', 6);
}
