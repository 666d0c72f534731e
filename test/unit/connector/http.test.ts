import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Denied, Unavailable } from '../../../src/base/errors.ts';
import { type Http, openHttp, retryAfterMs } from '../../../src/connector/http.ts';
import { selfSigned } from '../../support/certificate.ts';

const never = new AbortController().signal;

async function listening(server: Server & { closeAllConnections(): void }, scheme = 'http'): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that answers so, and a client bound to it. */
async function talk(
  answer: RequestListener,
  { signal = never, under = '', timeoutMs }: { signal?: AbortSignal; under?: string; timeoutMs?: number } = {},
): Promise<{ http: Http; url: string }> {
  const url = await listening(createServer(answer));
  return { http: opened(url + under, signal, timeoutMs), url };
}

function opened(url: string, signal = never, timeoutMs?: number): Http {
  const http = openHttp(url, signal, timeoutMs);
  onTestFinished(() => http.close());
  return http;
}

const get = (http: Http, path = 'x') => http.send({ method: 'GET', path });

describe('an answer', () => {
  test.each([200, 204, 301, 302, 307, 400, 401, 403, 404, 429, 500, 503])(
    'with status %i is an answer, and no redirect is followed',
    async (status) => {
      let asked = 0;
      const { http } = await talk((_request, response) => {
        asked += 1;
        response.writeHead(status, { location: '/elsewhere' }).end();
      });
      await expect(get(http)).resolves.toMatchObject({ status, headers: { location: '/elsewhere' } });
      expect(asked).toBe(1);
    },
  );

  test('comes whole, as UTF-8, with header names in lower case and repeats joined', async () => {
    const { http } = await talk((_request, response) => {
      response.writeHead(200, [
        ['X-Mixed-Case', 'a'],
        ['Link', '<1>'],
        ['Link', '<2>'],
      ] as never);
      // cut in the middle of a character
      const bytes = Buffer.from('Zoë Žižek 李');
      response.write(bytes.subarray(0, 3));
      response.end(bytes.subarray(3));
    });
    expect(await get(http)).toMatchObject({
      text: 'Zoë Žižek 李',
      headers: { 'x-mixed-case': 'a', link: '<1>, <2>' },
    });
  });
});

describe('a request', () => {
  const echo: RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, url, headers } = request;
    response.end(JSON.stringify({ method, url, own: headers['x-own'], body: Buffer.concat(chunks).toString('hex') }));
  };

  test('brings method, headers and body', async () => {
    const { http } = await talk(echo);
    const { text } = await http.send({
      method: 'PATCH',
      path: 'a/b?c=d',
      headers: { 'x-own': 'yes' },
      body: Uint8Array.of(0, 255, 10),
    });
    expect(JSON.parse(text)).toEqual({ method: 'PATCH', url: '/a/b?c=d', own: 'yes', body: '00ff0a' });
  });

  test.each([
    ['', 'api/x', '/api/x'],
    ['', '/api/x', '/api/x'],
    ['/base', 'api/x', '/base/api/x'],
    ['/base', '/api/x', '/base/api/x'],
    ['/base/', '/api/x?y=1', '/base/api/x?y=1'],
  ])('under %o to %o goes to %o', async (under, path, wanted) => {
    const { http } = await talk(echo, { under });
    expect(JSON.parse((await get(http, path)).text)).toMatchObject({ url: wanted });
  });

  test('an absolute address of the same origin is taken as it is', async () => {
    const { http, url } = await talk(echo, { under: '/base' });
    expect(JSON.parse((await get(http, `${url}/next?page=2`)).text)).toMatchObject({ url: '/next?page=2' });
  });

  test('goes to no other origin, however it is written', async () => {
    let stolen = 0;
    const thief = await listening(
      createServer((_request, response) => {
        stolen += 1;
        response.end();
      }),
    );
    const { http, url } = await talk(echo);
    const host = thief.replace('http:', '');
    const tries = [
      thief,
      `${thief}/x`,
      thief.toUpperCase(),
      `/${host}/x`,
      host.replace(/\//g, '\\'),
      'ftp://127.0.0.1/',
    ];
    // the same host is not the same origin with another scheme
    for (const path of [...tries, url.replace('http:', 'https:')])
      await expect(get(http, path), path).rejects.toThrow(Denied);
    await expect(get(http, thief)).rejects.toThrow(`refused to send to ${thief}: the configured address is ${url}`);
    expect(stolen).toBe(0);
  });
});

