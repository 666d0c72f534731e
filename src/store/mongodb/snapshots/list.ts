import type { Snapshot } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { snapshotOf } from './get.ts';

/** Newest first, by `at`. */
export async function listSnapshots(
  m: Mongo,
  filter: { source?: string; skip?: number; limit: number },
): Promise<Snapshot[]> {
  const where = {
    discarded: { $ne: true as const },
    ...(filter.source === undefined ? {} : { source: filter.source }),
  };
  const docs = await m.attempt(() =>
    m.snapshots
      .find(where)
      .sort({ at: -1, number: -1 })
      .skip(filter.skip ?? 0)
      .limit(filter.limit)
      .toArray(),
  );
  return docs.map(snapshotOf).filter((snapshot) => snapshot !== null);
}
