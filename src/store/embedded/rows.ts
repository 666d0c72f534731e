import { type CourseName, courseKey } from '../../connector/target.ts';
import { personKey } from '../../reconcile/model.ts';
import type { Hints, PersonRecord, Quarantined } from '../../snapshot/record.ts';
import type { GoneRow, Rows, StoredRow } from '../port.ts';
import { breath, type Database, parse, type Row } from './database.ts';
import { evidence } from './evidence.ts';
import { by, Finder, forgetRowsAbove, hashOfDigest, indexRows } from './finder.ts';
import { storedOf } from './history.ts';

/** Rows of all snapshots, each kept once with the snapshots that it lives in. */
export function rows(db: Database): Omit<Rows, 'forget' | 'all' | 'ends'> {
  const people = new PeopleInOrder(db);
  /** What rows are looked up in by their digests, batch after batch. */
  let finder: Finder | null = null;
  const opened = (): Finder => {
    if (!finder) indexRows(db);
    finder ??= new Finder(db);
    return finder;
  };
  const written = (): void => {
    people.forget();
    finder = null;
  };
  return {
    async add(source, number, batch) {
      await breath();
      written();
      db.tx(() => {
        const id = db.idOf('source_names', source);
        for (const row of batch) insert(db, id, number, row);
      });
    },

    async end(source, number, digests) {
      await breath();
      people.forget();
      const found = opened();
      return db.tx(() => end(db, found, source, number, [...digests]));
    },

    async discard(source, number) {
      written();
      db.tx(() => {
        const id = db.idOf('source_names', source);
        db.run('DELETE FROM rows WHERE source = ? AND first = ?', id, number);
        forgetRowsAbove(db);
        db.run('DELETE FROM ended WHERE source = ? AND last = ?', id, number);
        db.run('DELETE FROM packs WHERE source = ? AND number = ?', source, number);
        db.run('DELETE FROM snapshots WHERE source = ? AND number = ?', source, number);
      });
    },

    async find(source, number, digests) {
      await breath();
      return find(db, opened(), source, number, digests);
    },

    async quarantined(source, number, limit) {
      return db
        .all(
          `SELECT digest, body, line, (SELECT name FROM file_names WHERE id = file) AS file
           FROM rows INDEXED BY rows_bad LEFT JOIN ended ON ended.row = rows.id WHERE rows.source = ?1 AND bad = 1 AND first <= ?2 AND (last IS NULL OR last > ?2) ORDER BY file, line LIMIT ?3`,
          db.idOf('source_names', source),
          number,
          limit,
        )
        .map((row) => ({
          ...parse<Quarantined>(row['body']),
          digest: row['digest'] as Uint8Array,
          file: row['file'] as string,
          line: Number(row['line']),
        }));
    },

    async personPage(source, number, after, limit) {
      return people.page(db.idOf('source_names', source), number, after, limit);
    },

    evidence(source, number) {
      finder = null;
      indexRows(db);
      return evidence(db, source, number);
    },
  };
}

/** Marks the rows of the digests, and gives them back in their order. */
function end(db: Database, finder: Finder, source: string, number: number, digests: Uint8Array[]): GoneRow[] {
  const id = db.idOf('source_names', source);
  const found = new Map<string, Row>();
  for (const row of db.all(
    `SELECT rows.id, digest, person, bad, course FROM rows LEFT JOIN ended ON ended.row = rows.id WHERE rows.id IN (SELECT value FROM json_each(?3))
     AND rows.source = ?1 AND first < ?2 AND (last IS NULL OR last = ?2)`,
    id,
    number,
    JSON.stringify(finder.candidates(by.digest, Uint32Array.from(digests, hashOfDigest))),
  ))
    found.set(textOf(row['digest'] as Uint8Array), row);
  const gone = digests.map((digest) => {
    const row = found.get(textOf(digest));
    if (!row) throw new Error(`snapshot ${source}-${number}: a row of the snapshot before is not in the store`);
    return row;
  });
  db.run(
    'INSERT OR REPLACE INTO ended (row, source, last) SELECT value, ?, ? FROM json_each(?) ORDER BY value',
    id,
    number,
    JSON.stringify(gone.map((row) => row['id'])),
  );
  return gone.map((row) => ({
    person: row['person'] as string | null,
    course: row['course'] === null ? null : db.nameOf('course_names', Number(row['course'])),
    quarantined: row['bad'] === 1,
  }));
}

