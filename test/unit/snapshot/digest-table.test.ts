import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DigestTable, digestOf, packOf, wordsOf } from '../../../src/snapshot/digest-table.ts';
import { placeIn } from '../../../src/snapshot/pack.ts';

/** Digests of words that are often alike, also in all but one. */
const word = fc.oneof(fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const digest = fc.tuple(word, word, fc.nat(1), fc.nat(1));
const digests = fc.array(digest, { maxLength: 50 });

const textOf = (words: readonly number[]): string => words.map((one) => one.toString(16).padStart(8, '0')).join('');

/** Distinct digests in order, as a pack. */
function sorted(all: readonly (readonly number[])[]): { texts: string[]; pack: Uint8Array } {
  const texts = [...new Set(all.map(textOf))].sort();
  return { texts, pack: Buffer.from(texts.join(''), 'hex') };
}

test('digests are looked up as in a map, alone and all at once', () => {
  fc.assert(
    fc.property(digests, digests, (before, now) => {
      const { texts, pack } = sorted(before);
      const table = new DigestTable(pack);
      const words = Uint32Array.from(now.flat());
      expect(table.size).toBe(texts.length);
      for (const one of now) {
        const bytes = Buffer.from(textOf(one), 'hex');
        expect(placeIn(pack, bytes)).toBe(texts.indexOf(textOf(one)));
      }
      const { rows, unknown } = table.match(words, now.length);
      expect([...rows]).toEqual(texts.map((text) => now.findIndex((one) => textOf(one) === text) + 1));
      const missing = now.flatMap((one, at) => (texts.includes(textOf(one)) ? [] : [at]));
      expect([...unknown].sort((a, b) => a - b)).toEqual(missing);
    }),
    { numRuns: 1000 },
  );
});

test('words become the bytes that they came from', () => {
  fc.assert(
    fc.property(fc.array(digest, { minLength: 1, maxLength: 9 }), fc.nat(3), (all, shift) => {
      const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(all.map(textOf).join(''), 'hex')]).subarray(shift);
      const words = wordsOf(bytes);
      expect([...words]).toEqual(all.flat());
      expect(Buffer.from(digestOf(words, (all.length - 1) * 4)).toString('hex')).toBe(textOf(all.at(-1)!));
      expect(Buffer.from(packOf(words)).equals(bytes)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
