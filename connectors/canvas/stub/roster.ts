/** What the stub keeps of an account: the records that imports made, by their SIS IDs. */

/** A user, by its SIS user id. */
export interface StubUser {
  user_id: string;
  integration_id: string | null;
  login_id: string;
  name: string;
  sortable_name: string;
  email: string | null;
  status: 'active' | 'suspended' | 'deleted';
}

/** A course, by its SIS course id. */
export interface StubCourse {
  course_id: string;
  short_name: string;
  long_name: string;
  term_id: string | null;
  account_id: string | null;
  integration_id: string | null;
  /** In the words of the Courses API; an imported course starts unpublished. */
  workflow_state: 'unpublished' | 'available' | 'completed' | 'deleted';
}

/** A section of a course. */
export interface StubSection {
  section_id: string;
  course_id: string;
  name: string;
  status: 'active' | 'deleted';
}

/** Section, user and role make an enrolment; another role is another enrolment. */
export interface StubEnrollment {
  course_id: string;
  /** Null: the course's default section. */
  section_id: string | null;
  user_id: string;
  role: string;
  status: 'active' | 'deleted' | 'completed' | 'inactive';
}

/** A sub-account; null: below the root. */
export interface StubAccount {
  account_id: string;
  parent_account_id: string | null;
  name: string;
  status: 'active' | 'deleted';
}

/** An enrolment term. */
export interface StubTerm {
  term_id: string;
  name: string;
  start_date: string | null;
  end_date: string | null;
  status: 'active' | 'deleted';
}

/** Everything of one account. */
export interface StubRoster {
  accounts: Map<string, StubAccount>;
  terms: Map<string, StubTerm>;
  users: Map<string, StubUser>;
  /** Lower-case login → who holds it; only a deleted user gives a login back. */
  logins: Map<string, StubUser>;
  integrations: Map<string, StubUser>;
  courses: Map<string, StubCourse>;
  sections: Map<string, StubSection>;
  enrollments: Map<string, StubEnrollment>;
  /** SIS ids of users with a session. */
  signedIn: Set<string>;
}

/** An account that nothing was imported into. */
export function emptyRoster(): StubRoster {
  return {
    accounts: new Map(),
    terms: new Map(),
    users: new Map(),
    logins: new Map(),
    integrations: new Map(),
    courses: new Map(),
    sections: new Map(),
    enrollments: new Map(),
    signedIn: new Set(),
  };
}

/** Puts an enrolment where it is found by what it is. */
export function keepEnrollment(roster: StubRoster, record: StubEnrollment): void {
  const { status: _, ...identity } = record;
  roster.enrollments.set(Object.values(identity).join('\u001f'), record);
}

/** Gives a user another SIS ID. Enrolments are the user's, so they show it, too. */
export function renameUser(roster: StubRoster, user: StubUser, id: string): void {
  roster.users.delete(user.user_id);
  for (const [key, record] of [...roster.enrollments]) {
    if (record.user_id !== user.user_id) continue;
    roster.enrollments.delete(key);
    keepEnrollment(roster, { ...record, user_id: id });
  }
  if (roster.signedIn.delete(user.user_id)) roster.signedIn.add(id);
  user.user_id = id;
  roster.users.set(id, user);
}

/** The records in a fixed order, so that two states can be compared. */
export function rosterView(roster: StubRoster) {
  return {
    accounts: sorted(roster.accounts),
    terms: sorted(roster.terms),
    users: sorted(roster.users),
    courses: sorted(roster.courses),
    sections: sorted(roster.sections),
    enrollments: sorted(roster.enrollments),
    signed_in: [...roster.signedIn].sort(),
  };
}

function sorted<T>(records: ReadonlyMap<string, T>): T[] {
  return [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
}
