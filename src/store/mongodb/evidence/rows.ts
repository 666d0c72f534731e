import { type EvidenceRow, withPrefix } from '../../../reconcile/model.ts';
import type { PersonRecord } from '../../../snapshot/record.ts';
import type { RowDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { lastOf } from '../rows/discarded.ts';
import { anyOf, findKnown, type Known } from './known.ts';
import type { Moment } from './moment.ts';

/** Rows of all sources found under any of the keys, each once. */
export async function rowsOf(
  m: Mongo,
  moment: Moment,
  keys: readonly string[],
  known: Known<RowDoc>,
): Promise<EvidenceRow[]> {
  const people = keys.filter((key) => !key.startsWith('e:') && !key.startsWith('a:'));
  const conditions = [
    ...anyOf('person', people),
    ...anyOf('number', withPrefix(keys, 'n:')),
    ...anyOf('email', withPrefix(keys, 'e:')),
    ...anyOf('alias', withPrefix(keys, 'a:')),
  ];
  const docs = await findKnown(m, m.rows, conditions, known, !people.length);
  return docs.map((doc) => seen(moment, doc)).filter((row) => row !== null);
}

/** The row as evidence, or null when it is in no snapshot that counts here. */
function seen(moment: Moment, doc: RowDoc): EvidenceRow | null {
  const { source, first, file, line } = doc;
  const number = moment.numbers.get(source);
  const discarded = moment.discarded.get(source);
  if (number === undefined || !discarded || first > number || discarded.has(first)) return null;
  const last = lastOf(doc.last, discarded);
  const gone = source === moment.source && last === moment.number;
  if (!gone && last <= number) return null;
  const record = doc.bad ? null : recordOf(doc);
  return {
    source,
    state: gone ? 'gone' : 'now',
    record,
    hints: record ?? doc.quarantined!.hints,
    origin: { source, snapshot: first, file, line },
  };
}

/** The record of a good row. */
export function recordOf(doc: RowDoc): PersonRecord {
  const { id, ...said } = doc.record!;
  return {
    number: doc.number ?? null,
    id,
    ...(doc.alias === undefined ? {} : { alias: doc.alias }),
    email: doc.email ?? '',
    ...said,
    faculty: doc.faculty ?? '',
    department: doc.department ?? '',
    course: doc.course ?? '',
  };
}
