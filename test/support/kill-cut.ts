import type { PlanSink } from '../../src/reconcile/plan.ts';
import type { Store } from '../../src/store/port.ts';

/** What a dead process can no longer do. */
export class Cut extends Error {}

/** Calls that write, by part of the store; `sink` is what `plans.sink` gives. */
const writes: Readonly<Record<string, readonly string[]>> = {
  sources: ['put'],
  runs: ['put'],
  snapshots: ['put', 'putPack'],
  rows: ['add', 'end', 'discard'],
  plans: ['put', 'discard'],
  sink: ['add', 'note', 'pending'],
  roster: ['apply', 'putCourses'],
  outbox: ['recover', 'processing', 'settle'],
};

/**
 * The store of a process that dies after so many writes: the last one has its effect, and nothing comes after it, no
 * write, no read, no tidying up. Kills by signal find the wide gaps between writes; this finds each of them.
 */
export function dyingStore(store: Store, afterWrites: number): { store: Store; alive(): boolean; last(): string } {
  let left = afterWrites;
  let last = 'the start';
  const dying = <T extends object>(part: T, name: string): T =>
    new Proxy(part, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function' || typeof key !== 'string') return value;
        return (...args: unknown[]): unknown => {
          if (key === 'sink') return dying(value.apply(target, args) as PlanSink, 'sink');
          if (left <= 0) throw new Cut();
          if (!writes[name]?.includes(key)) return value.apply(target, args);
          left -= 1;
          last = `${name}.${key}`;
          return value.apply(target, args);
        };
      },
    });
  const parts = Object.fromEntries(
    Object.entries(store).map(([name, part]) => [name, part && typeof part === 'object' ? dying(part, name) : part]),
  );
  return { store: parts as unknown as Store, alive: () => left > 0, last: () => last };
}
