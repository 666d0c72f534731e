import type { ChangeType, DeliveryItem, ItemResult } from '../connector/target.ts';

/** The part of the store port that the changes on their way to targets need. See `port.ts` for what every part promises. */

/** Where an item stands on its way. `superseded`: another item carries its state, or a newer one of the same subject. */
export type OutboxStatus = 'queued' | 'processing' | 'sent' | 'failed' | 'superseded';
/** How many items of a target stand where. Superseded ones are history. */
export type OutboxCounts = Record<Exclude<OutboxStatus, 'superseded'>, number>;

/** What a target, or somebody in its place, once said to an item. `at`: ISO 8601. */
export interface OutboxAnswer {
  at: string;
  outcome: 'sent' | 'failed' | 'retry';
  answer: string | null;
}

/** An item as people look at it. */
export interface OutboxItem {
  item: string;
  /** Its place in the order of queueing. */
  seq: number;
  target: string;
  plan: string;
  type: ChangeType;
  /** Whom it is about: an account number, or a course (see `personOf`). */
  person: string;
  status: OutboxStatus;
  /** How often the target was asked about this very item since it was queued. */
  attempts: number;
  answer: string | null;
  /**
   * Why it stands there without a word of the target. `superseded`: the item that carries its state, or
   * the fill that took its place. `failed`:
   * `discrepancy`, `type` (the target takes no such changes any more), or the item whose failure it stands behind.
   * `processing`: `outside`, another system has it. Else null.
   */
  because: string | null;
  /** The last answers, at most 20, oldest first; with the one in `answer`. */
  trail: OutboxAnswer[];
  delivery: DeliveryItem;
}

/** What came of an item: what a target said, or why it was not asked. */
export type Settlement = ItemResult & {
  /** See `OutboxItem`. */
  because?: string;
  /** False: nobody asked the target about this item, so that it is no attempt. */
  attempted?: false;
};

/** An item that is to be queued again, and how it was seen. */
export interface Replay {
  item: string;
  /** `failed` or `sent`; in any other status nothing is queued again. */
  was: OutboxStatus;
  /** What is to be sent instead of what it says; left out: the same. */
  delivery?: DeliveryItem;
}

/** Items that come to be one: `into` stays in its place with another delivery, the others are superseded by it. */
export interface Merge {
  into: string;
  delivery: DeliveryItem;
  gone: readonly string[];
}

/** A target to which nothing is sent, because a person said so. `at`: ISO 8601. */
export interface Pause {
  target: string;
  at: string;
  reason: string | null;
}

/** Which platform has what was sent to a target. `address`: as the connector gives it (`TargetConnector.address`). */
export interface Platform {
  target: string;
  kind: string;
  address: string;
}

/** A person has looked at a discrepancy and lets its items pass. `discrepancy`: its digest; another one is another matter. */
export interface Review {
  account: string;
  discrepancy: string;
  at: string;
  note: string | null;
}

/** Which items; what is left out does not matter. */
export interface OutboxFilter {
  target?: string;
  status?: OutboxStatus;
  plan?: string;
  /** Any of these. */
  people?: readonly string[];
  /** Only items that stand where they stand for a reason of ours. */
  withReason?: true;
  /** Only items behind this place in the order. */
  after?: number;
  limit: number;
}

/** Changes on their way to targets, each target in its own order. */
export interface Outbox {
  /**
   * Puts items of a target that are in `processing`, and were not sent, back to `queued`. What another system has in hand stays
   * there. (What a dead process has left may have been sent, which its trail has to say: see `takeBack`.)
   */
  recover(target: string): Promise<number>;
  /** The next queued items of a target in the order of queueing, after a sequence number; marks nothing. */
  queued(
    target: string,
    after: number,
    limit: number,
  ): Promise<{ seq: number; item: DeliveryItem; attempts: number }[]>;
  /** Marks queued items as in hand. Gives back those that are not queued any more, and that nobody may send. */
  processing(target: string, items: readonly string[]): Promise<string[]>;
  /**
   * Writes what the target said: `sent`, `failed`, or back to `queued`. What nobody asked the target about is written only
   * where the item is queued or in our hands: another system may have settled it since.
   */
  settle(target: string, results: readonly Settlement[], at: string): Promise<void>;
  /**
   * Makes several items one, of those that are queued or failed; the one that stays is queued. What is anything else by
   * now is left as it is.
   */
  merge(target: string, merges: readonly Merge[]): Promise<void>;
  /** Items of a target that newer ones of the same subject have made void: queued or failed ones become `superseded`. */
  supersede(target: string, items: readonly { item: string; because: string }[]): Promise<void>;
  /** Queues items again that are still as they were seen, in their place. Says which it did. */
  replay(items: readonly Replay[]): Promise<string[]>;
  /**
   * An answer from outside: `processing` takes a queued item into another system's hands; `sent` and `failed` settle one
   * that is queued, failed, or in such hands. False when it is in ours, or settled otherwise.
   */
  ack(item: string, status: 'processing' | 'sent' | 'failed', answer: string | null, at: string): Promise<boolean>;
  get(item: string): Promise<OutboxItem | null>;
  /** People with items of a target that are failed, or in other hands. */
  troubled(target: string): Promise<string[]>;
  /** Of every target that ever had an item. */
  counts(): Promise<Record<string, OutboxCounts>>;
  /** In the order of queueing. */
  list(filter: OutboxFilter): Promise<OutboxItem[]>;
  /** Every item, in the order of queueing. */
  all(): AsyncIterable<OutboxItem>;
  /** Puts items of another store, as they are, behind what is there. */
  restore(items: readonly OutboxItem[]): Promise<void>;
  /**
   * Forgets sent and superseded items of a target, except the newest `keep`, those of the plans given, and those of people
   * of whom something is failed or in hand: a replay would not know otherwise that the target has had a newer state. Says
   * how many.
   */
  forget(target: string, keep: number, except: readonly string[]): Promise<number>;
  /** By target. */
  pauses(): Promise<Pause[]>;
  /** Stops sending to a target after the batch in hand; null: goes on. */
  pause(target: string, pause: Omit<Pause, 'target'> | null): Promise<void>;
  /** Of every target that something was sent to, as far as anybody has remembered it; by target. */
  platforms(): Promise<Platform[]>;
  /** Remembers the platform of a target in place of the one before. Whoever does holds the target's lock. */
  putPlatform(platform: Platform): Promise<void>;
  /** By account, then by discrepancy. */
  reviews(): Promise<Review[]>;
  /** The same again replaces it. */
  review(review: Review): Promise<void>;
  /** Takes reviews back. */
  unreview(reviews: readonly Pick<Review, 'account' | 'discrepancy'>[]): Promise<void>;
}
