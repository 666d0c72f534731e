import type { StoredRow } from '../../port.ts';
import { rowKeysOf } from '../../row-keys.ts';
import { rowsName } from '../behind.ts';
import type { RowDoc } from '../documents.ts';
import { recordOf } from '../evidence/rows.ts';
import type { Mongo } from '../mongo.ts';
import { discardedOf } from './discarded.ts';
import { courseOf } from './quarantined.ts';

const lotSize = 1000;

/** Every row of a source, in lots of one snapshot each: the ids have the snapshots of a source side by side. */
export async function* allRows(m: Mongo, source: string): AsyncGenerator<{ number: number; rows: StoredRow[] }> {
  await m.behind.settled(rowsName(source));
  const discarded = await discardedOf(m, source);
  for (let after = `${source}/`; ; ) {
    const docs = await m.attempt(() =>
      m.rows
        .find({ _id: { $gt: after, $lt: `${source}0` } })
        .sort({ _id: 1 })
        .limit(lotSize)
        .toArray(),
    );
    if (!docs.length) return;
    for (const [number, lot] of Map.groupBy(docs, (doc) => doc.first))
      if (!discarded.has(number)) yield { number, rows: lot.map(storedOf) };
    after = docs.at(-1)!._id;
  }
}

/** A document as the port has it. */
export function storedOf(doc: RowDoc): StoredRow {
  const base = { digest: doc.digest.value(), file: doc.file, line: doc.line };
  if (doc.quarantined) return { ...base, row: { quarantined: { ...doc.quarantined, course: courseOf(doc) } } };
  const record = recordOf(doc);
  return { ...base, row: { record, keys: rowKeysOf(record) } };
}
