import type { SourceState } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { sourceOf } from './get.ts';

/** Sorted by name; without those that only a lock has marked. */
export async function allSources(m: Mongo): Promise<SourceState[]> {
  const docs = await m.attempt(() =>
    m.sources
      .find({ next: { $exists: true } })
      .sort({ _id: 1 })
      .toArray(),
  );
  return docs.map((doc) => sourceOf(doc._id, doc));
}
