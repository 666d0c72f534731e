import type { MongoClient, ServerType, TopologyDescription } from 'mongodb';
import type { Clock } from '../../base/clock.ts';
import { failureOf, RosterdError, Unavailable } from '../../base/errors.ts';
import type { Away } from '../port.ts';
import { isUnreachable, translated, withoutPassword } from './errors.ts';

/** Servers that take writes. */
const writable: readonly ServerType[] = ['Standalone', 'RSPrimary', 'Mongos', 'LoadBalancer'];

/** An operation that failed says something for so long; the driver's own look comes sooner. */
const lastsMs = 30_000;

/**
 * Whether a server that takes writes is there. Nothing is asked for it, so it can be told when nothing can be asked: the
 * driver looks at every server all the time anyway, every ten seconds at the latest, and operations that fail meanwhile say
 * so at once.
 */
export class Presence {
  readonly #place: string;
  readonly #clock: Clock;
  /** By the driver's looks. */
  #watched: Away | null = null;
  /** By the operations, and when the last one failed. */
  #failed: { away: Away; last: number } | null = null;

  constructor(client: MongoClient, place: string, clock: Clock) {
    this.#place = place;
    this.#clock = clock;
    client.on('topologyDescriptionChanged', ({ newDescription }) => this.#see(newDescription));
  }

  get away(): Away | null {
    const watched = this.#watched;
    const failed = this.#lasting;
    if (!watched || !failed) return watched ?? failed;
    return failed.since < watched.since ? { ...watched, since: failed.since } : watched;
  }

  /** An operation has been answered. */
  answered(): void {
    this.#failed = null;
  }

  /** An operation has failed; `error` is the driver's. */
  failed(error: unknown): void {
    if (!isUnreachable(error)) return;
    const since = this.#lasting?.since ?? this.#clock.now();
    this.#failed = { away: { since, error: this.#why(error as Error) }, last: this.#clock.monotonic() };
  }

  get #lasting(): Away | null {
    return this.#failed && this.#clock.monotonic() - this.#failed.last < lastsMs ? this.#failed.away : null;
  }

  #see({ servers }: TopologyDescription): void {
    const all = [...servers.values()];
    if (all.some(({ type }) => writable.includes(type))) this.#watched = null;
    else {
      const error = this.#why(all.find((server) => server.error)?.error ?? null);
      this.#watched = { since: this.#watched?.since ?? this.#clock.now(), error };
    }
  }

  #why(error: Error | null): Away['error'] {
    if (error === null) return failureOf(new Unavailable(`no server of ${this.#place} takes writes`));
    const known = translated(error, this.#place);
    if (known instanceof RosterdError && known.kind !== 'Unavailable') return failureOf(known);
    return failureOf(new Unavailable(`no MongoDB answers at ${this.#place}: ${withoutPassword(error.message)}`));
  }
}
