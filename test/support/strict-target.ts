import { Unavailable } from '../../src/base/errors.ts';
import type { TargetConfig } from '../../src/configure/config.ts';
import {
  type AccountFacts,
  courseKey,
  type DeliveryBatch,
  type DeliveryItem,
  type ItemResult,
} from '../../src/connector/target.ts';
import { everything } from './history.ts';

/** What a strict target does to the next batch, and to the items of it. */
export type Fault =
  /** The batch has no effect, or all of it and the answer is lost. */
  | { fault: 'away'; when: 'before' | 'after' }
  /** Every `nth` item is refused for good, or put off. */
  | { fault: 'refuses' | 'puts off'; nth: number };

/** An effect on the target: which item changed something. */
export interface Effect {
  item: string;
  person: string;
  subject: string;
  /** What the person is after it, or the course is. */
  state: string;
  /** False: the answer was lost, and what the target said to the same item later may be another one. */
  told: boolean;
}

/**
 * A target that refuses whatever a strict system would: changes of somebody whom it never met, above all. It is told to
 * misbehave, and remembers which item had an effect.
 */
export class StrictTarget {
  readonly name: string;
  readonly people = new Map<string, AccountFacts>();
  readonly enrolments = new Set<string>();
  readonly effects: Effect[] = [];
  /** Refusals that no fault ordered: the queue sent what could not be taken. */
  readonly refusals: string[] = [];
  /** Everything that it was ever sent. */
  readonly batches: DeliveryItem[][] = [];
  faults: Fault[] = [];

  constructor(name: string) {
    this.name = name;
  }

  config(size: number): TargetConfig {
    const connector = {
      ...everything,
      batchSize: () => size,
      open: async () => ({
        deliver: async (items: DeliveryBatch) => {
          this.batches.push([...items]);
          return this.#deliver(this.batches.at(-1)!);
        },
        close: async () => {},
      }),
    };
    const settings = { url: 'http://127.0.0.1:9' };
    return { name: this.name, connector, enabled: true, rate: null, giveUpAfter: 1000, settings };
  }

  /** Why a target that is stricter still refuses an item; null: it does not. */
  stricter(_item: DeliveryItem): string | null {
    return null;
  }

  #deliver(items: readonly DeliveryItem[]): ItemResult[] {
    const fault = this.faults.shift();
    if (fault?.fault === 'away' && fault.when === 'before') throw new Unavailable('away');
    const before = this.effects.length;
    const refused = new Set<string>();
    const results = items.map((item, at): ItemResult => {
      if (fault && fault.fault !== 'away' && (at + 1) % fault.nth === 0) {
        if (item.account) refused.add(item.account.account);
        return { item: item.item, outcome: fault.fault === 'refuses' ? 'failed' : 'retry', answer: fault.fault };
      }
      const refusal = this.stricter(item) ?? this.#take(item);
      if (refusal === null) return { item: item.item, outcome: 'sent', answer: 'ok' };
      // in one batch with what a fault refused, nobody could know
      if (!refused.has(item.account!.account)) this.refusals.push(`${item.item}: ${refusal}`);
      return { item: item.item, outcome: 'failed', answer: refusal };
    });
    if (fault?.fault === 'away') {
      for (const effect of this.effects.slice(before)) effect.told = false;
      throw new Unavailable('the answer was lost');
    }
    return results;
  }

  #take({ item, type, account, course }: DeliveryItem): string | null {
    if (!account) return null;
    const number = account.account;
    const known = this.people.get(number);
    const effect = (subject: string, state: string): void => {
      this.effects.push({ item, person: number, subject, state, told: true });
    };
    if (course) {
      if (!known) return 'there is no such person';
      const key = `${number} ${courseKey(course)}`;
      const add = type === 'enrolment.add';
      if (this.enrolments.has(key) === add) return null;
      if (add) this.enrolments.add(key);
      else this.enrolments.delete(key);
      effect(key, type);
      return null;
    }
    if (type !== 'account.create' && !known) return 'there is no such person';
    if (JSON.stringify(known) === JSON.stringify(account)) return null;
    this.people.set(number, account);
    effect(number, JSON.stringify(account));
    return null;
  }
}
