import type { Filter } from 'mongodb';
import type { OutboxDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { oneMore } from './settle.ts';

/** Takes an answer from outside; false when the item is in our hands, or settled otherwise. */
export async function ackItem(
  m: Mongo,
  item: string,
  status: 'processing' | 'sent' | 'failed',
  answer: string | null,
  at: string,
): Promise<boolean> {
  const outside: Filter<OutboxDoc> = { status: 'processing', because: 'outside' };
  if (status === 'processing') {
    // the second: this very answer, when ours was lost
    const open: Filter<OutboxDoc> = { _id: item, $or: [{ status: 'queued' }, outside] };
    const taken = await m.attempt(() =>
      m.outbox.updateOne(open, { $set: { status: 'processing', because: 'outside', answer } }),
    );
    return taken.matchedCount > 0;
  }
  const open: Filter<OutboxDoc> = { _id: item, $or: [{ status: { $in: ['queued', 'failed'] } }, outside] };
  const { matchedCount } = await m.attempt(() =>
    m.outbox.updateOne(open, {
      $set: { status, answer },
      $unset: { because: '' },
      $push: oneMore(at, status, answer),
    }),
  );
  return matchedCount > 0;
}
