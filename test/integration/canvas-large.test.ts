import { beforeEach, describe, expect, test } from 'vitest';
import { canvas } from '../../connectors/canvas/connector.ts';
import { courseId } from '../../connectors/canvas/layout.ts';
import { Unavailable } from '../../src/base/errors.ts';
import type { Stub } from '../../src/connector/stub.ts';
import type { DeliveryBatch, DeliveryItem } from '../../src/connector/target.ts';
import { canvasParts, canvasSession, canvasStubOfTest, stateOf } from '../support/canvas.ts';
import { course, item, person } from '../unit/connectors/canvas/items.ts';

/** Batches that are no arrays: each item is made anew each time somebody comes to it. */

interface LazyBatch extends DeliveryBatch {
  /** How often it has been read. */
  readings: number;
}

function lazy(items: readonly DeliveryItem[]): LazyBatch {
  return {
    length: items.length,
    readings: 0,
    *[Symbol.iterator]() {
      this.readings += 1;
      for (const one of items) yield structuredClone(one);
    },
  };
}

let stub: Stub;
beforeEach(async () => {
  stub = await canvasStubOfTest();
});
const uploads = (of = stub) =>
  of
    .requests()
    .filter(({ method }) => method === 'POST')
    .map(({ url, sha256 }) => [new URL(url, of.url).search, sha256]);

const [car, bicycles, trains] = [course('Car Design'), course('Bicycles'), course('Trains')];
const staff = person(3, { kind: 'staff' });
/** Person 3 becomes staff, and others of the batch are about the same enrolments, before it and after it. */
const promoted: DeliveryItem = {
  ...item('account.update', { account: staff }),
  ...{ changed: ['kind'], before: { kind: 'student' }, enrolments: [car, bicycles] },
};
const people = Array.from({ length: 40 }, (_, n) => item('account.create', { account: person(n + 10) }));
const enrolments = Array.from({ length: 40 }, (_, n) =>
  item('enrolment.add', { account: person(n + 10), course: n % 2 ? car : bicycles }),
);
const batches: Record<string, readonly DeliveryItem[]> = {
  'people and enrolments, with the same few courses': [
    item('course.create', { course: trains }),
    ...people,
    ...enrolments,
  ],
  'a new role, and then what else becomes of these enrolments': [
    promoted,
    ...people,
    ...enrolments,
    item('enrolment.remove', { account: staff, course: bicycles }),
    item('enrolment.add', { account: staff, course: trains }),
  ],
  'a new role that comes after enrolments have gone': [
    ...people,
    item('enrolment.add', { account: person(3), course: bicycles }),
    ...enrolments,
    item('course.archive', { course: trains }),
    promoted,
    item('enrolment.remove', { account: staff, course: car }),
  ],
};

describe.each(Object.entries(batches))('a batch of %s', (_, items) => {
  const more = { accounts: 'departments', sections: 'course', term: { id: '2026F', name: 'Fall' } };

  test('is the same upload and the same answer as an array of them, and as its preview', async () => {
    const another = await canvasStubOfTest();
    const ofArray = await (await canvasSession(another, more)).deliver(items);
    const { settings, context } = canvasParts(stub, more);
    const session = await canvas.open(settings, context);
    expect(await session.deliver(lazy(items))).toEqual(ofArray);
    expect(uploads()).toEqual(uploads(another));
    const { imports: _a, ...there } = stateOf(another);
    const { imports: _b, ...here } = stateOf(stub);
    expect(here).toEqual(there);
    const [shown] = canvas.preview(settings, context, items);
    expect(new URL(shown!.url).search).toBe(uploads()[0]![0]);
  });

  test('has one row of each enrolment', async () => {
    const { settings, context } = canvasParts(stub, more);
    const [shown] = canvas.preview(settings, context, items);
    const rows = shown!.files!['enrollments.csv']!.trim().split('\n');
    const keys = rows.map((row) => row.split(',').slice(0, 4).join());
    expect(new Set(keys).size).toBe(keys.length);
  });
});

test('people who change role: the last item has the word, the others answer for the same row', async () => {
  const open = await canvasSession(stub);
  await open.deliver([
    item('account.create', { account: person(3) }),
    ...[car, bicycles].map((one) => item('enrolment.add', { account: person(3), course: one })),
  ]);
  await open.deliver(lazy(batches['a new role that comes after enrolments have gone']!));
  const had = stateOf(stub).enrollments.filter(({ user_id }) => user_id === staff.account);
  expect(had.map((one) => [one.course_id, one.role, one.status]).sort()).toEqual([
    [courseId(bicycles), 'student', 'deleted'],
    [courseId(bicycles), 'teacher', 'active'],
    [courseId(car), 'student', 'deleted'],
    [courseId(car), 'teacher', 'deleted'],
  ]);
});

