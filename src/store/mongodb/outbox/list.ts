import type { Filter } from 'mongodb';
import type { OutboxFilter, OutboxItem } from '../../port.ts';
import type { OutboxDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { itemOf } from './queued.ts';

/** In the order of queueing. */
export async function listItems(m: Mongo, filter: OutboxFilter): Promise<OutboxItem[]> {
  const { limit, withReason, after, people, ...where } = filter;
  const query: Filter<OutboxDoc> = {
    ...where,
    ...(people ? { person: { $in: [...people] } } : {}),
    ...(withReason ? { because: { $exists: true } } : {}),
    ...(after === undefined ? {} : { seq: { $gt: after } }),
  };
  const docs = await m.attempt(() => m.outbox.find(query).sort({ seq: 1 }).limit(limit).toArray());
  return docs.map(outboxItemOf);
}

/** An item as people look at it. */
export function outboxItemOf(doc: OutboxDoc): OutboxItem {
  const { _id: item, seq, target, plan, type, person, status, attempts, answer, because = null, trail = [] } = doc;
  return {
    ...{ item, seq, target, plan, type, person, status, attempts, answer, because },
    trail: trail.map(({ at, outcome, answer }) => ({ at: at.toISOString(), outcome, answer })),
    delivery: itemOf(doc),
  };
}
