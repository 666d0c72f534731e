import { describe, expect, test } from 'vitest';
import { type CourseRules, openCourseBook, planCourses } from '../../../src/reconcile/courses.ts';
import type { CourseEntry, CourseStatus } from '../../../src/reconcile/model.ts';
import { evidenceOf, keyOfCourse } from './make.ts';

/** `D1 C1` → a course; every text of these tests is department and course. */
function courseOf(text: string) {
  const [department = '', course = ''] = text.split(' ');
  return { faculty: 'F', department, course };
}
const keyOf = (text: string): string => keyOfCourse(...(text.split(' ') as [string, string]));

interface Setup {
  book?: Record<string, CourseStatus>;
  added?: string[];
  gone?: string[];
  alive?: string[];
  /** Enrolments in the roster, and what the plan does to them. */
  enrolled?: Record<string, number>;
  tally?: Record<string, number>;
  doubt?: 'any' | string[];
  all?: boolean;
  rules?: Partial<CourseRules>;
}

async function plan(setup: Setup) {
  const { book = {}, added = [], gone = [], alive = [], enrolled = {}, tally = {}, doubt = [], all = false } = setup;
  const rules: CourseRules = {
    matches: ({ course }) => !course.startsWith('X'),
    newCourses: 'report',
    emptyCourses: 'keep',
    ...setup.rules,
  };
  const byKey = (counts: Record<string, number>) =>
    Object.fromEntries(Object.entries(counts).map(([text, count]) => [keyOf(text), count]));
  const courses = Object.entries(book).map(([text, status]): CourseEntry => ({ ...courseOf(text), status }));
  const evidence = evidenceOf({ courses, alive: alive.map(keyOf), counts: byKey(enrolled) });
  const opened = await openCourseBook(evidence, rules);
  const difference = {
    added: added.map(courseOf),
    gone: gone.map(keyOf),
    doubt: { any: doubt === 'any', courses: new Set(doubt === 'any' ? [] : doubt.map(keyOf)) },
  };
  const tallied = new Map(Object.entries(byKey(tally)));
  const found = await planCourses(evidence, rules, opened, difference, tallied, all);
  const name = ({ department, course }: { department: string; course: string }) => `${department} ${course}`;
  return {
    fresh: found.fresh.map(name),
    vanished: found.vanished.map(name),
    entries: Object.fromEntries(found.entries.map((entry) => [name(entry), entry.status])),
    changes: found.changes.map((change) => `${change.type} ${name(change.course!)}`),
    open: found.open,
    inScope: (text: string) => opened.inScope(courseOf(text)),
  };
}
const nothing = { fresh: [], vanished: [], entries: {}, changes: [], open: [] };

describe('new courses', () => {
  test('are reported and in the table, and nothing else', async () => {
    expect(await plan({ book: { 'D1 C1': 'enrolled' }, added: ['D1 C2', 'D1 C1', 'D2 X1'] })).toMatchObject({
      ...nothing,
      fresh: ['D1 C2', 'D2 X1'],
      entries: { 'D1 C2': 'enrolled', 'D2 X1': 'outside' },
    });
  });

  const provision = { newCourses: 'provision' as const };
  test('are provisioned in a department that is known', async () => {
    const found = await plan({ book: { 'D1 C1': 'enrolled' }, added: ['D1 C2'], rules: provision });
    expect(found).toMatchObject({ fresh: ['D1 C2'], changes: ['course.create D1 C2'] });
    expect(found.inScope('D1 C2')).toBe(true);
  });

  test('are only reported in one that is not', async () => {
    const found = await plan({ book: { 'D1 C1': 'enrolled', 'D2 C9': 'known' }, added: ['D2 C2'], rules: provision });
    expect(found).toMatchObject({ fresh: ['D2 C2'], entries: { 'D2 C2': 'known' }, changes: [] });
    expect(found.inScope('D2 C2')).toBe(false);
  });

  test.each<[string, Setup]>([
    ['that the patterns left out before', { book: { 'D1 C1': 'enrolled', 'D2 C9': 'outside' } }],
    ['that somebody is enrolled in', { book: { 'D1 C1': 'enrolled', 'D2 C9': 'known' }, enrolled: { 'D2 C9': 1 } }],
  ])('are provisioned in a department %s, and so are its other ones', async (_, setup) => {
    const found = await plan({ ...setup, added: ['D2 C2'], all: true, rules: provision });
    expect(found).toMatchObject({
      changes: ['course.create D2 C2'],
      entries: { 'D2 C2': 'enrolled', 'D2 C9': 'enrolled' },
    });
    expect(found.inScope('D2 C9')).toBe(true);
  });

  test.each<[string, Setup]>([
    ['leave it out still', { book: { 'D1 C1': 'enrolled', 'D2 X9': 'outside' } }],
    ['have it, and nobody is in it', { book: { 'D1 C1': 'enrolled', 'D2 C9': 'known' } }],
  ])('are only reported also under new patterns that %s', async (_, setup) => {
    const found = await plan({ ...setup, added: ['D2 C2'], all: true, rules: provision });
    expect(found).toMatchObject({ changes: [], entries: { 'D2 C2': 'known' } });
  });

  test('are all provisioned by the first load', async () => {
    const found = await plan({ added: ['D1 C1', 'D2 C2', 'D2 X1'], rules: provision });
    expect(found.changes).toEqual(['course.create D1 C1', 'course.create D2 C2']);
  });
});

