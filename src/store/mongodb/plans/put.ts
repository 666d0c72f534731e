import type { Plan } from '../../port.ts';
import { planNames } from '../behind.ts';
import { typeCounts } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Written when its changes are. A plan counts only when its source's state names it, so that a sleeper's plan is nobody's. */
export async function putPlan(m: Mongo, { plan, counts, ...rest }: Plan): Promise<void> {
  await m.behind.settled(...planNames(plan));
  const doc = { ...rest, counts: typeCounts(counts) };
  await m.attempt(() => m.plans.replaceOne({ _id: plan }, doc, { upsert: true }));
}
