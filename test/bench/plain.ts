import { createReadStream } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { parse } from 'csv-parse';

/**
 * The script that IT would write today, to compare with: parse the whole file, upsert every row in batches, delete what
 * was not seen. It has no completeness check, no guard, no plan, no history and no outbox. Usage: plain.ts DB FILE
 */
const [database, file] = process.argv.slice(2) as [string, string];
const db = new DatabaseSync(database);
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -24000');
db.exec(`CREATE TABLE IF NOT EXISTS people (id TEXT, faculty TEXT, department TEXT, course TEXT, firstName TEXT,
  lastName TEXT, email TEXT, year TEXT, seen INTEGER, PRIMARY KEY (id, course)) WITHOUT ROWID`);
const run = Number((db.prepare('SELECT coalesce(max(seen), 0) + 1 AS run FROM people').get() as { run: number }).run);
const upsert = db.prepare(`INSERT INTO people (id, faculty, department, course, firstName, lastName, email, year, seen)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, course) DO UPDATE SET faculty = excluded.faculty,
  department = excluded.department, firstName = excluded.firstName, lastName = excluded.lastName,
  email = excluded.email, year = excluded.year, seen = excluded.seen`);
let inBatch = 0;
db.exec('BEGIN');
const rows = createReadStream(file).pipe(parse({ columns: true, bom: true }));
for await (const row of rows as AsyncIterable<Record<string, string>>) {
  const { id, faculty, department, course, firstName, lastName, email, year } = row as Record<string, string>;
  upsert.run(id!, faculty!, department!, course!, firstName!, lastName!, email!, year!, run);
  inBatch += 1;
  if (inBatch === 1000) {
    db.exec('COMMIT; BEGIN');
    inBatch = 0;
  }
}
db.prepare('DELETE FROM people WHERE seen <> ?').run(run);
db.exec('COMMIT');
db.close();
