import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sisHttp } from '../../connectors/sis-http/connector.ts';
import { systemClock } from '../../src/base/clock.ts';
import { selfSigned } from '../support/certificate.ts';
import { steppedClock, temporaryFolder } from '../support/drop.ts';
import {
  type Asked,
  columns,
  one,
  people,
  type Rule,
  refusal,
  rowsOf,
  secret,
  sisContext,
  sisServer,
  sisSettings,
  slice,
} from '../support/sis.ts';

describe('a login', () => {
  test.each<[string, () => object, (headers: IncomingMessage['headers']) => unknown, string]>([
    ['header', () => ({ kind: 'header', value: secret('K', 'k3y') }), (h) => h['x-api-key'], 'k3y'],
    [
      'basic',
      () => ({ kind: 'basic', username: 'zoë', password: secret('P', 'pä:ss') }),
      (h) => Buffer.from(String(h.authorization).slice(6), 'base64').toString(),
      'zoë:pä:ss',
    ],
    ['bearer', () => ({ kind: 'bearer', token: secret('T', 't0k') }), (h) => h.authorization, 'Bearer t0k'],
  ])('by %s', async (_kind, auth, seen, wanted) => {
    const sis = await sisServer(one);
    await rowsOf(sis.url, { auth: auth(), headers: { 'X-Own': 'a', 'X-Sec': secret('H', 'hidden') }, query: { z: 1 } });
    expect(seen(sis.asked[0]!.headers)).toBe(wanted);
    expect(sis.asked[0]!.headers).toMatchObject({ 'x-own': 'a', 'x-sec': 'hidden' });
    expect(sis.asked[0]!.url.search).toBe('?z=1');
  });

  test.each([
    ['HMAC-SHA1', 'sha1'],
    ['HMAC-SHA256', 'sha256'],
  ])('by a signature that the server can prove: %s', async (signature, hash) => {
    const quote = (text: string) =>
      encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    const nonces = new Set<string>();
    const rule: Rule = ({ url, headers, query }) => {
      const said = [...String(headers.authorization).matchAll(/(\w+)="([^"]*)"/g)];
      const oauth = new Map(said.map(([, name, value]) => [name!, decodeURIComponent(value!)]));
      const given = oauth.get('oauth_signature');
      oauth.delete('oauth_signature');
      nonces.add(oauth.get('oauth_nonce')!);
      const pairs = [...oauth, ...query].map(([name, value]) => `${quote(name)}=${quote(value)}`).sort();
      const base = ['GET', url.origin + url.pathname, pairs.join('&')].map(quote).join('&');
      const wanted = createHmac(hash, 's%3Acret&').update(base).digest('base64');
      if (given !== wanted || oauth.get('oauth_consumer_key') !== 'me') return { status: 401 };
      return { body: slice(people(25), query) };
    };
    const sis = await sisServer(rule);
    const auth = { kind: 'oauth1', key: 'me', secret: secret('O1', 's:cret'), signature };
    const more = { paging: { kind: 'offset', size: 10 }, query: { filter: "a>='1 b*'" } };
    expect(await rowsOf(`${sis.url}/users`, { auth, ...more })).toHaveLength(25);
    expect(nonces.size).toBe(sis.asked.length);
    const wrong = { ...auth, secret: secret('O2', 'other') };
    expect((await refusal(`${sis.url}/users`, { auth: wrong, ...more })).kind).toBe('Denied');
  });

  const oauth2 = (url: string, more = {}) => ({
    kind: 'oauth2',
    tokenUrl: `${url}/token`,
    clientId: 'me',
    clientSecret: secret('S', 's3cret/+'),
    scope: 'a b',
    ...more,
  });
  /** A server whose tokens are `t1`, `t2`, … and last for so many requests. */
  const tokens = (uses: number, expires: object = {}): Rule => {
    let given = 0;
    let used = 0;
    const all = people(25);
    return ({ url, headers, query }) => {
      if (url.pathname === '/token') {
        given += 1;
        used = 0;
        return { body: { access_token: `t${given}`, token_type: 'Bearer', ...expires } };
      }
      used += 1;
      if (headers.authorization !== `Bearer t${given}` || used > uses)
        return { status: 401, body: { error: 'expired' } };
      return { body: slice(all, query) };
    };
  };
  const logins = (asked: readonly Asked[]) => asked.filter(({ url }) => url.pathname === '/token');

  test.each(['header', 'body'])(
    'by client credentials in the %s, with a new token when the old one is refused',
    async (send) => {
      const sis = await sisServer(tokens(2));
      const paging = { kind: 'offset', size: 10 };
      expect(await rowsOf(sis.url, { auth: oauth2(sis.url, { send }), paging })).toHaveLength(25);
      const [login, ...more] = logins(sis.asked);
      expect(more).toHaveLength(2);
      const form = new URLSearchParams(login!.body);
      expect([form.get('grant_type'), form.get('scope')]).toEqual(['client_credentials', 'a b']);
      const pair = Buffer.from(String(login!.headers.authorization).slice(6), 'base64').toString();
      expect(send === 'body' ? form.get('client_secret') : decodeURIComponent(pair)).toBe(
        send === 'body' ? 's3cret/+' : 'me:s3cret/+',
      );
    },
  );

  test('a token is renewed before it ends', async () => {
    const sis = await sisServer(tokens(99, { expires_in: '120' }));
    const clock = steppedClock();
    let time = 0;
    const context = sisContext(columns, { clock: { ...clock, monotonic: () => (time += 10_000) } });
    await rowsOf(sis.url, { auth: oauth2(sis.url), paging: { kind: 'offset', size: 10 } }, context);
    expect(logins(sis.asked).length).toBeGreaterThan(1);
    expect(sis.asked.filter(({ url }) => url.pathname !== '/token')).toHaveLength(5);
  });

  test('that is refused twice is Denied, and the secret is in no message', async () => {
    const sis = await sisServer(tokens(0));
    const query = { key: secret('Q', 'in-the-query') };
    const refused = await refusal(sis.url, { auth: oauth2(sis.url), query });
    expect([refused.kind, refused.line]).toEqual(['Denied', expect.stringContaining('answered 401: expired')]);
    sis.rule = ({ url }) => ({
      status: 400,
      body: { error: 'invalid_client', error_description: `no ${url.href}?x=s3cret` },
    });
    const login = await refusal(sis.url, { auth: oauth2(sis.url), query });
    expect([login.kind, login.line]).toEqual(['Denied', expect.stringContaining('/token answered 400')]);
    for (const { line } of [refused, login]) expect(line).not.toMatch(/s3cret|in-the-query/);
    sis.rule = () => ({ status: 503 });
    expect((await refusal(sis.url, { auth: oauth2(sis.url) })).kind).toBe('Unavailable');
  });
});

