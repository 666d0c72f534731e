import type { PlanPart, PlanPosition } from '../../port.ts';
import type { Mongo } from '../mongo.ts';

/** The id of the document that says how far a part of a plan got. */
export function appliedId(plan: string, part: PlanPart): string {
  return `${plan}/${part}`;
}

/** Null before the first batch. */
export async function appliedTo(m: Mongo, plan: string, part: PlanPart): Promise<PlanPosition | null> {
  const doc = await m.attempt(() => m.applied.findOne({ _id: appliedId(plan, part) }));
  return doc && { rank: doc.rank, key: doc.key };
}
