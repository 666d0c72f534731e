import type { Clock } from '../base/clock.ts';
import type { Http, HttpRequest } from '../connector/http.ts';

/**
 * Knows when a target has all that it needs to answer, so that there is time for something else. While a file is on its
 * way, to the target or from it, there is none: whatever else is done then makes the target wait.
 */
export class Lull {
  #waits = 0;
  #wake: (() => void)[] = [];

  /** The same client, whose waits for answers are a lull. */
  http(http: Http): Http {
    const carries = ({ body, into }: HttpRequest): boolean => into !== undefined || typeof body === 'object';
    const gone = (answer: Promise<unknown>): void => void this.#during(answer).catch(() => {});
    return {
      send: (request) => (carries(request) ? http.send({ ...request, gone }) : this.#during(http.send(request))),
      close: () => http.close(),
    };
  }

  /** The same clock, whose waits are a lull. */
  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      wait: (ms, signal) => this.#during(clock.wait(ms, signal)),
    };
  }

  async #during<T>(wait: Promise<T>): Promise<T> {
    this.#waits += 1;
    for (const wake of this.#wake.splice(0)) wake();
    try {
      return await wait;
    } finally {
      this.#waits -= 1;
    }
  }

  /** Resolves in a lull, or when this is over, whatever came of it. */
  async orEndOf(sending: Promise<unknown>): Promise<void> {
    if (this.#waits > 0) return;
    const lull = new Promise<void>((resolve) => this.#wake.push(resolve));
    await Promise.race([lull, sending.catch(() => {})]);
  }
}
