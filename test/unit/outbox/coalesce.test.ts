import { describe, expect, test } from 'vitest';
import type { AccountFacts, DeliveryItem } from '../../../src/connector/target.ts';
import { renewed, unite } from '../../../src/outbox/coalesce.ts';

const facts = (changes: Partial<AccountFacts> = {}): AccountFacts => ({
  ...{ account: '9500000001', id: 'S1', email: 'a@example.edu', firstName: 'Ada', lastName: 'L', kind: 'student' },
  ...{ year: 1, status: 'active', attributes: {} },
  ...changes,
});
const course = { faculty: 'F', department: 'D', course: 'C' };

function item(type: DeliveryItem['type'], changes: Partial<DeliveryItem> = {}): DeliveryItem {
  const about = type.startsWith('enrolment') ? { account: facts(), course } : { account: facts(), course: null };
  return { item: type, type, ...about, changed: [], before: null, emailConfirmed: false, ...changes };
}
const update = (changes: Partial<AccountFacts>, before: Partial<AccountFacts>, more: Partial<DeliveryItem> = {}) =>
  item('account.update', { account: facts(changes), changed: Object.keys(changes).sort(), before, ...more });

describe('two updates of one account', () => {
  test('are one: the newest facts, every changed field, and what was before the first', () => {
    const first = update({ email: 'b@example.edu' }, { email: 'a@example.edu', year: 1 }, { emailConfirmed: true });
    const second = update({ email: 'c@example.edu', year: 2 }, { email: 'b@example.edu', year: 1 });
    expect(unite({ ...first, item: 'one' }, second)).toEqual({
      into: {
        ...first,
        item: 'one',
        account: second.account,
        changed: ['email', 'year'],
        before: { email: 'a@example.edu', year: 1 },
        emailConfirmed: false,
      },
    });
  });

  test('keep a confirmed address that the later one does not change', () => {
    const first = update({ email: 'b@example.edu' }, { email: 'a@example.edu' }, { emailConfirmed: true });
    const union = unite(first, update({ email: 'b@example.edu', year: 2 }, { year: 1 }, { changed: ['year'] }));
    expect(union).toMatchObject({ into: { emailConfirmed: true } });
  });

  test('stay two when one of them says what somebody was enrolled in', () => {
    const kind = update({ kind: 'staff' }, { kind: 'student' }, { enrolments: [course] });
    const year = update({ year: 2 }, { year: 1 });
    expect([unite(kind, year), unite(year, kind)]).toEqual([null, null]);
  });
});

test('an account that nobody has been told of is created with its newest facts', () => {
  const created = item('account.create', { changed: ['email'] });
  expect(unite(created, update({ year: 3 }, { year: 1 }))).toMatchObject({
    into: { type: 'account.create', account: { year: 3 }, before: null, changed: ['email', 'year'] },
  });
  expect(unite(created, item('account.enable'))).toMatchObject({ into: { type: 'account.create' } });
});

test('what was taken and given back is never taken', () => {
  expect(unite(item('enrolment.remove'), item('enrolment.add'))).toBe('void');
  expect(unite(item('account.disable'), item('account.enable'))).toBe('void');
  expect(unite(item('account.enable'), item('account.disable'))).toBe('void');
});

test('what was taken in one role and is given in another is taken: the new role would not replace the old one', () => {
  const back = item('enrolment.add', { account: facts({ kind: 'staff' }) });
  expect(unite(item('enrolment.remove'), back)).toBeNull();
});

test('nothing is taken before it was planned, nor from somebody whom the target never met', () => {
  for (const [first, second] of [
    ['account.create', 'account.disable'],
    ['account.update', 'account.disable'],
    ['account.disable', 'account.update'],
    ['enrolment.add', 'enrolment.remove'],
    ['account.update', 'account.enable'],
  ] as const)
    expect(unite(item(first), item(second)), `${first} ${second}`).toBeNull();
});

