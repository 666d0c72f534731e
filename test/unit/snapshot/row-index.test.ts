import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowIndex } from '../../../src/snapshot/row-index.ts';
import { digestOf, hexes, indexOf, packOf, part, twins } from './rows.ts';

const text = fc.oneof(fc.constantFrom(...twins.flat()), fc.string({ maxLength: 4 }));

const none = new Uint8Array(0);

test('the order is that of the digests, and each row is in it once', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), (rows) => {
      const index = indexOf(rows);
      const expected = [...new Set(rows)].map((row) => Buffer.from(digestOf(row)).toString('hex')).sort();
      expect(hexes(index.compare(none).addedPack)).toEqual(expected);
      expect(index.seen).toBe(rows.length);
      expect(index.distinct).toBe(expected.length);
    }),
    { numRuns: 1000 },
  );
});

test('of rows that repeat the first one counts, and every row is found by its digest, whatever was there before', () => {
  const some = fc.array(text, { maxLength: 60 });
  fc.assert(
    fc.property(some, some, text, (rows, before, other) => {
      const index = indexOf(rows);
      index.compare(packOf(before));
      expect(index.distinct).toBe(new Set(rows).size);
      for (const row of rows) {
        const first = rows.indexOf(row);
        expect(index.find(digestOf(row))).toBe(first);
        expect(index.place(first).line).toBe(first + 2);
      }
      if (!rows.includes(other)) expect(index.find(digestOf(other))).toBe(-1);
    }),
    { numRuns: 1000 },
  );
});

test('rows that begin with the same 32 bits are in the order of the rest', () => {
  for (const [a, b] of twins) {
    const [one, two] = [digestOf(a), digestOf(b)];
    expect(one.subarray(0, 4)).toEqual(two.subarray(0, 4));
    const sorted = [one, two].sort(Buffer.compare).map((pack) => hexes(pack)[0]);
    expect(hexes(packOf([a, b]))).toEqual(sorted);
    expect(hexes(packOf([b, a, b]))).toEqual(sorted);
  }
});

test('a digest is the first half of SHA-256, mixed with how the row is read', () => {
  const first = (reading: string, its = part) => {
    const index = indexOf(['x'], reading, [its]);
    index.compare(none);
    return index;
  };
  const plain = first('v1').digestOf(0);
  const bytes = (what: string) => createHash('sha256').update(what).digest().subarray(0, 16);
  const [row, seed] = [bytes('x'), bytes('v1\nplain')];
  expect(Buffer.from(plain)).toEqual(Buffer.from(row.map((byte, at) => byte ^ seed[at]!)));
  expect(first('v2').find(plain)).toBe(-1);
  expect(first('v1', { ...part, layout: 'semicolons' }).find(plain)).toBe(-1);
  expect(first('v1', { ...part, name: 'b.csv' }).find(plain)).toBe(0);
});

test('a place is where the row lies in the answer', () => {
  const index = indexOf(['ab', 'cde']);
  expect(index.place(1)).toEqual({ part: 0, offset: 3, length: 3, line: 3 });
});

test('more rows than the size of the answer promised are all there', () => {
  const rows = Array.from({ length: 5000 }, (_, n) => `row ${n}`);
  const index = indexOf(rows);
  index.compare(none);
  expect(index.distinct).toBe(5000);
  for (const n of [0, 1023, 1024, 4999]) expect(index.find(digestOf(rows[n]!))).toBe(n);
});

test('a second thread gives the same digests, whatever the rows and however long', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(text, fc.constant('long '.repeat(300_000)), fc.constant('')), { maxLength: 30 }),
      fc.integer({ min: 1, max: 3 }),
      async (rows, times) => {
        const many = Array.from({ length: times }, () => rows).flat();
        const index = new RowIndex([part], 'v1', 0);
        for (const row of many) index.row(Buffer.from(row), 0, Buffer.byteLength(row), 0, 0, 2);
        await index.finish();
        expect(hexes(index.compare(none).addedPack)).toEqual(hexes(packOf(many)));
      },
    ),
    { numRuns: 15 },
  );
});

test('a second thread keeps up with more rows than its blocks hold', async () => {
  const rows = Array.from({ length: 300_000 }, (_, n) => Buffer.from(`row ${n}`));
  const [one, two] = [new RowIndex([part], 'v1', 0), new RowIndex([part], 'v1')];
  for (const index of [one, two]) {
    for (const row of rows) index.row(row, 0, row.length, 0, 0, 2);
    await index.finish();
  }
  const [mine, its] = [one, two].map((index) => Buffer.from(index.compare(none).addedPack));
  expect(one.distinct).toBe(300_000);
  expect(mine!.equals(its!)).toBe(true);
});
