import type { Binary, ObjectId } from 'mongodb';
import type { AccountFacts, ChangeType, CourseName, DeliveryItem } from '../../connector/target.ts';
import type { GuardResult } from '../../reconcile/guards.ts';
import type { CourseEntry, Note, PlanType, RowOrigin } from '../../reconcile/model.ts';
import type { Hints } from '../../snapshot/record.ts';
import type { OutboxAnswer, OutboxStatus, PackKind, Plan, PlanPart, Run, Snapshot, SourceState } from '../port.ts';

/**
 * The documents of the database, one type for each collection. They are made to be read in a shell: fields have names,
 * times are dates, and an `_id` says what it is. Ids are made from what the document is about, so that a write whose
 * answer was lost can be repeated.
 */

/** The number of the lock under which a document was written last; an older one may not write it any more. */
export interface Fenced {
  fence: number;
}

/** `meta`: one document, what this database is. */
export interface MetaDoc {
  _id: 'rosterd';
  /** Number of the last migration that was made. */
  layout: number;
  institution: string;
  made: Date;
  /** Where an unfinished move into this database comes from. */
  moving?: string;
}

/** `leases`: the locks; see `lease.ts`. */
export interface LeaseDoc {
  _id: string;
  /** Machine, process and a random part; null when nobody has it. */
  holder: string | null;
  fence: number;
  /** Grows while the holder lives. Others watch it grow; no clock of theirs is compared with the holder's. */
  beat: number;
  /** Milliseconds without a beat after which somebody else may take it. */
  ttlMs: number;
  /** The holder's clock, for people who look. */
  since: Date | null;
}

/** `sources`: where each source stands. `next` is missing while only the lock has marked it. */
export type SourceDoc = { _id: string } & Partial<Omit<SourceState, 'source'>> & Fenced;

/** How many changes of a type; an array of these, because a dot in a field name would need care in every query. */
export interface TypeCount {
  type: PlanType;
  count: number;
}

/** `runs`. */
export type RunDoc = Omit<Run, 'run' | 'startedAt' | 'endedAt' | 'changes' | 'decision' | 'guards'> & {
  _id: string;
  startedAt: Date;
  endedAt: Date | null;
  changes: TypeCount[];
  guards: GuardResult[];
  decision: { verdict: 'approved' | 'rejected'; at: Date } | null;
} & Fenced;

/** What only the first write of a run sets: its place among runs that started in the same millisecond. */
export interface RunOrder {
  written: ObjectId;
}

/** `snapshots`; one that was discarded stays as a mark, so that rows of its number never count. */
export type SnapshotDoc = {
  _id: string;
  source: string;
  number: number;
} & Fenced &
  (
    | (Omit<Snapshot, 'source' | 'number' | 'at' | 'parts'> & { at: Date; parts: PartDoc[] })
    | { discarded: true; at: Date }
  );

/** A file of a snapshot. */
export type PartDoc = Omit<Snapshot['parts'][number], 'modified'> & { modified: Date | null };

/** `packs`: sorted digests in pieces. */
export interface PackDoc {
  _id: string;
  source: string;
  number: number;
  kind: PackKind;
  piece: number;
  bytes: Binary;
}

/** `rows`: a row of a source, from snapshot `first` up to, but without, `last`. */
export interface RowDoc {
  _id: string;
  source: string;
  digest: Binary;
  first: number;
  last?: number;
  /** See `personKey`. Fields that nobody can tell are left out, so that sparse indexes pass over them. */
  person?: string;
  number?: string;
  email?: string;
  alias?: string;
  faculty?: string;
  department?: string;
  course?: string;
  file: string;
  line: number;
  record?: {
    id: string | null;
    firstName: string;
    lastName: string;
    kind: 'student' | 'staff';
    year: number | null;
    attributes: Record<string, string>;
    provision?: false;
  };
  bad?: true;
  quarantined?: { reason: string; column: string | null; hints: Hints };
}

/** `plans`. */
export type PlanDoc = Omit<Plan, 'plan' | 'counts'> & { _id: string; counts: TypeCount[] };

