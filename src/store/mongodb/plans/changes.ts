import { changeRank, type PlanType, planTypes } from '../../../reconcile/model.ts';
import type { PlannedChange } from '../../../reconcile/plan.ts';
import type { PlanPosition } from '../../port.ts';
import type { ChangeDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** Changes of the types given (null: all), in order, after a position. */
export async function changesOf(
  m: Mongo,
  plan: string,
  types: readonly PlanType[] | null,
  after: PlanPosition | null,
  limit: number,
): Promise<PlannedChange[]> {
  if (types?.length === 0) return [];
  // The ranks before the first type wanted are passed over by the index, not one by one.
  const first = `${plan}/${Math.min(...(types ?? planTypes).map((type) => changeRank[type]))}/`;
  const from = after && `${plan}/${after.rank}/${after.key}`;
  const docs = await m.attempt(() =>
    m.changes
      .find({
        _id: from !== null && from >= first ? { $gt: from, $lt: `${plan}0` } : { $gte: first, $lt: `${plan}0` },
        plan,
        ...(types ? { type: { $in: [...types] } } : {}),
      })
      .sort({ _id: 1 })
      .limit(limit)
      .batchSize(limit)
      .toArray(),
  );
  return docs.map(plannedOf);
}

function plannedOf({ rank, key, type, body, rows }: ChangeDoc): PlannedChange {
  return { rank, key, type, body, rows };
}
