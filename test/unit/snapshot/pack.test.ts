import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyDelta, compare, digestsOf } from '../../../src/snapshot/pack.ts';
import type { RowIndex } from '../../../src/snapshot/row-index.ts';
import { hexes, indexOf, twins } from './rows.ts';

const text = fc.oneof(fc.constantFrom(...twins.flat()), fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'));
const texts = fc.array(text, { maxLength: 40 });

function only(rows: readonly string[], not: readonly string[]): string[] {
  return [...new Set(rows)].filter((row) => !not.includes(row));
}

/** Numbers of the rows that a comparison says came. */
function rowsAdded(index: RowIndex, old: Uint8Array): number[] {
  return [...compare(index, old).added].map((place) => index.rowAt(place));
}

test('a comparison finds what came and what went', () => {
  fc.assert(
    fc.property(texts, texts, (before, now) => {
      const index = indexOf(now);
      const { addedPack, gonePack } = compare(index, indexOf(before).pack());
      const added = rowsAdded(index, indexOf(before).pack());
      expect(added.map((row) => now[row])).toEqual(only(now, before));
      expect(added).toEqual([...added].sort((a, b) => a - b));
      expect(hexes(addedPack)).toEqual(hexes(indexOf(only(now, before)).pack()));
      expect(hexes(gonePack)).toEqual(hexes(indexOf(only(before, now)).pack()));
    }),
    { numRuns: 1500 },
  );
});

test('a set is its base and what came and went since', () => {
  fc.assert(
    fc.property(texts, texts, (before, now) => {
      const base = indexOf(before).pack();
      const index = indexOf(now);
      const { addedPack, gonePack } = compare(index, base);
      expect(hexes(applyDelta(base, addedPack, gonePack))).toEqual(hexes(index.pack()));
    }),
    { numRuns: 1500 },
  );
});

test('rows that begin with the same 32 bits are told apart on both sides', () => {
  for (const [a, b] of twins) {
    expect(rowsAdded(indexOf([a, 'x']), indexOf([b, 'x']).pack())).toEqual([0]);
    expect(rowsAdded(indexOf([b, a]), indexOf([b]).pack())).toEqual([1]);
    expect(hexes(compare(indexOf([a]), indexOf([a, b]).pack()).gonePack)).toEqual(hexes(indexOf([b]).pack()));
  }
});

test('a pack that lies somewhere in a larger buffer is read from where it lies', () => {
  const pack = indexOf(['a', 'b']).pack();
  const larger = new Uint8Array(pack.length + 3);
  larger.set(pack, 3);
  const { gonePack } = compare(indexOf(['a', 'c']), larger.subarray(3));
  expect(rowsAdded(indexOf(['a', 'c']), larger.subarray(3))).toEqual([1]);
  expect(hexes(gonePack)).toEqual(hexes(indexOf(['b']).pack()));
});

test('a pack is taken apart into its digests', () => {
  const pack = indexOf(['a', 'b', 'c']).pack();
  expect([...digestsOf(pack)].map((one) => Buffer.from(one).toString('hex'))).toEqual(hexes(pack));
  expect([...digestsOf(new Uint8Array(0))]).toEqual([]);
});
