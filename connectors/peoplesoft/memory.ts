/** A request whose effect is waited for; times are monotonic. */
export interface Transmission {
  since: number;
  /** When a look was answered last. */
  lookedAt: number;
  /** The answer to the request. */
  words: string;
  /**
   * What the item said then, and by which operation (a digest): one that waits can become one with a later change of the
   * same person, and a reload can bring an operation that is right at last.
   */
  what: string;
  /** True when it was transmitted before, and out of sight since. */
  again: boolean;
}

/**
 * What this process knows of items that are not settled yet. It outlives the session, which ends with each delivery, while an
 * asynchronous operation may take longer. After a restart nothing is known: an item is then looked for,
 * where the site allows it, or sent again.
 */
export interface Memory {
  /** Items that were transmitted and are not confirmed. */
  transmitted: Map<string, Transmission>;
  /**
   * Items that could not be taken: how many errors of their own they got in a row, and how many answers others had got
   * before the first. Some may have left the queue by another way: nobody says so.
   */
  strikes: Map<string, { count: number; before: number }>;
  /** Requests of items that were taken or refused, so far. */
  answered: number;
}

/** The memory of a target of which nothing is known. */
export function emptyMemory(): Memory {
  return { transmitted: new Map(), strikes: new Map(), answered: 0 };
}
