import type { DeliveryItem } from '../connector/target.ts';
import { effectOf, type PlannedChange } from '../reconcile/plan.ts';

/** The id of an outbox item: (plan, position, target). The same change to the same target is the same item for ever. */
export function itemId(plan: string, change: Pick<PlannedChange, 'rank' | 'key'>, target: string): string {
  return `${plan}:${change.rank}:${change.key}:${target}`;
}

/** What a target is given of a change. */
export function deliveryOf(item: string, planned: PlannedChange): DeliveryItem {
  const change = effectOf(planned);
  return {
    item,
    type: change.type,
    account: change.account,
    course: change.course,
    changed: Object.keys(change.after ?? {}).sort(),
    emailConfirmed: change.emailConfirmed,
  };
}