describe('no answer', () => {
  test('a refused connection is Unavailable, with the address', async () => {
    const server = createServer();
    const url = await listening(server);
    server.close();
    await once(server, 'close');
    const refused = get(opened(url));
    await expect(refused).rejects.toThrow(Unavailable);
    await expect(refused).rejects.toThrow(url);
  });

  test.each<[string, RequestListener]>([
    ['before the answer', (request) => request.socket.destroy()],
    ['with a reset', (request) => request.socket.resetAndDestroy()],
    [
      'in the middle of it',
      (request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('half', () => request.socket.destroy());
      },
    ],
    ['after something that is not HTTP', (request) => request.socket.end('SSH-2.0-OpenSSH_9.9\r\n')],
  ])('a connection that ends %s is Unavailable, and is not tried again', async (_when, answer) => {
    let asked = 0;
    const { http } = await talk((request, response) => {
      asked += 1;
      answer(request, response);
    });
    await expect(get(http)).rejects.toThrow(Unavailable);
    expect(asked).toBe(1);
  });

  test.each<[string, RequestListener]>([
    ['nothing', () => {}],
    ['headers and then nothing', (_request, response) => response.writeHead(200).write('half')],
  ])('a server that says %s is Unavailable after the time-out', async (_what, answer) => {
    const { http } = await talk(answer, { timeoutMs: 50 });
    await expect(get(http)).rejects.toThrow(Unavailable);
  });

  test('an endless answer is Unavailable, and no longer read', async () => {
    const { promise: left, resolve } = Promise.withResolvers<void>();
    const { http } = await talk((_request, response) => {
      const piece = Buffer.alloc(1024 * 1024, 'x');
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
      };
      response.on('drain', more).on('close', () => resolve());
      more();
    });
    await expect(get(http)).rejects.toThrow(/: the answer is larger than \d+ bytes$/);
    await left;
  });
});

describe('trust', () => {
  test('a certificate that nobody vouches for is Denied, and nothing is sent', async () => {
    let asked = 0;
    const server = createTlsServer(selfSigned(), (_request, response) => {
      asked += 1;
      response.end();
    });
    const url = await listening(server, 'https');
    const refused = get(opened(url));
    await expect(refused).rejects.toThrow(Denied);
    await expect(refused).rejects.toThrow(`${url}: its certificate is not trusted`);
    expect(asked).toBe(0);
  });

  test('a server without TLS where it was expected is no matter of trust', async () => {
    const { url } = await talk((_request, response) => response.end());
    await expect(get(opened(url.replace('http:', 'https:')))).rejects.toThrow(Unavailable);
  });
});

describe('an abort', () => {
  test('in the middle of a request: the reason itself', async () => {
    const controller = new AbortController();
    const reason = new Error('stopped by SIGTERM');
    const { http } = await talk(() => controller.abort(reason), { signal: controller.signal });
    await expect(get(http)).rejects.toBe(reason);
  });

  test('in the middle of an answer: the reason itself', async () => {
    const controller = new AbortController();
    const reason = new Error('stopped by SIGTERM');
    const { http } = await talk(
      (_request, response) => {
        response.writeHead(200);
        response.write('half', () => controller.abort(reason));
      },
      { signal: controller.signal },
    );
    await expect(get(http)).rejects.toBe(reason);
  });

  test('before: nothing is sent', async () => {
    let asked = 0;
    const { http } = await talk(
      (_request, response) => {
        asked += 1;
        response.end();
      },
      { signal: AbortSignal.abort('stopped') },
    );
    await expect(get(http)).rejects.toBe('stopped');
    expect(asked).toBe(0);
  });

  test('closing lets go of connections that are kept alive', async () => {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const { http } = await talk((request, response) => {
      request.socket.once('close', () => resolve());
      response.end('ok');
    });
    await get(http);
    await http.close();
    await ended;
  });
});

test.each([
  [{}, undefined],
  [{ 'retry-after': '30' }, 30_000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': 'Thu, 15 Jan 2026 02:15:30 GMT' }, 30_000],
  [{ 'retry-after': 'Thu, 15 Jan 2026 02:00:00 GMT' }, 0],
  [{ 'retry-after': 'Thursday, 15-Jan-26 02:15:30 GMT' }, 30_000],
  [{ 'retry-after': 'Thu Jan 15 02:15:30 2026' }, 30_000],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': 'Thursday' }, undefined],
  // what Date.parse would take for moments long ago
  [{ 'retry-after': '-1' }, undefined],
  [{ 'retry-after': '1.5' }, undefined],
  [{ 'retry-after': '2025-01-15' }, undefined],
  [{ 'retry-after': '-5x' }, undefined],
])('Retry-After in %j is %o ms', (headers, ms) => {
  // a date is one of Greenwich, wherever the machine is
  vi.stubEnv('TZ', 'America/New_York');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(retryAfterMs(headers as Record<string, string>, new Date('2026-01-15T02:15:00Z'))).toBe(ms);
});
