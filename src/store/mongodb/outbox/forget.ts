import type { Mongo } from '../mongo.ts';

/** Forgets sent and superseded items of a target behind the newest sent ones; those of plans that are still being applied stay. */
export async function forgetItems(m: Mongo, target: string, keep: number, except: readonly string[]): Promise<number> {
  const sent = { target, status: 'sent' as const };
  const [last] = await m.attempt(() =>
    m.outbox.find(sent).sort({ seq: -1 }).skip(keep).limit(1).project<{ seq: number }>({ seq: 1 }).toArray(),
  );
  if (!last) return 0;
  const ended = { target, status: { $in: ['sent' as const, 'superseded' as const] } };
  const old = { ...ended, seq: { $lte: last.seq }, plan: { $nin: [...except] } };
  const { deletedCount } = await m.attempt(() => m.outbox.deleteMany(old));
  return deletedCount;
}
