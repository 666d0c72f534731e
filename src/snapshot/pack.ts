/** Sets of row digests as sorted bytes, 16 each: compared and joined without decoding a row. */

/** Bytes of one digest. */
export const digestBytes = 16;

/** What a new set has that the old one has not, and the other way round. */
export interface Delta {
  /** Both sorted. */
  addedPack: Uint8Array;
  gonePack: Uint8Array;
}

/** What an answer has that a pack has not, and the other way round. */
export interface Difference extends Delta {
  /** Row numbers in the order of the answer, so that the rows are read in one go. */
  added: Uint32Array;
}

/** Two deltas in a row as one: what came and went again, and what went and came again, is in neither. */
export function joinDeltas(first: Delta, second: Delta): Delta {
  return {
    addedPack: union(without(first.addedPack, second.gonePack), without(second.addedPack, first.gonePack)),
    gonePack: union(without(first.gonePack, second.addedPack), without(second.gonePack, first.addedPack)),
  };
}

/** The digests of one sorted pack that are not in another. */
export function without(pack: Uint8Array, other: Uint8Array): Uint8Array {
  const result = new Uint8Array(pack.length);
  let [to, its] = [0, 0];
  for (let at = 0; at < pack.length; at += digestBytes) {
    while (its < other.length && order(other, its, pack, at) < 0) its += digestBytes;
    if (its < other.length && order(other, its, pack, at) === 0) continue;
    result.set(pack.subarray(at, at + digestBytes), to);
    to += digestBytes;
  }
  return result.slice(0, to);
}

/** One sorted pack out of two that share nothing. */
function union(a: Uint8Array, b: Uint8Array): Uint8Array {
  return applyDelta(a, b, new Uint8Array(0));
}

/** The digests of a pack, one by one. */
export function* digestsOf(pack: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < pack.length; at += digestBytes) yield pack.subarray(at, at + digestBytes);
}

/** The place of a digest in a sorted pack, or -1. */
export function placeIn(pack: Uint8Array, digest: Uint8Array): number {
  let low = 0;
  let high = pack.length / digestBytes;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(pack, middle * digestBytes, digest, 0) < 0) low = middle + 1;
    else high = middle;
  }
  const at = low * digestBytes;
  return at < pack.length && order(pack, at, digest, 0) === 0 ? low : -1;
}

/** A set again from the full pack of its base and its own delta. All three are sorted; `gone` is part of `base`. */
export function applyDelta(base: Uint8Array, added: Uint8Array, gone: Uint8Array): Uint8Array {
  if (!added.length && !gone.length) return base;
  const result = new Uint8Array(base.length + added.length - gone.length);
  let [from, plus, minus, to] = [0, 0, 0, 0];
  while (from < base.length || plus < added.length) {
    if (plus < added.length && (from >= base.length || order(added, plus, base, from) < 0)) {
      result.set(added.subarray(plus, plus + digestBytes), to);
      plus += digestBytes;
      to += digestBytes;
    } else if (minus < gone.length && order(gone, minus, base, from) === 0) {
      minus += digestBytes;
      from += digestBytes;
    } else {
      // Runs between two differences are copied whole: that is nearly everything.
      const end = runEnd(base, from, added, plus, gone, minus);
      result.set(base.subarray(from, end), to);
      to += end - from;
      from = end;
    }
  }
  return result;
}

/** Where the run of base digests ends that lies before the next difference; at least one digest on. */
function runEnd(
  base: Uint8Array,
  from: number,
  added: Uint8Array,
  plus: number,
  gone: Uint8Array,
  minus: number,
): number {
  const before = (pack: Uint8Array, at: number): number => {
    if (at >= pack.length) return base.length;
    let low = from / digestBytes;
    let high = base.length / digestBytes;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order(base, middle * digestBytes, pack, at) < 0) low = middle + 1;
      else high = middle;
    }
    return low * digestBytes;
  };
  return Math.max(from + digestBytes, Math.min(before(added, plus), before(gone, minus)));
}

function order(a: Uint8Array, atA: number, b: Uint8Array, atB: number): number {
  for (let byte = 0; byte < digestBytes; byte += 1) {
    const difference = a[atA + byte]! - b[atB + byte]!;
    if (difference) return difference;
  }
  return 0;
}
