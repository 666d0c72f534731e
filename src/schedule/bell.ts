import type { Clock } from '../base/clock.ts';

/** Wakes one sleeper. A ring while nobody sleeps is heard by the next one. */
export class Bell {
  readonly #clock: Clock;
  #rung = false;
  #sleep: AbortController | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#sleep?.abort();
  }

  /** Waits for a ring, at most so long. */
  async heard(ms: number): Promise<void> {
    if (!this.#rung) {
      this.#sleep = new AbortController();
      await over(this.#clock, ms, this.#sleep.signal);
      this.#sleep = null;
    }
    this.#rung = false;
  }
}

/** True once a promise is settled, however; false when time is up or `hasten` aborts first. */
export async function endsWithin(
  clock: Clock,
  ms: number,
  promise: Promise<unknown>,
  hasten: AbortSignal,
): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  const timer = new AbortController();
  const cut = (): void => timer.abort();
  hasten.addEventListener('abort', cut, { once: true });
  if (hasten.aborted) cut();
  try {
    return await Promise.race([settled, over(clock, ms, timer.signal).then(() => false)]);
  } finally {
    hasten.removeEventListener('abort', cut);
    cut();
  }
}

/** Resolves when time is up or the signal aborts. */
async function over(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.wait(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
