import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stub, startStub } from '../../../src/connector/stub.ts';

/** A server that counts what had an effect. */
let stub: Stub;
let effects: string[];
beforeEach(async () => {
  effects = [];
  stub = await startStub({
    kind: 'counter',
    routes(server) {
      server.route({
        method: ['GET', 'POST'],
        url: '/items/:name',
        async handler(request, reply) {
          const { name } = request.params as { name: string };
          effects.push(`${request.method} ${name}`);
          return reply.code(201).header('x-own', 'yes').send({ done: name });
        },
      });
      return () => ({ effects });
    },
  });
});
afterEach(() => stub.close());

const ask = async (path = '/items/a', init: RequestInit = {}): Promise<{ status: number; text: string }> => {
  const answer = await fetch(stub.url + path, init);
  return { status: answer.status, text: await answer.text() };
};
const statuses = async (count: number, path?: string): Promise<number[]> => {
  const seen: number[] = [];
  for (let i = 0; i < count; i += 1) seen.push((await ask(path)).status);
  return seen;
};

test('listens on loopback only, and answers without faults', async () => {
  expect(new URL(stub.url)).toMatchObject({ hostname: '127.0.0.1', protocol: 'http:' });
  expect(await ask()).toEqual({ status: 201, text: '{"done":"a"}' });
  expect(effects).toEqual(['GET a']);
});

test('its state is the same over HTTP and in the process', async () => {
  await ask();
  expect(JSON.parse((await ask('/_stub/state')).text)).toEqual({ effects: ['GET a'] });
  expect(stub.state()).toEqual({ effects: ['GET a'] });
});

describe('a fault before', () => {
  test('answers instead: no effect', async () => {
    stub.setFaults([{ path: '/items', status: 503, headers: { 'retry-after': '7' }, body: 'away' }]);
    const answer = await fetch(`${stub.url}/items/a`);
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '7', 'away']);
    expect(effects).toEqual([]);
  });

  test('with reset cuts the connection: no effect', async () => {
    stub.setFaults([{ reset: true, count: 1 }]);
    await expect(ask()).rejects.toThrow();
    expect(effects).toEqual([]);
    expect((await ask()).status).toBe(201);
  });

  test('that only delays lets the request through', async () => {
    stub.setFaults([{ delayMs: 1 }]);
    expect((await ask()).status).toBe(201);
    expect(effects).toEqual(['GET a']);
  });
});

describe('a fault after', () => {
  test('replaces the answer: the effect is there', async () => {
    stub.setFaults([{ when: 'after', status: 502, body: 'bad gateway' }]);
    expect(await ask()).toEqual({ status: 502, text: 'bad gateway' });
    expect(effects).toEqual(['GET a']);
  });

  test('with reset loses the answer: the effect is there', async () => {
    stub.setFaults([{ when: 'after', reset: true, count: 1 }]);
    await expect(ask()).rejects.toThrow();
    expect(effects).toEqual(['GET a']);
    expect((await ask()).status).toBe(201);
  });

  test('is not used up by a request that a fault before has answered', async () => {
    stub.setFaults([
      { path: '/items', status: 503, count: 1 },
      { path: '/items', status: 502, count: 1, when: 'after' },
    ]);
    expect(await statuses(3)).toEqual([503, 502, 201]);
    expect(effects).toHaveLength(2);
  });

  test('is not used up by a request that a fault before has cut', async () => {
    stub.setFaults([
      { path: '/items', reset: true, count: 1 },
      { path: '/items', status: 502, count: 1, when: 'after' },
    ]);
    await expect(ask()).rejects.toThrow();
    expect(await statuses(2)).toEqual([502, 201]);
  });

  test('comes on top of a fault before that only delayed', async () => {
    stub.setFaults([{ delayMs: 1 }, { status: 502, when: 'after' }]);
    expect(await statuses(1)).toEqual([502]);
  });
});

describe('whom a rule is for', () => {
  test('the path with its query, as a regular expression', async () => {
    stub.setFaults([{ path: '^/items/b\\?page=2$', status: 500 }]);
    expect((await ask('/items/b')).status).toBe(201);
    expect((await ask('/items/a?page=2')).status).toBe(201);
    expect((await ask('/items/b?page=2')).status).toBe(500);
  });

  test('the method', async () => {
    stub.setFaults([{ method: 'POST', status: 500 }]);
    expect((await ask()).status).toBe(201);
    expect((await ask('/items/a', { method: 'POST' })).status).toBe(500);
  });

  test('never for the stub itself: a person can always end the faults', async () => {
    stub.setFaults([{ status: 500 }]);
    expect((await ask('/_stub/state')).status).toBe(200);
    const body = JSON.stringify({ rules: [] });
    const headers = { 'content-type': 'application/json' };
    expect((await ask('/_stub/faults', { method: 'POST', body, headers })).text).toBe('{"rules":0}');
    expect((await ask()).status).toBe(201);
  });
});