describe('an item that is sent once more', () => {
  const later = (delivery: DeliveryItem, sent = true, tried = false) => ({
    ...{ item: `later ${delivery.type}`, delivery },
    ...{ sent, tried },
  });

  test('is sent as it was when nothing came after it', () => {
    const old = update({ year: 2 }, { year: 1 });
    expect(renewed(old, [])).toEqual({ delivery: old });
  });

  test('is void when the target has had the same with newer facts', () => {
    expect(renewed(update({ year: 2 }, {}), [later(update({ year: 3 }, {}))])).toEqual({
      void: 'later account.update',
    });
    expect(renewed(item('enrolment.add'), [later(item('enrolment.remove'))])).toEqual({
      void: 'later enrolment.remove',
    });
    expect(renewed(item('account.enable'), [later(item('account.disable'))])).toEqual({
      void: 'later account.disable',
    });
  });

  test('brings the newest facts that the target has, never older ones', () => {
    const disabled = item('account.disable', { account: facts({ status: 'disabled', lastName: 'Lovelace' }) });
    expect(renewed(update({ year: 2 }, {}), [later(disabled)])).toMatchObject({
      delivery: { type: 'account.update', account: { status: 'disabled', lastName: 'Lovelace' } },
    });
  });

  test('leaves to what is still to come what that brings', () => {
    const created = item('account.create');
    const disabled = later(item('account.disable', { account: facts({ status: 'disabled' }) }), false);
    expect(renewed(created, [disabled])).toEqual({ delivery: created });
    const year = update({ year: 2 }, { year: 1 });
    expect(renewed(year, [later(update({ year: 3 }, {}), false)])).toEqual({ delivery: year });
  });

  test('makes nobody active for a moment whose disabling may have got through although no answer came', () => {
    const disabled = item('account.disable', { account: facts({ status: 'disabled', lastName: 'Lovelace' }) });
    const lost = later(disabled, false, true);
    expect(renewed(update({ year: 2 }, {}), [lost])).toMatchObject({
      delivery: { type: 'account.update', account: { status: 'disabled', lastName: 'Lovelace' }, changed: ['year'] },
    });
    expect(renewed(item('enrolment.remove'), [lost])).toMatchObject({
      delivery: { type: 'enrolment.remove', account: { status: 'disabled' } },
    });
    // the target may not have it: what only a sent one makes void is sent
    expect(renewed(item('account.create'), [lost])).toEqual({ delivery: item('account.create') });
    const year = update({ year: 3 }, { year: 2 });
    expect(renewed(update({ year: 2 }, { year: 1 }), [later(year, false, true)])).toMatchObject({
      delivery: { account: { year: 3 }, before: { year: 1 } },
    });
  });

  test('is void when it would make active an account that the target has disabled', () => {
    const disabled = later(item('account.disable', { account: facts({ status: 'disabled' }) }));
    const corrected = later(update({ status: 'disabled', year: 3 }, {}));
    expect(renewed(item('account.create'), [disabled])).toEqual({ void: 'later account.disable' });
    expect(renewed(item('account.create'), [disabled, corrected])).toEqual({ void: 'later account.update' });
    expect(renewed(item('account.enable'), [corrected])).toEqual({ void: 'later account.update' });
    const back = later(item('account.enable'));
    expect(renewed(item('account.create'), [disabled, back])).toMatchObject({ delivery: { type: 'account.create' } });
  });

  test('of a course says of its person what the target knows by now; only what is taken keeps its role', () => {
    const other = later(item('enrolment.remove', { course: { ...course, course: 'C2' } }));
    const staff = later(
      update({ kind: 'staff', email: 'b@example.edu' }, { kind: 'student' }, { enrolments: [course] }),
    );
    expect(renewed(item('enrolment.add'), [other, staff])).toMatchObject({
      delivery: { type: 'enrolment.add', account: { kind: 'staff', email: 'b@example.edu' } },
    });
    expect(renewed(item('enrolment.remove'), [staff])).toMatchObject({
      delivery: { account: { kind: 'student', email: 'b@example.edu' } },
    });
  });

  test('is not void by an enrolment in another role that is still to come', () => {
    const removed = item('enrolment.remove');
    const staff = item('enrolment.add', { account: facts({ kind: 'staff' }) });
    expect(renewed(removed, [later(staff, false)])).toEqual({ delivery: removed });
    expect(renewed(removed, [later(item('enrolment.add'), false)])).toEqual({ void: 'later enrolment.add' });
  });
});
