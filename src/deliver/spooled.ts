import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { DeliveryBatch, DeliveryItem } from '../connector/target.ts';

const lineEnd = 10;

/** A batch in a file, one item a line: however large it is, one item at a time is in memory. */
export class SpooledBatch implements DeliveryBatch {
  length = 0;
  readonly #file: string;

  /** The file is made anew. */
  constructor(file: string) {
    this.#file = file;
    rmSync(file, { force: true });
  }

  add(items: readonly DeliveryItem[]): void {
    const file = openSync(this.#file, 'a', 0o600);
    try {
      const bytes = Buffer.from(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    } finally {
      closeSync(file);
    }
    this.length += items.length;
  }

  *[Symbol.iterator](): Generator<DeliveryItem> {
    if (this.length === 0) return;
    const file = openSync(this.#file, 'r');
    try {
      const chunk = Buffer.alloc(64 * 1024);
      let rest = Buffer.alloc(0);
      for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) {
        const bytes = Buffer.concat([rest, chunk.subarray(0, read)]);
        let begin = 0;
        for (let end = bytes.indexOf(lineEnd); end >= 0; end = bytes.indexOf(lineEnd, begin)) {
          yield JSON.parse(bytes.toString('utf8', begin, end)) as DeliveryItem;
          begin = end + 1;
        }
        rest = bytes.subarray(begin);
      }
    } finally {
      closeSync(file);
    }
  }
}
