import type { AccountFacts, ChangeType, CourseName } from '../connector/target.ts';
import type { Evidence } from '../reconcile/evidence.ts';
import type { GuardResult } from '../reconcile/guards.ts';
import type { CourseEntry, Note, PlanType } from '../reconcile/model.ts';
import type { PlannedChange, PlanSink } from '../reconcile/plan.ts';
import type { PersonRecord, Quarantined } from '../snapshot/record.ts';
import type { Outbox, OutboxCounts, Platform } from './port-outbox.ts';

export type * from './port-outbox.ts';

/**
 * The store port. Two adapters keep it, and one conformance suite proves both.
 *
 * What a caller may rely on, and no more: a single document (`SourceState`, a run, a snapshot, an outbox item) is
 * written whole or not at all; everything else may be cut at any instant and is written so that it can be repeated.
 * The order of writes in `src/run.ts` does the rest. Nothing here needs a transaction over several documents, although
 * an adapter may use one. What is handed out is a copy. Text sorts by its bytes in UTF-8, wherever an order is promised.
 * A call that is made batch after batch never keeps signals and timers waiting for longer than its batch takes.
 */
export interface Store {
  readonly kind: string;
  /** Where it is, for messages: a directory, or servers and database. Never a password. */
  readonly place: string;
  /** Null while it is there, as far as it knows by itself; to look asks nobody. */
  readonly away: Away | null;
  sources: SourceStates;
  runs: Runs;
  snapshots: Snapshots;
  rows: Rows;
  plans: Plans;
  roster: Roster;
  outbox: Outbox;
  /**
   * Takes the one right to work on something, or null when somebody has it, this process or another. It is given back
   * by `release`, by `close`, and by the end of the process, however it ends: at once, or after a lease. Reading needs
   * no lock. A run holds its source's, and the roster's as well while it plans and applies; a delivery holds its
   * target's. Whoever wants two takes the source's first.
   */
  lock(on: LockName): Promise<Lock | null>;
  move: Move;
  /** Gives back everything. The store cannot be used any more. */
  close(): Promise<void>;
}

/** A store that does not answer: since when, and why. */
export interface Away {
  since: Date;
  error: { kind: string; message: string };
}

/** A store that another one is moved into. It is of no use for anything else until the move has ended. */
export interface Move {
  /** Where an unfinished move comes from (`Store.place`); null when none is. */
  from(): Promise<string | null>;
  /** True when nothing was ever kept here. */
  empty(): Promise<boolean>;
  /** Throws away everything and marks the store. It has to be opened again before it is written. */
  begin(from: string): Promise<void>;
  /** Takes the mark away. */
  end(): Promise<void>;
}

/** What a lock is on: the runs of one source, the roster, or the delivery to one target. */
export type LockName = `source:${string}` | 'roster' | `target:${string}`;

/** The right to be the only one at work on something, while it is held. */
export interface Lock {
  /** Once is enough; again does nothing, also when somebody else has the lock by then. */
  release(): Promise<void>;
  /** Aborts when the lock was lost: to whoever took over from a holder that gave no sign of life. */
  readonly lost: AbortSignal;
}

/** Where a source stands. One document, and the pivot of every run: what it says is in force. */
export interface SourceState {
  source: string;
  /** Number of the snapshot in force; null before the first. */
  current: number | null;
  /** Number of a snapshot that is being written and not in force; a run that finds one throws its rows away. */
  staging: number | null;
  /** The next number to give. Numbers are never used twice. */
  next: number;
  /** Stamp of the rules (see `RosterRules`) that everybody of this source was last looked at with. */
  rules: string | null;
  /** Plan whose pending keys are in force. */
  pending: string | null;
  /** A plan that is being applied: which part of it. Found after a crash, it is finished first. */
  applying: { plan: string; part: PlanPart } | null;
  /** The plan that waits for a person. */
  held: string | null;
  /** How this source stood when removals of it began to wait, held or in doubt; null when none do. See `GuardInput`. */
  givenSince: Given | null;
  /** A person approved what an empty answer takes; the next one comes into force when it is empty as well. */
  emptyApproved: boolean;
  /** True when it only fills in: its snapshot in force was read as a directory's; see `rolesNow`. */
  directory: boolean;
}

