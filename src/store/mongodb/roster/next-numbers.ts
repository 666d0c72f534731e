import { numberPrefix } from '../../../reconcile/plan.ts';
import type { Mongo } from '../mongo.ts';

/** One more than the highest account number of each series, without its prefix. */
export async function nextNumbers(m: Mongo): Promise<Record<string, number>> {
  const next: Record<string, number> = {};
  for (const prefix of Object.values(numberPrefix)) {
    const series = { $gte: `${prefix}0000000`, $lte: `${prefix}9999999` };
    const [highest] = await m.attempt(() =>
      m.accounts.find({ _id: series }).sort({ _id: -1 }).limit(1).project<{ _id: string }>({ _id: 1 }).toArray(),
    );
    next[prefix] = highest ? Number(highest._id.slice(prefix.length)) + 1 : 1;
  }
  return next;
}
