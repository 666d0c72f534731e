import type { Mongo } from '../mongo.ts';
import { runOf } from '../runs/get.ts';

/** Removals of a source that guards let pass by themselves since the date. */
export async function removedSince(
  m: Mongo,
  source: string,
  since: Date,
): Promise<{ disables: number; unenrolments: number }> {
  const where = {
    ...{ source, endedAt: { $gte: since }, dryRun: false },
    status: { $in: ['applied' as const, 'held' as const] },
    heldTypes: { $size: 0 },
  };
  const removed = { disables: 0, unenrolments: 0 };
  for (const doc of await m.attempt(() => m.runs.find(where).toArray())) {
    const { changes } = runOf(doc);
    removed.disables += changes['account.disable'] ?? 0;
    removed.unenrolments += changes['enrolment.remove'] ?? 0;
  }
  return removed;
}
