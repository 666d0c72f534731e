import type { Plan } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { getPlan } from './get.ts';

/** Every plan; only their ids are held together. */
export async function* allPlans(m: Mongo): AsyncGenerator<Plan> {
  const ids = await m.attempt(() => m.plans.find().project<{ _id: string }>({ _id: 1 }).toArray());
  for (const { _id } of ids) {
    const plan = await getPlan(m, _id);
    if (plan) yield plan;
  }
}
