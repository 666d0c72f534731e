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

/** Where the target does not say when to come again, the wait doubles with each attempt up to this. */
const longestOwnMs = 3_600_000;

interface Wait {
  until: number;
  /** In this delivery. */
  attempts: number;
  /** When the next delivery should try. */
  nextTime: number;
  /** True: the target has said when. */
  told: boolean;
  /** True: the target has it, see `ItemResult`. */
  taken: boolean;
}

/** Who is not tried again in this delivery. */
export interface Left {
  /** People with something that was put off. */
  putOff: number;
  /** People whose changes the target has, and does not show yet. */
  taken: number;
  /** When the first of them should be tried again, in milliseconds. */
  firstMs: number;
  /** As the target said, when it said so of all of them: nobody should be tried before. */
  toldMs?: number;
}

/** Who has to wait in one delivery, because something of theirs was put off a moment ago. */
export class Waiting {
  readonly #patience: DeliveryPatience;
  readonly #clock: Clock;
  readonly #people = new Map<string, Wait>();
  /** True once the target has had an answer about somebody in particular: what waits is no trouble of everybody's. */
  answered = false;

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
    /** By person: the longest wait that the target asked for, the most attempts ever, and whether all it has is taken. */
    const again = new Map<string, { delayMs: number; ever: number; taken: boolean }>();
    heads.forEach(({ person, attempts }, at) => {
      const result = results[at]!;
      const counts = result.outcome !== 'retry' || result.attempted !== false;
      if (counts) this.answered = true;
      if (result.outcome !== 'retry') return;
      const { taken = false } = result;
      if (taken) this.answered = true;
      const { delayMs = 0, ever = 0, ...before } = again.get(person) ?? { taken: false };
      again.set(person, {
        delayMs: Math.max(delayMs, result.delayMs ?? 0),
        ever: Math.max(ever, counts ? attempts + 1 : attempts),
        taken: before.taken || taken,
      });
    });
    for (const { person } of heads) if (!again.has(person)) this.#people.delete(person);
    const now = this.#clock.monotonic();
    for (const [person, { delayMs, ever, taken }] of again) {
      const attempts = (this.#people.get(person)?.attempts ?? 0) + 1;
      const wait = Math.max(delayMs, itemFirstWaitMs * 2 ** (attempts - 1));
      // As with whole batches: the next delivery is the better place for a long wait.
      const tooLong = wait > batch.longestWaitMs;
      const own = Math.min(longestOwnMs, itemFirstWaitMs * 2 ** ever);
      this.#people.set(person, {
        ...{ until: now + wait, attempts: tooLong ? itemAttempts : attempts, taken },
        ...{ nextTime: now + (taken ? wait : Math.max(wait, own)), told: delayMs > 0 },
      });
    }
  }

  /** Milliseconds until somebody need not wait any more; null: nobody is worth waiting for. */
  next(): number | null {
    const now = this.#clock.monotonic();
    const times = [...this.#people.values()].filter((one) => !this.#gaveUp(one) && one.until > now);
    return times.length ? Math.min(...times.map(({ until }) => until)) - now : null;
  }

  /** Who is not tried again in this delivery; null: nobody. */
  get left(): Left | null {
    const waits = [...this.#people.values()].filter((one) => this.#gaveUp(one));
    if (!waits.length) return null;
    const taken = waits.filter((one) => one.taken).length;
    const firstMs = Math.max(0, Math.min(...waits.map(({ nextTime }) => nextTime)) - this.#clock.monotonic());
    return {
      ...{ putOff: waits.length - taken, taken, firstMs },
      ...(waits.every(({ told }) => told) && { toldMs: firstMs }),
    };
  }
}
