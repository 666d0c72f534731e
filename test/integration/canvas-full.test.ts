import { beforeEach, describe, expect, test } from 'vitest';
import { canvas } from '../../connectors/canvas/connector.ts';
import { courseId } from '../../connectors/canvas/layout.ts';
import { Misconfigured, Unavailable } from '../../src/base/errors.ts';
import type { Stub } from '../../src/connector/stub.ts';
import type { DeliveryItem, ItemResult } from '../../src/connector/target.ts';
import { canvasParts, canvasSession, canvasStubOfTest, deliverFull, stateOf, TestRoster } from '../support/canvas.ts';
import { course, item, person } from '../unit/connectors/canvas/items.ts';

/** `mode: full` against the stub: the whole roster as one import, which Canvas compares with the last one. */

const car = course('Car Design');
const bicycles = course('Bicycles');
const full = { mode: 'full' };
let stub: Stub;
let roster: TestRoster;

beforeEach(async () => {
  stub = await canvasStubOfTest();
  roster = new TestRoster();
  for (let number = 1; number <= 30; number += 1) roster.put(person(number), number % 2 ? car : bicycles);
});

const create = (number: number): DeliveryItem => item('account.create', { account: person(number) });
const add = (number: number, to = car) => item('enrolment.add', { account: person(number), course: to });
const remove = (number: number, from = car) => item('enrolment.remove', { account: person(number), course: from });
const outcomes = (results: readonly ItemResult[]): string[] => results.map(({ outcome }) => outcome);
const imports = () =>
  stateOf(stub).imports.map(({ workflow_state: state, remaster, compared_with: base }) => [state, remaster, base]);
const enrolment = (number: number, role = 'student') =>
  stateOf(stub).enrollments.find((one) => one.user_id === person(number).account && one.role === role);
/** Somebody leaves a course: in the roster, and not in Canvas. */
const leave = (...numbers: number[]): void => {
  for (const number of numbers) roster.put(person(number));
};

describe('a roster', () => {
  test('comes whole at first, and then Canvas works on what differs alone', async () => {
    const open = await canvasSession(stub, full);
    expect(outcomes(await deliverFull(open, roster, [create(1), add(1)]))).toEqual(['sent', 'sent']);
    expect(stateOf(stub).users).toHaveLength(30);
    roster.put(person(31), car);
    const [, second] = await deliverFull(open, roster, [create(31), add(31)]);
    expect(second).toMatchObject({ outcome: 'sent', answer: 'import 2' });
    expect(imports()).toEqual([
      ['imported', false, null],
      ['imported', false, 1],
    ]);
    expect(stateOf(stub).imports[1]!.counts).toMatchObject({ users: 1, enrollments: 1, courses: 0 });
  });

  test('says how it is to be compared', async () => {
    await deliverFull(await canvasSession(stub, full), roster, [create(1)]);
    const { url } = stub.requests().find(({ method }) => method === 'POST')!;
    expect(Object.fromEntries(new URL(url, stub.url).searchParams)).toEqual({
      import_type: 'instructure_csv',
      extension: 'zip',
      diffing_data_set_identifier: 'rosterd roster example/canvas',
      diffing_drop_status: 'inactive',
      diffing_user_remove_status: 'suspended',
      skip_deletes: 'true',
      change_threshold: '10',
    });
  });

  test('keeps disabled accounts, as suspended', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    const gone = person(1, { status: 'disabled' });
    roster.put(gone);
    await deliverFull(open, roster, [item('account.disable', { account: gone }), remove(1)]);
    expect(stateOf(stub).users[0]).toMatchObject({ status: 'suspended' });
    expect(enrolment(1)).toMatchObject({ status: 'inactive' });
    roster.put(person(1), car);
    await deliverFull(open, roster, [item('account.enable', { account: person(1) }), add(1)]);
    expect([stateOf(stub).users[0]!.status, enrolment(1)!.status]).toEqual(['active', 'active']);
  });

  test('never deletes a course, whatever the roster forgets', async () => {
    const open = await canvasSession(stub, { ...full, sections: 'course', accounts: 'faculties' });
    await deliverFull(open, roster, [create(1)]);
    roster.courses.clear();
    for (const one of roster.people.values()) one.enrolments.clear();
    await deliverFull(open, roster, [], { remaster: true });
    await deliverFull(open, roster, [create(1)]);
    expect(stateOf(stub).courses.map((one) => one.workflow_state)).toEqual(['unpublished', 'unpublished']);
    expect([...stateOf(stub).sections, ...stateOf(stub).accounts].every(({ status }) => status === 'active')).toBe(
      true,
    );
  });

  test('brings another kind of person as two rows', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    const staff = person(1, { kind: 'staff' });
    roster.put(staff, car);
    const change = { ...item('account.update', { account: staff }), changed: ['kind'], enrolments: [car] };
    await deliverFull(open, roster, [{ ...change, before: { kind: 'student' } }]);
    expect([enrolment(1)!.status, enrolment(1, 'teacher')!.status]).toEqual(['inactive', 'active']);
  });

  test('hands on an e-mail address in the order of the changes', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    const gives = person(2, { email: 'new@example.edu' });
    const takes = person(1, { email: 'p2@example.edu' });
    roster.put(gives, bicycles).put(takes, car);
    const updates = [gives, takes].map((account) => item('account.update', { account }));
    expect(outcomes(await deliverFull(open, roster, updates))).toEqual(['sent', 'sent']);
  });

  test('archives, and reopens', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    const [key, entry] = [...roster.courses].find(([, { course }]) => course === 'Car Design')!;
    roster.courses.set(key, { ...entry, status: 'archived' });
    leave(...Array.from({ length: 15 }, (_, index) => index * 2 + 1));
    await deliverFull(open, roster, [item('course.archive', { course: car })]);
    const state = () => stateOf(stub).courses.find((one) => one.course_id === courseId(car))!.workflow_state;
    expect(state()).toBe('completed');
    roster.courses.delete(key);
    roster.put(person(1), car);
    await deliverFull(open, roster, [add(1)]);
    expect(state()).toBe('available');
  });

  test('is refused without people while Canvas has had some, and nothing is sent', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    await expect(deliverFull(open, new TestRoster(), [create(1)])).rejects.toThrow(Misconfigured);
    await expect(deliverFull(open, new TestRoster(), [], { remaster: true })).rejects.toThrow('no people');
    expect(stateOf(stub).imports).toHaveLength(1);
  });
});

