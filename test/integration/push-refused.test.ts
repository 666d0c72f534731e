import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { selfSigned } from '../support/certificate.ts';
import { key, PushSite, sha256, student } from '../support/pushing.ts';

/** What is refused, and that it leaves nothing behind. */

const otherKey = `rosterd_${'x'.repeat(43)}`;

describe('a push is refused', () => {
  let site: PushSite;
  beforeEach(async () => {
    const source = `    maxBody: 64KB
    maxRecordBytes: 1KB
    maxRecords: 50
    rate: { pushes: 40, per: 1h }`;
    const more = `  off: { kind: push, key: { sha256: ${sha256(key)} }, enabled: false, format: unitu }
  other: { kind: push, key: [{ sha256: ${sha256(otherKey)} }], format: unitu }
  drops: { kind: csv-drop, from: 'file:///nowhere', files: '*.csv', format: unitu }`;
    site = await PushSite.make({ source, more });
    await site.start();
  });
  afterEach(async () => {
    // no refusal has left a file, or a run; one whose sender went away is noticed in its own time
    const files = (): string[] =>
      readdirSync(site.stateDir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.startsWith('rosterd.db'))
        .map(({ name }) => name);
    await expect.poll(files, { timeout: 10_000 }).toEqual([]);
    expect(await site.stop()).toBe(0);
    expect(await site.runs()).toEqual([]);
    expect(site.log).not.toContain('First1');
  });

  test('as a whole, when it is no list of records', async () => {
    const one = JSON.stringify(student(1));
    const bodies: [string, string][] = [
      ['', 'the body is empty'],
      ['   ', 'the body is not JSON'],
      ['{"data":[', 'the body is not JSON'],
      [`{"data":[${one}`, 'the body is not JSON'],
      [`{"data":[${one},]}`, 'the body is not JSON: cannot parse input: unexpected token'],
      [`{"data":[${one}]}]`, 'the body is not JSON'],
      [`{"data":[${one}]}{"data":[]}`, 'the body is not JSON'],
      [`{"data":[{"id":"\ttab"}]}`, 'the body is not JSON'],
      [`{"data":[{"year":01}]}`, 'the body is not JSON'],
      ['<data/>', 'the body is not JSON'],
      ['null', 'the body has no list of records'],
      [`[${one}]`, 'the body has no list of records'],
      ['{}', 'the body has no list of records'],
      ['{"data":{}}', 'the body has no list of records'],
      ['{"data":"x"}', 'the body has no list of records'],
      ['{"data":{"students":{}}}', 'the body has no list of records'],
      ['{"Data":[]}', 'the body has a key beside "data"'],
      ['{"data":[],"more":1}', 'the body has a key beside "data"'],
      ['{"data":{"staff":[]}}', 'the body has a key beside "students"'],
      ['{"data":[],"data":[]}', 'the body has "data" twice'],
      ['{"data":{"students":[],"students":[]}}', 'the body has "students" twice'],
      [`{"data":[${one},{"id":"a","id":"b"}]}`, 'record 2 has a key twice'],
      [`{"data":[{"__proto__":1,"__proto__":2}]}`, 'record 1 has a key twice'],
      [`{"data":[${'['.repeat(40)}`, 'record 1 is nested more than 32 deep'],
      [`{"data":[${Array(60).fill('{}').join(',')}]}`, 'the body has more than 50 records'],
      [`{"data":[{"id":"${'x'.repeat(70_000)}"}]}`, 'the body is larger than 65536 bytes'],
    ];
    for (const [body, reason] of bodies) {
      const answer = await site.json(body);
      const status = reason.includes('larger') || reason.includes('more than 50') ? 413 : 400;
      expect([body.slice(0, 60), answer.status, answer.body.error]).toEqual([
        body.slice(0, 60),
        status,
        expect.stringContaining(reason),
      ]);
    }
  });

  test('as a whole, when not one record can be taken, with every reason', async () => {
    const { status, body } = await site.json(`{"data":[1,"x",null,[1],{},{"id":"${'x'.repeat(1100)}"}]}`);
    expect([status, body.error]).toEqual([422, 'none of the 6 records can be taken']);
    expect(body.records.map(({ record, reason }) => `${record}: ${reason}`)).toEqual([
      '1: is a value, not an object',
      '2: is text, not an object',
      '3: is a value, not an object',
      '4: is a list, not an object',
      '5: is missing',
      '6: is longer than 1024 bytes (maxRecordBytes)',
    ]);
  });

  test('when it is not UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from('{"data":[{"id":"'), Buffer.from([0xff]), Buffer.from('"}]}')]);
    const { status, body } = await site.send('students', bytes, { API_KEY: key, 'content-type': 'application/json' });
    expect([status, body.error]).toEqual([400, 'the body is not JSON: it is not UTF-8']);
  });

  test('without a key, and is not told which sources there are', async () => {
    const json = { 'content-type': 'application/json' };
    const wrong: Record<string, string>[] = [
      {},
      { API_KEY: '' },
      { API_KEY: `${key}x` },
      { API_KEY: sha256(key) },
      { authorization: `Basic ${key}` },
      { authorization: 'Bearer nothing' },
    ];
    const said = new Set<string>();
    for (const headers of wrong)
      for (const name of ['sis', 'off', 'drops', 'nothing'])
        for (const [path, method] of [
          ['students', 'POST'],
          ['upload', 'GET'],
          ['more', 'POST'],
        ] as const) {
          const url = `http://127.0.0.1:${site.port}/api/v1/sources/${name}/${path}`;
          const response = await fetch(url, {
            method,
            headers: { ...json, ...headers },
            ...(method === 'POST' ? { body: '{}' } : {}),
          });
          if (path !== 'more') said.add(`${response.status} ${await response.text()}`);
          else expect(response.status).toBeGreaterThanOrEqual(400);
        }
    expect([...said]).toEqual([
      '401 {"error":"a valid key is needed, as the header API_KEY or Authorization: Bearer"}',
    ]);
  });

  test('and nothing of what a stranger writes into the address is logged or quoted', async () => {
    const of = (path: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${site.port}/api/v1/sources/${path}`, { method: 'POST' });
    expect((await of('ann.smith/students')).status).toBe(401);
    expect((await of('sis/students')).status).toBe(401);
    for (const path of ['ann.smith%ZZ/students', `ann.smith${'x'.repeat(3000)}/students`]) {
      const answer = await of(path);
      expect([answer.status, await answer.json()]).toEqual([400, { error: 'the address cannot be read' }]);
    }
    await site.says('push.refused', 4);
    expect(site.log).toContain('sis: refused with 401');
    expect(site.log).not.toContain('ann.smith');
  });

  test('with the key of another source, of a name that is no push source, or while the source is disabled', async () => {
    const status = async (name: string, with_: string): Promise<number> => {
      const url = `http://127.0.0.1:${site.port}/api/v1/sources/${name}/students`;
      const headers = { api_key: with_, 'content-type': 'application/json' };
      return (await fetch(url, { method: 'POST', headers, body: '{"data":[]}' })).status;
    };
    expect(await status('sis', otherKey)).toBe(404);
    expect(await status('drops', key)).toBe(404);
    expect(await status('nothing', key)).toBe(404);
    expect(await status('off', key)).toBe(409);
  });

  test('in another form than asked for', async () => {
    const list = '{"data":[]}';
    const json = { API_KEY: key, 'content-type': 'application/json' };
    const statuses = async (...all: Promise<{ status: number }>[]): Promise<number[]> =>
      (await Promise.all(all)).map(({ status }) => status);
    expect(
      await statuses(
        site.send('students', list, { API_KEY: key, 'content-type': 'text/plain' }),
        site.send('students', list, { API_KEY: key, 'content-type': 'text/csv' }),
        site.send('students', list, { API_KEY: key, 'content-type': 'application/json; charset=utf-16' }),
        site.send('students', list, { ...json, 'content-encoding': 'gzip' }),
        site.send('upload', list, json),
        site.upload('id\n', '', { 'content-type': 'nonsense' }),
      ),
    ).toEqual([415, 415, 415, 415, 415, 415]);
    expect(
      await statuses(
        site.json(list, '?anwser=delta'),
        site.json(list, '?answer=all'),
        site.json(list, '?answer=delta', { 'rosterd-answer': 'snapshot' }),
        site.json(list, '', { 'idempotency-key': 'x'.repeat(256) }),
      ),
    ).toEqual([400, 400, 400, 400]);
    const other = await site.send('students', list, json, 'PUT');
    expect([other.status, other.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('as a form that is none, or not of one file', async () => {
    const forms = async (make: (form: FormData) => void): Promise<[number, string]> => {
      const form = new FormData();
      make(form);
      const { status, body } = await site.send('upload', form, { API_KEY: key });
      return [status, body.error];
    };
    const table = new Blob(['id\n']);
    expect(await forms(() => {})).toEqual([400, 'the form has no file']);
    expect(await forms((form) => form.set('answer', 'delta'))).toEqual([400, 'the form has a field that is no file']);
    const two = await forms((form) => {
      form.append('a', table, 'a.csv');
      form.append('b', table, 'b.csv');
    });
    expect(two).toEqual([400, 'the form has more than one file']);
    const cut = `POST /api/v1/sources/sis/upload HTTP/1.1\r\nhost: x\r\napi_key: ${key}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 100\r\nconnection: close\r\n\r\n--b\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\nfaculty,depart`;
    const padded = cut + ' '.repeat(100 - (cut.length - cut.indexOf('--b')));
    expect(await site.raw(padded, false)).toMatch(/^HTTP\/1.1 400 /);
  });

  test('when it ends in the middle, or is no HTTP', async () => {
    const head = `POST /api/v1/sources/sis/students HTTP/1.1\r\nhost: x\r\napi_key: ${key}\r\ncontent-type: application/json\r\n`;
    expect(await site.raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    // a list that looks whole, and is not all that was announced
    const cut = site.raw(`${head}content-length: 100\r\n\r\n{"data":[]}`);
    expect(await cut).not.toMatch(/ 202 /);
    const chunked = site.raw(`${head}transfer-encoding: chunked\r\n\r\nb\r\n{"data":[]}\r\n`);
    expect(await chunked).not.toMatch(/ 202 /);
    const both = site.raw(
      `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\nb\r\n{"data":[]}\r\n0\r\n\r\n`,
    );
    expect(await both).toMatch(/^HTTP\/1.1 400 /);
  });

  test('above its rate, and is told when to come back', async () => {
    let last = await site.json('x');
    for (let n = 1; n < 40; n++) last = await site.json('x');
    expect(last.status).toBe(400);
    const over = await site.json('x');
    expect([over.status, over.body.error]).toEqual([429, 'more than 40 pushes within 3600 s']);
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(3000);
  });

  test('while it is still being sent, with a body far too long, and the answer arrives', async () => {
    const socket = connect(site.port, '127.0.0.1');
    socket.on('error', () => {});
    const answer = text(socket);
    socket.write(
      `POST /api/v1/sources/sis/upload HTTP/1.1\r\nhost: x\r\napi_key: ${key}\r\ncontent-type: text/csv\r\ncontent-length: 1000000000\r\n\r\n`,
    );
    socket.write(`faculty,department,course,firstName,lastName,email,year\n${'x'.repeat(200_000)}`);
    expect(await answer).toMatch(/^HTTP\/1.1 413 [\s\S]*larger than 65536 bytes/);
  });
});

test('TLS: with a certificate of ours; in the clear nothing is answered', async () => {
  const site = await PushSite.make();
  const { key: privateKey, cert } = selfSigned();
  writeFileSync(join(site.directory, 'cert.pem'), cert);
  writeFileSync(join(site.directory, 'key.pem'), privateKey);
  const listen = `address: 0.0.0.0, port: ${site.port}, tls: { certificate: cert.pem, key: key.pem }`;
  site.rewrite((yaml) => yaml.replace(/listen: .*/, `listen: { ${listen} }`));
  await site.start();
  const sent = request({
    ...{ host: '127.0.0.1', port: site.port, ca: cert, method: 'POST', path: '/api/v1/sources/sis/students' },
    headers: { api_key: key, 'content-type': 'application/json' },
  });
  sent.end(JSON.stringify({ data: [student(1)] }));
  const [response] = await once(sent, 'response');
  expect(response.statusCode).toBe(202);
  response.resume();
  await site.says('run.applied');
  expect(await site.raw(`GET / HTTP/1.1\r\nhost: x\r\n\r\n`)).not.toMatch(/ 20\d /);
  expect(await site.stop()).toBe(0);
});

test('somebody without a key cannot go on sending', async () => {
  const site = await PushSite.make();
  await site.start();
  const socket = connect(site.port, '127.0.0.1');
  socket.on('error', () => {});
  const answer = text(socket);
  socket.write('POST /api/v1/sources/sis/students HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n{"data":[');
  // ends, although the body does not
  expect(await answer).toMatch(/^HTTP\/1.1 401 [\s\S]*connection: close/i);
});

test('a port that is taken, and a certificate that is not there, are said before anything runs', async () => {
  const site = await PushSite.make();
  await site.start();
  const socket = await site.rosterd('daemon');
  expect([socket.status, socket.stderr]).toEqual([2, expect.stringContaining('another rosterd answers at')]);
  site.rewrite((yaml) => yaml.replace('stateDir', `control: { socket: ${site.directory}/second.sock }\nstateDir`));
  const second = await site.rosterd('daemon');
  expect([second.status, second.stderr]).toEqual([2, expect.stringMatching(/cannot listen on 127.0.0.1 port \d+/)]);
  await site.stop();
  site.rewrite((yaml) => yaml.replace(/listen: .*/, 'listen: { tls: { certificate: no.pem, key: no.pem } }'));
  const third = await site.rosterd('daemon');
  expect([third.status, third.stderr]).toEqual([2, expect.stringContaining('the certificate of listen.tls')]);
});
