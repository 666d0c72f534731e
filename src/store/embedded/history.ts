import type { Quarantined } from '../../snapshot/record.ts';
import type { Rows, StoredRow } from '../port.ts';
import { rowKeysOf } from '../row-keys.ts';
import { type Database, parse, type Row } from './database.ts';
import { recordOf } from './evidence.ts';

const lotSize = 1000;

/** Rows by the snapshots that brought and ended them: for moving a store, and for forgetting. */
export function history(db: Database): Pick<Rows, 'forget' | 'all' | 'ends'> {
  return {
    async forget(source, oldest) {
      const id = db.idOf('source_names', source);
      return db.tx(() => {
        // The newest row stays whatever it is: its number would be given again, while the look-ups still know the old one.
        const gone = db.run(
          `DELETE FROM rows WHERE id IN (SELECT row FROM ended WHERE source = ?1 AND last < ?2)
           AND id < (SELECT max(id) FROM rows)`,
          id,
          oldest,
        );
        db.run('DELETE FROM ended WHERE source = ? AND NOT EXISTS (SELECT 1 FROM rows WHERE id = row)', id);
        return gone;
      });
    },

    async *all(source) {
      const id = db.idOf('source_names', source);
      for (const { number } of db.all('SELECT DISTINCT first AS number FROM rows WHERE source = ? ORDER BY first', id))
        for (let after = 0; ; ) {
          const page = db.all(
            'SELECT * FROM rows WHERE source = ? AND first = ? AND id > ? ORDER BY id LIMIT ?',
            ...[id, number!, after, lotSize],
          );
          if (!page.length) break;
          yield { number: Number(number), rows: page.map((row) => storedOf(db, row)) };
          after = Number(page.at(-1)!['id']);
        }
    },

    async *ends(source) {
      const id = db.idOf('source_names', source);
      const numbers = db.all('SELECT DISTINCT last AS number FROM ended WHERE source = ? ORDER BY last', id);
      for (const { number } of numbers)
        for (let after = 0; ; ) {
          const page = db.all(
            `SELECT row, digest FROM ended JOIN rows ON rows.id = row
             WHERE ended.source = ? AND last = ? AND row > ? ORDER BY row LIMIT ?`,
            ...[id, number!, after, lotSize],
          );
          if (!page.length) break;
          yield { number: Number(number), digests: page.map((row) => row['digest'] as Uint8Array) };
          after = Number(page.at(-1)!['row']);
        }
    },
  };
}

/** A row of the table as the port has it. */
export function storedOf(db: Database, row: Row): StoredRow {
  const base = {
    digest: row['digest'] as Uint8Array,
    file: db.nameOf('file_names', Number(row['file'])),
    line: Number(row['line']),
  };
  if (row['bad'] === 1) return { ...base, row: { quarantined: parse<Quarantined>(row['body']) } };
  const record = recordOf(db, row);
  return { ...base, row: { record, keys: rowKeysOf(record) } };
}
