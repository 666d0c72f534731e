import { planNames } from '../behind.ts';
import { under } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Throws away a plan with all that lies beside it; the plan itself last, so that a cut leaves what names the rest. */
export async function discardPlan(m: Mongo, plan: string): Promise<void> {
  await m.behind.over(...planNames(plan));
  const ids = { _id: under(plan) };
  await m.attempt(() => m.changes.deleteMany(ids));
  await m.attempt(() => m.notes.deleteMany(ids));
  await m.attempt(() => m.pending.deleteMany(ids));
  await m.attempt(() => m.applied.deleteMany(ids));
  await m.attempt(() => m.plans.deleteOne({ _id: plan }));
}
