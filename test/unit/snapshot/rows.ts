import type { Part } from '../../../src/connector/source.ts';
import { RowIndex } from '../../../src/snapshot/row-index.ts';

/** Texts whose SHA-256 begin with the same 32 bits, in pairs: what the radix sort alone cannot tell apart. */
export const twins = [
  ['row 24433', 'row 104301'],
  ['row 24412', 'row 141068'],
  ['row 42236', 'row 163526'],
  ['row 68987', 'row 171813'],
] as const;

export const part: Part = { name: 'a.csv', bytes: 1, sha256: '', modified: null, columns: ['x'], layout: 'plain' };

/** An index of rows, one after the other with a byte between them; line 2 is the first. */
export function indexOf(rows: readonly string[], reading = 'v1', parts: readonly Part[] = [part]): RowIndex {
  const index = new RowIndex(parts, reading);
  let offset = 0;
  rows.forEach((row, n) => {
    const bytes = Buffer.from(`..${row}.`);
    index.row(bytes, 2, bytes.length - 1, 0, offset, n + 2);
    offset += bytes.length - 2;
  });
  return index;
}

const none = new Uint8Array(0);

/** The sorted digests of rows. */
export function packOf(rows: readonly string[]): Uint8Array {
  return indexOf(rows).compare(none).addedPack;
}

/** The digest of a row by itself, where no sorting can go wrong. */
export const digestOf = (row: string): Uint8Array => packOf([row]);

/** The digests of a pack as hex, in their order. */
export function hexes(pack: Uint8Array): string[] {
  return Buffer.from(pack).toString('hex').match(/.{32}/g)?.slice() ?? [];
}
