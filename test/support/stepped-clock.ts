import type { Clock } from '../../src/base/clock.ts';

/** Lets everything run that waits for no time. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Sleeper {
  at: number;
  wake(): void;
}

/** A clock that stands until it is told to go on; waits end in the order of their times, each before the next. */
export class SteppedClock implements Clock {
  /** Waits that are not over. */
  readonly sleepers = new Set<Sleeper>();
  #elapsed = 0;
  #wall: number;

  constructor(start: string) {
    this.#wall = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#wall + this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stopped = (): void => {
        this.sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const sleeper = {
        at: this.#elapsed + ms,
        wake: () => {
          this.sleepers.delete(sleeper);
          signal?.removeEventListener('abort', stopped);
          resolve();
        },
      };
      this.sleepers.add(sleeper);
      signal?.addEventListener('abort', stopped, { once: true });
    });
  }

  /** The wall clock is set by somebody: `ms` forward, or back. No time passes. */
  set(ms: number): void {
    this.#wall += ms;
  }

  /** Lets time pass. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let next = this.#first(end); next; next = this.#first(end)) {
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.wake();
      await settle();
    }
    this.#elapsed = end;
  }

  /** Lets time pass until an instant. */
  advanceTo(instant: string): Promise<void> {
    return this.advance(Date.parse(instant) - this.now().getTime());
  }

  #first(end: number): Sleeper | null {
    let first: Sleeper | null = null;
    for (const sleeper of this.sleepers) if (sleeper.at <= end && (!first || sleeper.at < first.at)) first = sleeper;
    return first;
  }
}
