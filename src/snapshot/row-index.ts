import type { Part, RowPlace, RowSink } from '../connector/source.ts';
import { DigestTable, digestOf, packOf, wordsOf } from './digest-table.ts';
import { writeDigest } from './hash-block.ts';
import { type Difference, digestBytes } from './pack.ts';
import { RowHasher } from './row-hasher.ts';

/**
 * The rows of one answer as digests, and where each lies: about 40 bytes a row, whatever the row says. A digest is the
 * first 16 bytes of SHA-256 over the row's bytes, mixed with a seed for how those bytes are read (columns, delimiter,
 * format), so that the same bytes under another header are another row. 16 bytes, because two rows with one digest would
 * be one person forgotten; a fast hash without a proof against that was refused.
 */
export class RowIndex implements RowSink {
  readonly #seeds: Uint32Array[];
  #words: Uint32Array;
  #offsets: Float64Array;
  #lengths: Uint32Array;
  #lines: Uint32Array;
  #parts: Uint16Array;
  #count = 0;
  #distinct = 0;
  /** Numbers of rows that the older pack has not, sorted by digest, each digest once; made by `compare`. */
  #added: Uint32Array = new Uint32Array(0);
  /** The older pack, and for each place in it the number of the row that has its digest, plus one. */
  #old: DigestTable | null = null;
  #oldRows: Uint32Array = new Uint32Array(0);

  /** Hashes large answers on a second thread; null for small ones, where starting it would take longer. */
  #hasher: RowHasher | null;