/** The rows of the digests in a snapshot, in their order. */
function find(
  db: Database,
  finder: Finder,
  source: string,
  number: number,
  digests: readonly Uint8Array[],
): (StoredRow | null)[] {
  const found = new Map<string, StoredRow>();
  for (const row of db.all(
    `SELECT rows.* FROM rows LEFT JOIN ended ON ended.row = rows.id WHERE rows.id IN (SELECT value FROM json_each(?3))
     AND rows.source = ?1 AND first <= ?2 AND (last IS NULL OR last > ?2)`,
    db.idOf('source_names', source),
    number,
    JSON.stringify(finder.candidates(by.digest, Uint32Array.from(digests, hashOfDigest))),
  ))
    found.set(textOf(row['digest'] as Uint8Array), storedOf(db, row));
  return digests.map((digest) => found.get(textOf(digest)) ?? null);
}

/** A digest as a key of a map. */
function textOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1');
}

/**
 * The people of one snapshot, sorted into a temporary table when the first page is asked for: everybody is looked at
 * seldom, and an index that is kept for it would cost every sync.
 */
class PeopleInOrder {
  readonly #db: Database;
  #of: string | null = null;
  constructor(db: Database) {
    this.#db = db;
  }

  page(source: number, number: number, after: string, limit: number): string[] {
    if (this.#of !== `${source}-${number}`) this.#fill(source, number);
    const sql = 'SELECT person FROM temp.people WHERE person > ? ORDER BY person LIMIT ?';
    const page = this.#db.all(sql, after, limit).map((row) => row['person'] as string);
    // Whoever pages has seen the last one; the room is given back.
    if (!page.length) this.forget();
    return page;
  }

  #fill(source: number, number: number): void {
    this.forget();
    this.#db.tx(() => {
      this.#db.run('CREATE TEMP TABLE IF NOT EXISTS people (person TEXT PRIMARY KEY) WITHOUT ROWID');
      this.#db.run(
        `INSERT INTO temp.people SELECT DISTINCT person FROM rows LEFT JOIN ended ON ended.row = rows.id
         WHERE rows.source = ?1 AND person IS NOT NULL AND first <= ?2 AND (last IS NULL OR last >= ?2) ORDER BY person`,
        source,
        number,
      );
    });
    this.#of = `${source}-${number}`;
  }

  /** After rows have changed. */
  forget(): void {
    if (this.#of === null) return;
    this.#of = null;
    this.#db.run('DELETE FROM temp.people');
  }
}

function insert(db: Database, source: number, number: number, row: StoredRow): void {
  const good = 'record' in row.row;
  const keys: Hints & { alias?: string } = 'record' in row.row ? row.row.keys : row.row.quarantined.hints;
  const course = 'record' in row.row ? row.row.keys.course : courseOf(row.row.quarantined.course);
  db.run(
    `INSERT INTO rows (source, digest, first, person, number, email, course, file, line, bad, body, alias)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    source,
    row.digest,
    number,
    personKey(keys),
    keys.number,
    keys.email,
    course === null ? null : db.idOf('course_names', course),
    db.idOf('file_names', row.file),
    row.line,
    good ? 0 : 1,
    'record' in row.row ? bodyOf(row.row.record) : JSON.stringify(row.row.quarantined),
    keys.alias ?? null,
  );
}

/** A record without what the columns beside it say. */
function bodyOf({ firstName, lastName, kind, year, attributes, provision }: PersonRecord): string {
  const body = [firstName, lastName, kind, year, attributes];
  return JSON.stringify(provision === false ? [...body, false] : body);
}

function courseOf(course: CourseName | null): string | null {
  return course ? courseKey(course) : null;
}
