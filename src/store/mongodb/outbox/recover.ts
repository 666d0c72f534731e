import type { Mongo } from '../mongo.ts';

/** Queues again what a dead process had in hand. */
export async function recoverItems(m: Mongo, target: string): Promise<number> {
  const fence = m.fence(`target:${target}`);
  const { modifiedCount } = await m.attempt(() =>
    m.outbox.updateMany(
      { target, status: 'processing', because: { $exists: false }, fence: { $lte: fence } },
      { $set: { status: 'queued', fence } },
    ),
  );
  return modifiedCount;
}
