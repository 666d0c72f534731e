import type { Work } from '../base/work.ts';
import type { Config } from '../configure/config.ts';
import type { Store, TargetInterest } from '../store/port.ts';

/** What a run works with: what is wanted, what is known, and how to work. */
export interface Rosterd {
  config: Config;
  store: Store;
  work: Work;
}

/** The targets as the outbox needs to know them; also disabled ones, whose changes wait in the queue. */
export function interests(config: Config): TargetInterest[] {
  return config.targets.map((target) => ({ target: target.name, accepts: target.connector.accepts(target.settings) }));
}