describe('over a threshold Canvas compares nothing', () => {
  test('removals that are changes take place, nobody else’s do, the answer says so, and the next import is a remaster', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    // half of the roster is gone, and one removal is a change that was guarded and applied
    for (let number = 15; number <= 30; number += 1) roster.people.delete(person(number).account);
    leave(1);
    const [result] = await deliverFull(open, roster, [remove(1)]);
    expect(result).toMatchObject({ outcome: 'sent', answer: expect.stringContaining('a threshold was exceeded') });
    expect(enrolment(1)!.status).toBe('inactive');
    expect(enrolment(17)!.status).toBe('active');
    expect(stateOf(stub).users.every(({ status }) => status === 'active')).toBe(true);

    leave(3);
    expect(await deliverFull(open, roster, [remove(3)])).toMatchObject([{ outcome: 'sent', answer: 'import 3' }]);
    roster.put(person(3), car);
    expect(await deliverFull(open, roster, [add(3)])).toMatchObject([{ outcome: 'sent', answer: 'import 4' }]);
    expect(imports()).toEqual([
      ['imported', false, null],
      ['imported_with_messages', false, null],
      ['imported', true, null],
      ['imported', false, 3],
    ]);
    expect(enrolment(17)!.status).toBe('active');
    expect(enrolment(3)!.status).toBe('active');
  });

  test('also by the number of rows', async () => {
    const open = await canvasSession(stub, { ...full, full: { rowThreshold: 2, changeThreshold: 100 } });
    await deliverFull(open, roster, [create(1)]);
    leave(1, 3, 5);
    const results = await deliverFull(open, roster, [remove(1)]);
    expect(results[0]!.answer).toContain('a threshold was exceeded');
    expect([1, 3, 5].map((number) => enrolment(number)!.status)).toEqual(['inactive', 'active', 'active']);
  });
});

describe('a row that Canvas refused', () => {
  /** Person 40 wants the address that person 1 has. */
  const late = person(40, { email: 'p1@example.edu' });
  const news = [item('account.create', { account: late }), item('enrolment.add', { account: late, course: car })];

  test('is found again by its quote: a compared import counts the rows of the difference', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    roster.put(late, car).put(person(41), car);
    const results = await deliverFull(open, roster, [create(41), add(41), ...news]);
    expect(outcomes(results)).toEqual(['sent', 'sent', 'failed', 'failed']);
    expect(results[2]!.answer).toContain("has already claimed 9500000040's");
  });

  test('is asked for again when its change comes, which a comparison would pass over', async () => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    // the roster is ahead of the queue: the row goes with an import that has nothing of it among its items
    roster.put(late, car).put(person(41), car);
    expect(outcomes(await deliverFull(open, roster, [create(41)]))).toEqual(['sent']);
    expect(outcomes(await deliverFull(open, roster, news))).toEqual(['failed', 'failed']);
    // and others' changes do not make every import a whole one
    roster.put(person(42), car);
    expect(outcomes(await deliverFull(open, roster, [create(42)]))).toEqual(['sent']);
    // the address is free, and somebody replays the change: from a session that has seen nothing of all this
    roster.put(person(1, { email: 'other@example.edu' }), car);
    const another = await canvasSession(stub, full);
    await deliverFull(another, roster, [
      item('account.update', { account: roster.people.get(person(1).account)!.account }),
    ]);
    expect(outcomes(await deliverFull(another, roster, news))).toEqual(['sent', 'sent']);
    expect(imports().map(([, remaster, base]) => (remaster ? 'remaster' : base))).toEqual([
      null,
      1,
      'remaster',
      3,
      4,
      'remaster',
    ]);
  });
});

