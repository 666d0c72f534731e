import type { Mongo } from '../mongo.ts';

/** What stands in the roster because of a source: counted as it changes, so that nobody has to count it all. */
export async function standingOf(m: Mongo, source: string): Promise<{ accounts: number; enrolments: number }> {
  const doc = await m.attempt(() => m.roster.findOne({ _id: 'roster' }));
  const its = doc?.standing?.find((one) => one.source === source);
  return { accounts: its?.accounts ?? 0, enrolments: its?.enrolments ?? 0 };
}
