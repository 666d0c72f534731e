/** Columns that the configured format wants of a table. */
export interface ColumnExpectation {
  required: readonly string[];
  optional: readonly string[];
  /** Columns that hold passwords beside those that are called so: see `isSecret`. Their values are neither kept nor digested. */
  secret?: readonly string[];
  /**
   * Optional columns that are objects with names of the sender's own: the cell is the object as `objectCell` writes it. A
   * table has no objects; their parts are columns there, `COLUMN.NAME`.
   */
  objects?: readonly string[];
  /** True: a column that is neither required nor optional makes the answer `Incomplete`. */
  exact: boolean;
  /** Where values have types (JSON): columns that are numbers; all others are text. Left out: any scalar will do. */
  numbers?: readonly string[];
}

/** What a column says that a row lacks: nothing (`blank`), or nobody knows (`unknown`). */
export type Lacking = 'blank' | 'unknown';

/**
 * Says why a row of cells will not become a record; null when it will. A cell that is null is unknown: then each field that
 * can be read without it is judged by itself.
 */
export type Judge = (cells: readonly (string | null)[]) => { column: string | null; reason: string } | null;
