import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { canvasStub } from '../../connectors/canvas/stub.ts';
import { peoplesoftStub } from '../../connectors/peoplesoft/stub.ts';
import { salesforceStub } from '../../connectors/salesforce/stub.ts';
import { type Stub, startStub } from '../../src/connector/stub.ts';
import {
  type Aviary,
  aviaryForEach,
  type Canary,
  canary,
  login,
  objects,
  quoting,
  rowOf,
  type Said,
  secrets,
  singing,
} from '../support/canaries.ts';
import { requireServer } from '../support/requirements.ts';
import { sshdMissing, startSshd } from '../support/sshd.ts';

/**
 * Nobody's name, address, id or phone number and no secret gets into a log, an error or `runs`, whatever goes wrong. The
 * real command line goes through every fault, and everything that it said is looked through.
 */

let at: Aviary;
aviaryForEach((one) => {
  at = one;
});

const people = (count: number): Canary[] => Array.from({ length: count }, (_, n) => canary(n));
const rows = (count: number): string[] => people(count).map((one) => rowOf(one));
const events = (said: Said): unknown[] => objects(said.stderr).map(({ event }) => event);

test('the canaries would be heard', async () => {
  at.drop(rows(2));
  const synced = await at.on('sync');
  expect([synced.status, events(synced)], synced.stderr).toEqual([0, ['run.applied']]);
  const { stdout } = await at.on('export', 'accounts');
  for (const part of Object.values(canary(1))) expect(stdout).toContain(part);
  expect(singing(stdout).length).toBeGreaterThan(4);
  for (const secret of Object.values(secrets)) expect(singing(`x${secret}y`)).not.toEqual([]);
});

test('rows that cannot be read, and a file of nothing else', async () => {
  const one = canary(1);
  at.drop([
    ...rows(3),
    // everything has moved by one cell, twice; an address that is none; a cell too many
    `Biology,Ornithology,${one.firstName},${one.lastName},${one.email},1,${one.id},${one.phone},`,
    rowOf(canary(4), canary(4).email),
    rowOf(canary(5), canary(5).lastName),
    rowOf({ ...canary(6), email: 'canarina at vogelhaus' }),
    `${rowOf(canary(7))},${one.phone}`,
    // two who say of themselves that they are the same one
    rowOf({ ...canary(8), id: canary(9).id }),
    rowOf(canary(9)),
  ]);
  const synced = await at.on('sync');
  expect(events(synced)).toEqual(['run.applied', 'run.doubt']);
  const [{ runs }] = objects(synced.stdout) as [{ runs: { run: string; quarantine: unknown[] }[] }];
  expect(runs[0]!.quarantine.length).toBeGreaterThan(3);
  // whoever asks to see rows sees them
  expect(singing((await at.on('show', runs[0]!.run)).stdout)).not.toEqual([]);

  for (const [bad, head] of [
    [[rowOf(one, one.email)], undefined],
    [rows(3), null],
    [[`"${one.firstName}`, one.email], undefined],
    [[], `${one.email},${one.email},faculty`],
  ] as const) {
    at.configure({ store: '{ kind: embedded }' });
    at.drop(bad, head);
    const failed = await at.on('sync');
    expect([failed.status, events(failed)], failed.stdout).toEqual([1, ['run.failed']]);
    await at.on('check', '--connect');
  }
  expect(objects((await at.on('runs')).stdout)).toHaveLength(5);
});

test('a held plan, approved, rejected, and out of date', async () => {
  at.drop(rows(60));
  await at.on('sync');
  at.drop(rows(5));
  const held = await at.on('sync');
  expect([held.status, events(held)]).toEqual([3, ['run.held']]);
  const found = (said: Said) =>
    (objects(said.stdout)[0] as { runs: { run: string; plan: { digest: string } }[] }).runs[0]!;
  const { run, plan } = found(held);
  expect((await at.on('approve', run, '--digest', 'f'.repeat(64))).status).toBe(2);
  expect(events(await at.on('reject', run))).toEqual(['run.rejected']);
  at.drop(rows(5));
  const again = found(await at.on('sync'));
  // somebody else has changed what the plan is about
  const database = new DatabaseSync(join(at.directory, 'var/rosterd.db'));
  database.exec(
    "UPDATE accounts SET status = 'disabled' WHERE rowid IN (SELECT rowid FROM accounts ORDER BY account DESC LIMIT 3)",
  );
  database.close();
  const stale = await at.on('approve', again.run, '--digest', again.plan.digest);
  expect([stale.status, stale.stderr]).toEqual([1, expect.stringContaining('out of date')]);
  expect(plan.digest).toBeTruthy();
  await at.on('show', again.run);
  await at.on('runs');
});

