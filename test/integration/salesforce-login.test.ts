import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { assertion } from '../../connectors/salesforce/login.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Denied, Unavailable } from '../../src/base/errors.ts';
import { temporaryFolder } from '../support/drop.ts';
import { item, type Site, salesforceSite } from '../support/salesforce.ts';

/** The JWT login and the day's requests, against the stub. */

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const pem = (passphrase?: string): string =>
  pair.privateKey
    .export({ type: 'pkcs8', format: 'pem', ...(passphrase ? { cipher: 'aes-256-cbc', passphrase } : {}) })
    .toString();

let at: Site;
let keyFile: string;
beforeEach(async () => {
  at = await salesforceSite(systemClock);
  keyFile = join(temporaryFolder(), 'key.pem');
  writeFileSync(keyFile, pem());
  await at.post('apps', { clientId: 'rosterd', publicKey, users: ['sync@example.edu'] });
});

const one = [item('account.create', 1)];
const jwt = (more: object = {}) => ({ jwt: { user: 'sync@example.edu', key: { file: keyFile }, ...more } });
const delivering = async (more: object) => (await at.open(more)).deliver(one);

describe('JWT bearer', () => {
  test('logs in with a signed assertion, a fresh one each time', async () => {
    const session = await at.open(jwt());
    expect(await session.deliver(one)).toMatchObject([{ outcome: 'sent' }]);
    // both within one second: the stub refuses an assertion that it has seen
    await at.post('expire-tokens');
    expect(await session.deliver(one)).toMatchObject([{ outcome: 'sent' }]);
    const logins = at.stub.requests().filter(({ url }) => url === '/services/oauth2/token');
    const forms = logins.map(({ body }) => new URLSearchParams(body));
    expect(forms.map((form) => [...form.keys()])).toEqual([
      ['grant_type', 'assertion'],
      ['grant_type', 'assertion'],
    ]);
    const [head, claims] = forms[0]!
      .get('assertion')!
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
    expect(head).toEqual({ alg: 'RS256', typ: 'JWT' });
    expect(claims).toEqual({
      ...{ iss: 'rosterd', sub: 'sync@example.edu', aud: 'https://login.salesforce.com' },
      ...{ exp: expect.any(Number), jti: expect.any(String) },
    });
    const ahead = Number(claims!['exp']) - Date.now() / 1000;
    expect(ahead).toBeGreaterThan(60);
    expect(ahead).toBeLessThanOrEqual(120);
  });

  test('takes a key with a passphrase', async () => {
    writeFileSync(keyFile, pem('open sesame'));
    vi.stubEnv('SF_PASSPHRASE', 'open sesame');
    expect(await delivering(jwt({ passphrase: { env: 'SF_PASSPHRASE' } }))).toMatchObject([{ outcome: 'sent' }]);
  });

  test('names sandboxes, production, and any other address as audience', () => {
    const audience = (written?: string): unknown => {
      const signed = assertion(at.settings(jwt(written ? { audience: written } : {})), new Date());
      return (JSON.parse(Buffer.from(signed.split('.')[1]!, 'base64url').toString()) as { aud: string }).aud;
    };
    expect([undefined, 'login', 'test', 'https://site.example.edu/x'].map(audience)).toEqual([
      ...['https://login.salesforce.com', 'https://login.salesforce.com'],
      ...['https://test.salesforce.com', 'https://site.example.edu/x'],
    ]);
  });

  test.each([
    ['another key', () => ({}), 'invalid assertion', /jwt.key must belong to the certificate/],
    ['a sandbox', () => jwt({ audience: 'test' }), 'audience is invalid', /jwt.audience/],
    ['a user who is not allowed', () => jwt({ user: 'eve' }), "user hasn't approved this consumer", /pre-authorize/],
    ['an unknown app', () => ({ ...jwt(), clientId: 'other' }), 'client identifier invalid', /clientId must be/],
  ])('of %s is refused, with what to do', async (what, more, words, remedy) => {
    if (what === 'another key') {
      const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
      writeFileSync(keyFile, other.export({ type: 'pkcs8', format: 'pem' }));
    }
    const failed = delivering({ ...jwt(), ...more() });
    await expect(failed).rejects.toMatchObject({ kind: 'Denied', remedy });
    await expect(failed).rejects.toThrow(words);
  });

  test.each([
    [-1, 'assertion expired'],
    [1, 'assertion expires in more than three minutes: skewed'],
  ])('by a clock that is %i hours off is refused, and the remedy is the clock', async (hours, words) => {
    const off = { ...systemClock, now: () => new Date(Date.now() + hours * 3_600_000) };
    Object.assign(at.context, { clock: off });
    const failed = delivering(jwt());
    await expect(failed).rejects.toMatchObject({ kind: 'Denied', remedy: /clock/ });
    await expect(failed).rejects.toThrow(words);
  });

  test('by what is no key is a matter of configuration, and the key is not told', async () => {
    for (const text of [
      'not a key',
      pem('sesame'),
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ]) {
      writeFileSync(keyFile, text);
      const error = await delivering(jwt()).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ kind: 'Misconfigured', remedy: /jwt.key/ });
      expect(String(error)).not.toContain('MII');
    }
    expect(at.seen().requests).toBe(0);
  });
});

