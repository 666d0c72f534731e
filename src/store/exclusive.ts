import type { Work } from '../base/work.ts';
import type { Lock, LockName, Store } from './port.ts';

/** Milliseconds between two looks at a lock that somebody else has. */
const lookAgainMs = 200;

/** Waits for a lock; ends with the reason of `work.signal` when somebody asks to stop meanwhile. */
export async function waitForLock(store: Store, on: LockName, work: Work, who: string): Promise<Lock> {
  const since = work.clock.monotonic();
  for (;;) {
    const lock = await store.lock(on);
    if (lock) return lock;
    work.signal.throwIfAborted();
    // the time says that this is a wait, and that nothing is stuck
    const minutes = Math.floor((work.clock.monotonic() - since) / 60_000);
    work.progress(who, `waiting for another rosterd${minutes ? `, ${minutes} min so far` : ''}`);
    await work.clock.wait(lookAgainMs * (1 + Math.random()), work.signal);
  }
}

/**
 * Work that stops when somebody asks for it, and when the lock that it is done under is lost: whoever took over goes on
 * from what is written down.
 */
export function under(lock: Lock, work: Work): Work {
  return {
    ...work,
    signal: AbortSignal.any([work.signal, lock.lost]),
    abort: AbortSignal.any([work.abort, lock.lost]),
  };
}
