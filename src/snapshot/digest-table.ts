import { digestBytes } from './pack.ts';

/**
 * The digests of a pack, to look others up in. Digests are spread evenly by nature, so the first bits of one lead to the
 * few places where it can be. Sorting an answer to merge it with the pack costs three times as much when hardly anything
 * has changed.
 */
export class DigestTable {
  /** Four words each, in the order of the pack. */
  readonly #words: Uint32Array;
  /** Where the digests begin whose first bits are the place. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  constructor(pack: Uint8Array) {
    this.#words = wordsOf(pack);
    const size = this.size;
    const bits = Math.min(Math.max(Math.ceil(Math.log2(size + 1)) - 1, 1), 22);
    this.#shift = 32 - bits;
    this.#starts = new Uint32Array(2 ** bits + 1);
    let bucket = 0;
    for (let at = 0; at < size; at += 1) {
      const its = this.#words[at * 4]! >>> this.#shift;
      while (bucket < its) this.#starts[++bucket] = at;
    }
    while (bucket < 2 ** bits) this.#starts[++bucket] = size;
  }

  /** How many digests there are. */
  get size(): number {
    return this.#words.length / 4;
  }

  /**
   * Looks up the first `count` digests of `words`, each numbered by its place there. Gives for each place of the pack the
   * number of the first one that it has, plus one, and the numbers of those that it has not. They are taken by their
   * first byte, so that what is read of the pack meanwhile stays in the processor's cache.
   */
  match(words: Uint32Array, count: number): { rows: Uint32Array; unknown: Uint32Array } {
    const mine = this.#words;
    const starts = this.#starts;
    const shift = this.#shift;
    const rows = new Uint32Array(this.size);
    const unknown = byFirstByte(words, count);
    let left = 0;
    for (let n = 0; n < count; n += 1) {
      const row = unknown[n]!;
      const [a, b, c, d] = [words[row * 4]!, words[row * 4 + 1]!, words[row * 4 + 2]!, words[row * 4 + 3]!];
      const bucket = a >>> shift;
      const end = starts[bucket + 1]! * 4;
      let at = starts[bucket]! * 4;
      while (at < end && !(mine[at] === a && mine[at + 1] === b && mine[at + 2] === c && mine[at + 3] === d)) at += 4;
      if (at === end) unknown[left++] = row;
      else if (rows[at / 4] === 0) rows[at / 4] = row + 1;
    }
    return { rows, unknown: unknown.subarray(0, left) };
  }
}

/** Rows by the first byte of their digests, in their own order within each. */
function byFirstByte(words: Uint32Array, count: number): Uint32Array {
  const starts = new Uint32Array(257);
  for (let row = 0; row < count; row += 1) starts[(words[row * 4]! >>> 24) + 1]! += 1;
  for (let byte = 1; byte <= 256; byte += 1) starts[byte]! += starts[byte - 1]!;
  const order = new Uint32Array(count);
  for (let row = 0; row < count; row += 1) {
    const byte = words[row * 4]! >>> 24;
    order[starts[byte]!] = row;
    starts[byte]! += 1;
  }
  return order;
}

/** The words of a pack. Packs have the high byte first, so that bytes sort as numbers do. */
export function wordsOf(pack: Uint8Array): Uint32Array {
  const words = new Uint32Array(pack.length / 4);
  const bytes = Buffer.from(words.buffer);
  bytes.set(pack);
  if (lowFirst) bytes.swap32();
  return words;
}

/** The pack of words, the other way round; the words are used up. */
export function packOf(words: Uint32Array): Uint8Array {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  if (lowFirst) bytes.swap32();
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

const lowFirst = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** One digest out of its words. */
export function digestOf(words: Uint32Array, from: number): Uint8Array {
  return packOf(words.slice(from, from + digestBytes / 4));
}
