import type { Mongo } from '../mongo.ts';
import { discardedOf } from './discarded.ts';

/** Forgets rows that ended before a snapshot; an end that was discarded is none. */
export async function forgetRows(m: Mongo, source: string, oldest: number): Promise<number> {
  const discarded = [...(await discardedOf(m, source))];
  const ended = { source, last: { $lt: oldest, $nin: discarded } };
  const { deletedCount } = await m.attempt(() => m.rows.deleteMany(ended));
  return deletedCount;
}
