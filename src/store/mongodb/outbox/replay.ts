import type { Replay } from '../../port.ts';
import type { OutboxDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/**
 * Queues items again, one by one: each is asked for what it is at that moment, so that one in hand, or replayed by somebody
 * else, stays as it is. A deliverer never writes a failed or a sent item, so no lock is needed.
 */
export async function replayItems(m: Mongo, items: readonly Replay[]): Promise<string[]> {
  const done: string[] = [];
  for (const { item, was, delivery } of items) {
    if (was !== 'failed' && was !== 'sent') continue;
    const { item: _, ...sent } = delivery ?? { item };
    const { modifiedCount } = await m.attempt(() =>
      m.outbox.updateOne(
        { _id: item, status: was },
        {
          $set: { status: 'queued', attempts: 0, ...(delivery ? { delivery: sent as OutboxDoc['delivery'] } : {}) },
          $unset: { because: '' },
        },
      ),
    );
    if (modifiedCount) done.push(item);
  }
  return done;
}
