import type { Merge } from '../../port.ts';
import { type Mongo, superseded } from '../mongo.ts';
import { supersedeItems } from './supersede.ts';

/**
 * Makes several items one. The one that stays is written before the others go: after a cut between the two, both carry
 * the state, and the next delivery makes them one again.
 */
export async function mergeItems(m: Mongo, target: string, merges: readonly Merge[]): Promise<void> {
  if (!merges.length) return;
  const fence = m.fence(`target:${target}`);
  for (const { into, delivery, gone } of merges) {
    const { item: _, ...sent } = delivery;
    const open = { _id: into, target, fence: { $lte: fence }, status: { $in: ['queued' as const, 'failed' as const] } };
    const { matchedCount } = await m.attempt(() =>
      m.outbox.updateOne(open, {
        $set: { status: 'queued', attempts: 0, type: sent.type, delivery: sent, fence },
        $unset: { because: '' },
      }),
    );
    if (matchedCount)
      await supersedeItems(
        m,
        target,
        gone.map((item) => ({ item, because: into })),
      );
    else if (await m.attempt(() => m.outbox.findOne({ _id: into, fence: { $gt: fence } }))) throw superseded(target);
  }
}
