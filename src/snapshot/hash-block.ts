import { hash } from 'node:crypto';

/** Rows side by side in memory that two threads share, and the room for their digests. */
export interface HashBlock {
  bytes: Uint8Array<SharedArrayBuffer>;
  /** Length of each row. */
  lengths: Uint32Array<SharedArrayBuffer>;
  /** First 16 bytes of each row's SHA-256, as four words. */
  words: Uint32Array<SharedArrayBuffer>;
  /** Number of rows, and who hashes them: see `claim`. */
  state: Int32Array<SharedArrayBuffer>;
}

/** Bytes of one block: enough that a message costs nothing beside them, little enough to keep both threads busy. */
export const blockBytes = 1024 * 1024;
/** Most rows of one block, however short they are. */
export const blockRows = 16_384;

/** A new block; nobody has claimed it. */
export function newBlock(): HashBlock {
  return {
    bytes: new Uint8Array(new SharedArrayBuffer(blockBytes)),
    lengths: new Uint32Array(new SharedArrayBuffer(blockRows * 4)),
    words: new Uint32Array(new SharedArrayBuffer(blockRows * 16)),
    state: new Int32Array(new SharedArrayBuffer(8)),
  };
}

/** Takes a block for this thread; false when the other one has it. */
export function claim(block: HashBlock): boolean {
  return Atomics.compareExchange(block.state, 1, 0, 1) === 0;
}

/** Hashes all rows of a block. */
export function hashBlock({ bytes, lengths, words, state }: HashBlock): void {
  const rows = state[0]!;
  for (let row = 0, from = 0; row < rows; row += 1) {
    const end = from + lengths[row]!;
    writeDigest(bytes.subarray(from, end), words, row * 4);
    from = end;
  }
}

/** Writes the first 16 bytes of SHA-256 as four words. */
export function writeDigest(bytes: Uint8Array, words: Uint32Array, to: number): void {
  // A string of characters is the cheapest form to get a digest out of the native side: no buffer per row.
  const digest = hash('sha256', bytes, 'binary');
  for (let word = 0, from = 0; word < 4; word += 1, from += 4)
    words[to + word] =
      (digest.charCodeAt(from) << 24) |
      (digest.charCodeAt(from + 1) << 16) |
      (digest.charCodeAt(from + 2) << 8) |
      digest.charCodeAt(from + 3);
}