const stubs: Record<'canvas' | 'salesforce' | 'peoplesoft', typeof canvasStub> = {
  canvas: canvasStub,
  salesforce: salesforceStub,
  peoplesoft: peoplesoftStub,
};

async function withTargets(): Promise<Record<keyof typeof stubs, Stub>> {
  const found = Object.fromEntries(
    await Promise.all(Object.entries(stubs).map(async ([kind, stub]) => [kind, await startStub(stub)] as const)),
  ) as Record<keyof typeof stubs, Stub>;
  onTestFinished(async () => void (await Promise.all(Object.values(found).map((stub) => stub.close()))));
  at.configure({
    targets: `
  canvas: { kind: canvas, url: '${found.canvas.url}', token: { env: CANARY_TOKEN }, pollEvery: 50ms }
  salesforce: { kind: salesforce, url: '${found.salesforce.url}', clientId: rosterd, clientSecret: { env: CANARY_CLIENT } }
  peoplesoft: { kind: peoplesoft, url: '${found.peoplesoft.url}', auth: { username: ROSTERD, password: { env: CANARY_PASSWORD } } }`,
  });
  return found;
}

test.each([400, 401, 404, 429, 500])('targets that answer %i and quote the person and the login', async (status) => {
  const targets = await withTargets();
  at.drop(rows(3));
  for (const [n, body] of [
    quoting(canary(1)),
    JSON.stringify({ errors: [{ message: quoting(canary(0)) }], message: quoting(canary(2)) }),
    JSON.stringify([{ errorCode: 'INVALID_FIELD', message: quoting(canary(1)) }]),
    // cut by whoever quotes it, in the middle of a name
    `${'x'.repeat(189)} ${canary(1).lastName} ${canary(2).email}`,
  ].entries()) {
    const fault = {
      status,
      body,
      headers: { 'retry-after': '7200', 'content-type': n ? 'application/json' : 'text/plain' },
    };
    for (const stub of Object.values(targets)) stub.setFaults([fault]);
    const said = await at.on('sync');
    expect([said.status, events(said)], said.stderr).toEqual([1, expect.arrayContaining(['delivery.stopped'])]);
  }
  for (const body of [
    login(),
    `${'x'.repeat(180)} ${login()}`,
    JSON.stringify({ error: 'no', error_description: login() }),
  ]) {
    for (const stub of Object.values(targets)) stub.setFaults([{ status, body, headers: { 'retry-after': '7200' } }]);
    expect((await at.on('check', '--connect')).status).not.toBe(0);
  }
  // the log in goes well, and what follows does not
  targets.salesforce.setFaults([
    { status, path: '/services/data', body: quoting(canary(1)), headers: { 'retry-after': '7200' } },
  ]);
  expect((await at.on('sync')).status).toBe(1);
  await at.on('runs');
});

test('targets that refuse single items: their words stay with the item', async () => {
  const { peoplesoft } = await withTargets();
  at.drop(rows(3));
  const body = JSON.stringify({ type: 'error', message: quoting(canary(1)) });
  peoplesoft.setFaults([{ status: 400, body, headers: { 'content-type': 'application/json' } }]);
  const said = await at.on('sync');
  const refused = objects(said.stderr).find(({ failed }) => Number(failed) > 0);
  expect(refused).toMatchObject({ event: 'delivery.done', level: 'warn', target: 'peoplesoft' });
});

test('a fault of rosterd itself, over rows in its own database', async () => {
  await withTargets();
  at.drop(rows(40));
  expect((await at.on('sync', '--no-deliver')).status).toBe(0);
  const database = new DatabaseSync(join(at.directory, 'var/rosterd.db'));
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  const broken = `${canary(1).firstName} "${canary(1).lastName}", ${canary(1).email} ${canary(1).id}`;
  database.prepare('UPDATE outbox_bodies SET body = ?').run(broken);
  const stopped = await at.on('sync');
  const line = objects(stopped.stderr).find(({ event }) => event === 'delivery.stopped');
  // what it was is told, with the place, and not over what
  expect(line).toMatchObject({
    level: 'error',
    error: { kind: 'Unexpected' },
    err: { type: 'SyntaxError', stack: expect.arrayContaining([expect.stringContaining('database.ts')]) },
  });
  database.prepare('UPDATE plans SET doc = ?').run(broken);
  database.prepare('UPDATE snapshots SET doc = ?').run(broken);
  at.drop(rows(41));
  const failed = await at.on('sync');
  expect(objects(failed.stderr)[0]).toMatchObject({
    event: 'run.failed',
    level: 'error',
    err: { type: 'SyntaxError' },
  });
  database.prepare('UPDATE runs SET doc = ?').run(broken);
  expect((await at.on('runs')).status).toBe(1);
  expect((await at.on('sync')).status).toBe(1);
  expect((await at.on('show', 'any')).status).not.toBe(0);
});

