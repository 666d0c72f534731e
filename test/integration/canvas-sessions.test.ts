import { beforeEach, describe, expect, test } from 'vitest';
import { canvas } from '../../connectors/canvas/connector.ts';
import { Denied } from '../../src/base/errors.ts';
import type { Stub } from '../../src/connector/stub.ts';
import type { DeliveryItem, Shut } from '../../src/connector/target.ts';
import { canvasParts, canvasSession, canvasStubOfTest, deliverFull, TestRoster } from '../support/canvas.ts';
import { item, person } from '../unit/connectors/canvas/items.ts';

/** Who is disabled is signed out: Canvas itself only keeps them from signing in anew. */

let stub: Stub;
beforeEach(async () => {
  stub = await canvasStubOfTest();
});

const disabled = (n: number) => person(n, { status: 'disabled' });
const disable = (n: number): DeliveryItem => item('account.disable', { account: disabled(n) });
const signedIn = (): string[] => (stub.state() as { signed_in: string[] }).signed_in;
const statuses = (): string[] => (stub.state() as { users: { status: string }[] }).users.map(({ status }) => status);
const deletes = () => stub.requests().filter(({ method }) => method === 'DELETE');

async function signIn(...users: string[]): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ users });
  return (await fetch(`${stub.url}/_stub/sign-in`, { method: 'POST', headers, body })).status;
}

/** So many users, all of them signed in. */
async function users(count: number): Promise<void> {
  const people = Array.from({ length: count }, (_, n) => person(n + 1));
  await (await canvasSession(stub)).deliver(people.map((account) => item('account.create', { account })));
  expect(await signIn(...people.map(({ account }) => account))).toBe(200);
}

describe('somebody who is disabled', () => {
  test('is signed out once the import has arrived, and nobody else is', async () => {
    await users(3);
    const results = await (await canvasSession(stub)).deliver([
      disable(1),
      item('account.update', { account: person(2, { lastName: 'Other' }) }),
      disable(3),
    ]);
    expect(results.map(({ outcome, answer }) => [outcome, answer])).toEqual([
      ['sent', 'import 2; sessions ended'],
      ['sent', 'import 2'],
      ['sent', 'import 2; sessions ended'],
    ]);
    expect(signedIn()).toEqual(['9500000002']);
    expect(await signIn('9500000001')).toBe(401);
    const order = stub.requests().map(({ method, url }) => `${method} ${url.split('?')[0]}`);
    expect(order.indexOf('DELETE /api/v1/users/sis_user_id:9500000001/sessions')).toBeGreaterThan(
      order.lastIndexOf('GET /api/v1/accounts/1/sis_imports/2'),
    );
  });

  test('is signed out by an import of the whole roster too', async () => {
    await users(2);
    const roster = new TestRoster();
    roster.put(disabled(1));
    roster.put(person(2));
    const results = await deliverFull(await canvasSession(stub, { mode: 'full' }), roster, [disable(1)]);
    expect(results).toMatchObject([{ outcome: 'sent', answer: expect.stringMatching(/; sessions ended$/) }]);
    expect(signedIn()).toEqual(['9500000002']);
  });

  test('whom Canvas deletes has no sessions to be ended', async () => {
    await users(1);
    const session = await canvasSession(stub, { userStatusOnDisable: 'deleted' });
    expect(await session.deliver([disable(1)])).toMatchObject([
      { outcome: 'sent', answer: 'import 2; no such user, so no sessions' },
    ]);
    expect(signedIn()).toEqual([]);
  });

  test('whose row is refused keeps the session', async () => {
    await users(2);
    const nobody = item('account.disable', { account: person(1, { status: 'disabled', email: 'p2@example.edu' }) });
    expect(await (await canvasSession(stub)).deliver([nobody])).toMatchObject([{ outcome: 'failed' }]);
    expect(deletes()).toEqual([]);
    expect(signedIn()).toEqual(['9500000001', '9500000002']);
  });

  test('stays signed in where a site wants that', async () => {
    await users(1);
    const session = await canvasSession(stub, { endSessions: false });
    expect(await session.deliver([disable(1)])).toMatchObject([{ outcome: 'sent', answer: 'import 2' }]);
    expect(deletes()).toEqual([]);
  });
});