describe('how often', () => {
  test('count: so many requests, the first ones', async () => {
    stub.setFaults([{ status: 500, count: 2 }]);
    expect(await statuses(4)).toEqual([500, 500, 201, 201]);
  });

  test('count counts only what fits', async () => {
    stub.setFaults([{ path: '/items/b', status: 500, count: 1 }]);
    expect(await statuses(2)).toEqual([201, 201]);
    expect(await statuses(2, '/items/b')).toEqual([500, 201]);
  });

  test('share: evenly, the same each time', async () => {
    for (const [share, wanted] of [
      [0.5, [201, 500, 201, 500, 201, 500]],
      [1 / 3, [201, 201, 500, 201, 201, 500]],
      [0, [201, 201, 201, 201, 201, 201]],
      [1, [500, 500, 500, 500, 500, 500]],
    ] as const) {
      stub.setFaults([{ status: 500, share }]);
      expect(await statuses(6), `share ${share}`).toEqual(wanted);
    }
  });

  test('share and count together', async () => {
    stub.setFaults([{ status: 500, share: 0.5, count: 2 }]);
    expect(await statuses(8)).toEqual([201, 500, 201, 500, 201, 201, 201, 201]);
  });

  test('the first rule that fits and has uses left acts; the next takes over', async () => {
    stub.setFaults([
      { path: '/items', status: 500, count: 1 },
      { path: '/items', status: 503, count: 1 },
    ]);
    expect(await statuses(3)).toEqual([500, 503, 201]);
  });

  test('new rules replace the old ones and count anew', async () => {
    stub.setFaults([{ status: 500, count: 1 }]);
    await ask();
    stub.setFaults([{ status: 503, count: 1 }]);
    expect(await statuses(2)).toEqual([503, 201]);
  });
});

describe('rules that make no sense are refused', () => {
  test.each([
    [{ rules: [{ share: 2 }] }, /share/],
    [{ rules: [{ count: 0 }] }, /count/],
    [{ rules: [{ when: 'during' }] }, /when/],
    [{ rules: [{ paths: '/' }] }, /paths/],
    [{}, /rules/],
  ])('%j', async (body, message) => {
    stub.setFaults([{ path: '/items', status: 500 }]);
    const headers = { 'content-type': 'application/json' };
    const answer = await ask('/_stub/faults', { method: 'POST', body: JSON.stringify(body), headers });
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(message);
    expect((await ask()).status, 'the old rules stand').toBe(500);
  });
});

describe('an answer that goes wrong on its way', () => {
  test('comes in pieces, whole in the end', async () => {
    stub.setFaults([{ kind: 'drip', bytes: 3, delayMs: 1 }]);
    expect(await ask()).toEqual({ status: 201, text: '{"done":"a"}' });
    expect(effects).toEqual(['GET a']);
  });

  test('is another one under the same status', async () => {
    stub.setFaults([{ kind: 'body', body: '<html>maintenance</html>', headers: { 'content-type': 'text/html' } }]);
    const answer = await fetch(`${stub.url}/items/a`);
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      201,
      'text/html',
      '<html>maintenance</html>',
    ]);
    expect(effects).toEqual(['GET a']);
  });

  test('ends half-way: the effect is there, and nobody takes the half for the whole', async () => {
    stub.setFaults([{ kind: 'partial', count: 1 }]);
    await expect(ask()).rejects.toThrow();
    expect(effects).toEqual(['GET a']);
    expect((await ask()).text).toBe('{"done":"a"}');
  });

  test('only after it was made: a rule that says otherwise is refused', async () => {
    expect(() => stub.setFaults([{ kind: 'drip', when: 'before' }])).toThrow(/comes after/);
    const refused = await fetch(`${stub.url}/_stub/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"rules":[{"kind":"status"}]}',
    });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('needs a status')]);
  });
});

describe('what it was asked', () => {
  const post = (body: string | Uint8Array<ArrayBuffer>, path = '/items/a'): Promise<Response> =>
    fetch(stub.url + path, { method: 'POST', headers: { 'content-type': 'text/plain' }, body });

  test('is remembered byte for byte, with what was answered, also when a fault answered', async () => {
    await post('Zoë & co');
    stub.setFaults([{ status: 503, count: 1 }]);
    await post('again');
    await ask('/items/b?page=2');
    const [first, second, third] = stub.requests();
    expect(first).toMatchObject({ n: 1, method: 'POST', url: '/items/a', bytes: 9, body: 'Zoë & co', status: 201 });
    expect(first!.sha256).toBe(createHash('sha256').update('Zoë & co').digest('hex'));
    expect(second).toMatchObject({ n: 2, body: 'again', status: 503 });
    expect(third).toMatchObject({ n: 3, method: 'GET', url: '/items/b?page=2', bytes: 0, body: '', encoding: 'utf8' });
  });

  test('is shown by path, the last ones; questions about the stub are none', async () => {
    await post('one');
    await ask('/items/b');
    await post('three');
    const shown = (await (await fetch(`${stub.url}/_stub/requests?path=/items/a&limit=1`)).json()) as {
      requests: { body: string }[];
    };
    expect(shown.requests.map(({ body }) => body)).toEqual(['three']);
    expect(stub.requests()).toHaveLength(3);
  });

  test('is kept in base64 where it is no text, and of what is long only the beginning', async () => {
    await post(new Uint8Array([0xff, 0x00]));
    await post('x'.repeat(100_000));
    const [bytes, long] = stub.requests();
    expect(bytes).toMatchObject({ encoding: 'base64', body: '/wA=' });
    expect([long!.bytes, long!.body.length]).toEqual([100_000, 64 * 1024]);
  });
});