test('an exception that nobody catches', async () => {
  const { firstName, email, id } = canary(1);
  // as a package would throw it, with what it was at work on
  const thrown = `queueMicrotask(() => { throw Object.assign(new TypeError('no "${firstName}" for ${email}'), {
    row: ${JSON.stringify(canary(1))}, cause: new Error("token ${secrets.CANARY_TOKEN}, '${id}'") }) })`;
  const preload = `import { Secret } from ${JSON.stringify(new URL('../../src/base/secret.ts', import.meta.url).href)};
    new Secret({ env: 'CANARY_TOKEN' }).reveal(); process.once('newListener', () => setImmediate(() => { ${thrown} }));`;
  const file = join(at.directory, 'preload.mjs');
  writeFileSync(file, preload);
  at.environment = { NODE_OPTIONS: `--import ${file}` };
  const said = await at.rosterd('stubs');
  expect(said.status, said.stderr).toBe(1);
  expect(objects(said.stderr)).toMatchObject([
    {
      event: 'process.crashed',
      level: 'error',
      err: { type: 'TypeError', kind: 'Unexpected', cause: { type: 'Error' } },
    },
  ]);
});

test('secrets in the wrong place, and a store that is away', async () => {
  const { CANARY_URI, CANARY_TOKEN } = secrets;
  for (const store of [
    `{ kind: mongodb, uri: '${CANARY_URI}' }`,
    '{ kind: mongodb, uri: { env: CANARY_URI }, timeout: 1s }',
    `{ kind: mongodb, uri: 'mongodb://127.0.0.1:1/', username: vogel, password: ${CANARY_TOKEN}, timeout: 1s }`,
    '{ kind: mongodb, uri: { env: CANARY_PASSWORD }, timeout: 1s }',
  ]) {
    at.configure({ store });
    for (const command of [['sync'], ['check', '--connect'], ['runs'], ['migrate-store']] as const)
      expect((await at.on(...(command as [string]))).status, `${store} ${command[0]}`).not.toBe(0);
  }
  for (const token of [
    CANARY_TOKEN,
    `[${CANARY_TOKEN}]`,
    `{ env: [${CANARY_TOKEN}] }`,
    `{ file: 7, env: "${CANARY_TOKEN}" }`,
  ]) {
    at.configure({ targets: `{ canvas: { kind: canvas, url: 'http://127.0.0.1:1', token: ${token} } }` });
    expect((await at.on('check')).status).toBe(2);
  }
});

requireServer('sftp', sshdMissing)('a real SFTP server', () => {
  test('that refuses the password, shows another key, or holds what cannot be read', async () => {
    const server = await startSshd();
    onTestFinished(() => server.stop());
    const source = (login: string, key = server.hostKeys.ed25519.fingerprint): string => `
    kind: csv-drop
    from: 'sftp://${server.user}@127.0.0.1:${server.port}${server.drops}'
    files: '*.csv'
    settle: 0s
    format: unitu
    hostKey: '${key}'
    ${login}`;
    for (const [login, key] of [
      ['password: { env: CANARY_PASSWORD }', undefined],
      [`privateKey: { file: '${server.lockedKey.file}' }\n    passphrase: { env: CANARY_PASSWORD }`, undefined],
      ['privateKey: { env: CANARY_TOKEN }', undefined],
      ['password: { env: CANARY_PASSWORD }', `SHA256:${'A'.repeat(43)}`],
      [`privateKey: { file: '${server.key}' }`, undefined],
    ] as const) {
      at.configure({ source: source(login, key) });
      const said = await at.on('sync');
      expect([said.status, events(said)], said.stdout).toEqual([1, ['run.failed']]);
      expect((await at.on('check', '--connect')).status).not.toBe(0);
    }
  });
});
