import type { Clock } from '../base/clock.ts';
import { Rejected } from '../base/errors.ts';
import type { ColumnExpectation, Judge, Lacking } from './columns.ts';

/**
 * The contract of a source that is pushed. A push is two steps, because whoever sends wants to know at once that nothing
 * can get lost any more, and a run may take its time: first the body is *received* (read, judged and on the disk, under
 * the id of the run that it will be), then that run pulls it, and it is *settled* when the run is over.
 */

/** All that a source knows, or only what changed: records by their key, the others stay as they are. */
export type PushAnswer = 'snapshot' | 'delta';

/** A body on its way in. */
export interface Push {
  /** The run that it will be. */
  run: string;
  body: AsyncIterable<Buffer>;
  type: 'json' | 'csv';
  /** What the request says that it is; null: what the source says. */
  answer: PushAnswer | null;
  /** The same key again is the same push again. */
  idempotencyKey: string | null;
}

/** What a connector receives with. */
export interface ReceiveContext {
  columns: ColumnExpectation;
  /** As in `SourceContext`. */
  judge(columns: readonly string[], lacking: Lacking): Judge;
  clock: Clock;
}

/** A record that is refused while the others are taken. Reasons show no name, address or id. */
export interface RefusedRecord {
  /** From 1, in the order of the body; the header of a table is none. */
  record: number;
  /** Of a table: the line that it begins on. */
  line?: number;
  field: string | null;
  reason: string;
}

/** What whoever sent is told. */
export interface Receipt {
  run: string;
  answer: PushAnswer;
  accepted: number;
  refused: number;
  /** The first 100 that were refused. */
  records: RefusedRecord[];
  /** Columns and keys that are not kept, and how many values of each were thrown away. */
  dropped: Record<string, number>;
  /** What else they should know. */
  note: string | null;
}

/** A push that is refused as a whole. `status` is HTTP's word for why. */
export class Refused extends Rejected {
  readonly status: 400 | 409 | 413 | 415 | 422;
  readonly records: readonly RefusedRecord[];
  constructor(status: Refused['status'], message: string, remedy?: string, records: readonly RefusedRecord[] = []) {
    super(message, remedy === undefined ? {} : { remedy });
    this.status = status;
    this.records = records;
  }
}

/** What came in for one source. It lasts: a process may die at any instant, and the next one goes on. */
export interface Inbox {
  /** True for a key that may push here. Takes as long for every wrong one. */
  admits(key: string): boolean;
  /** How many pushes may come within how many milliseconds. */
  readonly rate: { pushes: number; perMs: number };
  /**
   * Reads a body, judges it and keeps it; when this returns it is on the disk. `repeated`: it is there already, and the
   * receipt is the one that was given then. Throws `Refused`, or `Unavailable` when there is no room now.
   */
  receive(push: Push, context: ReceiveContext): Promise<{ receipt: Receipt; repeated: boolean }>;
  /** The run of the oldest push that waits; null when none does. */
  next(): Promise<string | null>;
  /** Puts away the push of a run that is over. `content`: of the snapshot in force, when it came into force by this run. */
  settle(run: string, content: string | null): Promise<void>;
  /** Throws away what a dead process left half received. Only before anything is received. */
  tidy(): Promise<void>;
}
