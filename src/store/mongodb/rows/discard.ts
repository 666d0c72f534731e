import { rowsName } from '../behind.ts';
import { under } from '../documents.ts';
import { fenced, type Mongo } from '../mongo.ts';
import { snapshotKey } from '../snapshots/put.ts';

/**
 * Takes back a snapshot that never came into force: first the mark that makes all of it count for nothing, then the
 * room. A cut after the mark leaves what nobody sees.
 */
export async function discardRows(m: Mongo, source: string, number: number): Promise<void> {
  // also without the lock: whoever has it by now throws the snapshot away, and what failed of it says nothing to the next
  await m.behind.over(rowsName(source));
  const fence = m.fence(`source:${source}`);
  const key = snapshotKey(source, number);
  const mark = { source, number, discarded: true as const, at: m.clock.now(), fence };
  await m.attempt(() =>
    fenced(key, () => m.snapshots.replaceOne({ _id: key, fence: { $lte: fence } }, mark, { upsert: true })),
  );
  await m.attempt(() => m.rows.deleteMany({ _id: under(key) }));
  await m.attempt(() => m.rows.updateMany({ last: number, source }, { $unset: { last: '' } }));
  await m.attempt(() => m.packs.deleteMany({ _id: under(key) }));
}
