import { type CourseName, courseKey } from '../connector/target.ts';
import type { CourseDifference, Evidence } from './evidence.ts';
import { type Change, type CourseEntry, type CourseStatus, isGone } from './model.ts';

/** What the configuration says about courses. */
export interface CourseRules {
  /** The regular expressions of the configuration. */
  matches(course: CourseName): boolean;
  newCourses: 'report' | 'provision';
  emptyCourses: 'keep' | 'archive';
}

/** The course table as this plan finds it, and which courses count as enrolled. */
export interface CourseBook {
  entries: ReadonlyMap<string, CourseEntry>;
  /** In scope: matched, and under `provision` not a new course of a department nobody knows. */
  inScope(course: CourseName): boolean;
  /** Matched, and of a department nobody knows: it is only reported, and its people are left alone. */
  isUndecided(course: CourseName): boolean;
}

/**
 * Opens the book. With `newCourses: provision` a new course counts when its department is known, or when the roster is
 * empty: the first load is what the operator's patterns chose, and so is what they left out before and now match.
 */
export async function openCourseBook(evidence: Evidence, rules: CourseRules): Promise<CourseBook> {
  const entries = new Map((await evidence.courses()).map((entry) => [courseKey(entry), entry]));
  const always = rules.newCourses === 'report' || !entries.size;
  const departments = always ? new Set<string>() : await knownDepartments(evidence, rules, [...entries.values()]);
  const isKnown = (course: CourseName): boolean => always || departments.has(departmentKey(course));
  const decided = new Map<string, boolean>();
  return {
    entries,
    inScope(course) {
      const key = courseKey(course);
      let answer = decided.get(key);
      if (answer === undefined) {
        answer = isKnown(course) && rules.matches(course);
        decided.set(key, answer);
      }
      return answer;
    },
    isUndecided: (course) => !isKnown(course) && rules.matches(course),
  };
}

/**
 * Departments with a course that is or was enrolled, that the patterns did leave out and no longer do, or that somebody is
 * enrolled in whatever the table says: nobody loses a course which the patterns choose.
 */
async function knownDepartments(
  evidence: Evidence,
  rules: CourseRules,
  entries: readonly CourseEntry[],
): Promise<Set<string>> {
  const known = new Set<string>();
  for (const entry of entries)
    if (
      entry.status === 'enrolled' ||
      entry.status === 'archived' ||
      ((entry.status === 'outside' || entry.status === 'vanished') && rules.matches(entry))
    )
      known.add(departmentKey(entry));
  const asked = entries.filter((entry) => !known.has(departmentKey(entry)) && rules.matches(entry));
  const counts = await evidence.enrolmentCounts(asked.map(courseKey));
  for (const entry of asked) if (counts.get(courseKey(entry))) known.add(departmentKey(entry));
  return known;
}

function departmentKey({ faculty, department }: CourseName): string {
  return `${faculty}\u001f${department}`;
}

/** What a plan says of courses, beside its changes. */
export interface CoursePlan {
  changes: Change[];
  /** New and vanished courses for the report, sorted. */
  fresh: CourseName[];
  vanished: CourseName[];
  /** Entries of the course table to write when the plan is applied. */
  entries: CourseEntry[];
  /** `courseKey`s whose end could not be told for doubt; looked at again in the next run. */
  open: string[];
}

/** Net change of enrolments per `courseKey` that the people's part of the plan brings. */
export type EnrolmentTally = ReadonlyMap<string, number>;

/**
 * New and vanished courses are reported (U7); with `provision` a new course is created, with `archive` a vanished one
 * that nobody is enrolled in any more is archived. `all` looks at the whole table again, after the rules changed.
 */
export async function planCourses(
  evidence: Evidence,
  rules: CourseRules,
  book: CourseBook,
  difference: CourseDifference,
  tally: EnrolmentTally,
  all: boolean,
): Promise<CoursePlan> {
  const plan: CoursePlan = { changes: [], fresh: [], vanished: [], entries: [], open: [] };
  const statusOf = (course: CourseName): CourseStatus =>
    book.inScope(course) ? 'enrolled' : book.isUndecided(course) ? 'known' : 'outside';
  const next = new Map<string, CourseEntry>();

  for (const course of sorted(difference.added)) {
    const old = book.entries.get(courseKey(course));
    if (old && !isGone(old)) continue;
    const entry = { ...course, status: statusOf(course) };
    plan.fresh.push(course);
    next.set(courseKey(course), entry);
    if (rules.newCourses === 'provision' && entry.status === 'enrolled' && old?.status !== 'vanished')
      plan.changes.push(courseChange('course.create', course, 'new-course-of-known-department'));
  }
  if (all)
    for (const [key, entry] of book.entries)
      if (!isGone(entry) && statusOf(entry) !== entry.status) next.set(key, { ...entry, status: statusOf(entry) });

  const candidates = new Set(difference.gone);
  if (all && rules.emptyCourses === 'archive')
    for (const [key, entry] of book.entries) if (entry.status === 'vanished') candidates.add(key);
  const asked = [...candidates].filter((key) => book.entries.has(key)).sort();
  const alive = await evidence.coursesWithRows(asked);
  const counts = rules.emptyCourses === 'archive' ? await evidence.enrolmentCounts(asked) : new Map<string, number>();
  for (const key of asked) {
    const entry = book.entries.get(key)!;
    if (alive.has(key) || entry.status === 'archived') continue;
    if (difference.doubt.any || difference.doubt.courses.has(key)) {
      plan.open.push(key);
      continue;
    }
    const { faculty, department, course } = entry;
    if (!isGone(entry)) {
      plan.vanished.push({ faculty, department, course });
      next.set(key, { ...entry, status: book.isUndecided(entry) ? 'lapsed' : 'vanished' });
    }
    if (rules.emptyCourses !== 'archive' || (entry.status !== 'enrolled' && entry.status !== 'vanished')) continue;
    // Somebody is still enrolled (a removal is blocked): the course is looked at again when that is settled.
    if ((counts.get(key) ?? 0) + (tally.get(key) ?? 0) > 0) plan.open.push(key);
    else plan.changes.push(courseChange('course.archive', { faculty, department, course }, 'course-without-people'));
  }
  plan.entries = [...next.values()];
  return plan;
}

function courseChange(type: 'course.create' | 'course.archive', course: CourseName, rule: string): Change {
  return { type, account: null, course, before: null, after: null, emailConfirmed: false, rule, rows: [] };
}

function sorted(courses: readonly CourseName[]): CourseName[] {
  return [...courses].sort((a, b) => (courseKey(a) < courseKey(b) ? -1 : 1));
}
