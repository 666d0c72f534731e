import { courseKey } from '../connector/target.ts';
import { hasCourse, type PersonRecord } from '../snapshot/record.ts';
import type { RowKeys } from './port.ts';

/** What the row of a record is found by. */
export function rowKeysOf(record: PersonRecord): RowKeys {
  const { number, id, alias, email } = record;
  const keys = { number, id, email: email || null, course: hasCourse(record) ? courseKey(record) : null };
  return alias === undefined ? keys : { ...keys, alias };
}
