import { expect, onTestFinished, test } from 'vitest';
import { Rejected } from '../../../src/base/errors.ts';
import { kindFormat, Site, type View } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** Students who would become staff, or the other way round, at a whole site with the usual limits. */

const usual = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };
function site(...sources: string[]): Site {
  const made = new Site({ sources, limits: usual, format: kindFormat });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}
const row = (who: string, kind = 'STU', course = 'C1', name = who, email = `${who}@x.edu`): MemoryRow => [
  ...[kind, 'D', course, name, 'L', email, '1', who],
];
const many = (count: number, kind = 'STU', from = 0): MemoryRow[] =>
  Array.from({ length: count }, (_, n) => row(`s${from + n}`, kind));
const staff = ({ members }: View): number => members.filter(({ kind }) => kind === 'staff').length;
const told = ({ outbox }: View, since: View): { type: string; delivery: Record<string, unknown> }[] =>
  outbox.slice(since.outbox.length).map(({ type, body }) => ({ type, delivery: JSON.parse(body) }));
const names = (guards: readonly { guard: string; held: boolean }[]): string[] =>
  guards.filter(({ held }) => held).map(({ guard }) => guard);
const day = 86_400_000;

test('that an export writes another word for all students makes nobody staff until a person says so', async () => {
  const at = site('sis');
  await at.run('sis', many(60));
  const before = await at.look();
  const answer = [...many(59, 'STUDENT', 1), row('s0', 'STU', 'C1', 'Ann'), row('new')];
  const first = await at.run('sis', answer);
  expect(first).toMatchObject({
    status: 'held',
    heldTypes: ['account.kind'],
    changes: { 'account.kind': 59, 'account.update': 1, 'account.create': 1, 'enrolment.add': 1 },
  });
  expect(names(first.guards)).toEqual(['kinds.percent', 'kinds.window']);
  const held = await at.look();
  expect(staff(held)).toBe(0);
  // everything else goes on
  expect(told(held, before).map(({ type }) => type)).toEqual(['account.create', 'account.update', 'enrolment.add']);

  // the same answer finds them again, and holds the same again, also when a person said no
  at.time += day;
  const second = await at.run('sis', answer);
  expect(second).toMatchObject({ status: 'held', changes: { 'account.kind': 59 } });
  await at.reject(second.run);
  const third = await at.run('sis', answer);
  expect(third).toMatchObject({ status: 'held', digest: second.digest });
  expect(staff(await at.look())).toBe(0);

  expect(await at.approve(third.run, third.digest!)).toMatchObject({ status: 'applied' });
  const after = await at.look();
  expect(staff(after)).toBe(59);
  const items = told(after, held);
  expect(items).toHaveLength(59);
  const course = { faculty: 'F', department: 'D', course: 'C1' };
  // a target is told of an update, with what the person is enrolled in
  for (const { type, delivery } of items)
    expect([type, delivery]).toEqual([
      'account.update',
      expect.objectContaining({ type: 'account.update', changed: ['kind'], enrolments: [course] }),
    ]);
  expect(await at.run('sis', answer)).toMatchObject({ status: 'unchanged' });
  // what a person approved counts towards nothing
  expect(await at.run('sis', [...many(1), ...answer.slice(1)])).toMatchObject({ status: 'applied' });
});

test('an export that is mended takes the plan back', async () => {
  const at = site('sis');
  await at.run('sis', many(60));
  expect(await at.run('sis', many(60, 'STUDENT'))).toMatchObject({ status: 'held' });
  expect(await at.run('sis', many(60))).toMatchObject({ status: 'unchanged', heldTypes: [] });
  expect(await at.held('sis')).toBeNull();
  expect(staff(await at.look())).toBe(0);
});

test('a few pass by themselves, until they are many within a week', async () => {
  const at = site('sis');
  await at.run('sis', many(60));
  const now = (count: number) => [...many(count, 'ASSISTANT'), ...many(60 - count, 'STU', count)];
  expect(await at.run('sis', now(8))).toMatchObject({ status: 'applied', changes: { 'account.kind': 8 } });
  at.time += day;
  // 10 now and 8 yesterday, of the 60 that stand and those 8
  const over = await at.run('sis', now(18));
  expect(names(over.guards)).toEqual(['kinds.window']);
  expect(staff(await at.look())).toBe(8);
  at.time += 7 * day;
  expect(await at.run('sis', now(15))).toMatchObject({ status: 'applied', changes: { 'account.kind': 7 } });
});

test('a limit on those who leave holds those who change as well, and the other way round', async () => {
  const at = site('sis');
  await at.run('sis', many(100));
  const held = ['account.disable', 'account.kind', 'enrolment.remove'];
  expect(await at.run('sis', [...many(1, 'X'), ...many(59, 'STU', 1)])).toMatchObject({ heldTypes: held });
  expect(await at.run('sis', [...many(60, 'X'), ...many(39, 'STU', 60)])).toMatchObject({ heldTypes: held });
  expect(staff(await at.look())).toBe(0);
});

