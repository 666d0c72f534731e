import type { Run } from '../../port.ts';
import { countsOf, isoOf, type RunDoc, type RunOrder } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Null when there is none of that id. */
export async function getRun(m: Mongo, run: string): Promise<Run | null> {
  const doc = await m.attempt(() => m.runs.findOne({ _id: run }));
  return doc && runOf(doc);
}

/** A run as the port has it. */
export function runOf(doc: RunDoc & RunOrder): Run {
  const { _id, fence: _, written: __, startedAt, endedAt, changes, decision, ...rest } = doc;
  return {
    run: _id,
    ...rest,
    startedAt: startedAt.toISOString(),
    endedAt: isoOf(endedAt),
    changes: countsOf(changes),
    decision: decision && { verdict: decision.verdict, at: decision.at.toISOString() },
  };
}
