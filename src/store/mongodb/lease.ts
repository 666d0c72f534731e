import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Collection } from 'mongodb';
import type { Clock } from '../../base/clock.ts';
import type { Lock, LockName } from '../port.ts';
import type { LeaseDoc } from './documents.ts';
import { isTaken } from './errors.ts';
import { type Mongo, superseded } from './mongo.ts';

/** A lease that this process holds. */
interface Held {
  fence: number;
  lost: AbortController;
  /** Our own clock at the start of the last beat that the database took. */
  beaten: number;
}

/**
 * Locks between daemons. A lease is one document: who has it, a fence that grows with every holder, and a beat that its
 * holder makes grow. Its life, each arrow one conditional write:
 *
 *     nobody's → held (fence + 1) → beat + 1, beat + 1, … → nobody's          the usual way
 *                                 → no beat for `ttlMs` → held by another (fence + 1)
 *
 * Whoever waits watches the beat with a clock of its own: two machines' clocks are never compared, and an hour between
 * them does no harm. A holder that slept through its lease still believes in it when it wakes; that is what the fence is
 * for: every document that a lock protects carries the fence of its last writer, and a write with an older one does not
 * find its document. A timestamp in the lease was refused: it is right only while all clocks are.
 */
export class Leases {
  readonly #leases: Collection<LeaseDoc>;
  readonly #attempt: Mongo['attempt'];
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #holder = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  readonly #held = new Map<LockName, Held>();
  readonly #asking = new Set<LockName>();
  readonly #end = new AbortController();
  #beating: Promise<void> | null = null;

  constructor(leases: Collection<LeaseDoc>, attempt: Mongo['attempt'], clock: Clock, ttlMs: number) {
    this.#leases = leases;
    this.#attempt = attempt;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  /**
   * Takes a lease; null when somebody has it. That answer takes up to one beat of the holder, and taking over from a
   * dead one takes the time of its lease.
   */
  async take(on: LockName): Promise<{ lock: Lock; fence: number } | null> {
    if (this.#held.has(on) || this.#asking.has(on)) return null;
    this.#asking.add(on);
    try {
      const got = await this.#acquire(on);
      if (got === null) return null;
      const { fence, asked } = got;
      const held: Held = { fence, lost: new AbortController(), beaten: asked };
      this.#held.set(on, held);
      this.#beating ??= this.#beat();
      return { lock: { lost: held.lost.signal, release: () => this.#release(on, held) }, fence };
    } finally {
      this.#asking.delete(on);
    }
  }

  /** See `Mongo.fence`. */
  fence(on: LockName): number {
    const held = this.#held.get(on);
    if (!held) return 0;
    if (this.#clock.monotonic() - held.beaten >= this.#ttlMs) this.#lose(on, held);
    if (held.lost.signal.aborted) throw superseded(on);
    return held.fence;
  }

  /** See `Mongo.confirm`. */
  async confirm(on: LockName): Promise<void> {
    const held = this.#held.get(on);
    if (!held) return;
    const mine = await this.#attempt(() => this.#leases.findOne({ _id: on }));
    if (mine?.holder === this.#holder && mine.fence === held.fence && !held.lost.signal.aborted) return;
    this.#lose(on, held);
    throw superseded(on);
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#beating;
    for (const [on, held] of [...this.#held]) await this.#release(on, held).catch(() => {});
  }

  /** `asked`: our own clock before the write that got it, not before the wait for a dead holder. */
  async #acquire(on: LockName): Promise<{ fence: number; asked: number } | null> {
    let watched: { doc: LeaseDoc; since: number } | null = null;
    let asked: number | null = null;
    for (;;) {
      const doc = await this.#attempt(() => this.#leases.findOne({ _id: on }));
      const now = this.#clock.monotonic();
      if (!doc) {
        asked = now;
        if (await this.#insert(on)) return { fence: 1, asked };
        continue;
      }
      const { holder, fence, beat } = doc;
      if (holder === this.#holder && asked !== null) return { fence, asked };
      // One of ours that could not be given back has nobody who beats: like nobody's.
      if (holder !== null && holder !== this.#holder) {
        if (watched && (watched.doc.beat !== beat || watched.doc.fence !== fence)) return null;
        watched ??= { doc, since: now };
        const left = watched.since + doc.ttlMs - now;
        if (left > 0) {
          await this.#clock.wait(Math.min(left, Math.max(10, doc.ttlMs / 20)), this.#end.signal);
          continue;
        }
      }
      asked = now;
      const mine = { holder: this.#holder, fence: fence + 1, beat: 0, ttlMs: this.#ttlMs, since: this.#clock.now() };
      await this.#attempt(() => this.#leases.updateOne({ _id: on, holder, fence, beat }, { $set: mine }));
      // Whoever was first is found by the next look.
      watched = null;
    }
  }

  async #insert(on: LockName): Promise<boolean> {
    const first = { holder: this.#holder, fence: 1, beat: 0, ttlMs: this.#ttlMs, since: this.#clock.now() };
    return this.#attempt(async () => {
      try {
        await this.#leases.insertOne({ _id: on, ...first });
        return true;
      } catch (error) {
        if (isTaken(error)) return false;
        throw error;
      }
    });
  }

  async #release(on: LockName, held: Held): Promise<void> {
    if (this.#held.get(on) !== held) return;
    this.#held.delete(on);
    const mine = { _id: on, holder: this.#holder, fence: held.fence };
    await this.#attempt(() => this.#leases.updateOne(mine, { $set: { holder: null, since: null } }));
  }

  #lose(on: LockName, held: Held): void {
    if (!held.lost.signal.aborted) held.lost.abort(superseded(on));
  }

  /** Five beats in the time of a lease: a slow answer or two cost nothing. One that is lost is left to whoever comes. */
  async #beat(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.#clock.wait(this.#ttlMs / 5, this.#end.signal).catch(() => {});
      const kept = [...this.#held].filter(([, held]) => !held.lost.signal.aborted);
      await Promise.all(kept.map(([on, held]) => this.#beatOne(on, held)));
    }
  }

  async #beatOne(on: LockName, held: Held): Promise<void> {
    const began = this.#clock.monotonic();
    try {
      const mine = { _id: on, holder: this.#holder, fence: held.fence };
      const { matchedCount } = await this.#leases.updateOne(mine, { $inc: { beat: 1 } });
      if (matchedCount) held.beaten = began;
      else if (this.#held.get(on) === held) this.#lose(on, held);
    } catch {
      // The next beat may get through; that it is too late by then is told by our own clock.
      if (this.#clock.monotonic() - held.beaten >= this.#ttlMs) this.#lose(on, held);
    }
  }
}
