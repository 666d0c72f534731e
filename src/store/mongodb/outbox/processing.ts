import { type Mongo, superseded } from '../mongo.ts';

/**
 * Marks items as in hand. Nothing of them has a newer fence when another daemon took over the target a moment ago, so
 * the lock itself is asked after the mark and before anything is sent; a mark of one who has lost it is taken back.
 */
export async function markProcessing(m: Mongo, target: string, items: readonly string[]): Promise<void> {
  const lock = `target:${target}` as const;
  const fence = m.fence(lock);
  const mine = { _id: { $in: [...items] }, target, fence: { $lte: fence } };
  const { matchedCount } = await m.attempt(() => m.outbox.updateMany(mine, { $set: { status: 'processing', fence } }));
  try {
    await m.confirm(lock);
    if (fence && matchedCount < items.length) throw superseded(target);
  } catch (error) {
    const marked = { _id: { $in: [...items] }, target, fence, status: 'processing' as const };
    await m.attempt(() => m.outbox.updateMany(marked, { $set: { status: 'queued' } }));
    throw error;
  }
}
