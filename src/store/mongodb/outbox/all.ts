import type { OutboxItem } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { outboxItemOf } from './list.ts';

const pageSize = 1000;

/** Every item, in the order of queueing; no two have the same place. */
export async function* allItems(m: Mongo): AsyncGenerator<OutboxItem> {
  for (let after = -1; ; ) {
    const docs = await m.attempt(() =>
      m.outbox
        .find({ seq: { $gt: after } })
        .sort({ seq: 1 })
        .limit(pageSize)
        .toArray(),
    );
    if (!docs.length) return;
    yield* docs.map(outboxItemOf);
    after = docs.at(-1)!.seq;
  }
}
