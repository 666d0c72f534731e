import { under } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Sorted, as their ids are. */
export async function pendingKeys(m: Mongo, plan: string): Promise<string[]> {
  const docs = await m.attempt(() =>
    m.pending
      .find({ _id: under(plan), plan })
      .sort({ _id: 1 })
      .toArray(),
  );
  return docs.map(({ key }) => key);
}
