import { Binary } from 'mongodb';
import { courseKey } from '../../../connector/target.ts';
import type { GoneRow } from '../../port.ts';
import { rowsName } from '../behind.ts';
import { hexOf, type RowDoc, whole } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { discardedOf } from './discarded.ts';

const pageSize = 1000;

/**
 * Marks rows that end with a snapshot. An end of a number that was discarded does not count and is written over; one of
 * a later number is left alone, so that a sleeper's marks never replace those of whoever took over.
 */
export async function endRows(
  m: Mongo,
  source: string,
  number: number,
  digests: Iterable<Uint8Array>,
): Promise<GoneRow[]> {
  m.fence(`source:${source}`);
  await m.behind.settled(rowsName(source));
  const wanted = [...digests];
  const discarded = await discardedOf(m, source);
  const gone: GoneRow[] = [];
  for (let at = 0; at < wanted.length; at += pageSize) {
    const page = wanted.slice(at, at + pageSize);
    const found = await alive(m, source, number, page, discarded);
    const rows = page.map((digest) => {
      const row = found.get(hexOf(digest));
      if (!row) throw new Error(`snapshot ${source}-${number}: a row of the snapshot before is not in the store`);
      return row;
    });
    const mark = { _id: { $in: rows.map((row) => row._id) }, last: { $not: { $gt: number } } };
    await m.attempt(() => m.rows.updateMany(mark, { $set: { last: number } }));
    gone.push(...rows.map(goneOf));
  }
  return gone;
}

/** The rows of the digests that the snapshot before has, ended by this one or not. */
async function alive(
  m: Mongo,
  source: string,
  number: number,
  digests: readonly Uint8Array[],
  discarded: ReadonlySet<number>,
): Promise<Map<string, RowDoc>> {
  const binaries = digests.map((digest) => new Binary(digest));
  const docs = await m.attempt(() =>
    m.rows
      .find({ digest: { $in: binaries }, source }, { batchSize: whole })
      .project<RowDoc>({ record: 0, quarantined: 0 })
      .toArray(),
  );
  const found = new Map<string, RowDoc>();
  for (const doc of docs) {
    if (doc.first >= number || discarded.has(doc.first)) continue;
    if (doc.last !== undefined && doc.last !== number && !discarded.has(doc.last)) continue;
    found.set(hexOf(doc.digest.value()), doc);
  }
  return found;
}

function goneOf({ person, faculty, department, course, bad }: RowDoc): GoneRow {
  return {
    person: person ?? null,
    course: course === undefined ? null : courseKey({ faculty: faculty!, department: department!, course }),
    quarantined: bad === true,
  };
}
