import type { Clock } from '../base/clock.ts';
import type { Settlement } from '../store/port.ts';
import type { Head } from './batch.ts';

/** How patiently delivery tries again; times in milliseconds. */
export interface DeliveryPatience {
  /** For a whole batch that the target could not take. */
  batch: { retries: number; firstWaitMs: number; longestWaitMs: number };
  /** For one person's items: attempts within one delivery, and the first wait, which doubles. */
  itemAttempts: number;
  itemFirstWaitMs: number;
}

/** Who has to wait in one delivery, because something of theirs was put off a moment ago. */
export class Waiting {
  readonly #patience: DeliveryPatience;
  readonly #clock: Clock;
  readonly #people = new Map<string, { until: number; attempts: number }>();

  constructor(patience: DeliveryPatience, clock: Clock) {
    this.#patience = patience;
    this.#clock = clock;
  }

  has(person: string): boolean {
    const wait = this.#people.get(person);
    return wait !== undefined && (this.#gaveUp(wait) || wait.until > this.#clock.monotonic());
  }

  #gaveUp({ attempts }: { attempts: number }): boolean {
    return attempts >= this.#patience.itemAttempts;
  }

  /** What came of a batch: whose items are all settled waits no longer. */
  note(heads: readonly Head[], results: readonly Settlement[]): void {
    const { itemAttempts, itemFirstWaitMs, batch } = this.#patience;
    /** The longest wait that the target asked for, by person. */
    const again = new Map<string, number>();
    heads.forEach(({ person }, at) => {
      const result = results[at]!;
      if (result.outcome === 'retry') again.set(person, Math.max(again.get(person) ?? 0, result.delayMs ?? 0));
    });
    for (const { person } of heads) if (!again.has(person)) this.#people.delete(person);
    for (const [person, delayMs] of again) {
      const attempts = (this.#people.get(person)?.attempts ?? 0) + 1;
      const wait = Math.max(delayMs, itemFirstWaitMs * 2 ** (attempts - 1));
      // As with whole batches: the next delivery is the better place for a long wait.
      const tooLong = wait > batch.longestWaitMs;
      const until = this.#clock.monotonic() + wait;
      this.#people.set(person, { until, attempts: tooLong ? itemAttempts : attempts });
    }
  }

  /** Milliseconds until somebody need not wait any more; null: nobody is worth waiting for. */
  next(): number | null {
    const now = this.#clock.monotonic();
    const times = [...this.#people.values()].filter((one) => !this.#gaveUp(one) && one.until > now);
    return times.length ? Math.min(...times.map(({ until }) => until)) - now : null;
  }

  /** How many people are not tried again in this delivery. */
  get stuck(): number {
    return [...this.#people.values()].filter((one) => this.#gaveUp(one)).length;
  }
}