describe('what is not known of earlier imports', () => {
  /** Ends the first import clean, and the second one with a refused row. */
  const refuse = async (): Promise<void> => {
    const open = await canvasSession(stub, full);
    await deliverFull(open, roster, [create(1)]);
    roster.put(person(40, { email: 'p1@example.edu' }));
    await deliverFull(open, roster, [create(1)]);
  };

  test('errors that Canvas has forgotten make the next import a remaster', async () => {
    await refuse();
    const { settings, context } = canvasParts(stub, full);
    const later = { ...context.clock, now: () => new Date(Date.now() + 30 * 86_400_000) };
    await deliverFull(await canvas.open(settings, { ...context, clock: later }), roster, [create(2)]);
    expect(imports()[2]).toEqual(['imported_with_messages', true, null]);
  });

  test('and so does one that names nobody', async () => {
    await refuse();
    const error = { file: null, message: 'Something went wrong', row: null };
    const body = JSON.stringify({ sis_import_errors: [error] });
    stub.setFaults([{ path: '/sis_imports/2/errors', kind: 'body', body }]);
    await deliverFull(await canvasSession(stub, full), roster, [create(2)]);
    expect(imports()[2]).toEqual(['imported_with_messages', true, null]);
  });

  test('but not an error about somebody else', async () => {
    await refuse();
    await deliverFull(await canvasSession(stub, full), roster, [create(2)]);
    expect(imports()[2]).toEqual(['imported', false, 2]);
  });
});

describe('what ended badly', () => {
  const abort = (id: number) =>
    fetch(`${stub.url}/api/v1/accounts/1/sis_imports/${id}/abort`, {
      method: 'PUT',
      headers: { authorization: 'Bearer x' },
    });

  test('an aborted import is tried again, as a remaster: nobody knows what of it arrived', async () => {
    const impatient = await canvasSession(stub, { ...full, pollFor: '0ms' });
    await expect(deliverFull(impatient, roster, [create(1)])).rejects.toThrow(Unavailable);
    await abort(1);
    expect(await deliverFull(impatient, roster, [create(1)])).toMatchObject([{ outcome: 'retry', delayMs: 600_000 }]);
    const open = await canvasSession(stub, full);
    expect(outcomes(await deliverFull(open, roster, [create(1)]))).toEqual(['sent']);
    expect(imports()).toEqual([
      ['aborted', false, null],
      ['imported', true, null],
    ]);
  });

  test('other headers than last time: applied whole, and the answer says so', async () => {
    await deliverFull(await canvasSession(stub, { ...full, term: { id: 'T', name: 'T' } }), roster, [create(1)]);
    const dated = await canvasSession(stub, { ...full, term: { id: 'T', name: 'T', start: '2026-09-01' } });
    const [result] = await deliverFull(dated, roster, [create(1)]);
    expect(result).toMatchObject({ outcome: 'sent', answer: expect.stringContaining('could not compare') });
    expect(stateOf(stub).terms).toMatchObject([{ start_date: '2026-09-01' }]);
    expect(stateOf(stub).courses.every(({ term_id }) => term_id === 'T')).toBe(true);
  });

  test('an import of a process that died is waited for, and compared with', async () => {
    const died = await canvasSession(stub, { ...full, pollFor: '0ms' });
    await expect(deliverFull(died, roster, [create(1)])).rejects.toThrow('still importing');
    roster.put(person(50), car);
    const open = await canvasSession(stub, full);
    expect(outcomes(await deliverFull(open, roster, [create(1), create(50)]))).toEqual(['sent', 'sent']);
    expect(imports()).toEqual([
      ['imported', false, null],
      ['imported', false, 1],
    ]);
  });

  test('the same batch once more watches the import that it began', async () => {
    const open = await canvasSession(stub, full);
    stub.setFaults([{ path: '/sis_imports/1$', reset: true, count: 1 }]);
    await expect(deliverFull(open, roster, [create(1)])).rejects.toThrow(Unavailable);
    expect(outcomes(await deliverFull(open, roster, [create(1)]))).toEqual(['sent']);
    expect(stateOf(stub).imports).toHaveLength(1);
  });
});

test('a remaster on demand applies everything, and needs no changes', async () => {
  const open = await canvasSession(stub, full);
  await deliverFull(open, roster, [create(1)]);
  expect(await deliverFull(open, roster, [], { remaster: true })).toEqual([]);
  expect(imports()).toEqual([
    ['imported', false, null],
    ['imported', true, null],
  ]);
  expect(stateOf(stub).imports[1]!.counts).toMatchObject({ users: 30, enrollments: 30 });
});
