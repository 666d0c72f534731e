import { under } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { snapshotKey } from './put.ts';
import { packKey } from './put-pack.ts';

/** Forgets snapshots and their packs; the document goes last, so that a cut leaves what names the rest. */
export async function forgetSnapshots(
  m: Mongo,
  source: string,
  numbers: readonly number[],
  bases: ReadonlySet<number>,
): Promise<void> {
  for (const number of numbers) {
    for (const kind of ['full', 'added', 'gone'] as const)
      if (kind !== 'full' || !bases.has(number))
        await m.attempt(() => m.packs.deleteMany({ _id: under(packKey(source, number, kind)) }));
    await m.attempt(() => m.snapshots.deleteOne({ _id: snapshotKey(source, number), discarded: { $ne: true } }));
  }
}
