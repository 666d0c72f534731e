import type { Mongo } from '../mongo.ts';

/**
 * Numbers of snapshots that never came into force. A sleeper may have gone on writing rows of such a number after they
 * were thrown away, so the numbers themselves are remembered: few, and never used again.
 */
export async function discardedOf(m: Mongo, source: string): Promise<ReadonlySet<number>> {
  const marks = await m.attempt(() =>
    m.snapshots.find({ discarded: true, source }).project<{ number: number }>({ number: 1 }).toArray(),
  );
  return new Set(marks.map(({ number }) => number));
}

/** The snapshot in which a row is not in force any more; one that was discarded ended nothing. */
export function lastOf(last: number | undefined, discarded: ReadonlySet<number>): number {
  return last === undefined || discarded.has(last) ? Number.POSITIVE_INFINITY : last;
}