/** Where a source stands that was never put; and what a state lacks that an older rosterd wrote. */
export const nothingInForce: Omit<SourceState, 'source'> = {
  current: null,
  staging: null,
  next: 1,
  rules: null,
  pending: null,
  applying: null,
  held: null,
  givenSince: null,
  emptyApproved: false,
  directory: false,
};

/** How many accounts and enrolments were given since removals wait. */
export interface Given {
  accounts: number;
  enrolments: number;
  /** Rows of the snapshot before, with those in quarantine; left out where an older rosterd wrote it. */
  rows?: number;
}

/** The part of a plan that needs nobody, or the part that was held and then approved. */
export type PlanPart = 'free' | 'held';

/** The pivots, one for each source. A source that was never seen has the state of one that has nothing. */
export interface SourceStates {
  /** Of a source that was never put: nothing in force, and 1 as the next number. */
  get(source: string): Promise<SourceState>;
  /** Replaces the whole state. */
  put(state: SourceState): Promise<void>;
  /** Sorted by name. */
  all(): Promise<SourceState[]>;
}

/** How a run stands or ended; `held` means that a part of its plan waits. */
export type RunStatus = 'running' | 'applied' | 'planned' | 'unchanged' | 'held' | 'failed' | 'skipped';

/** One execution, from trigger to outcome. Dates are ISO 8601. */
export interface Run {
  run: string;
  source: string;
  trigger: string;
  dryRun: boolean;
  status: RunStatus;
  startedAt: string;
  endedAt: string | null;
  durationMs: number | null;
  /**
   * `complete`: the source gave a whole answer. False with an id: it had nothing new to say, and this is its last answer,
   * looked at again under other rules.
   */
  snapshot: { id: string | null; complete: boolean; records: number; quarantined: number };
  /** The first 100 rows in quarantine, where they stand in the file of this run. */
  quarantine: { file: string; line: number; column: string | null; reason: string }[];
  /** What rows of the difference made people remark: the first 100, and how often. Missing in runs of older versions. */
  remarks?: { count: number; first: { file: string; line: number; column: string | null; reason: string }[] };
  /** Id of the plan in the store; null when no plan was made. */
  plan: string | null;
  digest: string | null;
  changes: Partial<Record<PlanType, number>>;
  guards: GuardResult[];
  heldTypes: PlanType[];
  conflicts: number;
  blocked: number;
  courses: { new: string[]; vanished: string[] };
  /** The person's word on what was held. */
  decision: { verdict: 'approved' | 'rejected'; at: string } | null;
  /** `delayMs`: how long the other side asked to be left alone. */
  error: { kind: string; message: string; delayMs?: number } | null;
}

/** Every run, newest first. */
export interface Runs {
  /** Adds the run, or replaces it whole. */
  put(run: Run): Promise<void>;
  get(run: string): Promise<Run | null>;
  /** Newest first, by start; `skip` passes over the newest ones. */
  list(filter: { source?: string; skip?: number; limit: number }): Promise<Run[]>;
  /** Forgets runs; their plans are discarded by themselves, before. */
  forget(runs: readonly string[]): Promise<void>;
}

/** A snapshot: all records of a source at one moment. Immutable once written. */
export interface Snapshot {
  source: string;
  number: number;
  run: string;
  at: string;
  /** Hex SHA-256 of the whole answer, and of how its rows were read. */
  content: string;
  reading: string;
  parts: { name: string; bytes: number; sha256: string; modified: string | null }[];
  /** Distinct rows that became records, and that did not. */
  records: number;
  quarantined: number;
  added: number;
  gone: number;
  /** The snapshot that holds the full pack of digests; this one's delta is against it. */
  base: number;
}

/** `sis-students-7`: the id that people see. */
export function snapshotId(source: string, number: number): string {
  return `${source}-${number}`;
}

