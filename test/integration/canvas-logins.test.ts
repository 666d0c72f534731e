import { beforeEach, describe, expect, test } from 'vitest';
import { canvas } from '../../connectors/canvas/connector.ts';
import type { Stub } from '../../src/connector/stub.ts';
import type { AccountFacts, ItemResult } from '../../src/connector/target.ts';
import { canvasParts, canvasSession, canvasStubOfTest, deliverFull, stateOf, TestRoster } from '../support/canvas.ts';
import { course, item, person } from '../unit/connectors/canvas/items.ts';

/** Who signs in with what: users that Canvas had before rosterd, and logins that are not e-mail addresses. */

const car = course('Car Design');
let stub: Stub;
let roster: TestRoster;

beforeEach(async () => {
  stub = await canvasStubOfTest();
  roster = new TestRoster();
});

const create = (account: AccountFacts) => item('account.create', { account });
const change = (account: AccountFacts, ...changed: string[]) => ({ ...item('account.update', { account }), changed });
const outcomes = (results: readonly ItemResult[]): string[] => results.map(({ outcome }) => outcome);
const logins = () => stateOf(stub).users.map(({ user_id, login_id, email }) => [user_id, login_id, email]);
const asked = () =>
  stub
    .requests()
    .filter(({ method }) => method === 'POST')
    .map(({ url }) => new URL(url, stub.url).searchParams.get('update_sis_id_if_login_claimed'));

/** A Canvas that another program has filled: its users have SIS IDs, and one has a course. */
async function filledBefore(): Promise<void> {
  const before = [1, 2, 3].map((number) => person(number, { account: `S10${number}`, id: null }));
  const open = await canvasSession(stub);
  await open.deliver([...before.map(create), item('enrolment.add', { account: before[0]!, course: car })]);
}

describe('a Canvas whose users have other SIS IDs', () => {
  const all = [1, 2, 3].map((number) => person(number));

  test('refuses everybody, unless rosterd is told to take them over', async () => {
    await filledBefore();
    const refused = await (await canvasSession(stub)).deliver(all.map(create));
    expect(outcomes(refused)).toEqual(['failed', 'failed', 'failed']);
    expect(refused[0]!.answer).toContain('SIS ID S101 has already claimed');

    const open = await canvasSession(stub, { takeOver: true });
    expect(outcomes(await open.deliver(all.map(create)))).toEqual(['sent', 'sent', 'sent']);
    expect(stateOf(stub).users.map(({ user_id, integration_id }) => [user_id, integration_id])).toEqual([
      ['9500000001', 'S1'],
      ['9500000002', 'S2'],
      ['9500000003', 'S3'],
    ]);
    // what they had is theirs, and rosterd goes on with it
    expect(stateOf(stub).enrollments).toMatchObject([{ user_id: '9500000001', status: 'active' }]);
    await open.deliver([item('enrolment.remove', { account: all[0]!, course: car })]);
    expect(stateOf(stub).enrollments).toMatchObject([{ user_id: '9500000001', status: 'deleted' }]);
    expect(asked()).toEqual([null, null, 'true', null]);
  });

  test('is taken over in mode: full, too; after a refusal by a remaster', async () => {
    await filledBefore();
    for (const one of all) roster.put(one, car);
    const refused = await deliverFull(await canvasSession(stub, { mode: 'full' }), roster, all.map(create));
    expect(outcomes(refused)).toEqual(['failed', 'failed', 'failed']);
    const open = await canvasSession(stub, { mode: 'full', takeOver: true });
    expect(outcomes(await deliverFull(open, roster, [create(all[0]!)]))).toEqual(['sent']);
    expect(stateOf(stub).users.map(({ user_id }) => user_id)).toEqual(all.map(({ account }) => account));
    expect(stateOf(stub).enrollments.map(({ user_id }) => user_id)).toEqual(all.map(({ account }) => account));
    expect(asked()).toEqual([null, null, 'true']);
  });

  test.each(['changes', 'full'])('and the preview says so (mode: %s)', (mode) => {
    const parameters = (takeOver: boolean, items = all.map(create)) => {
      const { settings, context } = canvasParts(stub, { mode, takeOver });
      const [request] = canvas.preview(settings, context, items);
      return new URL(request!.url).searchParams.get('update_sis_id_if_login_claimed');
    };
    expect([parameters(false), parameters(true)]).toEqual([null, 'true']);
    const noUsers = parameters(true, [item('enrolment.add', { account: all[0]!, course: car })]);
    expect(noUsers).toBe(mode === 'full' ? 'true' : null);
  });
});

