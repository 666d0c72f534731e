import type { CourseName } from '../connector/target.ts';
import type { Removals } from './guards.ts';
import type { Account, CourseEntry, EvidenceRow } from './model.ts';

/**
 * What planning may ask, and all it may ask. The store answers; reconciliation knows nothing of stores. Keys are those
 * of `keysOf`. Every answer is about one fixed moment: the staged snapshot of this run and the last one of all others.
 */
export interface Evidence {
  /** Rows of all sources found under any of the keys, `gone` rows of this run's source included. */
  rows(keys: readonly string[]): Promise<EvidenceRow[]>;
  accounts(keys: readonly string[]): Promise<Account[]>;
  /** For each of the keys that another source left pending: those sources. */
  pendingElsewhere(keys: readonly string[]): Promise<Map<string, string[]>>;
  /** The whole course table; courses are few beside people. */
  courses(): Promise<CourseEntry[]>;
  /** Which of the courses (by `courseKey`) still have a row, quarantined or not, in the snapshot of any source. */
  coursesWithRows(courses: readonly string[]): Promise<Set<string>>;
  /** Number of enrolments in the roster for each of the courses. */
  enrolmentCounts(courses: readonly string[]): Promise<Map<string, number>>;
  /** What stands in the roster because of this run's source: active accounts and their enrolments. */
  standing(): Promise<{ accounts: number; enrolments: number }>;
  /** Removals of this source that guards let pass by themselves since the date; approved ones do not count. */
  removedSince(since: Date): Promise<Removals>;
}

/** Which people a run looks at, in pages of keys. */
export interface Touched {
  /** Sorted within themselves. When `everybody` is set they hold every person key (see `personKey`) of the source. */
  pages: AsyncIterable<readonly string[]>;
  /** Keys of the difference and of what was left pending: what this run's source is answerable for. */
  own: ReadonlySet<string>;
  everybody: boolean;
  /**
   * Keys of all who have an account or a course because of the source; after the rules changed, else nothing. Its rows do
   * not lead to everybody: somebody may have left it while, by the rules of that time, that took nothing.
   */
  given: AsyncIterable<readonly string[]>;
}

/** What the difference of two snapshots says about courses. */
export interface CourseDifference {
  /** Courses of added rows. */
  added: readonly CourseName[];
  /** `courseKey`s of rows that went, or whose fate an earlier run left open. */
  gone: readonly string[];
  /** Quarantined rows may hide a course: those with an unreadable course hide any. */
  doubt: { any: boolean; courses: ReadonlySet<string> };
}
