import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Observer } from './observer.ts';

/** What every step of a run is handed: time, a log, a way to stop, and somebody who watches. */
export interface Work {
  clock: Clock;
  log: Log;
  /** Somebody asked to stop: finish the batch in hand, start no other. Pulls end at once, they have nothing to lose. */
  signal: AbortSignal;
  /** Stop at once: even a batch in hand is left, and found again as `processing`. */
  abort: AbortSignal;
  /** A short sentence on what is being done now, and on whose behalf. Cheap to call often. */
  progress(who: string, text: string): void;
  /** Whoever counts; a command has nobody. */
  observer?: Observer;
}
