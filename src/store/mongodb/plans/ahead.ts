import type { PlanType } from '../../../reconcile/model.ts';
import type { PlannedChange } from '../../../reconcile/plan.ts';
import type { PlanPosition } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { changesOf } from './changes.ts';

/**
 * Reads the changes of a plan page by page, each while the one before is worked on: a plan that is read to its end does
 * not change any more. Whoever reads one page only asks for no other: it begins with the second.
 */
export class Ahead {
  readonly #m: Mongo;
  /** Where the page given last ended. */
  #end = '';
  #next: { at: string; page: Promise<PlannedChange[]> } | null = null;

  constructor(m: Mongo) {
    this.#m = m;
  }

  /** See `Plans.changes`; null for all types. */
  async page(
    plan: string,
    types: readonly PlanType[] | null,
    after: PlanPosition | null,
    limit: number,
  ): Promise<PlannedChange[]> {
    const placeOf = (at: PlanPosition | null): string => JSON.stringify([plan, types, limit, at?.rank, at?.key]);
    const asked = placeOf(after);
    const next = this.#next?.at === asked ? this.#next : null;
    const goesOn = next !== null || this.#end === asked;
    this.#next = null;
    const page = await (next?.page ?? changesOf(this.#m, plan, types, after, limit));
    const last = page.at(-1);
    this.#end = last ? placeOf({ rank: last.rank, key: last.key }) : '';
    if (goesOn && last && page.length === limit) {
      const following = changesOf(this.#m, plan, types, { rank: last.rank, key: last.key }, limit);
      // Told to whoever asks for it; nobody may.
      following.catch(() => {});
      this.#next = { at: this.#end, page: following };
    }
    return page;
  }

  /** A plan is being changed or thrown away. */
  forget(): void {
    this.#next = null;
  }
}
