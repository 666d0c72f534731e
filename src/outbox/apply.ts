import type { Work } from '../base/work.ts';
import { type PlanType, planTypes } from '../reconcile/model.ts';
import type { Plan, PlanPart, Store, TargetInterest } from '../store/port.ts';

const batchSize = 500;

/** The change types that belong to a part of a plan. */
export function typesOf(plan: Pick<Plan, 'heldTypes'>, part: PlanPart): PlanType[] {
  return planTypes.filter((type) => plan.heldTypes.includes(type) === (part === 'held'));
}

/** How many changes of each type a part of a plan has. */
export function countsOf(plan: Plan, part: PlanPart): Plan['counts'] {
  return Object.fromEntries(typesOf(plan, part).map((type) => [type, plan.counts[type] ?? 0]));
}

/**
 * Applies one part of a stored plan: roster and outbox move together, batch by batch, from where an earlier attempt got
 * to. Stops between batches when asked to; the next start goes on from there.
 */
export async function applyPlan(
  store: Store,
  plan: Plan,
  part: PlanPart,
  targets: readonly TargetInterest[],
  work: Work,
): Promise<void> {
  const types = typesOf(plan, part);
  const total = Object.values(countsOf(plan, part)).reduce((sum, count) => sum + count, 0);
  let done = 0;
  let after = await store.roster.applied(plan.plan, part);
  // Before the first change, and never again: `vanished` would otherwise replace the `archived` of a change.
  if (after === null && plan.courseEntriesWith === part) await store.roster.putCourses(plan.courseEntries);
  while (total > 0) {
    work.signal.throwIfAborted();
    const changes = await store.plans.changes(plan.plan, types, after, batchSize);
    if (!changes.length) break;
    await store.roster.apply(plan, part, changes, targets);
    const { rank, key } = changes.at(-1)!;
    after = { rank, key };
    done += changes.length;
    work.progress(plan.source, `${done.toLocaleString('en')} of ${total.toLocaleString('en')} changes applied`);
  }
}
