import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyDelta, digestsOf, joinDeltas } from '../../../src/snapshot/pack.ts';
import { hexes, indexOf, packOf, twins } from './rows.ts';

const text = fc.oneof(fc.constantFrom(...twins.flat()), fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'));
const texts = fc.array(text, { maxLength: 40 });

function only(rows: readonly string[], not: readonly string[]): string[] {
  return [...new Set(rows)].filter((row) => !not.includes(row));
}

test('a comparison finds what came and what went', () => {
  fc.assert(
    fc.property(texts, texts, (before, now) => {
      const { added, addedPack, gonePack } = indexOf(now).compare(packOf(before));
      expect([...added].map((row) => now[row])).toEqual(only(now, before));
      expect(added).toEqual(added.slice().sort());
      expect(hexes(addedPack)).toEqual(hexes(packOf(only(now, before))));
      expect(hexes(gonePack)).toEqual(hexes(packOf(only(before, now))));
    }),
    { numRuns: 1500 },
  );
});

test('a set is its base and what came and went since', () => {
  fc.assert(
    fc.property(texts, texts, (before, now) => {
      const { addedPack, gonePack } = indexOf(now).compare(packOf(before));
      expect(hexes(applyDelta(packOf(before), addedPack, gonePack))).toEqual(hexes(packOf(now)));
    }),
    { numRuns: 1500 },
  );
});

test('two deltas in a row are the one from the first to the last', () => {
  fc.assert(
    fc.property(texts, texts, texts, (base, before, now) => {
      const joined = joinDeltas(indexOf(before).compare(packOf(base)), indexOf(now).compare(packOf(before)));
      const { addedPack, gonePack } = indexOf(now).compare(packOf(base));
      expect(hexes(joined.addedPack)).toEqual(hexes(addedPack));
      expect(hexes(joined.gonePack)).toEqual(hexes(gonePack));
    }),
    { numRuns: 1500 },
  );
});

test('rows that begin with the same 32 bits are told apart on both sides', () => {
  for (const [a, b] of twins) {
    expect([...indexOf([a, 'x']).compare(packOf([b, 'x'])).added]).toEqual([0]);
    expect([...indexOf([b, a]).compare(packOf([b])).added]).toEqual([1]);
    expect(hexes(indexOf([a]).compare(packOf([a, b])).gonePack)).toEqual(hexes(packOf([b])));
  }
});

test('a pack that lies somewhere in a larger buffer is read from where it lies', () => {
  const pack = packOf(['a', 'b']);
  const larger = new Uint8Array(pack.length + 3);
  larger.set(pack, 3);
  const { added, gonePack } = indexOf(['a', 'c']).compare(larger.subarray(3));
  expect([...added]).toEqual([1]);
  expect(hexes(gonePack)).toEqual(hexes(packOf(['b'])));
});

test('a pack is taken apart into its digests', () => {
  const pack = packOf(['a', 'b', 'c']);
  expect([...digestsOf(pack)].map((one) => Buffer.from(one).toString('hex'))).toEqual(hexes(pack));
  expect([...digestsOf(new Uint8Array(0))]).toEqual([]);
});
