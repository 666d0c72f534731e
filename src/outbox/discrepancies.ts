import { createHash } from 'node:crypto';
import type { Review, Store } from '../store/port.ts';

/**
 * Somebody of whom the sources say things that cannot all be true. Reconciliation changes nothing of such a person; what
 * was queued before, or approved since, waits as well, until a later run finds it settled or a person has looked at it.
 */
export interface Discrepancy {
  account: string;
  source: string;
  /** The conflict, by its short name. */
  reason: string;
  text: string;
  /** Sixteen hex digits; the same discrepancy has the same. */
  digest: string;
  /** When a person let it pass; null: it holds back. */
  reviewed: { at: string; note: string | null } | null;
}

/** More notes than any plan has. */
const all = 2 ** 31 - 1;

/** Every open discrepancy of somebody with an account, by account. A conflict is looked at again by each run of its source. */
export async function openDiscrepancies(store: Store): Promise<Discrepancy[]> {
  return openBeside(store, await store.outbox.reviews());
}

async function openBeside(store: Store, known: readonly Review[]): Promise<Discrepancy[]> {
  const reviews = new Map(known.map((review) => [`${review.account}/${review.discrepancy}`, review]));
  const found = new Map<string, Discrepancy>();
  for (const { source, pending } of await store.sources.all()) {
    if (pending === null) continue;
    for (const { kind, reason, text, account } of await store.plans.notes(pending, all)) {
      if (kind !== 'conflict' || account === null) continue;
      const digest = createHash('sha256').update([account, source, reason, text].join('\n')).digest('hex').slice(0, 16);
      const review = reviews.get(`${account}/${digest}`);
      const reviewed = review ? { at: review.at, note: review.note } : null;
      found.set(`${account}/${digest}`, { account, source, reason, text, digest, reviewed });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** The discrepancies that hold back, for as long as a delivery lasts: it may be at work for hours, and runs go on. */
export class HoldingBack {
  readonly #store: Store;
  #plans = '';
  /** By account, as of the last look. */
  now: ReadonlyMap<string, Discrepancy> = new Map();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads them again when a source has another plan in force than at the last look; true when that is so. */
  async look(): Promise<boolean> {
    const states = await this.#store.sources.all();
    const plans = states.map(({ source, pending }) => `${source} ${pending}`).join('\n');
    if (plans === this.#plans) return false;
    this.now = await holdingBack(this.#store);
    this.#plans = plans;
    return true;
  }
}

/** The discrepancies that hold back, by account; reviews of what is not open any more are forgotten. */
async function holdingBack(store: Store): Promise<ReadonlyMap<string, Discrepancy>> {
  const reviews = await store.outbox.reviews();
  const open = await openBeside(store, reviews);
  const known = new Set(open.map(({ account, digest }) => `${account}/${digest}`));
  const old = reviews.filter((one) => !known.has(`${one.account}/${one.discrepancy}`));
  if (old.length) await store.outbox.unreview(old);
  return new Map(open.filter((one) => one.reviewed === null).map((one) => [one.account, one]));
}
