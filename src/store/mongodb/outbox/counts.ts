import type { OutboxCounts, OutboxStatus } from '../../port.ts';
import type { Mongo } from '../mongo.ts';

/** Of every target that ever had an item. */
export async function outboxCounts(m: Pick<Mongo, 'outbox' | 'attempt'>): Promise<Record<string, OutboxCounts>> {
  const groups = await m.attempt(() =>
    m.outbox
      .aggregate<{ _id: { target: string; status: OutboxStatus }; n: number }>([
        { $group: { _id: { target: '$target', status: '$status' }, n: { $sum: 1 } } },
      ])
      .toArray(),
  );
  const counts: Record<string, OutboxCounts> = {};
  for (const { _id, n } of groups) {
    counts[_id.target] ??= { queued: 0, processing: 0, sent: 0, failed: 0 };
    if (_id.status !== 'superseded') counts[_id.target]![_id.status] = n;
  }
  return counts;
}
