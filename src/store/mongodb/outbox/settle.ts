import { type AnyBulkWriteOperation, ObjectId } from 'mongodb';
import type { ItemResult } from '../../../connector/target.ts';
import type { OutboxDoc } from '../documents.ts';
import { type Mongo, superseded } from '../mongo.ts';

/** Writes what the target said; a repeat after a lost answer counts no attempt twice. */
export async function settleItems(m: Mongo, target: string, results: readonly ItemResult[]): Promise<void> {
  if (!results.length) return;
  const fence = m.fence(`target:${target}`);
  const settled = new ObjectId();
  const writes = results.map(
    ({ item, outcome, answer }): AnyBulkWriteOperation<OutboxDoc> => ({
      updateOne: {
        filter: { _id: item, target, fence: { $lte: fence }, settled: { $ne: settled } },
        update: {
          $set: { status: outcome === 'retry' ? 'queued' : outcome, answer, fence, settled },
          $inc: { attempts: 1 },
        },
      },
    }),
  );
  await m.attempt(() => m.outbox.bulkWrite(writes, { ordered: false }));
  if (!fence) return;
  const written = await m.attempt(() =>
    m.outbox.countDocuments({ _id: { $in: results.map(({ item }) => item) }, settled }),
  );
  if (written < results.length) throw superseded(target);
}
