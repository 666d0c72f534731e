import { Binary } from 'mongodb';
import { personKey } from '../../../reconcile/model.ts';
import { hasCourse } from '../../../snapshot/record.ts';
import type { StoredRow } from '../../port.ts';
import { rowsName } from '../behind.ts';
import { hexOf, type RowDoc } from '../documents.ts';
import { onlyThereAlready } from '../errors.ts';
import type { Mongo } from '../mongo.ts';
import { snapshotKey } from '../snapshots/put.ts';

/** Batches of rows on their way at once; each is some hundred kilobytes. */
const atOnce = 3;

/**
 * Adds rows, and returns while they are on their way (`Behind`): they count for nothing before their snapshot is written.
 * Those of an attempt whose answer was lost are there already, under the same ids.
 */
export async function addRows(m: Mongo, source: string, number: number, rows: readonly StoredRow[]): Promise<void> {
  if (!rows.length) return;
  m.fence(`source:${source}`);
  const docs = rows.map((row) => rowDoc(source, number, row));
  const insert = async (): Promise<void> => {
    try {
      await m.rows.insertMany(docs, { ordered: false });
    } catch (error) {
      if (!onlyThereAlready(error)) throw error;
    }
  };
  await m.behind.write(rowsName(source), atOnce, () => m.attempt(insert));
}

/** Fields that are null are left out: sparse indexes then have nothing of them. */
function rowDoc(source: string, first: number, { digest, file, line, row }: StoredRow): RowDoc {
  const base = {
    _id: `${snapshotKey(source, first)}/${hexOf(digest)}`,
    source,
    digest: new Binary(digest),
    first,
    file,
    line,
  };
  if ('quarantined' in row) {
    const { hints, course, reason, column } = row.quarantined;
    return { ...base, ...keysFor(hints), ...course, bad: true, quarantined: { reason, column, hints } };
  }
  const { record, keys } = row;
  const { id, firstName, lastName, kind, year, attributes, provision, faculty, department, course } = record;
  return {
    ...base,
    ...keysFor(keys),
    ...(hasCourse(record) ? { faculty, department, course } : {}),
    record: { id, firstName, lastName, kind, year, attributes, ...(provision === false ? { provision } : {}) },
  };
}

function keysFor(keys: { number: string | null; id: string | null; alias?: string; email: string | null }) {
  const person = personKey(keys);
  return {
    ...(person === null ? {} : { person }),
    ...(keys.number === null ? {} : { number: keys.number }),
    ...(keys.email === null ? {} : { email: keys.email }),
    ...(keys.alias === undefined ? {} : { alias: keys.alias }),
  };
}
