import type { CourseName } from '../connector/target.ts';

/** One row in the house vocabulary: one person in one course. A person in several courses has several records. */
export interface PersonRecord extends CourseName {
  /** A number that this roster issued (950…/951…), where the source carries it back. */
  number: string | null;
  id: string | null;
  /** Lower case. */
  email: string;
  firstName: string;
  lastName: string;
  kind: 'student' | 'staff';
  /** 0 to 7 (Unitu's field table); null when blank. */
  year: number | null;
  attributes: Record<string, string>;
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
export type Normalised = { record: PersonRecord } | { quarantined: Quarantined };

/** Turns the cells of one row (in the order of the columns it was made for) into a record, or says why it cannot. */
export type Normaliser = (cells: readonly string[]) => Normalised;