describe('a busy server', () => {
  test('is waited for as it asks, in place, and read on', async () => {
    const all = people(25);
    let busy = 2;
    const sis = await sisServer(({ query }) => {
      if (query.get('offset') === '18' && busy-- > 0)
        return busy ? { status: 429, headers: { 'retry-after': '7' } } : { status: 503 };
      return { body: slice(all, query) };
    });
    const clock = steppedClock();
    const context = sisContext(columns, { clock });
    expect(await rowsOf(sis.url, { paging: { kind: 'offset', size: 10 } }, context)).toHaveLength(25);
    expect(clock.waits).toEqual([7000, 2000]);
  });

  test('that asks for no wait is waited for nevertheless, longer each time', async () => {
    for (const after of ['0', 'Thu, 15 Jan 2015 02:00:00 GMT']) {
      const sis = await sisServer(() => ({ status: 429, headers: { 'retry-after': after } }));
      const clock = steppedClock();
      const settings = sisSettings({ url: sis.url, records: '' });
      await expect(sisHttp.pull(settings, sisContext(columns, { clock }))).rejects.toMatchObject({
        kind: 'Unavailable',
      });
      expect(clock.waits).toEqual([1000, 2000, 4000, 8000, 16_000]);
    }
  });

  test('is given up on with its own delay', async () => {
    const sis = await sisServer(() => ({ status: 503, headers: { 'retry-after': '600' } }));
    const settings = sisSettings({ url: sis.url, records: '' });
    await expect(sisHttp.pull(settings, sisContext(columns))).rejects.toMatchObject({
      kind: 'Unavailable',
      delayMs: 600_000,
    });
    expect(sis.asked).toHaveLength(1);
    sis.rule = () => ({ status: 429 });
    const clock = steppedClock();
    await expect(sisHttp.pull(settings, sisContext(columns, { clock }))).rejects.toMatchObject({ kind: 'Unavailable' });
    expect(clock.waits).toEqual([1000, 2000, 4000, 8000, 16_000]);
  });

  test('is asked no more often than it may be', async () => {
    const sis = await sisServer(({ query }) => ({ body: { n: 40, data: slice(people(40), query) } }));
    const clock = steppedClock();
    const more = { records: 'data', total: { path: 'n' }, paging: { kind: 'offset', size: 10 } };
    await rowsOf(sis.url, { ...more, rate: 4, concurrency: 4 }, sisContext(columns, { clock }));
    // five requests, a quarter of a second between their beginnings; this clock adds up waits that overlap
    expect(clock.waits.length).toBeGreaterThanOrEqual(3);
    expect(Math.min(...clock.waits)).toBeGreaterThan(0);
  });
});