describe('login: id', () => {
  test('people sign in with the id, and it follows the id, not the e-mail address', async () => {
    const open = await canvasSession(stub, { login: 'id' });
    expect(outcomes(await open.deliver([create(person(1))]))).toEqual(['sent']);
    expect(logins()).toEqual([['9500000001', 'S1', 'p1@example.edu']]);
    await open.deliver([change(person(1, { email: 'new@example.edu' }), 'email')]);
    expect(logins()).toEqual([['9500000001', 'S1', 'new@example.edu']]);
    await open.deliver([change(person(1, { id: 'ada', email: 'new@example.edu' }), 'id')]);
    expect(logins()).toEqual([['9500000001', 'ada', 'new@example.edu']]);
    expect(stateOf(stub).users[0]).toMatchObject({ integration_id: 'ada' });
  });

  test.each(['changes', 'full'])('refuses somebody without an id, and nobody else (mode: %s)', async (mode) => {
    const all = [person(1), person(2, { id: null }), person(3)];
    for (const one of all) roster.put(one);
    const open = await canvasSession(stub, { mode, login: 'id' });
    const give = (items: ReturnType<typeof create>[]) =>
      mode === 'full' ? deliverFull(open, roster, items) : open.deliver(items);
    const results = await give(all.map(create));
    expect(outcomes(results)).toEqual(['sent', 'failed', 'sent']);
    expect(results[1]!.answer).toBe(
      'import 1: No login_id given for user 9500000002 (login: id, and this person has no id)',
    );
    // an id that comes later mends it
    const named = person(2, { id: 'S2' });
    roster.put(named);
    expect(outcomes(await give([change(named, 'id')]))).toEqual(['sent']);
    expect(logins().map(([, login]) => login)).toEqual(['S1', 'S2', 'S3']);
    // and an id that is lost suspends nobody
    roster.put(all[1]!);
    expect(outcomes(await give([change(all[1]!, 'id')]))).toEqual(['failed']);
    expect(stateOf(stub).users[1]).toMatchObject({ login_id: 'S2', status: 'active' });
  });

  test('in mode: full a new id is what differs', async () => {
    for (const number of [1, 2, 3]) roster.put(person(number), car);
    const open = await canvasSession(stub, { mode: 'full', login: 'id' });
    await deliverFull(open, roster, [create(person(1))]);
    const renamed = person(1, { id: 'ada' });
    roster.put(renamed, car);
    expect(outcomes(await deliverFull(open, roster, [change(renamed, 'id')]))).toEqual(['sent']);
    expect(logins()[0]).toEqual(['9500000001', 'ada', 'p1@example.edu']);
    expect(stateOf(stub).imports[1]).toMatchObject({ compared_with: 1, counts: { users: 1 } });
  });

  test('and takeOver finds users by it', async () => {
    await (await canvasSession(stub, { login: 'id' })).deliver([create(person(1, { account: 'S101' }))]);
    const open = await canvasSession(stub, { login: 'id', takeOver: true });
    expect(outcomes(await open.deliver([create(person(1, { email: 'other@example.edu' }))]))).toEqual(['sent']);
    expect(logins()).toEqual([['9500000001', 'S1', 'other@example.edu']]);
  });
});