/** `changes` of plans; the `_id` sorts as the plan is ordered. */
export interface ChangeDoc {
  _id: string;
  plan: string;
  rank: number;
  key: string;
  type: PlanType;
  /** JSON as text: what a person approved is these bytes. */
  body: string;
  rows: readonly RowOrigin[];
}

/** `notes` of plans, in the order of their ids. */
export type NoteDoc = Note & { _id: string; plan: string };

/** `pending`: what a plan leaves to be looked at again. */
export interface PendingDoc {
  _id: string;
  plan: string;
  key: string;
}

/** `applied`: how far a part of a plan has been applied. */
export type AppliedDoc = { _id: string; plan: string; part: PlanPart; rank: number; key: string } & Fenced;

/** `accounts`, each with its enrolments: whatever happens to one person is one document. */
export type AccountDoc = Omit<AccountFacts, 'account' | 'id'> & {
  _id: string;
  /** Left out where there is none, for the index is unique. */
  id?: string;
  source: string;
  enrolments: (CourseName & { source: string })[];
} & Fenced;

/** `courses`: the course table. */
export type CourseDoc = CourseEntry & { _id: string } & Fenced;

/** What stands because of one source. */
export interface Standing {
  source: string;
  accounts: number;
  enrolments: number;
}

/** `roster`: one document, what is counted and numbered beside the accounts. */
export type RosterDoc = {
  _id: 'roster';
  rules?: { fingerprint: string | null; times: number };
  standing?: Standing[];
  /** Next place in the order of the outbox. */
  nextSeq?: number;
  /** The batch that is being applied, with what the counts will be after it. */
  batch?: BatchMark | null;
  /** The batch that was counted last. */
  last?: BatchPlace;
} & Fenced;

/** A batch by its end. */
export interface BatchPlace {
  plan: string;
  part: PlanPart;
  rank: number;
  key: string;
}

/** A batch on its way: see `roster/apply.ts`. */
export interface BatchMark extends BatchPlace {
  standing: Standing[];
  seqFrom: number;
}

/** `outbox`. */
export type OutboxDoc = {
  _id: string;
  seq: number;
  target: string;
  plan: string;
  type: ChangeType;
  person: string;
  status: OutboxStatus;
  attempts: number;
  answer: string | null;
  /** See `OutboxItem`; left out where there is no reason of ours. */
  because?: string;
  /** Answers, oldest first; left out before the first. */
  trail?: { at: Date; outcome: OutboxAnswer['outcome']; answer: string | null }[];
  delivery: Omit<DeliveryItem, 'item'>;
  /** The last settlement, so that a repeated one counts no attempt twice. */
  settled?: ObjectId;
} & Fenced;

/** `pauses`: targets that nothing is sent to. */
export interface PauseDoc {
  _id: string;
  at: Date;
  reason: string | null;
}

/** `platforms`: which one has what was sent to a target; the `_id` is the target. */
export interface PlatformDoc {
  _id: string;
  kind: string;
  address: string;
}

/** `reviews`: discrepancies that a person lets pass; the `_id` is account and discrepancy. */
export interface ReviewDoc {
  _id: string;
  account: string;
  discrepancy: string;
  at: Date;
  note: string | null;
}

/** Counts by type as the port has them. */
export function countsOf(counts: readonly TypeCount[]): Partial<Record<PlanType, number>> {
  return Object.fromEntries(counts.map(({ type, count }) => [type, count]));
}

/** Counts by type as a document has them. */
export function typeCounts(counts: Partial<Record<PlanType, number>>): TypeCount[] {
  return Object.entries(counts).map(([type, count]) => ({ type: type as PlanType, count }));
}

/**
 * Documents of one answer, for the questions whose answers are pages: left to itself a server gives 101 first, and the
 * rest for the asking. What has no room in 16 MB comes in more than one all the same.
 */
export const whole = 10_000;

/** Ids that begin with `prefix` and a slash, as a range. */
export function under(prefix: string): { $gte: string; $lt: string } {
  // "0" is the character after "/".
  return { $gte: `${prefix}/`, $lt: `${prefix}0` };
}

/** An ISO 8601 text, or null. */
export function isoOf(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}

/** A date, or null. */
export function dateOf(iso: string | null): Date | null {
  return iso === null ? null : new Date(iso);
}

/** A digest as ids and maps have it. */
export function hexOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex');
}
