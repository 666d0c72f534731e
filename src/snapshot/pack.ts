import type { RowIndex } from './row-index.ts';

/** Sets of row digests as sorted bytes, 16 each. Comparing two is one merge: no look-up, no decoding. */

/** Bytes of one digest. */
export const digestBytes = 16;

/** What a new set has that the old one has not, and the other way round. */
export interface Difference {
  /** Places in the order of the index, by row number, so that the rows are read in one go. */
  added: Uint32Array;
  /** Their digests, sorted. */
  addedPack: Uint8Array;
  gonePack: Uint8Array;
}

/** Compares a sorted index with an older pack. */
export function compare(index: RowIndex, old: Uint8Array): Difference {
  const view = new DataView(old.buffer, old.byteOffset, old.byteLength);
  const { sorted } = index;
  const added: number[] = [];
  const gone: number[] = [];
  let mine = 0;
  let its = 0;
  while (mine < sorted.length && its < old.length) {
    let order = sorted[mine]! - view.getUint32(its);
    for (let word = 1; word < 4 && order === 0; word += 1)
      order = sorted[mine + word]! - view.getUint32(its + word * 4);
    if (order <= 0) {
      if (order < 0) added.push(mine / 4);
      mine += 4;
    }
    if (order >= 0) {
      if (order > 0) gone.push(its);
      its += digestBytes;
    }
  }
  for (; mine < sorted.length; mine += 4) added.push(mine / 4);
  for (; its < old.length; its += digestBytes) gone.push(its);

  return {
    added: Uint32Array.from(added).sort((a, b) => index.rowAt(a) - index.rowAt(b)),
    addedPack: packed(added, (at) => index.digestAt(at)),
    gonePack: packed(gone, (from) => old.subarray(from, from + digestBytes)),
  };
}

function packed(entries: ArrayLike<number>, digestOf: (entry: number) => Uint8Array): Uint8Array {
  const pack = new Uint8Array(entries.length * digestBytes);
  for (let at = 0; at < entries.length; at += 1) pack.set(digestOf(entries[at]!), at * digestBytes);
  return pack;
}

/** The digests of a pack, one by one. */
export function* digestsOf(pack: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < pack.length; at += digestBytes) yield pack.subarray(at, at + digestBytes);
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
