import type { Collection, Filter } from 'mongodb';
import { whole } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Documents of one collection that the question before found, by their ids. */
export type Known<T> = Map<string, T>;

/**
 * Finds documents under any of several conditions, each once. Planning asks by number and id first, and then by the
 * addresses that were found: the answers are nearly always the same documents. With `again` only their ids are asked
 * for, and then those that nobody has seen.
 */
export async function findKnown<T extends { _id: string }>(
  m: Mongo,
  collection: Collection<T>,
  conditions: readonly Filter<T>[],
  known: Known<T>,
  again: boolean,
): Promise<T[]> {
  const found: Known<T> = new Map();
  const look = async (where: Filter<T>): Promise<void> => {
    const docs = await m.attempt(() => collection.find<T>(where, { batchSize: whole }).toArray());
    for (const doc of docs) found.set(doc._id, doc);
  };
  const lookAgain = async (where: Filter<T>): Promise<void> => {
    const options = { projection: { _id: 1 }, batchSize: whole };
    const ids = await m.attempt(() => collection.find<{ _id: string }>(where, options).toArray());
    const unseen: string[] = [];
    for (const { _id } of ids) {
      const doc = known.get(_id);
      if (doc) found.set(_id, doc);
      else unseen.push(_id);
    }
    if (unseen.length) await look({ _id: { $in: unseen } } as unknown as Filter<T>);
  };
  await Promise.all(conditions.map(again && known.size ? lookAgain : look));
  known.clear();
  for (const [id, doc] of found) known.set(id, doc);
  return [...found.values()];
}

/** A condition for values, or none where there are none. */
export function anyOf(field: string, values: readonly string[]): Record<string, { $in: readonly string[] }>[] {
  return values.length ? [{ [field]: { $in: values } }] : [];
}
