import type { CourseName } from '../connector/target.ts';

/**
 * One row in the house vocabulary: one person in one course, or one person without any (staff, entries of a directory): the
 * three names of the course are empty then. A person in several courses has several records.
 */
export interface PersonRecord extends CourseName {
  /** A number that this roster issued (950…/951…), where the source carries it back. */
  number: string | null;
  id: string | null;
  /** What stays when the id is renamed (objectGUID, entryUUID); left out where the source has none. */
  alias?: string;
  /** Lower case. Empty only in a directory, whose entries may have an id alone. */
  email: string;
  firstName: string;
  lastName: string;
  kind: 'student' | 'staff';
  /** 0 to 7 (Unitu's field table); null when blank. */
  year: number | null;
  attributes: Record<string, string>;
  /** Left out: the row is a reason for an account. False: the person is known by name, and over this row has none. */
  provision?: false;
}

/** True for a record of somebody in a course. */
export function hasCourse(record: CourseName): boolean {
  return record.course !== '';
}

/** True for a record that is a reason for an account; whether its course is in scope is another question. */
export function isReason({ provision }: Pick<PersonRecord, 'provision'>): boolean {
  return provision !== false;
}

/** Something about a row that a person should know, and that keeps nothing back. */
export interface Remark {
  reason: string;
  column: string | null;
}

/** Whom a quarantined row may be about, as far as it can be read; all null: nobody can tell. */
export interface Hints {
  number: string | null;
  id: string | null;
  email: string | null;
}

/** A row that could not become a record. `column` is the column's name, where one is to blame. */
export interface Quarantined {
  reason: string;
  column: string | null;
  hints: Hints;
  /** The course, when it can be read: it keeps a course from being taken for vanished. */
  course: CourseName | null;
}

/** What became of a row. */
export type Normalised = { record: PersonRecord; remarks?: readonly Remark[] } | { quarantined: Quarantined };

/** Turns the cells of one row (in the order of the columns it was made for) into a record, or says why it cannot. */
export type Normaliser = (cells: readonly string[]) => Normalised;