test.each(['Connected app is not attached to Agent', 'This session is not valid for use with the REST API'])(
  '%s: no second login',
  async (message) => {
    at.stub.setFaults([
      { path: '/composite/', status: 401, body: JSON.stringify([{ errorCode: 'INVALID_SESSION_ID', message }]) },
    ]);
    await expect(delivering({})).rejects.toBeInstanceOf(Denied);
    expect(at.stub.requests().map(({ url }) => url.includes('token'))).toEqual([true, false]);
  },
);

describe("the day's requests", () => {
  const many = Array.from({ length: 6 }, (_, n) => item('account.create', n));

  test('are watched: over the share nothing more is begun, and what is done counts', async () => {
    await at.post('limits', { used: 92, limit: 100 });
    const session = await at.open({ batch: 1, concurrency: 1 });
    const results = await session.deliver(many);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent', 'retry', 'retry', 'retry']);
    expect(results[3]).toMatchObject({
      answer: "stopped by itself at 95 % of the day's API requests (api-usage=95/100)",
      delayMs: expect.any(Number),
    });
    const asked = at.asked().length;
    await expect(session.deliver(many)).rejects.toMatchObject({ kind: 'Unavailable', delayMs: expect.any(Number) });
    expect(at.asked().length).toBe(asked);
  });

  test('that are used up stop the target for an hour, and it looks again after that', async () => {
    let ms = 0;
    Object.assign(at.context, { clock: { ...systemClock, monotonic: () => ms } });
    await at.post('limits', { used: 98, limit: 100 });
    const session = await at.open({ batch: 1, concurrency: 1, stopAtPercent: 100 });
    const results = await session.deliver(many);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', ...Array(4).fill('retry')]);
    ms += 3_599_000;
    await expect(session.deliver(many)).rejects.toMatchObject({ kind: 'Unavailable', delayMs: 1000 });
    const asked = at.asked().length;
    // each delivery has a session of its own, and a reload has settings of its own
    await expect((await at.open({ stopAtPercent: 100 })).deliver(many)).rejects.toMatchObject({
      message: expect.stringContaining('stopped by itself at 100 %'),
      delayMs: 1000,
    });
    expect(at.asked().length).toBe(asked);
    await at.post('limits');
    ms += 1000;
    expect((await session.deliver(many)).map(({ outcome }) => outcome)).toEqual(Array(6).fill('sent'));
  });

  test('may be used further by whoever raises the share', async () => {
    await at.post('limits', { used: 98, limit: 1000 });
    await (await at.open({ batch: 1, concurrency: 1, stopAtPercent: 10 })).deliver(many);
    await expect((await at.open({ stopAtPercent: 10 })).deliver(many)).rejects.toThrow('stopped by itself at 10 %');
    const results = await (await at.open({ stopAtPercent: 90 })).deliver(many);
    expect(results.map(({ outcome }) => outcome)).toEqual(Array(6).fill('sent'));
  });

  test('of the app count as well', async () => {
    const body = '[{"id":"003A","success":true,"created":true,"errors":[]}]';
    const headers = { 'sforce-limit-info': 'api-usage=1/100; per-app-api-usage=96/100(appName=rosterd)' };
    at.stub.setFaults([{ path: '/composite/', status: 200, body, headers }]);
    const session = await at.open();
    await session.deliver([many[0]!]);
    await expect(session.deliver([many[1]!])).rejects.toBeInstanceOf(Unavailable);
  });
});

describe('requests side by side', () => {
  test('a failure begins no other, and is thrown when none is on its way', async () => {
    const session = await at.open({ batch: 1, concurrency: 3 });
    const items = Array.from({ length: 9 }, (_, n) => item('account.create', n));
    // the first is refused at once, the two beside it take their time
    at.stub.setFaults([
      { path: '/composite/', count: 1, status: 503 },
      { path: '/composite/', count: 2, kind: 'delay', delayMs: 50 },
    ]);
    const results = await session.deliver(items);
    expect(results.filter(({ outcome }) => outcome === 'sent').length).toBe(at.seen().contacts.length);
    expect(at.asked()).toHaveLength(3);
    expect(results.every(({ outcome }) => outcome !== 'failed')).toBe(true);
    expect((await session.deliver(items)).every(({ outcome }) => outcome === 'sent')).toBe(true);
  });

  test('duplicates that a rule warns of are saved when the settings say so', async () => {
    await at.post('rules', { duplicates: true });
    const twins = [1, 2].map((n) => item('account.create', n, { email: 'same@example.edu' }));
    const outcomes = async (more: object) => (await (await at.open(more)).deliver(twins)).map(({ answer }) => answer);
    expect(await outcomes({})).toEqual([
      expect.stringMatching(/^created/),
      'DUPLICATES_DETECTED: Use one of these records?',
    ]);
    expect(await outcomes({ duplicates: 'allow' })).toEqual([
      expect.stringMatching(/^updated/),
      expect.stringMatching(/^created/),
    ]);
  });
});