  /**
   * `reading`: fingerprint of the format. Room is taken by the size of the answer; pages never used cost no memory.
   * Answers of at least `threadFrom` bytes are hashed on a second thread.
   */
  constructor(parts: readonly Part[], reading: string, threadFrom = 32 * 1024 * 1024) {
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    const room = Math.ceil(bytes / 32) + 1024;
    this.#words = new Uint32Array(room * 4);
    this.#offsets = new Float64Array(room);
    this.#lengths = new Uint32Array(room);
    this.#lines = new Uint32Array(room);
    this.#parts = new Uint16Array(room);
    this.#seeds = parts.map((part) => {
      const seed = new Uint32Array(4);
      writeDigest(Buffer.from(`${reading}\n${part.layout}`), seed, 0);
      return seed;
    });
    this.#hasher =
      bytes < threadFrom
        ? null
        : new RowHasher((first, words, rows) => this.#words.set(words.subarray(0, rows * 4), first * 4));
  }

  row(bytes: Uint8Array, start: number, end: number, part: number, offset: number, line: number): void {
    const at = this.#count;
    if (at === this.#offsets.length) this.#grow();
    if (this.#hasher) this.#hasher.add(bytes, start, end);
    else writeDigest(bytes.subarray(start, end), this.#words, at * 4);
    this.#offsets[at] = offset;
    this.#lengths[at] = end - start;
    this.#lines[at] = line;
    this.#parts[at] = part;
    this.#count = at + 1;
  }

  /** After the last row: waits for the second thread. Before `compare`. */
  async finish(): Promise<void> {
    await this.#hasher?.finish();
    // Its blocks are as large as a third of the index.
    this.#hasher = null;
  }

  /** Ends the second thread of an answer that is not read to its end. */
  async abandon(): Promise<void> {
    await this.#hasher?.stop();
  }

  /** Rows seen, repeats included. */
  get seen(): number {
    return this.#count;
  }

  /** Distinct rows, after `compare`. */
  get distinct(): number {
    return this.#distinct;
  }

  /**
   * What the answer has that a sorted pack has not, and the other way round; once, and after it rows can be found. Of
   * rows that repeat the first one counts.
   */
  compare(old: Uint8Array): Difference {
    const count = this.#count;
    const words = this.#words;
    for (let row = 0; row < count; row += 1) {
      const seed = this.#seeds[this.#parts[row]!]!;
      words[row * 4]! ^= seed[0]!;
      words[row * 4 + 1]! ^= seed[1]!;
      words[row * 4 + 2]! ^= seed[2]!;
      words[row * 4 + 3]! ^= seed[3]!;
    }
    this.#old = new DigestTable(old);
    const { rows, unknown } = this.#old.match(words, count);
    this.#oldRows = rows;
    this.#added = this.#sorted(unknown);
    const stayed = rows.reduce((sum, row) => (row === 0 ? sum : sum + 1), 0);
    this.#distinct = stayed + this.#added.length;

    const addedWords = new Uint32Array(this.#added.length * 4);
    for (let at = 0; at < this.#added.length; at += 1)
      for (let word = 0; word < 4; word += 1) addedWords[at * 4 + word] = words[this.#added[at]! * 4 + word]!;
    const gonePack = new Uint8Array((this.#old.size - stayed) * digestBytes);
    for (let at = 0, to = 0; to < gonePack.length; at += 1)
      if (this.#oldRows[at] === 0) {
        gonePack.set(old.subarray(at * digestBytes, (at + 1) * digestBytes), to);
        to += digestBytes;
      }
    return { added: this.#added.slice().sort(), addedPack: packOf(addedWords), gonePack };
  }

  /**
   * Sorts rows by digest and drops repeats. Radix over the first word, which travels with the row's number: looking it
   * up each time would miss the processor's cache a million times.
   */
  #sorted(from: Uint32Array): Uint32Array {
    const count = from.length;
    let [keys, rows] = [new Uint32Array(count), from.slice()];
    let [nextKeys, nextRows] = [new Uint32Array(count), new Uint32Array(count)];
    for (let at = 0; at < count; at += 1) keys[at] = this.#words[rows[at]! * 4]!;
    for (const shift of [0, 11, 22]) {
      const starts = new Uint32Array(2049);
      for (let at = 0; at < count; at += 1) starts[((keys[at]! >>> shift) & 2047) + 1]! += 1;
      for (let digit = 1; digit <= 2048; digit += 1) starts[digit]! += starts[digit - 1]!;
      for (let at = 0; at < count; at += 1) {
        const digit = (keys[at]! >>> shift) & 2047;
        const to = starts[digit]!;
        starts[digit] = to + 1;
        nextKeys[to] = keys[at]!;
        nextRows[to] = rows[at]!;
      }
      [keys, nextKeys] = [nextKeys, keys];
      [rows, nextRows] = [nextRows, rows];
    }
    for (let at = 1; at < count; at += 1) {
      const row = rows[at]!;
      const key = keys[at]!;
      let into = at;
      while (into > 0 && keys[into - 1] === key && this.#compare(rows[into - 1]!, row) > 0) {
        rows[into] = rows[into - 1]!;
        into -= 1;
      }
      rows[into] = row;
    }
    let kept = 0;
    for (let at = 0; at < count; at += 1)
      if (kept === 0 || keys[at] !== keys[at - 1] || this.#compare(rows[kept - 1]!, rows[at]!, false) !== 0) {
        rows[kept] = rows[at]!;
        kept += 1;
      }
    return rows.slice(0, kept);
  }

  /** The digest of a row, after `compare`. */
  digestOf(row: number): Uint8Array {
    return digestOf(this.#words, row * 4);
  }

  place(row: number): RowPlace {
    return {
      part: this.#parts[row]!,
      offset: this.#offsets[row]!,
      length: this.#lengths[row]!,
      line: this.#lines[row]!,
    };
  }

  /** The row number of a digest, or -1; after `compare`. */
  find(digest: Uint8Array): number {
    const wanted = wordsOf(digest);
    const before = this.#old?.find(wanted, 0) ?? -1;
    if (before >= 0) return this.#oldRows[before]! - 1;
    let low = 0;
    let high = this.#added.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const row = this.#added[middle]!;
      let difference = 0;
      for (let word = 0; word < 4 && difference === 0; word += 1)
        difference = this.#words[row * 4 + word]! - wanted[word]!;
      if (difference === 0) return row;
      if (difference < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Order of two rows by their digests, and if wanted by which came first. */
  #compare(a: number, b: number, byNumber = true): number {
    for (let word = 0; word < 4; word += 1) {
      const difference = this.#words[a * 4 + word]! - this.#words[b * 4 + word]!;
      if (difference) return difference;
    }
    return byNumber ? a - b : 0;
  }

  #grow(): void {
    const room = this.#offsets.length * 2;
    const larger = <T extends Uint32Array | Float64Array | Uint16Array>(next: T, old: T): T => {
      next.set(old);
      return next;
    };
    this.#words = larger(new Uint32Array(room * 4), this.#words);
    this.#offsets = larger(new Float64Array(room), this.#offsets);
    this.#lengths = larger(new Uint32Array(room), this.#lengths);
    this.#lines = larger(new Uint32Array(room), this.#lines);
    this.#parts = larger(new Uint16Array(room), this.#parts);
  }
}
