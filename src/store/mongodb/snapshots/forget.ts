import { under } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { snapshotKey } from './put.ts';

/** Forgets snapshots and their packs; the document goes last, so that a cut leaves what names the rest. */
export async function forgetSnapshots(m: Mongo, source: string, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) {
    const _id = snapshotKey(source, number);
    await m.attempt(() => m.packs.deleteMany({ _id: under(_id) }));
    await m.attempt(() => m.snapshots.deleteOne({ _id, discarded: { $ne: true } }));
  }
}