describe('vanished courses', () => {
  const book = { 'D1 C1': 'enrolled', 'D1 X1': 'known', 'D1 C2': 'enrolled' } as const;

  test('are reported once nobody has a row of them', async () => {
    expect(await plan({ book, gone: ['D1 C1', 'D1 C2', 'D1 X1'], alive: ['D1 C2'] })).toMatchObject({
      ...nothing,
      vanished: ['D1 C1', 'D1 X1'],
      entries: { 'D1 C1': 'vanished', 'D1 X1': 'vanished' },
    });
  });

  test('are not told twice', async () => {
    expect(await plan({ book: { 'D1 C1': 'vanished', 'D1 C2': 'archived' }, gone: ['D1 C1', 'D1 C2'] })).toMatchObject(
      nothing,
    );
  });

  test.each([
    ['a row whose course nobody can read', 'any' as const, ['D1 C1', 'D1 C2']],
    ['a row of that course that cannot be read', ['D1 C1'], ['D1 C1']],
  ])('stay open while there is %s', async (_name, doubt, open) => {
    const found = await plan({ book, gone: ['D1 C1', 'D1 C2'], doubt });
    expect(found.open).toEqual(open.map(keyOf));
    expect(found.vanished).toEqual(['D1 C1', 'D1 C2'].filter((text) => !open.includes(text)));
  });

  test('of a department that nobody chose make it no known one', async () => {
    const rules = { newCourses: 'provision' as const, emptyCourses: 'archive' as const };
    const some = { 'D1 C1': 'enrolled', 'D2 C1': 'known', 'D2 C2': 'lapsed' } as const;
    const found = await plan({ book: some, gone: ['D2 C1', 'D2 C2'], added: ['D2 C3'], rules });
    expect(found).toMatchObject({ ...nothing, fresh: ['D2 C3'], vanished: ['D2 C1'] });
    expect(found.entries).toEqual({ 'D2 C1': 'lapsed', 'D2 C3': 'known' });
    // nor one that the patterns leave out
    expect((await plan({ book: { 'D2 X1': 'vanished' }, added: ['D2 C3'], rules })).changes).toEqual([]);
  });

  test('are new again when they return, and created again only if they were archived', async () => {
    const found = await plan({
      book: { 'D1 C1': 'vanished', 'D1 C2': 'archived' },
      added: ['D1 C1', 'D1 C2'],
      rules: { newCourses: 'provision' },
    });
    expect(found).toMatchObject({ fresh: ['D1 C1', 'D1 C2'], changes: ['course.create D1 C2'] });
    expect(found.entries).toEqual({ 'D1 C1': 'enrolled', 'D1 C2': 'enrolled' });
  });
});

describe('courses without people', () => {
  const rules = { emptyCourses: 'archive' as const };
  const book = { 'D1 C1': 'enrolled', 'D1 X1': 'known' } as const;

  test('are archived when the plan takes the last one out', async () => {
    const found = await plan({ book, gone: ['D1 C1'], enrolled: { 'D1 C1': 3 }, tally: { 'D1 C1': -3 }, rules });
    expect(found.changes).toEqual(['course.archive D1 C1']);
  });

  test('are not while somebody is in them, and looked at again', async () => {
    const found = await plan({ book, gone: ['D1 C1'], enrolled: { 'D1 C1': 3 }, tally: { 'D1 C1': -2 }, rules });
    expect(found).toMatchObject({ changes: [], open: [keyOf('D1 C1')], vanished: ['D1 C1'] });
  });

  test('are not when they never were in scope', async () => {
    expect((await plan({ book, gone: ['D1 X1'], rules })).changes).toEqual([]);
  });

  test('that vanished earlier are archived when the configuration begins to ask for it', async () => {
    expect((await plan({ book: { 'D1 C1': 'vanished' }, all: true, rules })).changes).toEqual(['course.archive D1 C1']);
    expect((await plan({ book: { 'D1 C1': 'vanished' }, rules })).changes).toEqual([]);
  });
});

test('new patterns judge the whole table again', async () => {
  const book = { 'D1 C1': 'known', 'D1 X1': 'enrolled', 'D1 C2': 'enrolled', 'D1 X2': 'vanished' } as const;
  expect((await plan({ book, all: true })).entries).toEqual({ 'D1 C1': 'enrolled', 'D1 X1': 'outside' });
  expect((await plan({ book })).entries).toEqual({});
});
