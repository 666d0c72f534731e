import type { Mongo } from '../mongo.ts';

/** Forgets sent items of a target beyond the newest; those of plans that are still being applied stay. */
export async function forgetItems(m: Mongo, target: string, keep: number, except: readonly string[]): Promise<number> {
  const sent = { target, status: 'sent' as const };
  const [last] = await m.attempt(() =>
    m.outbox.find(sent).sort({ seq: -1 }).skip(keep).limit(1).project<{ seq: number }>({ seq: 1 }).toArray(),
  );
  if (!last) return 0;
  const old = { ...sent, seq: { $lte: last.seq }, plan: { $nin: [...except] } };
  const { deletedCount } = await m.attempt(() => m.outbox.deleteMany(old));
  return deletedCount;
}
