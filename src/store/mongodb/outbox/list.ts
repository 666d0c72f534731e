import type { OutboxItem, OutboxStatus } from '../../port.ts';
import type { OutboxDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { itemOf } from './queued.ts';

/** In the order of queueing. */
export async function listItems(
  m: Mongo,
  filter: { target?: string; status?: OutboxStatus; plan?: string; limit: number },
): Promise<OutboxItem[]> {
  const { limit, ...where } = filter;
  const docs = await m.attempt(() => m.outbox.find(where).sort({ seq: 1 }).limit(limit).toArray());
  return docs.map(outboxItemOf);
}

/** An item as people look at it. */
export function outboxItemOf(doc: OutboxDoc): OutboxItem {
  const { _id: item, target, plan, type, status, attempts, answer } = doc;
  return { item, target, plan, type, status, attempts, answer, delivery: itemOf(doc) };
}