describe('where Canvas does not end a session', () => {
  test('because it is away, nobody else is asked about, and all of it is tried again', async () => {
    await users(30);
    stub.setFaults([{ method: 'DELETE', status: 503, headers: { 'retry-after': '90' } }]);
    const all = Array.from({ length: 30 }, (_, n) => disable(n + 1));
    const session = await canvasSession(stub);
    const results = await session.deliver(all);
    expect(results).toMatchObject(
      all.map(() => ({
        outcome: 'retry',
        delayMs: 90_000,
        answer: expect.stringMatching(/^import 2; sessions: Canvas is not available/),
      })),
    );
    expect(deletes().length).toBeLessThan(12);
    // those who were not asked about have had no attempt
    expect(results.filter((one) => 'attempted' in one)).toHaveLength(30 - deletes().length);
    expect(new Set(statuses())).toEqual(new Set(['suspended']));
    stub.setFaults([]);
    expect((await session.deliver(all)).every(({ outcome }) => outcome === 'sent')).toBe(true);
    expect(signedIn()).toEqual([]);
  });

  test('of one user, the others do not wait behind that', async () => {
    await users(30);
    stub.setFaults([{ method: 'DELETE', path: '950000000[123]/', status: 500 }]);
    const all = Array.from({ length: 30 }, (_, n) => disable(n + 1));
    const results = await (await canvasSession(stub)).deliver(all);
    expect(results.map(({ outcome }) => outcome)).toEqual([...Array(3).fill('retry'), ...Array(27).fill('sent')]);
  });

  test('because the token is taken no more, a person has to act, and nobody fails', async () => {
    await users(20);
    stub.setFaults([
      {
        method: 'DELETE',
        path: '95000000(0[6-9]|[12])',
        status: 401,
        body: '{"errors":[{"message":"Revoked access token."}]}',
      },
    ]);
    const all = Array.from({ length: 20 }, (_, n) => disable(n + 1));
    const shut = (await (await canvasSession(stub)).deliver(all).catch((error: unknown) => error)) as Shut;
    expect(shut.cause).toBeInstanceOf(Denied);
    expect(shut.results.map(({ outcome }) => outcome)).toEqual([...Array(5).fill('sent'), ...Array(15).fill('retry')]);
    expect(deletes().length).toBeLessThan(12);
  });

  test('because something else answers, it is not believed', async () => {
    await users(1);
    stub.setFaults([{ method: 'DELETE', kind: 'body', body: '<html>Sign in</html>' }]);
    expect(await (await canvasSession(stub)).deliver([disable(1)])).toMatchObject([
      { outcome: 'retry', answer: expect.stringContaining('the answer is not what Canvas sends') },
    ]);
  });

  test('for want of a permission, that change fails in its words, and others go on', async () => {
    await users(2);
    const body = '{"status":"unauthorized","errors":[{"message":"user not authorized to perform that action"}]}';
    stub.setFaults([{ method: 'DELETE', path: '9500000001', status: 403, body }]);
    expect(await (await canvasSession(stub)).deliver([disable(1), disable(2)])).toMatchObject([
      {
        outcome: 'failed',
        answer: expect.stringMatching(
          /^import 2; disabled, but still signed in where they were: .* 403 user not authorized .*; may the user of the token manage logins\? .*endSessions: false$/,
        ),
      },
      { outcome: 'sent', answer: 'import 2; sessions ended' },
    ]);
    expect(signedIn()).toEqual(['9500000001']);
  });
});

test('a preview shows the requests that end sessions, after the import', async () => {
  const { settings } = canvasParts(stub);
  const about = { target: 'canvas', institution: 'example' };
  const [upload, end, ...none] = canvas.preview(settings, about, [
    item('account.create', { account: person(2) }),
    disable(1),
  ]);
  expect(upload!.items).toHaveLength(2);
  expect(end).toEqual({
    ...{ method: 'DELETE', url: `${stub.url}/api/v1/users/sis_user_id:9500000001/sessions`, body: null },
    ...{ headers: { accept: 'application/json', authorization: 'Bearer {secret}' }, items: [disable(1).item] },
  });
  expect(none).toEqual([]);
});
