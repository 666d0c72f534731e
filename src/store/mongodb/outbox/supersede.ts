import type { AnyBulkWriteOperation } from 'mongodb';
import type { OutboxDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Items that newer ones of the same subject have made void. Nobody sends a superseded one, so no fence is asked. */
export async function supersedeItems(
  m: Mongo,
  target: string,
  items: readonly { item: string; because: string }[],
): Promise<void> {
  if (!items.length) return;
  const writes = items.map(
    ({ item, because }): AnyBulkWriteOperation<OutboxDoc> => ({
      updateOne: {
        filter: { _id: item, target, status: { $in: ['queued', 'failed'] } },
        update: { $set: { status: 'superseded', because } },
      },
    }),
  );
  await m.attempt(() => m.outbox.bulkWrite(writes, { ordered: false }));
}
