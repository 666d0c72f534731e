import { courseKey } from '../../../src/connector/target.ts';
import type { Evidence } from '../../../src/reconcile/evidence.ts';
import { noRemovals } from '../../../src/reconcile/guards.ts';
import {
  type Account,
  type Change,
  type Component,
  type CourseEntry,
  type EvidenceRow,
  keysOf,
  keysOfAccount,
  type PeopleRules,
} from '../../../src/reconcile/model.ts';
import type { PersonRecord } from '../../../src/snapshot/record.ts';

/** Short forms of rows, accounts and evidence, for tables of cases. Courses are named by one word. */

type Written = Partial<Omit<PersonRecord, 'course'>> & { course?: string; source?: string; gone?: boolean };
let line = 1;

function record({ course = 'C1', source: _source, gone: _gone, ...rest }: Written): PersonRecord {
  return {
    faculty: 'F',
    department: 'D',
    course,
    number: null,
    id: null,
    email: 'ann@x.edu',
    firstName: 'Ann',
    lastName: 'Lee',
    kind: 'student',
    year: 1,
    attributes: {},
    ...rest,
  };
}

export function row(written: Written): EvidenceRow {
  const its = record(written);
  line += 1;
  const source = written.source ?? 'sis';
  return {
    source,
    state: written.gone ? 'gone' : 'now',
    record: its,
    hints: its,
    origin: { source, snapshot: 1, file: 'drop.csv', line },
  };
}

export function quarantined(hints: { id?: string; email?: string; source?: string }): EvidenceRow {
  const { id = null, email = null, source = 'sis' } = hints;
  return { ...row({ source }), record: null, hints: { number: null, id, email } };
}

export function account(written: Partial<Omit<Account, 'enrolments'>> & { courses?: string[] }): Account {
  const { courses = ['C1'], ...rest } = written;
  return {
    account: '9500000001',
    id: 'a',
    email: 'ann@x.edu',
    firstName: 'Ann',
    lastName: 'Lee',
    kind: 'student',
    year: 1,
    status: 'active',
    attributes: {},
    source: 'sis',
    ...rest,
    enrolments: courses.map((course) => ({ faculty: 'F', department: 'D', course })),
  };
}

export function component(of: {
  rows?: EvidenceRow[];
  accounts?: Account[];
  touched?: string[];
  pendingElsewhere?: string[];
}): Component {
  const { rows = [], accounts = [], touched = [], pendingElsewhere = [] } = of;
  const named = new Set(rows.flatMap((one) => (one.state === 'now' && one.record ? keysOf(one.record) : [])));
  return { rows, accounts, touched: new Set(touched), pendingElsewhere, named };
}

export function rules(written: Partial<PeopleRules> = {}): PeopleRules {
  return {
    source: 'sis',
    precedence: ['sis', 'hr'],
    inScope: ({ course }) => !course.startsWith('X'),
    isUndecided: () => false,
    blockAll: null,
    answered: true,
    directories: new Set(),
    unread: new Set(),
    fillOnly: false,
    ...written,
  };
}

/** A change in a few words: what, whom, what of it. */
export function brief({ type, account: facts, course, after, rule }: Change): string {
  const what = type === 'account.create' ? '' : after ? Object.keys(after).join(',') : (course?.course ?? '');
  return `${type} ${facts?.account ?? ''} ${what} (${rule})`.replace(/ +/g, ' ');
}

export interface EvidenceOf {
  rows?: EvidenceRow[];
  accounts?: Account[];
  pending?: Record<string, string[]>;
  courses?: CourseEntry[];
  /** `courseKey`s of courses that still have a row. */
  alive?: string[];
  counts?: Record<string, number>;
}

/** Evidence that answers by looking through lists, and remembers what it was asked. */
export function evidenceOf(of: EvidenceOf): Evidence & { asked: string[][] } {
  const { rows = [], accounts = [], pending = {}, courses = [], alive = [], counts = {} } = of;
  const asked: string[][] = [];
  const any = (keys: readonly string[], its: readonly string[]): boolean => its.some((key) => keys.includes(key));
  return {
    asked,
    async rows(keys) {
      asked.push([...keys]);
      return rows.filter((one) => any(keys, keysOf(one.record ?? one.hints)));
    },
    accounts: async (keys) => accounts.filter((one) => any(keys, keysOfAccount(one))),
    pendingElsewhere: async (keys) => new Map(Object.entries(pending).filter(([key]) => keys.includes(key))),
    courses: async () => courses,
    coursesWithRows: async (keys) => new Set(keys.filter((key) => alive.includes(key))),
    enrolmentCounts: async (keys) => new Map(keys.map((key) => [key, counts[key] ?? 0])),
    standing: async () => ({
      accounts: accounts.filter((one) => one.status === 'active').length,
      enrolments: accounts.reduce((sum, one) => sum + one.enrolments.length, 0),
    }),
    removedSince: async () => noRemovals,
  };
}

export function keyOfCourse(department: string, course: string): string {
  return courseKey({ faculty: 'F', department, course });
}