describe('the way there', () => {
  test('redirects are followed inside the origin, five of them', async () => {
    const sis = await sisServer(({ url }) => {
      const left = Number(url.pathname.slice(1));
      return left > 0 ? { status: 302, headers: { location: `/${left - 1}` } } : { body: people(3) };
    });
    expect(await rowsOf(`${sis.url}/5`)).toHaveLength(3);
    expect((await refusal(`${sis.url}/6`)).line).toContain('redirects more than 5 times');
  });

  test('nothing is sent to another origin', async () => {
    const thief = await sisServer(one);
    const sis = await sisServer(() => ({ status: 307, headers: { location: `${thief.url}/x?y=z` } }));
    const { kind, line } = await refusal(sis.url, { auth: { kind: 'bearer', token: secret('T', 't0k') } });
    expect([kind, line]).toEqual(['Denied', expect.stringContaining(`refused to follow ${sis.url}/ to ${thief.url}`)]);
    expect(thief.asked).toEqual([]);
  });

  test('a certificate is trusted with ca, and not without', async () => {
    const tls = selfSigned();
    const sis = await sisServer(one, tls);
    expect((await refusal(sis.url)).kind).toBe('Denied');
    const ca = join(temporaryFolder(), 'ca.pem');
    writeFileSync(ca, tls.cert);
    expect(await rowsOf(sis.url, { ca })).toHaveLength(3);
    expect((await refusal(sis.url, { ca: '/nowhere' })).kind).toBe('Misconfigured');
  });

  test('a proxy is gone through, with its login', async () => {
    const through: (string | undefined)[] = [];
    const proxy = createServer();
    proxy.on('connect', (request: IncomingMessage, client) => {
      through.push(request.headers['proxy-authorization']);
      const [host, port] = request.url!.split(':');
      const server = connect(Number(port), host!, () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        server.pipe(client).pipe(server);
      });
      client.on('error', () => server.destroy());
      server.on('error', () => client.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const sis = await sisServer(one);
    const login = { username: 'p', password: secret('PP', 'pw') };
    expect(await rowsOf(sis.url, { proxy: { url, ...login } })).toHaveLength(3);
    expect(through).toEqual([`Basic ${Buffer.from('p:pw').toString('base64')}`]);
    secret('http_proxy', url);
    secret('no_proxy', '');
    expect(await rowsOf(sis.url, { proxy: 'env' })).toHaveLength(3);
    expect(through).toHaveLength(2);
    expect(await rowsOf(sis.url)).toHaveLength(3);
    expect(through).toHaveLength(2);
  });

  test('an abort ends it, with its reason', async () => {
    const controller = new AbortController();
    const sis = await sisServer((_asked, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('[', () => controller.abort('stopped'));
      return null;
    });
    const pull = sisHttp.pull(
      sisSettings({ url: sis.url, records: '' }),
      sisContext([], { signal: controller.signal }),
    );
    await expect(pull).rejects.toBe('stopped');
  });

  test.each([
    ['no pages', {}],
    ['pages', { paging: { kind: 'offset', size: 10 }, verify: 'first' }],
    [
      'pages in flight',
      { paging: { kind: 'offset', size: 10 }, verify: 'first', total: { header: 'x-total' }, concurrency: 2 },
    ],
  ])('a slow answer says how far it is with each record, for the watchdog: %s', async (_, more) => {
    const said: string[] = [];
    let heard = (): void => {};
    let time = 0;
    const clock = { ...systemClock, monotonic: () => time };
    const progress = (text: string): void => {
      said.push(text);
      heard();
    };
    const all = people(20);
    const sis = await sisServer(async ({ query, number }, response) => {
      const page = query.has('offset') ? slice(all, query, 10) : all;
      // the proof at the end is no news
      if (number > 2 || page.length === 0) return { headers: { 'x-total': '20' }, body: page };
      response.writeHead(200, { 'content-type': 'application/json', 'x-total': '20' });
      for (const [index, person] of page.entries()) {
        time += 20_000;
        const news = new Promise<void>((resolve) => {
          heard = resolve;
        });
        response.write((index ? ',' : '[') + JSON.stringify(person));
        await news;
      }
      response.end(']');
      return null;
    });
    expect(await rowsOf(sis.url, more, sisContext(columns, { clock, progress }))).toHaveLength(20);
    const counts = said.map((text) => Number.parseInt(text, 10));
    expect(counts).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });
});
