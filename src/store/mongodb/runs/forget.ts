import type { Mongo } from '../mongo.ts';

/** Forgets runs. */
export async function forgetRuns(m: Mongo, runs: readonly string[]): Promise<void> {
  if (runs.length) await m.attempt(() => m.runs.deleteMany({ _id: { $in: [...runs] } }));
}
