import type { CourseName } from '../../../connector/target.ts';
import type { QuarantinedRow } from '../../port.ts';
import { rowsName } from '../behind.ts';
import type { RowDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { discardedOf, lastOf } from './discarded.ts';

/** By file and line. Rows in quarantine are few, so the order is made here. */
export async function quarantinedRows(
  m: Mongo,
  source: string,
  number: number,
  limit: number,
): Promise<QuarantinedRow[]> {
  await m.behind.settled(rowsName(source));
  const discarded = await discardedOf(m, source);
  const docs = await m.attempt(() => m.rows.find({ bad: true, source, first: { $lte: number } }).toArray());
  return docs
    .filter((doc) => !discarded.has(doc.first) && lastOf(doc.last, discarded) > number)
    .sort((a, b) => Buffer.compare(Buffer.from(a.file), Buffer.from(b.file)) || a.line - b.line)
    .slice(0, limit)
    .map((doc) => ({
      ...doc.quarantined!,
      course: courseOf(doc),
      digest: doc.digest.value(),
      file: doc.file,
      line: doc.line,
    }));
}

/** The course that a row names, if it names one. */
export function courseOf({ faculty, department, course }: RowDoc): CourseName | null {
  return course === undefined ? null : { faculty: faculty!, department: department!, course };
}
