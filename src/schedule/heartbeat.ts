import type { Clock } from '../base/clock.ts';

/** The ticker looks at least this often; see `scheduler.ts`. */
export const longestNapMs = 60_000;

/** So many naps without a look, and the ticker itself is stuck. */
const naps = 3;

/** Something at work: a run, a delivery. */
export interface AtWork {
  who: string;
  /** What it said last. */
  text: string;
  /** Since when it has said nothing new, in milliseconds. */
  quietMs: number;
}

/**
 * Real progress, for a watchdog to be tied to: that the event loop lives proves nothing. Each new word of something at work
 * counts (the words have numbers in them: rows read, people looked at, changes applied, items sent); the same words again
 * do not. When nothing is at work, each look at the schedule counts, for that is all that there is to do.
 */
export class Heartbeat {
  /** How often there was progress. Only ever grows. */
  beats = 0;
  readonly #clock: Clock;
  readonly #atWork = new Set<{ who: string; text: string; last: number }>();
  #looked: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#looked = clock.monotonic();
  }

  /** Something begins. `progress` takes its words; `end` is its last one. */
  begin(who: string): { progress(text: string): void; end(): void } {
    const one = { who, text: '', last: this.#clock.monotonic() };
    this.#atWork.add(one);
    this.beats += 1;
    return {
      progress: (text) => {
        if (text === one.text) return;
        one.text = text;
        one.last = this.#clock.monotonic();
        this.beats += 1;
      },
      end: () => {
        if (this.#atWork.delete(one)) this.beats += 1;
      },
    };
  }

  /** The ticker has looked at what is due. */
  looked(): void {
    this.#looked = this.#clock.monotonic();
    if (this.#atWork.size === 0) this.beats += 1;
  }

  /** Everything at work, the longest quiet first. */
  atWork(): AtWork[] {
    const now = this.#clock.monotonic();
    const all = [...this.#atWork].map(({ who, text, last }) => ({ who, text, quietMs: now - last }));
    return all.sort((a, b) => b.quietMs - a.quietMs);
  }

  /** In how many milliseconds something at work will have made no progress for too long; never when it already has. */
  stuckInMs(stuckAfterMs: number): number {
    const left = this.atWork().map(({ quietMs }) => stuckAfterMs + 1 - quietMs);
    return Math.min(...left.filter((ms) => ms > 0));
  }

  /** False when something at work, or the ticker, has made no progress for too long. */
  healthy(stuckAfterMs: number): boolean {
    const ticks = this.#clock.monotonic() - this.#looked <= naps * longestNapMs;
    return ticks && (this.atWork()[0]?.quietMs ?? 0) <= stuckAfterMs;
  }
}
