import type { Collection, Db } from 'mongodb';
import type { Clock } from '../../base/clock.ts';
import { Unavailable } from '../../base/errors.ts';
import { type RetryPolicy, withRetry } from '../../base/retry.ts';
import type { LockName } from '../port.ts';
import type { Behind } from './behind.ts';
import type {
  AccountDoc,
  AppliedDoc,
  ChangeDoc,
  CourseDoc,
  LeaseDoc,
  MetaDoc,
  NoteDoc,
  OutboxDoc,
  PackDoc,
  PauseDoc,
  PendingDoc,
  PlanDoc,
  PlatformDoc,
  ReviewDoc,
  RosterDoc,
  RowDoc,
  RunDoc,
  RunOrder,
  SnapshotDoc,
  SourceDoc,
} from './documents.ts';
import { isTaken, translated } from './errors.ts';
import type { Presence } from './presence.ts';

/** The collections, each with the type of its documents. */
export interface Collections {
  meta: Collection<MetaDoc>;
  leases: Collection<LeaseDoc>;
  sources: Collection<SourceDoc>;
  runs: Collection<RunDoc & RunOrder>;
  snapshots: Collection<SnapshotDoc>;
  packs: Collection<PackDoc>;
  rows: Collection<RowDoc>;
  plans: Collection<PlanDoc>;
  changes: Collection<ChangeDoc>;
  notes: Collection<NoteDoc>;
  pending: Collection<PendingDoc>;
  applied: Collection<AppliedDoc>;
  accounts: Collection<AccountDoc>;
  courses: Collection<CourseDoc>;
  roster: Collection<RosterDoc>;
  outbox: Collection<OutboxDoc>;
  pauses: Collection<PauseDoc>;
  platforms: Collection<PlatformDoc>;
  reviews: Collection<ReviewDoc>;
}

/** Names of the collections. */
export const collectionNames = [
  'meta',
  'leases',
  'sources',
  'runs',
  'snapshots',
  'packs',
  'rows',
  'plans',
  'changes',
  'notes',
  'pending',
  'applied',
  'accounts',
  'courses',
  'roster',
  'outbox',
  'pauses',
  'platforms',
  'reviews',
] as const satisfies (keyof Collections)[];

/** The collections of a database. */
export function collectionsOf(db: Db): Collections {
  return Object.fromEntries(collectionNames.map((name) => [name, db.collection(name)])) as unknown as Collections;
}

/** What every operation works with. */
export interface Mongo extends Collections {
  /** Servers and database, for messages; never a password. */
  readonly place: string;
  readonly clock: Clock;
  /** Writes on their way whose caller has gone on. */
  readonly behind: Behind;
  /**
   * Does something that may be repeated, and repeats it when the server was away or its answer was lost: nobody can
   * tell whether the write was done. Throws the errors of the house.
   */
  attempt<T>(operation: () => Promise<T>): Promise<T>;
  /** Number of a lock that is held, for the filter of a write; 0 without one. Throws when it was lost. */
  fence(on: LockName): number;
  /** Asks the database whether a lock is still held. Throws when it was lost; does nothing without one. */
  confirm(on: LockName): Promise<void>;
}

/**
 * A step-down takes a replica set about 12 seconds; this waits about 15, beside what the driver waits for a server by
 * itself. Longer than that, and the run is better ended and told.
 */
export const patience: RetryPolicy = { retries: 6, firstWaitMs: 150, longestWaitMs: 5_000 };

/** See `Mongo.attempt`. */
export function attempts(place: string, presence: Presence, clock: Clock, signal: AbortSignal): Mongo['attempt'] {
  return (operation) =>
    withRetry(patience, clock, signal, async () => {
      try {
        const done = await operation();
        presence.answered();
        return done;
      } catch (error) {
        presence.failed(error);
        throw translated(error, place);
      }
    });
}

/** Thrown to a holder that lost its lock: somebody else has gone on since, and what it wanted to write is not written. */
export function superseded(what: string): Unavailable {
  return new Unavailable(`another rosterd took over ${what} from this one, which had given no sign of life`, {
    // Longer than anybody waits: trying again is the other one's business now.
    delayMs: Number.MAX_SAFE_INTEGER,
    remedy: 'nothing is lost, the other one goes on with it; look why this one stood still',
  });
}

/** Does a write whose filter asks for an older lock; an id that is taken all the same means a newer one has been here. */
export async function fenced<T>(what: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isTaken(error)) throw superseded(what);
    throw error;
  }
}
