import type { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ColumnExpectation, Judge, Lacking } from './columns.ts';
import type { Inbox } from './inbox.ts';

/**
 * The contract of a source. A pull is two steps, because a sync of a million unchanged rows must not parse a million
 * rows: first every row is *seen* (its bytes go past a digest), then only the rows in the difference are *decoded*.
 */

export type { ColumnExpectation } from './columns.ts';

/** One file, page set or query answer of a pull: what a snapshot is traced back to. */
export interface Part {
  /** File path, URL or DN, as a person would look it up. Never contains a secret. */
  name: string;
  bytes: number;
  /** Hex SHA-256 of the bytes as the source gave them. */
  sha256: string;
  /** ISO 8601, the source's own word; null where it has none. */
  modified: string | null;
  /** Column names in the order of the cells that `decode` gives. */
  columns: readonly string[];
  /** True: a cell may have several values, see `cellOf`. */
  lists?: true;
  /** Everything besides the row's own bytes that decides how they are read (delimiter, …): part of each row's digest. */
  layout: string;
}

/** Where one row lies, so that it can be decoded later and shown to a person. */
export interface RowPlace {
  part: number;
  /** Byte offset and length inside what the connector spooled. */
  offset: number;
  length: number;
  /** Line in the file, from 1 (the header is line 1); for sources without lines the row's index from 1. */
  line: number;
}

/** Takes rows as they stream by. `bytes[start..end)` is only valid during the call. */
export interface RowSink {
  row(bytes: Uint8Array, start: number, end: number, part: number, offset: number, line: number): void;
}

/**
 * One decoded row: its cells in the order of the part's columns, or why they cannot be read. A cell with several values
 * (an LDAP attribute, a JSON list) has them joined by `manyValues`; see `cellOf`. `origin` is what a person looks the row
 * up by where it is not a line of a file: the DN of an entry.
 */
export type DecodedRow =
  | { cells: readonly string[]; origin?: string }
  /**
   * `column` is 1-based within the row's cells (or null); a broken row's cells are never trusted. `about`: the cells
   * that could be read, the others blank; they say no more than whom the row may be about.
   */
  | { broken: string; column: number | null; origin?: string; about?: readonly string[] };

/** Stands between the values of a cell that has several: the unit separator, which no value may contain. */
export const manyValues = '\u001f';

/**
 * Values as one cell, for parts with `lists`. Their order is kept: a source whose order says nothing sorts them first. A
 * value that has the separator in it is marked as damaged, and its row will be quarantined.
 */
export function cellOf(values: readonly string[]): string {
  // nearly all are so, and there are millions
  if (values.length === 1 && !values[0]!.includes(manyValues)) return values[0]!;
  return values.map((value) => value.replaceAll(manyValues, '\ufffd')).join(manyValues);
}

/** A whole answer, held (open file, spool file) until `close`. */
export interface Answer {
  /** Hex SHA-256 over everything answered; the same again means that nothing has to be looked at. */
  content: string;
  parts: readonly Part[];
  /**
   * Streams every row once, in order. Memory stays flat. Throws `Incomplete` when the answer turns out not to be
   * whole (cut last line, too many rows, changed while it was read).
   */
  scan(sink: RowSink): Promise<void>;
  /** Decodes the named rows, in the given order; one result for each. Throws `Incomplete` when the bytes changed. */
  decode(places: readonly RowPlace[]): Promise<DecodedRow[]>;
  /** Called once the snapshot is committed: archive, remember. A failure is reported, and undoes nothing. */
  accepted(): Promise<void>;
  /** Gives back files, connections and spool space. Never throws. */
  close(): Promise<void>;
}

/** What a source connector is handed. It never sees the store. */
export interface SourceContext {
  /** The source's name in the configuration. */
  source: string;
  /** A directory of this pull's own for spooled bytes; removed afterwards. */
  spoolDir: string;
  /**
   * A directory of this source's own that lasts, for what a partial answer is merged into. The connector makes it (mode
   * 0700: it has rows of people). It may be gone tomorrow, when another machine took over: then only a whole answer will do.
   */
  keepDir: string;
  /** `Answer.content` of the snapshot in force; null before the first. What is kept counts only when it is of this one. */
  lastContent: string | null;
  columns: ColumnExpectation;
  /** What the format will say to rows of these columns. Throws `Incomplete` where columns lack that it needs. */
  judge(columns: readonly string[], lacking: Lacking): Judge;
  /** Parts of the last committed snapshot, for telling apart what is known already. */
  last: readonly Pick<Part, 'name' | 'bytes' | 'sha256' | 'modified'>[] | null;
  signal: AbortSignal;
  clock: Clock;
  log: Log;
  /**
   * A short sentence for whoever watches ("42 of 110 MB fetched"). Cheap to call often. The watchdog lives on it as well: a
   * pull that says nothing new for `service.stuckAfter` is stuck, so numbers belong into it.
   */
  progress(text: string): void;
}

/** A source connector: a declaration and a pull. */
export interface SourceConnector<S = unknown> {
  kind: string;
  direction: 'source';
  /** One sentence for `--help` and the generated schema. */
  description: string;
  /** The keys of this kind in the configuration, beside the common ones of every source. */
  settings: z.ZodType<S>;
  /**
   * Canonical field (`id`, `email`, …) → column that the source always has, for fields that `map:` does not name. A source
   * that gives this needs neither map nor format.
   */
  defaultMap?: Readonly<Record<string, string>>;
  /**
   * Pulls one whole answer. Throws `Incomplete` (no snapshot), `Denied`, `Unavailable` or `Misconfigured`; returns null
   * when there is rightly nothing new to read (everything that was there has been taken and archived).
   */
  pull(settings: S, context: SourceContext): Promise<Answer | null>;
  /** Logs in and says in a few sentences what a pull would read. Reads no rows. Throws as `pull` does. */
  probe(settings: S, context: SourceContext): Promise<string[]>;
  /** Of a source that is pushed: what came in and waits in `keepDir`. A pull then answers with the oldest of it. */
  inbox?(settings: S, keepDir: string): Inbox;
}
