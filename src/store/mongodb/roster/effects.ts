import { type CourseName, courseKey } from '../../../connector/target.ts';
import type { Change, CourseEntry } from '../../../reconcile/model.ts';
import type { AccountDoc, Standing } from '../documents.ts';

/** What a batch of changes makes of the accounts behind it: pure, so that a repeat comes to the same. */
export interface Effects {
  /** Accounts as they are afterwards; only those that change. */
  accounts: AccountDoc[];
  courses: CourseEntry[];
  /** What is added to the counts of each source. */
  standing: Standing[];
}

/** Works out the effects of changes, in their order. `before` has the accounts that there are. */
export function effectsOf(
  changes: readonly Change[],
  before: ReadonlyMap<string, AccountDoc>,
  source: string,
  fence: number,
): Effects {
  const after = new Map<string, AccountDoc>();
  const courses = new Map<string, CourseEntry>();
  const read = (number: string): AccountDoc | undefined => after.get(number) ?? before.get(number);
  for (const { type, account, course } of changes) {
    if (type === 'course.create') courses.set(courseKey(course!), { ...course!, status: 'enrolled' });
    else if (type === 'course.archive') courses.set(courseKey(course!), { ...course!, status: 'archived' });
    else {
      const { account: number, id, ...facts } = account!;
      const was = read(number);
      let now: AccountDoc;
      if (type === 'enrolment.add' || type === 'enrolment.remove' || type === 'account.disable') {
        if (!was) throw new Error(`${type} for the account ${number}, which is not in the roster`);
        // Nothing else of the account: the plan may have waited, and others have said more of the person since.
        if (type === 'account.disable') now = { ...was, fence, status: facts.status };
        else now = { ...was, fence, enrolments: enrolled(was.enrolments, type, course!, source) };
      } else {
        // Creating and enabling make the source of the run the one that the account stands for.
        const gives = !was || type === 'account.create' || type === 'account.enable';
        const { enrolments, source: giver } = was ?? { enrolments: [], source };
        now = { _id: number, ...facts, source: gives ? source : giver, enrolments, fence };
        if (id !== null) now.id = id;
      }
      after.set(number, now);
    }
  }
  const accounts = [...after.values()];
  return { accounts, courses: [...courses.values()], standing: difference(before, accounts) };
}

function enrolled(
  list: AccountDoc['enrolments'],
  type: 'enrolment.add' | 'enrolment.remove',
  course: CourseName,
  source: string,
): AccountDoc['enrolments'] {
  const there = list.some((one) => sameCourse(one, course));
  if (type === 'enrolment.remove') return there ? list.filter((one) => !sameCourse(one, course)) : list;
  // One that is there already stays with the source that gave it.
  if (there) return list;
  const { faculty, department, course: name } = course;
  return [...list, { faculty, department, course: name, source }];
}

/** True for the same three names. */
export function sameCourse(a: CourseName, b: CourseName): boolean {
  return a.course === b.course && a.department === b.department && a.faculty === b.faculty;
}

function difference(before: ReadonlyMap<string, AccountDoc>, after: readonly AccountDoc[]): Standing[] {
  const counts = new Map<string, Standing>();
  for (const now of after) {
    const was = before.get(now._id);
    if (was) count(counts, was, -1);
    count(counts, now, 1);
  }
  return [...counts.values()].filter(({ accounts, enrolments }) => accounts || enrolments);
}

/** Counts one account into what its sources stand for. */
export function count(counts: Map<string, Standing>, account: AccountDoc, by: 1 | -1): void {
  const of = (source: string): Standing => {
    const its = counts.get(source) ?? { source, accounts: 0, enrolments: 0 };
    counts.set(source, its);
    return its;
  };
  if (account.status === 'active') of(account.source).accounts += by;
  for (const { source } of account.enrolments) of(source).enrolments += by;
}

/** The sum of two lists of counts. */
export function sum(a: readonly Standing[], b: readonly Standing[]): Standing[] {
  const result = new Map(a.map((one) => [one.source, { ...one }]));
  for (const { source, accounts, enrolments } of b) {
    const its = result.get(source) ?? { source, accounts: 0, enrolments: 0 };
    its.accounts += accounts;
    its.enrolments += enrolments;
    result.set(source, its);
  }
  return [...result.values()];
}
