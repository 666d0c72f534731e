import { Binary } from 'mongodb';
import type { StoredRow } from '../../port.ts';
import { rowsName } from '../behind.ts';
import { hexOf, whole } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { storedOf } from './all.ts';
import { discardedOf, lastOf } from './discarded.ts';

/** Rows of a snapshot by their digests, in the order asked. A row that came back has several documents; one is in it. */
export async function findRows(
  m: Mongo,
  source: string,
  number: number,
  digests: readonly Uint8Array[],
): Promise<(StoredRow | null)[]> {
  await m.behind.settled(rowsName(source));
  const discarded = await discardedOf(m, source);
  const binaries = digests.map((digest) => new Binary(digest));
  const docs = await m.attempt(() =>
    m.rows.find({ digest: { $in: binaries }, source, first: { $lte: number } }, { batchSize: whole }).toArray(),
  );
  const found = new Map<string, StoredRow>();
  for (const doc of docs)
    if (!discarded.has(doc.first) && lastOf(doc.last, discarded) > number)
      found.set(hexOf(doc.digest.value()), storedOf(doc));
  return digests.map((digest) => found.get(hexOf(digest)) ?? null);
}
