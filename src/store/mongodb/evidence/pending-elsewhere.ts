import { whole } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { pendingId } from '../plans/sink.ts';
import type { Moment } from './moment.ts';

/** For each of the keys that another source left pending: those sources. */
export async function pendingElsewhere(
  m: Mongo,
  { others }: Moment,
  keys: readonly string[],
): Promise<Map<string, string[]>> {
  const result = new Map<string, string[]>();
  for (const { source, pending } of others) {
    if (!pending) continue;
    const ids = keys.map((key) => pendingId(pending, key));
    const docs = await m.attempt(() => m.pending.find({ _id: { $in: ids } }, { batchSize: whole }).toArray());
    for (const { key } of docs) result.set(key, [...(result.get(key) ?? []), source]);
  }
  return result;
}
