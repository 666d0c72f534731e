import type { Move } from '../port.ts';
import type { Database } from './database.ts';

/** A move into this store. */
export function move(db: Database): Move {
  const tables = (): string[] =>
    db
      .all(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN ('moves', 'owner')",
      )
      .map((row) => row['name'] as string);
  return {
    async from() {
      return (db.get('SELECT origin FROM moves')?.['origin'] as string | undefined) ?? null;
    },
    async empty() {
      return tables().every((table) => !db.get(`SELECT 1 FROM ${table} LIMIT 1`));
    },
    async begin(from) {
      db.tx(() => {
        db.run('INSERT OR REPLACE INTO moves (one, origin) VALUES (1, ?)', from);
        for (const table of tables()) db.run(`DELETE FROM ${table}`);
      });
    },
    async end() {
      db.run('DELETE FROM moves');
    },
  };
}
