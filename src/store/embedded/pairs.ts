/**
 * Sorted pairs of a 32-bit hash and a row's number: all that finding rows takes, 8 bytes where a b-tree keeps whole
 * keys. Two keys may share a hash, so what is found here is a candidate, and the row itself has the last word.
 */

/** Pairs by hash, then row: two words each. */
export type Pairs = Uint32Array;

/** Most pairs that are sorted at a time: hash and place together still fit a double, which sorts natively. */
export const mostSorted = 2 ** 20;

/** The hash of a text key. Quick, and spread over all 32 bits; nothing depends on nobody finding two alike. */
export function hashOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Sorts the first `count` hashes, at most `mostSorted`, each with its row. Rows must come in their own order. */
export function sortPairs(hashes: Uint32Array, rows: Uint32Array, count: number): Pairs {
  const order = new Float64Array(count);
  for (let at = 0; at < count; at += 1) order[at] = hashes[at]! * mostSorted + at;
  order.sort();
  const pairs = new Uint32Array(count * 2);
  for (let at = 0; at < count; at += 1) {
    const hash = Math.floor(order[at]! / mostSorted);
    pairs[at * 2] = hash;
    pairs[at * 2 + 1] = rows[order[at]! - hash * mostSorted]!;
  }
  return pairs;
}

/** The first place in `pairs`, from `from` up to `to`, whose hash is not smaller; `to` when there is none. */
export function placeOf(pairs: Pairs, hash: number, from = 0, to = pairs.length / 2): number {
  let low = from;
  let high = Math.min(to, pairs.length / 2);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (pairs[middle * 2]! < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One sorted run out of two, piece by piece; a pair that both have comes once. */
export function* mergePairs(a: Iterable<Pairs>, b: Iterable<Pairs>, piecePairs: number): Generator<Pairs> {
  const [left, right] = [new Walk(a), new Walk(b)];
  let piece = new Uint32Array(piecePairs * 2);
  let filled = 0;
  while (!left.ended || !right.ended) {
    const order = left.ended ? 1 : right.ended ? -1 : left.hash - right.hash || left.row - right.row;
    const from = order <= 0 ? left : right;
    piece[filled] = from.hash;
    piece[filled + 1] = from.row;
    filled += 2;
    if (order === 0) right.next();
    from.next();
    if (filled < piece.length) continue;
    yield piece;
    piece = new Uint32Array(piecePairs * 2);
    filled = 0;
  }
  if (filled) yield piece.slice(0, filled);
}

/** The pairs of a run, one at a time. */
class Walk {
  readonly #pieces: Iterator<Pairs>;
  #piece: Pairs = new Uint32Array(0);
  #at = -2;
  ended = false;
  hash = 0;
  row = 0;
  constructor(pieces: Iterable<Pairs>) {
    this.#pieces = pieces[Symbol.iterator]();
    this.next();
  }
  next(): void {
    this.#at += 2;
    while (this.#at >= this.#piece.length) {
      const next = this.#pieces.next();
      if (next.done) {
        this.ended = true;
        return;
      }
      this.#piece = next.value;
      this.#at = 0;
    }
    this.hash = this.#piece[this.#at]!;
    this.row = this.#piece[this.#at + 1]!;
  }
}