/** What a look at a store finds: sentences for a person, of each source the snapshot in force, and the queues. Nothing is written. */
export interface StoreLook {
  found: string[];
  last: ReadonlyMap<string, Snapshot>;
  /** Of every target that ever had an item. */
  outbox: Readonly<Record<string, OutboxCounts>>;
  platforms: readonly Platform[];
}

/** Sorted row digests (16 bytes each): a full set, or what comes and goes against the full set of `base`. */
export type PackKind = 'full' | 'added' | 'gone';

/** Snapshots and their digests. */
export interface Snapshots {
  put(snapshot: Snapshot): Promise<void>;
  get(source: string, number: number): Promise<Snapshot | null>;
  /** Newest first, by `at`; `skip` passes over the newest ones. */
  list(filter: { source?: string; skip?: number; limit: number }): Promise<Snapshot[]>;
  /** Writes a pack in pieces of at most 1 MiB; the same again replaces it. */
  putPack(source: string, number: number, kind: PackKind, digests: Uint8Array): Promise<void>;
  /** The whole pack; empty when there is none. */
  pack(source: string, number: number, kind: PackKind): Promise<Uint8Array>;
  /** Forgets snapshots of a source with their packs. Their rows are another matter. */
  forget(source: string, numbers: readonly number[]): Promise<void>;
}

/** A row to keep: decoded once, found by its digest ever after. */
export interface StoredRow {
  digest: Uint8Array;
  /** See `RowOrigin`. */
  file: string;
  line: number;
  /** Either a record or why there is none. */
  row: { record: PersonRecord; keys: RowKeys } | { quarantined: Quarantined };
}

/** What a row is found by: see `keysOf`. `course` is a `courseKey`. */
export interface RowKeys {
  number: string | null;
  id: string | null;
  alias?: string;
  email: string | null;
  course: string | null;
}

/** A row that went with a snapshot. */
export interface GoneRow {
  /** See `personKey`. */
  person: string | null;
  course: string | null;
  quarantined: boolean;
}

/** A row that became no record, and where it stands. */
export interface QuarantinedRow extends Quarantined {
  digest: Uint8Array;
  file: string;
  line: number;
}

/** The rows of every source, each with the snapshots that it was in. */
export interface Rows {
  /**
   * Adds rows that the snapshot `number` brings. Until that snapshot is in force only `evidence` and the lists of that
   * very number show them. Not to be repeated: what was cut is taken back by `discard`.
   */
  add(source: string, number: number, rows: readonly StoredRow[]): Promise<void>;
  /**
   * Marks rows that are no longer there from `number` on, and gives them back in the order asked. The same again gives
   * the same. Throws when one is not in the snapshot before.
   */
  end(source: string, number: number, digests: Iterable<Uint8Array>): Promise<GoneRow[]>;
  /**
   * Takes back everything of a snapshot that never came into force: `add` and `end`, its document, its packs. Whatever
   * is still written under its number counts for nothing.
   */
  discard(source: string, number: number): Promise<void>;
  /** Forgets rows that ended before the snapshot `oldest`. Says how many. */
  forget(source: string, oldest: number): Promise<number>;
  /** Every row that was in force or is, in lots of one snapshot each; those of a snapshot come together. */
  all(source: string): AsyncIterable<{ number: number; rows: StoredRow[] }>;
  /** Every end of a row, in lots by the snapshot that ended them, ascending. */
  ends(source: string): AsyncIterable<{ number: number; digests: Uint8Array[] }>;
  /** Rows of a snapshot by their digests, in the order asked; null for one that is not in it, or not kept any more. */
  find(source: string, number: number, digests: readonly Uint8Array[]): Promise<(StoredRow | null)[]>;
  /** Quarantined rows in a snapshot, by file and line. */
  quarantined(source: string, number: number, limit: number): Promise<QuarantinedRow[]>;
  /** Keys (`personKey`) of rows in the snapshot or ended by it, sorted, after the given one. */
  personPage(source: string, number: number, after: string, limit: number): Promise<string[]>;
  /** The evidence for a plan over a staged snapshot of one source and the snapshots in force of all others. */
  evidence(source: string, number: number): Evidence;
}

