import type { SourceState } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { discardedOf } from '../rows/discarded.ts';
import { allSources } from '../sources/all.ts';

/** What counts at the moment of a plan: the snapshot of each source, and which numbers never count. */
export interface Moment {
  source: string;
  number: number;
  /** Other sources, in force or not. */
  others: readonly SourceState[];
  /** Number that counts of each source that has one, this run's included. */
  numbers: ReadonlyMap<string, number>;
  discarded: ReadonlyMap<string, ReadonlySet<number>>;
}

/** Looks once; the caller holds the lock of the roster, so that nothing comes into force meanwhile. */
export async function momentOf(m: Mongo, source: string, number: number): Promise<Moment> {
  const others = (await allSources(m)).filter((state) => state.source !== source);
  const numbers = new Map([[source, number]]);
  for (const state of others) if (state.current !== null) numbers.set(state.source, state.current);
  const discarded = new Map<string, ReadonlySet<number>>();
  for (const name of numbers.keys()) discarded.set(name, await discardedOf(m, name));
  return { source, number, others, numbers, discarded };
}
