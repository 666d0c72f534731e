import type { CourseName, DeliveryItem } from '../../connector/target.ts';
import { typesOf } from '../../outbox/apply.ts';
import { deliveryOf, itemId, takesEnrolments } from '../../outbox/items.ts';
import { toldAs } from '../../reconcile/model.ts';
import { effectOf, type PlannedChange } from '../../reconcile/plan.ts';
import { interests, type Rosterd } from '../../run/rosterd.ts';
import type { Plan, PlanPosition, Store } from '../../store/port.ts';
import { Conflict } from '../control/errors.ts';

/** Changes that wait for a person: no items yet, but it is known which ones they would be. */

/** One change of a held plan for one target that takes it. `item`: the id that it gets once the plan is approved. */
export interface HeldItem {
  item: string;
  target: string;
  plan: Plan;
  planned: PlannedChange;
}

const pageSize = 500;

/** Every plan that waits, by the name of its source. */
async function heldPlans(store: Store): Promise<Plan[]> {
  const held = (await store.sources.all()).flatMap((state) => state.held ?? []);
  const plans = await Promise.all(held.map((plan) => store.plans.get(plan)));
  return plans.filter((plan) => plan !== null);
}

/** What waits, in the order in which it would be queued, after an item. Throws `Conflict` when that one's plan waits no more. */
export async function* heldItems(rosterd: Rosterd, after: string | null): AsyncGenerator<HeldItem> {
  const { store } = rosterd;
  const plans = await heldPlans(store);
  let place = after === null ? null : await heldItem(rosterd, after);
  if (after !== null && place === null)
    throw new Conflict('what waited has been decided on, or was replaced', { remedy: 'begin again, without after' });
  for (const plan of plans) {
    if (place && place.plan.plan !== plan.plan) continue;
    if (place) {
      const { item, planned } = place;
      const its = itemsOf(rosterd, plan, planned);
      yield* its.slice(its.findIndex((one) => one.item === item) + 1);
    }
    let at: PlanPosition | null = place?.planned ?? null;
    place = null;
    for (;;) {
      const page = await store.plans.changes(plan.plan, typesOf(plan, 'held'), at, pageSize);
      for (const planned of page) yield* itemsOf(rosterd, plan, planned);
      if (page.length < pageSize) break;
      at = page.at(-1)!;
    }
  }
}

/** What waits under an id; null when nothing does. */
export async function heldItem(rosterd: Rosterd, id: string): Promise<HeldItem | null> {
  const found = /^([^:]+):(\d+):(.+):([^:]+)$/.exec(id);
  if (!found) return null;
  const [, run, rank, key] = found as unknown as [string, string, string, string];
  const { store } = rosterd;
  const plan = (await heldPlans(store)).find((one) => one.plan === run);
  const planned = plan && (await changeAt(store, plan, { rank: Number(rank), key }));
  return (planned && itemsOf(rosterd, plan, planned).find(({ item }) => item === id)) ?? null;
}

/** The port gives changes after a place; the one before this begins as its key does, and is shorter. */
async function changeAt(store: Store, plan: Plan, { rank, key }: PlanPosition): Promise<PlannedChange | null> {
  let after: PlanPosition = { rank, key: key.slice(0, -1) };
  for (;;) {
    const page = await store.plans.changes(plan.plan, typesOf(plan, 'held'), after, pageSize);
    const found = page.find((one) => one.rank === rank && one.key === key);
    const last = page.at(-1);
    if (found || !last || last.rank > rank || (last.rank === rank && last.key > key)) return found ?? null;
    after = last;
  }
}

function itemsOf({ config }: Rosterd, plan: Plan, planned: PlannedChange): HeldItem[] {
  return interests(config)
    .filter(({ accepts }) => accepts.includes(toldAs(planned.type)))
    .map(({ target }) => ({ item: itemId(plan.plan, planned, target), target, plan, planned }));
}

/**
 * What the target would be given, were the plan approved now; but for the name, the year and the attributes in a removal,
 * which may be newer by then: to look one person up is not worth reading the whole roster.
 */
export async function heldDelivery({ store }: Rosterd, { item, planned }: HeldItem): Promise<DeliveryItem> {
  const change = effectOf(planned);
  let enrolments: readonly CourseName[] = [];
  if (takesEnrolments(change))
    for await (const entry of store.roster.entries())
      if (entry.account.account === change.account!.account) {
        enrolments = entry.enrolments.map(({ faculty, department, course }) => ({ faculty, department, course }));
        break;
      }
  return deliveryOf(item, planned, { facts: () => undefined, enrolments: () => enrolments });
}
