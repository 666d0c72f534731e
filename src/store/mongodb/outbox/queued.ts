import type { DeliveryItem } from '../../../connector/target.ts';
import type { OutboxDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** The next queued items of a target, in the order of queueing. */
export async function queuedItems(
  m: Mongo,
  target: string,
  after: number,
  limit: number,
): Promise<{ seq: number; item: DeliveryItem; attempts: number }[]> {
  const docs = await m.attempt(() =>
    m.outbox
      .find({ target, status: 'queued', seq: { $gt: after } })
      .sort({ seq: 1 })
      .limit(limit)
      .batchSize(limit)
      .toArray(),
  );
  return docs.map((doc) => ({ seq: doc.seq, item: itemOf(doc), attempts: doc.attempts }));
}

/** What a target is given. */
export function itemOf({ _id, delivery }: OutboxDoc): DeliveryItem {
  return { item: _id, ...delivery };
}
