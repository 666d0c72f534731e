import { planNames } from '../behind.ts';
import { under, whole } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Sorted, as their ids are. */
export async function pendingKeys(m: Mongo, plan: string): Promise<string[]> {
  await m.behind.settled(...planNames(plan));
  const docs = await m.attempt(() =>
    m.pending
      .find({ _id: under(plan), plan }, { batchSize: whole })
      .sort({ _id: 1 })
      .toArray(),
  );
  return docs.map(({ key }) => key);
}
