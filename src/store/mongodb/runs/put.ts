import { ObjectId } from 'mongodb';
import type { Run } from '../../port.ts';
import { dateOf, typeCounts } from '../documents.ts';
import { fenced, type Mongo } from '../mongo.ts';

/** Adds the run, or replaces it whole; its place among the others stays. */
export async function putRun(m: Mongo, { run, startedAt, endedAt, changes, decision, ...rest }: Run): Promise<void> {
  const fence = m.fence(`source:${rest.source}`);
  const doc = {
    ...rest,
    startedAt: new Date(startedAt),
    endedAt: dateOf(endedAt),
    changes: typeCounts(changes),
    decision: decision && { verdict: decision.verdict, at: new Date(decision.at) },
    fence,
  };
  const written = new ObjectId();
  await m.attempt(() =>
    fenced(run, () =>
      m.runs.updateOne(
        { _id: run, fence: { $lte: fence } },
        { $set: doc, $setOnInsert: { written } },
        { upsert: true },
      ),
    ),
  );
}
