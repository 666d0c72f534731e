import type { PeoplesoftSettings } from './schema.ts';

/** A request whose effect is waited for; times are monotonic. */
export interface Transmission {
  since: number;
  /** When a look was answered last. */
  lookedAt: number;
  /** The answer to the request. */
  words: string;
  /** What the item said then (a digest): one that waits can become one with a later change of the same person. */
  what: string;
  /** True when it was transmitted before, and out of sight since. */
  again: boolean;
}

/**
 * What this process knows of items that are not settled yet. It belongs to the settings, because a session ends with each
 * delivery, while an asynchronous operation may take longer. After a restart nothing is known: an item is then looked for,
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

const memories = new WeakMap<PeoplesoftSettings, Memory>();

/** The memory of a target. */
export function memoryOf(settings: PeoplesoftSettings): Memory {
  const known = memories.get(settings);
  if (known) return known;
  const fresh: Memory = { transmitted: new Map(), strikes: new Map(), answered: 0 };
  memories.set(settings, fresh);
  return fresh;
}