test('who joins a course meanwhile joins it as what they are, and changes there too when it is approved', async () => {
  const at = site('sis');
  await at.run('sis', many(60));
  const before = await at.look();
  const held = await at.run('sis', [...many(60, 'STUDENT'), row('s0', 'STUDENT', 'C2')]);
  expect(held.heldTypes).toEqual(['account.kind']);
  const between = await at.look();
  expect(told(between, before)).toMatchObject([
    { type: 'enrolment.add', delivery: { account: { kind: 'student' }, course: { course: 'C2' } } },
  ]);
  await at.approve(held.run, held.digest!);
  const mine = told(await at.look(), between).find(({ delivery }) => JSON.stringify(delivery).includes('s0@x.edu'));
  expect(mine!.delivery).toMatchObject({
    account: { kind: 'staff' },
    enrolments: [{ course: 'C1' }, { course: 'C2' }],
  });
});

test('what waits does not pass through a run of another source', async () => {
  const at = site('sis', 'hr');
  await at.run('hr', many(30, 'STU', 500));
  await at.run('sis', many(60));
  expect(await at.run('sis', many(60, 'STUDENT'))).toMatchObject({ status: 'held' });
  const run = await at.run('hr', [...many(30, 'STU', 500), row('s0', 'STU', 'C2'), row('s1', 'X', 'C2')]);
  expect(run).toMatchObject({ status: 'applied', changes: { 'enrolment.add': 2 } });
  expect(staff(await at.look())).toBe(0);
  const { run: id, digest } = await at.run('sis', many(60, 'STUDENT'));
  await at.approve(id, digest!);
  expect(staff(await at.look())).toBe(60);
});

test('an approval is refused when a source that counts before it has said since what the person is', async () => {
  const at = site('hr', 'sis');
  await at.run('hr', many(30, 'STU', 500));
  await at.run('sis', many(60));
  const held = await at.run('sis', many(60, 'STUDENT'));
  await at.run('hr', [...many(30, 'STU', 500), row('s0', 'STU')]);
  const before = await at.look();
  await expect(at.approve(held.run, held.digest!)).rejects.toThrow(Rejected);
  expect(await at.look()).toEqual(before);
  const again = await at.run('sis', many(60, 'STUDENT'));
  expect(again.changes).toEqual({ 'account.kind': 59 });
  await at.approve(again.run, again.digest!);
  expect(staff(await at.look())).toBe(59);
});

test('the first list of another source is measured by whom it names, for nothing stands by it yet', async () => {
  const at = site('hr', 'sis');
  await at.run('sis', many(300));
  const hr = [...many(8, 'EMP'), ...many(40, 'EMP', 900)];
  expect(await at.run('hr', hr)).toMatchObject({ status: 'applied', changes: { 'account.kind': 8 } });
  const other = site('hr', 'sis');
  await other.run('sis', many(300));
  expect(await other.run('hr', [...many(40, 'EMP'), ...many(8, 'EMP', 900)])).toMatchObject({
    status: 'held',
    changes: { 'account.kind': 40, 'account.create': 8 },
  });
});

test('somebody who comes back as something else has no role to lose', async () => {
  const at = site('sis');
  await at.run('sis', many(60));
  await at.run('sis', many(55));
  expect(await at.run('sis', [...many(55), ...many(5, 'X', 55)])).toMatchObject({
    status: 'applied',
    changes: { 'account.enable': 5, 'account.update': 5, 'enrolment.add': 5 },
  });
  expect(staff(await at.look())).toBe(5);
});

test('who changes kind, address and course in one plan is approved in one', async () => {
  const at = site('sis');
  await at.run('sis', [...many(60), row('s0', 'STU', 'C2')]);
  const [, ...others] = many(60, 'STUDENT');
  const moved = row('s0', 'STUDENT', 'C2', 's0', 'ann@x.edu');
  const held = await at.run('sis', [...others, moved]);
  expect(held).toMatchObject({ status: 'held', changes: { 'account.kind': 60, 'enrolment.remove': 1 } });
  await at.approve(held.run, held.digest!);
  const { members } = await at.look();
  expect(members.find(({ email }) => email === 'ann@x.edu')).toMatchObject({ kind: 'staff' });
  expect(members.find(({ email }) => email === 'ann@x.edu')!.enrolments).toHaveLength(1);
});

test('a row that nobody can read beside one of the same source is in the way of an approval no more than of the plan', async () => {
  const at = site('sis');
  await at.run('sis', many(60));
  const unread = row('s0', 'STUDENT', 'C2', 's0', 'no address');
  const held = await at.run('sis', [...many(60, 'STUDENT'), unread]);
  expect(held).toMatchObject({ status: 'held', changes: { 'account.kind': 60 }, snapshot: { quarantined: 1 } });
  await at.approve(held.run, held.digest!);
  expect(staff(await at.look())).toBe(60);
});
