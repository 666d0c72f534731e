import { type Mongo, superseded } from '../mongo.ts';

/**
 * Marks items as in hand, and gives back those that are not queued any more: somebody answered for them, or replaced them.
 * Nothing of them has a newer fence when another daemon took over the target a moment ago, so the lock itself is asked
 * after the mark and before anything is sent; a mark of one who has lost it is taken back.
 */
export async function markProcessing(m: Mongo, target: string, items: readonly string[]): Promise<string[]> {
  const lock = `target:${target}` as const;
  const fence = m.fence(lock);
  const all = { _id: { $in: [...items] }, target };
  // the second: this very mark, whose answer was lost
  const mine = {
    ...all,
    fence: { $lte: fence },
    $or: [{ status: 'queued' as const }, { status: 'processing' as const, fence, because: { $exists: false } }],
  };
  const { matchedCount } = await m.attempt(() =>
    m.outbox.updateMany(mine, { $set: { status: 'processing', fence }, $unset: { because: '' } }),
  );
  try {
    await m.confirm(lock);
    if (matchedCount === items.length) return [];
    if (await m.attempt(() => m.outbox.findOne({ ...all, fence: { $gt: fence } }))) throw superseded(target);
  } catch (error) {
    const marked = { ...all, fence, status: 'processing' as const, because: { $exists: false } };
    await m.attempt(() => m.outbox.updateMany(marked, { $set: { status: 'queued' } }));
    throw error;
  }
  const inHand = { ...all, fence, status: 'processing' as const, because: { $exists: false } };
  const docs = await m.attempt(() => m.outbox.find(inHand).project<{ _id: string }>({ _id: 1 }).toArray());
  const marked = new Set(docs.map(({ _id }) => _id));
  return items.filter((item) => !marked.has(item));
}
