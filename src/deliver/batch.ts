import type { DeliveryBatch, DeliveryItem, ItemResult } from '../connector/target.ts';
import { givenUpBy, personOf, subjectOf, takenBy } from '../outbox/items.ts';
import type { Settlement } from '../store/port.ts';

/** What is to be known of an item while its batch is with the target. */
export interface Head {
  item: string;
  /** See `personOf`. */
  person: string;
  /** True for the creation of an account. */
  creates: boolean;
  /** True for what gives up an address or an id, which somebody else may take after that. */
  gives: boolean;
  /** How often it was put off before. */
  attempts: number;
}

/** A batch on its way: its items, and the heads of them in the same order. */
export interface Batch {
  items: DeliveryBatch;
  heads: readonly Head[];
}

/** See `Head`. */
export function headOf(item: DeliveryItem, attempts = 0): Head {
  const [creates, gives] = [item.type === 'account.create', givenUpBy(item).length > 0];
  return { item: item.item, person: personOf(item), creates, gives, attempts };
}

/**
 * Takes a batch from queued items in their order, page after page: at most `size`, one a subject, nobody who has to wait,
 * and of a person whose turn is not yet complete nothing that comes later. What takes an address or an id waits for the item
 * by which somebody else gives it up, or the target would refuse it for good.
 */
export class Picker {
  readonly #size: number;
  readonly #waits: (person: string) => boolean;
  readonly #subjects = new Set<string>();
  readonly #passed = new Set<string>();
  /** Addresses and ids that are given up only by what was passed over, and by whom. */
  readonly #held = new Map<string, string>();

  constructor(size: number, waits: (person: string) => boolean) {
    this.#size = size;
    this.#waits = waits;
  }

  get full(): boolean {
    return this.#subjects.size >= this.#size;
  }

  /** What is taken of a page. */
  take(queued: readonly DeliveryItem[]): DeliveryItem[] {
    return queued.filter((item) => {
      if (this.full) return false;
      const person = personOf(item);
      const subject = subjectOf(item);
      if (
        this.#waits(person) ||
        this.#passed.has(person) ||
        this.#subjects.has(subject) ||
        this.#isHeld(item, person)
      ) {
        this.#passed.add(person);
        for (const value of givenUpBy(item)) this.#held.set(value, person);
        return false;
      }
      this.#subjects.add(subject);
      return true;
    });
  }

  #isHeld(item: DeliveryItem, person: string): boolean {
    if (this.#held.size === 0) return false;
    return takenBy(item).some((value) => (this.#held.get(value) ?? person) !== person);
  }
}

/** The next batch of a queue that is at hand. */
export function pickBatch(
  queued: readonly DeliveryItem[],
  size: number,
  waits: (person: string) => boolean,
): DeliveryItem[] {
  return new Picker(size, waits).take(queued);
}

/**
 * Completes what a target said: an item that it did not answer is tried again, and so is what it refused of a person
 * after something of the same person that has to be tried again, because the refusal may only say that the first one
 * is missing. Where the first one was the account itself and is refused for good, what is refused after it stands behind it,
 * and comes by itself when it got through.
 */
export function completeResults(heads: readonly Head[], results: readonly ItemResult[]): Settlement[] {
  // mostly they come in the order of the batch, and need no index
  const ordered = results.length === heads.length && results.every(({ item }, at) => item === heads[at]!.item);
  const byItem = ordered ? null : new Map(results.map((result) => [result.item, result]));
  const retried = new Set<string>();
  const uncreated = new Map<string, string>();
  return heads.map(({ item, person, creates }, at): Settlement => {
    const answered = byItem ? byItem.get(item) : results[at];
    const said: ItemResult = answered ?? { item, outcome: 'retry', answer: 'the target did not answer' };
    if (said.outcome === 'retry') retried.add(person);
    else if (said.outcome === 'failed' && retried.has(person)) return { item, outcome: 'retry', answer: said.answer };
    if (said.outcome !== 'failed') return said;
    const first = uncreated.get(person);
    if (first !== undefined) return { ...said, because: first };
    if (creates) uncreated.set(person, item);
    return said;
  });
}
