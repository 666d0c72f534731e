import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOfText, mergePairs, type Pairs, placeOf, sortPairs } from '../../../src/store/embedded/pairs.ts';

/** Few hashes, so that many are alike, and the ends of what 32 bits hold. */
const hash = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1));
const hashes = fc.array(hash, { maxLength: 60 });

/** Pairs of hashes with rows numbered from `first` on. */
function pairsOf(all: readonly number[], first: number): Pairs {
  const rows = Uint32Array.from(all, (_, at) => first + at);
  return sortPairs(Uint32Array.from(all), rows, all.length);
}

/** Pairs as text, so that sets of them can be compared. */
function texts(pairs: Pairs): string[] {
  return Array.from({ length: pairs.length / 2 }, (_, at) => `${pairs[at * 2]} ${pairs[at * 2 + 1]}`);
}

/** The pairs in pieces of `size`, as a run has them. */
function* pieces(pairs: Pairs, size: number): Generator<Pairs> {
  for (let at = 0; at < pairs.length; at += size * 2) yield pairs.subarray(at, at + size * 2);
}

const byHash = ([a, b]: [number, number], [c, d]: [number, number]): number => a - c || b - d;

test('pairs are sorted by hash, those of one hash by row', () => {
  fc.assert(
    fc.property(hashes, fc.constantFrom(1, 2 ** 32 - 100), (all, first) => {
      const expected = all.map((one, at): [number, number] => [one, first + at]).sort(byHash);
      expect([...pairsOf(all, first)]).toEqual(expected.flat());
    }),
    { numRuns: 1000 },
  );
});

test('the place of a hash is the first that is not smaller, within bounds', () => {
  fc.assert(
    fc.property(hashes, hash, fc.nat(60), fc.nat(60), (all, wanted, a, b) => {
      const pairs = pairsOf(all, 1);
      const [from, to] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)];
      const sorted = all.slice().sort((x, y) => x - y);
      const within = sorted.slice(from, to).findIndex((one) => one >= wanted);
      expect(placeOf(pairs, wanted, from, to)).toBe(within === -1 ? to : from + within);
    }),
    { numRuns: 1000 },
  );
});

test('a merge has what either has, once and in order, in whole pieces but for the last', () => {
  fc.assert(
    fc.property(hashes, hashes, fc.integer({ min: 1, max: 9 }), fc.boolean(), (one, two, size, overlap) => {
      const a = pairsOf(one, 1);
      const b = pairsOf(two, overlap ? 1 : one.length + 1);
      const merged = [...mergePairs(pieces(a, 3), pieces(b, 5), size)];
      const all = [...new Set([...texts(a), ...texts(b)])];
      expect(merged.flatMap(texts)).toEqual(
        all.sort((x, y) =>
          byHash(x.split(' ').map(Number) as [number, number], y.split(' ').map(Number) as [number, number]),
        ),
      );
      for (const piece of merged.slice(0, -1)) expect(piece).toHaveLength(size * 2);
      if (merged.length) expect(merged.at(-1)!.length).toBeGreaterThan(0);
    }),
    { numRuns: 1000 },
  );
});

test('keys that differ in little have hashes that are spread over all 32 bits', () => {
  const all = new Set(Array.from({ length: 100_000 }, (_, n) => hashOfText(`i:s${String(n).padStart(8, '0')}`)));
  // One or two of a hundred thousand share a hash by chance.
  expect(all.size).toBeGreaterThan(99_980);
  const eighths = new Set([...all].map((one) => one >>> 29));
  expect(eighths.size).toBe(8);
});
