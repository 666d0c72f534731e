import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { blockBytes, blockRows, claim, type HashBlock, hashBlock, newBlock } from './hash-block.ts';

/** Takes the digests of a block, whose first row has the number `first`. */
type Taker = (first: number, words: Uint32Array, rows: number) => void;

/** Blocks on their way; when all are taken, the first thread hashes one itself instead of waiting. */
const mostBlocks = 12;

/**
 * Hashes rows on a second thread while the first one looks for the next rows; hashing is most of the cost of a file
 * that hardly changed. Blocks go out in order; digests come back in any.
 */
export class RowHasher {
  readonly #worker: Worker;
  readonly #take: Taker;
  readonly #free: HashBlock[] = [];
  /** Blocks that were sent, in order; the other thread answers in the same order. */
  readonly #sent: { block: HashBlock; first: number }[] = [];
  #blocks = 0;
  #block: HashBlock;
  #first = 0;
  #rows = 0;
  #bytes = 0;
  #failure: Error | null = null;
  #wake: () => void = () => {};

  constructor(take: Taker) {
    this.#take = take;
    this.#block = this.#fresh();
    this.#worker = new Worker(new URL(`./hash-worker${extname(import.meta.filename)}`, import.meta.url));
    this.#worker.on('message', () => this.#answered());
    this.#worker.on('error', (error) => {
      this.#failure = error as Error;
      this.#wake();
    });
  }

  /** Adds the next row; one that is larger than a block gets a block of its own size. */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (this.#rows === blockRows || (this.#rows && this.#bytes + end - start > blockBytes)) this.#send();
    if (end - start > this.#block.bytes.length)
      this.#block = { ...this.#block, bytes: new Uint8Array(new SharedArrayBuffer(end - start)) };
    this.#block.bytes.set(bytes.subarray(start, end), this.#bytes);
    this.#block.lengths[this.#rows] = end - start;
    this.#rows += 1;
    this.#bytes += end - start;
  }

  /** Hashes what is left, on both threads, and ends the second one. */
  async finish(): Promise<void> {
    try {
      this.#send();
      for (let at = this.#sent.length - 1; at >= 0; at -= 1) {
        const { block, first } = this.#sent[at]!;
        if (!claim(block)) continue;
        this.#sent.splice(at, 1);
        this.#hash(block, first);
      }
      while (this.#sent.length && !this.#failure)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      if (this.#failure) throw this.#failure;
    } finally {
      await this.stop();
    }
  }

  /** Ends the second thread, done or not. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(): void {
    const [block, first] = [this.#block, this.#first];
    block.state[0] = this.#rows;
    this.#first += this.#rows;
    [this.#rows, this.#bytes] = [0, 0];
    if (this.#free.length || this.#blocks < mostBlocks) {
      Atomics.store(block.state, 1, 0);
      this.#sent.push({ block, first });
      this.#worker.postMessage(block);
      this.#block = this.#free.pop() ?? this.#fresh();
    } else this.#hash(block, first);
  }

  #hash(block: HashBlock, first: number): void {
    hashBlock(block);
    this.#take(first, block.words, block.state[0]!);
  }

  /** The oldest block that the other thread had is done. */
  #answered(): void {
    const { block, first } = this.#sent.shift()!;
    this.#take(first, block.words, block.state[0]!);
    this.#free.push(block);
    if (!this.#sent.length) this.#wake();
  }

  #fresh(): HashBlock {
    this.#blocks += 1;
    return newBlock();
  }
}
