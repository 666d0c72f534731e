import { type AnyBulkWriteOperation, ObjectId } from 'mongodb';
import { mostAnswers } from '../../../outbox/items.ts';
import type { Settlement } from '../../port.ts';
import type { OutboxDoc } from '../documents.ts';
import { type Mongo, superseded } from '../mongo.ts';

/** The last answers, with one more. */
export function oneMore(at: string, outcome: Settlement['outcome'], answer: string | null): object {
  return { trail: { $each: [{ at: new Date(at), outcome, answer }], $slice: -mostAnswers } };
}

/** Nobody else has settled it, or has it in hand. */
const ours = { $or: [{ status: 'queued' as const }, { status: 'processing' as const, because: { $exists: false } }] };

/** Writes what the target said; a repeat after a lost answer counts no attempt twice. */
export async function settleItems(m: Mongo, target: string, results: readonly Settlement[], at: string): Promise<void> {
  if (!results.length) return;
  const fence = m.fence(`target:${target}`);
  const settled = new ObjectId();
  const writes = results.map(
    ({ item, outcome, answer, because, attempted }): AnyBulkWriteOperation<OutboxDoc> => ({
      updateOne: {
        filter: {
          ...{ _id: item, target, fence: { $lte: fence }, settled: { $ne: settled } },
          ...(attempted === false ? ours : {}),
        },
        update: {
          $set: {
            ...{ status: outcome === 'retry' ? 'queued' : outcome, answer, fence, settled },
            ...(because === undefined ? {} : { because }),
          },
          ...(because === undefined ? { $unset: { because: '' } } : {}),
          $inc: { attempts: attempted === false ? 0 : 1 },
          $push: oneMore(at, outcome, answer),
        },
      },
    }),
  );
  await m.attempt(() => m.outbox.bulkWrite(writes, { ordered: false }));
  const asked = results.filter(({ attempted }) => attempted !== false).map(({ item }) => item);
  if (!fence || !asked.length) return;
  const written = await m.attempt(() => m.outbox.countDocuments({ _id: { $in: asked }, settled }));
  if (written < asked.length) throw superseded(target);
}
