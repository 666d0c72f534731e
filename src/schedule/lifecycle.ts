import type { Clock } from '../base/clock.ts';
import { failureOf } from '../base/errors.ts';
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
    const log = this.#log;
    if (state.state === 'failed') {
      const error = failureOf(state.error);
      log.error({ event: 'service.failed', was, error, err: state.error }, `failed: ${error.message}`);
    } else if (state.state === 'stopped') {
      const left = state.left.join(', ');
      if (left) log.error({ event: 'service.stopped', was, left }, `stopped, and left behind: ${left}`);
      else log.info({ event: 'service.stopped', was, left: null }, 'stopped');
    } else if (state.state === 'stopping')
      log.info({ event: 'service.stopping', was, reason: state.reason }, 'stopping');
    else if (state.state === 'running') log.info({ event: 'service.running', was }, 'running');
    else if (state.state === 'connecting') log.info({ event: 'service.connecting', was }, 'connecting');
    else log.info({ event: 'service.starting', was }, 'starting');
    if (next[state.state].length === 0) this.#ended.resolve(state);
  }
}
