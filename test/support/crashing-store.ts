import type { Store } from '../../src/store/port.ts';

/** Thrown by a store whose process is taken to be dead. */
export class Crash extends Error {}

/** When the process dies: at the n-th write (from 1), before or after its effect. */
export interface CrashPoint {
  write: number;
  when: 'before' | 'after';
}

const writes = new Set([
  ...['put', 'putPack', 'add', 'end', 'discard', 'note', 'pending', 'apply', 'putCourses'],
  ...['recover', 'processing', 'settle', 'merge', 'supersede', 'replay', 'forget', 'unreview', 'putPlatform'],
]);

/** The store of a process that dies at one of its writes: from then on every call fails, reading ones too. */
export function crashingStore(store: Store, point: CrashPoint): { store: Store; died(): boolean } {
  let count = 0;
  let dead = false;
  const wrap = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value === 'object' && value !== null) return wrap(value);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (dead) throw new Crash('the process is dead');
          if (!writes.has(String(name))) {
            const result: unknown = value.apply(target, args);
            // what `sink` and `evidence` give is part of the store as well
            return name === 'sink' || name === 'evidence' ? wrap(result as object) : result;
          }
          count += 1;
          if (count !== point.write) return value.apply(target, args);
          dead = true;
          if (point.when === 'before') throw new Crash('died before a write');
          return Promise.resolve(value.apply(target, args)).then(() => {
            throw new Crash('died after a write');
          });
        };
      },
    });
  return { store: wrap(store), died: () => dead };
}
