import { type Removals, removalsTogether } from '../../../reconcile/guards.ts';
import type { Mongo } from '../mongo.ts';
import { runOf } from '../runs/get.ts';

/** Removals of a source that guards let pass by themselves since the date. */
export async function removedSince(m: Mongo, source: string, since: Date): Promise<Removals> {
  const where = {
    ...{ source, endedAt: { $gte: since }, dryRun: false },
    status: { $in: ['applied' as const, 'held' as const] },
    heldTypes: { $size: 0 },
  };
  const docs = await m.attempt(() => m.runs.find(where).toArray());
  return removalsTogether(docs.map((doc) => runOf(doc).changes));
}
