/** Random numbers that are the same for the same seed on every machine. */
export interface Random {
  /** From 0 up to, and without, 1. */
  next(): number;
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  /** True in `share` of all cases. */
  chance(share: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** An item by its weight. */
  weighted<T>(items: readonly T[], weightOf: (item: T) => number): T;
  /** `count` different items, in the order in which they stand. */
  sample<T>(items: readonly T[], count: number): T[];
}

/** The generator mulberry32: 32 bits of state, good enough for a sample and short enough to read. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    between,
    chance: (share) => next() < share,
    pick: (items) => items[between(0, items.length - 1)]!,
    weighted(items, weightOf) {
      let at = next() * items.reduce((sum, item) => sum + weightOf(item), 0);
      for (const item of items) {
        at -= weightOf(item);
        if (at < 0) return item;
      }
      return items.at(-1)!;
    },
    sample(items, count) {
      const chosen: (typeof items)[number][] = [];
      items.forEach((item, at) => {
        if (next() * (items.length - at) < count - chosen.length) chosen.push(item);
      });
      return chosen;
    },
  };
}