describe('errors', () => {
  const items = [...people, promoted, ...enrolments];
  const [first, second] = [people[0]!, people[1]!];
  const id = (of: DeliveryItem) => of.account!.account;
  const failed = async (errors: object[], state?: string): Promise<[string[], LazyBatch]> => {
    const batch = lazy(items);
    const open = await canvasSession(stub);
    const body = JSON.stringify({ sis_import_errors: errors });
    stub.setFaults([
      { path: '/errors', kind: 'body', body },
      {
        ...{ path: '/sis_imports/1$', kind: 'body' },
        body: JSON.stringify({ id: 1, workflow_state: state ?? 'imported_with_messages' }),
      },
    ]);
    const results = await open.deliver(batch);
    expect(results.map((one) => one.item)).toEqual(items.map((one) => one.item));
    return [results.filter(({ outcome }) => outcome === 'failed').map((one) => one.item), batch];
  };
  const inCar = enrolments.filter(({ course: of }) => of?.course === 'Car Design').map((one) => one.item);

  test('none: the batch is read once', async () => {
    const batch = lazy(items);
    const results = await (await canvasSession(stub)).deliver(batch);
    expect(results.every(({ outcome }) => outcome === 'sent')).toBe(true);
    expect(batch.readings).toBe(1);
  });

  test.each([
    ['by the number of a row', [{ file: 'users.csv', row: 3, message: 'taken' }], [second.item]],
    // the enrolments of somebody in a new role come last, after forty others
    ['by the number of a row that came last', [{ file: 'enrollments.csv', row: 43, message: 'no' }], [promoted.item]],
    ['by the row of a course', [{ file: 'courses.csv', row: 2, message: 'no' }], [promoted.item, ...inCar]],
    [
      'by a row that is quoted',
      [{ file: 'users.csv', message: 'taken', row_info: `${id(second)},S11,p11@example.edu,Pat,"Number, 11",,active` }],
      [second.item],
    ],
    [
      'by a quoted row of an enrolment',
      [{ file: 'enrollments.csv', message: 'no', row_info: `${courseId(bicycles)},,${id(first)},student,active` }],
      [enrolments[0]!.item],
    ],
    [
      'by the ids that are named',
      [{ file: 'enrollments.csv', message: `deleted user ${id(second)} in course ${courseId(car)}` }],
      [enrolments[1]!.item],
    ],
    [
      'by the one of two people whose row it is',
      [{ file: 'users.csv', message: `SIS ID ${id(first)} has already claimed ${id(second)}'s user_id` }],
      [second.item],
    ],
    [
      'of all kinds, several on one item',
      [
        { file: 'users.csv', row: 2, message: 'taken' },
        { file: 'users.csv', message: `never heard of ${id(first)}` },
        { file: 'users.csv', row: 999, message: 'nobody' },
        { file: 'sections.csv', row: 2, message: 'there is no such file' },
      ],
      [first.item],
    ],
  ])('%s', async (_, errors, wanted) => {
    const [found, { readings }] = await failed(errors);
    expect(found).toEqual(wanted);
    expect(readings).toBe(2);
  });

  test('on a whole file', async () => {
    const errors = [{ file: 'enrollments.csv', message: 'Malformed CSV' }];
    const [found] = await failed(errors, 'failed_with_messages');
    expect(found).toEqual([promoted, ...enrolments].map((one) => one.item));
  });

  test('also by the stub itself, in an import that is watched further with the batch read anew', async () => {
    const settings = { courses: 'existing', pollFor: '0ms' };
    const open = await canvasSession(stub, settings);
    await expect(open.deliver(lazy(items))).rejects.toThrow(Unavailable);
    let results = null;
    // each attempt has one look; the last one is seen to end
    while (!results) results = await open.deliver(lazy(items)).catch(() => null);
    expect(results.filter(({ outcome }) => outcome === 'failed').map((one) => one.item)).toEqual(
      [promoted, ...enrolments].map((one) => one.item),
    );
    expect(uploads()).toHaveLength(1);
  });
});
