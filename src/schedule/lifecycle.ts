import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/**
 * The life of the service.
 *
 *     starting ──▶ connecting ──▶ running ──▶ stopping ──▶ stopped
 *        │             │             │           ▲
 *        └─────────────┴─────────────┼───────────┘  a stop may come at any time
 *                      └─────────────┴──▶ failed      it cannot connect, or a bug ended the ticker
 *
 * **starting**: made, nothing opened. **connecting**: the store is opened, what happened before is read. **running**: every
 * source is planned; only now the service is ready. **stopping**: nothing begins any more, what is in hand comes to
 * its end or is cut. **stopped** and **failed** are final; a service that failed to start holds nothing.
 */
export type Lifecycle =
  | { state: 'starting' }
  | { state: 'connecting' }
  | { state: 'running' }
  | { state: 'stopping'; reason: string }
  /** `left`: what did not end in time, although it was cut. */
  | { state: 'stopped'; left: readonly string[] }
  | { state: 'failed'; error: unknown };

const next: Record<Lifecycle['state'], readonly Lifecycle['state'][]> = {
  starting: ['connecting', 'stopping'],
  connecting: ['running', 'stopping', 'failed'],
  running: ['stopping', 'failed'],
  stopping: ['stopped'],
  stopped: [],
  failed: [],
};

/** The one place where the state of the service is kept, changed and logged. */
export class Life {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ended = Promise.withResolvers<Lifecycle>();
  #now: Lifecycle = { state: 'starting' };
  #since: Date;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#since = clock.now();
  }

  get now(): Lifecycle {
    return this.#now;
  }

  get since(): Date {
    return this.#since;
  }

  /** Resolves with the last state. */
  get ended(): Promise<Lifecycle> {
    return this.#ended.promise;
  }

  is(...states: Lifecycle['state'][]): boolean {
    return states.includes(this.#now.state);
  }

  /** Changes the state. What is not in the picture above is a bug, and throws. */
  to(state: Lifecycle): void {
    if (!next[this.#now.state].includes(state.state))
      throw new Error(`the service cannot go from ${this.#now.state} to ${state.state}`);
    const was = this.#now.state;
    this.#now = state;
    this.#since = this.#clock.now();
    const facts = { event: `service.${state.state}`, was };
    if (state.state === 'failed') {
      const error = messageOf(state.error);
      this.#log.error({ ...facts, error, err: state.error }, `failed: ${error}`);
    } else if (state.state === 'stopped' && state.left.length)
      this.#log.error({ ...facts, left: state.left }, `stopped, and left behind: ${state.left.join(', ')}`);
    else this.#log.info(state.state === 'stopping' ? { ...facts, reason: state.reason } : facts, state.state);
    if (next[state.state].length === 0) this.#ended.resolve(state);
  }
}
