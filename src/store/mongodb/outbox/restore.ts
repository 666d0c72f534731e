import type { AnyBulkWriteOperation } from 'mongodb';
import type { OutboxItem } from '../../port.ts';
import type { OutboxDoc } from '../documents.ts';
import { fenced, type Mongo } from '../mongo.ts';
import { placesFrom } from '../roster/batch.ts';

/** Puts items of another store behind what is there; those that are there stay where they are. */
export async function restoreItems(m: Mongo, items: readonly OutboxItem[]): Promise<void> {
  if (!items.length) return;
  const fence = m.fence('roster');
  const first = await placesFrom(m, fence, items.length);
  const writes = items.map(({ item, delivery, because, trail, ...rest }, at): AnyBulkWriteOperation<OutboxDoc> => {
    const { item: _, ...sent } = delivery;
    const doc = {
      ...{ ...rest, delivery: sent, seq: first + at, fence: 0 },
      ...(because === null ? {} : { because }),
      ...(trail.length ? { trail: trail.map((one) => ({ ...one, at: new Date(one.at) })) } : {}),
    };
    return { updateOne: { filter: { _id: item }, update: { $setOnInsert: doc }, upsert: true } };
  });
  await m.attempt(() => fenced('the roster', () => m.outbox.bulkWrite(writes, { ordered: false })));
}
