/** What rosterd reads of a OneRoster set, in one shape for REST and CSV, 1.1 and 1.2. A reference is a sourcedId, or blank. */

/** A school, department, district. */
export interface Org {
  name: string;
  type: string;
  parent: string;
}

/** A term, semester, year. */
export interface Session {
  title: string;
}

/** What is taught. */
export interface Course {
  title: string;
  code: string;
  org: string;
}

/** One offering of a course. */
export interface Class {
  title: string;
  code: string;
  course: string;
  school: string;
  terms: string[];
}

/** A role of a user; 1.1 has one, of no type. */
export interface Role {
  role: string;
  type: string;
  org: string;
}

/** A person. */
export interface User {
  username: string;
  identifier: string;
  email: string;
  givenName: string;
  familyName: string;
  middleName: string;
  preferredFirstName: string;
  enabledUser: Flag;
  roles: Role[];
  grades: string[];
  /** The main one first; those of roles come on top. */
  orgs: string[];
}

/** Who is in which class, as what, from when until when; `endDate` is the first day without. */
export interface Enrolment {
  class: string;
  school: string;
  role: string;
  primary: Flag;
  beginDate: string;
  endDate: string;
}

/** A truth value as text; blank where nothing is said. */
export type Flag = 'true' | 'false' | '';

/** The entities by the name of their table. */
export interface Entities {
  orgs: Org;
  academicSessions: Session;
  courses: Course;
  classes: Class;
  users: User;
  roles: Role;
  enrollments: Enrolment;
}
/** Names of their tables. */
export type EntityName = keyof Entities;

/** One entity as it was read. */
export interface Read<T> {
  id: string;
  /** Deleted or inactive: said not to be there. */
  gone: boolean;
  /** Whose it is: roles and enrolments. */
  user?: string;
  /** What was read; a text says why it cannot be. */
  data: T | string;
}

/** `active`, or not there any more (`tobedeleted`; `inactive` of 1.1 drafts). Null: no status of OneRoster. */
export function readStatus(text: string): 'active' | 'gone' | null {
  const status = text.trim().toLowerCase();
  if (status === '' || status === 'active') return 'active';
  return status === 'tobedeleted' || status === 'inactive' ? 'gone' : null;
}

/** `true` or `false` as text, in any case; null: neither. */
export function readFlag(text: string): Flag | null {
  const flag = text.trim().toLowerCase();
  return flag === 'true' || flag === 'false' || flag === '' ? flag : null;
}

/** A calendar day, YYYY-MM-DD, of a date or a time; null: neither. Days that no calendar has are none. */
export function readDay(text: string): string | null {
  const written = text.trim();
  if (written === '') return '';
  const day = /^(\d{4}-\d{2}-\d{2})(?:T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?$/.exec(written)?.[1];
  return day !== undefined && isDay(day) ? day : null;
}

/** Thirty days have September, … */
function isDay(day: string): boolean {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number];
  if (month < 1 || month > 12 || date < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return date <= [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}
