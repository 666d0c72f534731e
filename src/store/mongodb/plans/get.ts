import type { Plan } from '../../port.ts';
import { countsOf } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Null when there is none of that id. */
export async function getPlan(m: Mongo, plan: string): Promise<Plan | null> {
  const doc = await m.attempt(() => m.plans.findOne({ _id: plan }));
  if (!doc) return null;
  const { _id, counts, ...rest } = doc;
  return { plan: _id, ...rest, counts: countsOf(counts) };
}