/** A plan as stored; its changes lie beside it. */
export interface Plan {
  plan: string;
  run: string;
  source: string;
  snapshot: number;
  digest: string;
  heldTypes: PlanType[];
  counts: Partial<Record<PlanType, number>>;
  /** Entries of the course table to write with it, and with which part. */
  courseEntries: CourseEntry[];
  courseEntriesWith: PlanPart;
}

/** Plans, each with its changes, its notes and its pending keys. */
export interface Plans {
  /**
   * Where the changes of a plan are put while it is made. A change that is put again at its (rank, key) replaces the
   * first; pending keys are a set; notes are kept in the order of putting. `inOrder` gives at most 1000 at a time.
   */
  sink(plan: string): PlanSink;
  put(plan: Plan): Promise<void>;
  get(plan: string): Promise<Plan | null>;
  /** Throws away a plan that is not in force (any more), with all that lies beside it. */
  discard(plan: string): Promise<void>;
  /** Every plan, in no order. */
  all(): AsyncIterable<Plan>;
  /** Changes of the types given, in order, after a position; at most `limit`. */
  changes(
    plan: string,
    types: readonly PlanType[],
    after: PlanPosition | null,
    limit: number,
  ): Promise<PlannedChange[]>;
  notes(plan: string, limit: number): Promise<Note[]>;
  /** Sorted. */
  pendingKeys(plan: string): Promise<string[]>;
}

/** A place in the order of a plan. */
export interface PlanPosition {
  rank: number;
  key: string;
}

/** A target that takes changes, as the outbox needs to know it. */
export interface TargetInterest {
  target: string;
  accepts: readonly ChangeType[];
}

/**
 * The rules that the roster was last changed under. `times` counts how often they were others: a source that was last
 * looked at under the same rules, but before others were tried and taken back, has to look at everybody again.
 */
export interface RosterRules {
  /** See `rulesFingerprint`; null before the first run. */
  fingerprint: string | null;
  times: number;
}

/** What rosterd believes: accounts, enrolments, courses. */
export interface Roster {
  rules(): Promise<RosterRules>;
  putRules(rules: RosterRules): Promise<void>;
  /**
   * Applies changes of a plan in order, queues their outbox items, and remembers how far it got. Every effect is keyed
   * by (plan, position): a repeat after a cut does nothing twice, and does not queue again what was sent. Roster and
   * outbox move together: the position is written last. Throws, and does not move on, when an e-mail or an id would
   * belong to two accounts; planning never asks for that. Accounts count for the source that created or enabled them
   * last, enrolments for the source that added them.
   */
  apply(
    plan: Plan,
    part: PlanPart,
    changes: readonly PlannedChange[],
    targets: readonly TargetInterest[],
  ): Promise<void>;
  /** How far `apply` got with a part of a plan. */
  applied(plan: string, part: PlanPart): Promise<PlanPosition | null>;
  /** Writes entries of the course table, beside those that changes write. */
  putCourses(entries: readonly CourseEntry[]): Promise<void>;
  /** Next free account number of each series: one more than the highest, without its prefix. */
  nextNumbers(): Promise<Record<string, number>>;
  /** By account number. Whoever reads slowly keeps nobody from writing, and sees each account once; so do the others. */
  accounts(): AsyncIterable<AccountFacts>;
  /** Every account with its source, and each of its enrolments with its own; by account number. */
  entries(): AsyncIterable<RosterEntry>;
  /** By account number, then by the names of the course. */
  enrolments(): AsyncIterable<{ account: string; id: string | null; email: string } & CourseName>;
  /** By faculty, department, course. */
  courses(): AsyncIterable<CourseEntry>;
  /** Which of the changes no longer find what they take away, each as `type key`, in order; empty when all do. */
  stale(changes: readonly PlannedChange[]): Promise<string[]>;
}

/** An account with the source that it counts for, and its enrolments with those that gave them. */
export interface RosterEntry {
  account: AccountFacts;
  source: string;
  enrolments: readonly (CourseName & { source: string })[];
}
