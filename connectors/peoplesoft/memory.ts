import type { PeoplesoftSettings } from './schema.ts';

/**
 * What this process knows of items that are not settled yet. It belongs to the settings, because a session ends with each
 * delivery, while an asynchronous operation may take longer. After a restart nothing is known: an item is then looked for,
 * where the site allows it, or sent again.
 */
export interface Memory {
  /**
   * Items that were transmitted and are not confirmed: since when (monotonic), with which answer, and what they said then
   * (a digest). An item that waits can become one with a later change of the same person.
   */
  transmitted: Map<string, { since: number; words: string; what: string }>;
  /**
   * Items that could not be taken: how many errors of their own they got in a row, and how many answers others had got
   * before the first.
   */
  strikes: Map<string, { count: number; before: number }>;
  /** Items that were turned away in place of an answer, while others were let in. */
  turnedAway: Set<string>;
  /** Requests of items that were taken or refused, so far. */
  answered: number;
}

const memories = new WeakMap<PeoplesoftSettings, Memory>();

/** The memory of a target. */
export function memoryOf(settings: PeoplesoftSettings): Memory {
  const known = memories.get(settings);
  if (known) return known;
  const fresh: Memory = { transmitted: new Map(), strikes: new Map(), turnedAway: new Set(), answered: 0 };
  memories.set(settings, fresh);
  return fresh;
}
