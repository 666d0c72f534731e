import type { Work } from '../base/work.ts';
import type { RosterView } from '../connector/target.ts';
import { publicEntry } from '../reconcile/model.ts';
import { under, waitForLock } from '../store/exclusive.ts';
import type { Store } from '../store/port.ts';

/** Reads the roster while nothing is applied to it: people and their enrolments as they belong together. */
export async function withRosterStill<T>(
  store: Store,
  target: string,
  work: Work,
  read: (roster: RosterView) => Promise<T>,
): Promise<T> {
  const lock = await waitForLock(store, 'roster', work, target);
  const { abort } = under(lock, work);
  const whileOurs = async function* <E, T>(list: AsyncIterable<E>, told: (entry: E) => T): AsyncGenerator<T> {
    for await (const entry of list) {
      abort.throwIfAborted();
      yield told(entry);
    }
  };
  try {
    return await read({
      people: () => whileOurs(store.roster.entries(), (entry) => entry),
      courses: () => whileOurs(store.roster.courses(), publicEntry),
    });
  } finally {
    await lock.release();
  }
}
