import type { Run } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { runOf } from './get.ts';

/** Newest first by start; of one start the one that was written first comes last. */
export async function listRuns(m: Mongo, filter: { source?: string; skip?: number; limit: number }): Promise<Run[]> {
  const where = filter.source === undefined ? {} : { source: filter.source };
  const docs = await m.attempt(() =>
    m.runs
      .find(where)
      .sort({ startedAt: -1, written: -1 })
      .skip(filter.skip ?? 0)
      .limit(filter.limit)
      .toArray(),
  );
  return docs.map(runOf);
}
