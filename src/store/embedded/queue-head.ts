import type { DeliveryItem } from '../../connector/target.ts';
import { type Database, parse } from './database.ts';

/** A queued item, with its place in the order. */
export interface Queued {
  seq: number;
  item: DeliveryItem;
  attempts: number;
}

/**
 * What is queued next for each target. A delivery looks at more than it takes, and looks again after every batch; here each
 * item is read and parsed once. Items that come behind are found in any case; whoever changes one that may be in here, or
 * puts one back before it, calls `forget`. What other processes change is told by SQLite.
 */
export class QueueHead {
  readonly #db: Database;
  readonly #heads = new Map<string, { after: number; queued: Queued[]; version: number }>();
  /** Places of items that were taken, until they are settled: to find them by their names costs twice as much. */
  readonly #taken = new Map<string, number>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** The next queued items behind a place, at most `limit`. */
  page(target: string, after: number, limit: number): Queued[] {
    const version = this.#db.version();
    let head = this.#heads.get(target);
    // Also what we took may be queued again by now: settled as ours, it would stay in here.
    if (head && head.version !== version) {
      this.forget();
      head = undefined;
    }
    if (!head || head.after > after) head = { after, queued: [], version };
    if (head.after < after) head = { after, queued: head.queued.filter(({ seq }) => seq > after), version };
    const missing = limit - head.queued.length;
    if (missing > 0) head.queued.push(...this.#read(target, head.queued.at(-1)?.seq ?? after, missing));
    this.#heads.set(target, head);
    return head.queued.slice(0, limit);
  }

  #read(target: string, after: number, limit: number): Queued[] {
    return this.#db
      .all(
        `SELECT seq, body, attempts FROM outbox CROSS JOIN outbox_bodies USING (seq)
         WHERE target = ? AND status = 'queued' AND seq > ? ORDER BY seq LIMIT ?`,
        ...[target, after, limit],
      )
      .map((row) => {
        const item = parse<DeliveryItem>(row['body']);
        return { seq: Number(row['seq']), item, attempts: Number(row['attempts']) };
      });
  }

  /** Items leave the queue, into somebody's hands. Gives the places of those that it knows. */
  take(target: string, items: readonly string[]): ReadonlyMap<string, number> {
    const head = this.#heads.get(target);
    const known = new Map<string, number>();
    if (!head) return known;
    const taken = new Set(items);
    head.queued = head.queued.filter(({ item: { item }, seq }) => {
      if (taken.has(item)) known.set(item, seq);
      return !taken.has(item);
    });
    for (const [item, seq] of known) this.#taken.set(item, seq);
    return known;
  }

  /** The places of items that were taken; they are in nobody's hands any more. */
  settle(items: readonly string[]): ReadonlyMap<string, number> {
    const known = new Map<string, number>();
    for (const item of items) {
      const seq = this.#taken.get(item);
      if (seq === undefined) continue;
      known.set(item, seq);
      this.#taken.delete(item);
    }
    return known;
  }

  /** Something else has changed. */
  forget(): void {
    this.#heads.clear();
    this.#taken.clear();
  }
}
