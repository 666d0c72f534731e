import type { OutboxItem } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { outboxItemOf } from './list.ts';

/** One item by its id. */
export async function getItem(m: Mongo, item: string): Promise<OutboxItem | null> {
  const doc = await m.attempt(() => m.outbox.findOne({ _id: item }));
  return doc && outboxItemOf(doc);
}
