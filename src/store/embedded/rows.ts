import { type CourseName, courseKey } from '../../connector/target.ts';
import type { Evidence } from '../../reconcile/evidence.ts';
import { type Account, type CourseEntry, type EvidenceRow, personKey } from '../../reconcile/model.ts';
import type { Hints, PersonRecord, Quarantined } from '../../snapshot/record.ts';
import type { Rows, Run, SourceState, StoredRow } from '../port.ts';
import { breath, type Database, parse, type Row } from './database.ts';
import { accountsWhere } from './roster.ts';

/** Rows of all snapshots, each kept once with the snapshots that it lives in. */
export function rows(db: Database): Omit<Rows, 'forget' | 'all' | 'ends'> {
  return {
    async add(source, number, batch) {
      await breath();
      db.unindexRowsWhenEmpty();
      db.tx(() => {
        const id = db.idOf('source_names', source);
        for (const row of batch) insert(db, id, number, row);
      });
    },

    async end(source, number, digests) {
      await breath();
      db.indexRows();
      return db.tx(() => {
        const id = db.idOf('source_names', source);
        return Array.from(digests, (digest) => {
          const row = db.get(
            `SELECT rows.id, person, bad, (SELECT name FROM course_names WHERE id = course) AS course
             FROM rows INDEXED BY rows_short LEFT JOIN ended ON ended.row = rows.id
             WHERE short = ?4 AND rows.source = ?1 AND digest = ?2 AND first < ?3 AND (last IS NULL OR last = ?3)`,
            id,
            digest,
            number,
            shortOf(digest),
          );
          if (!row) throw new Error(`snapshot ${source}-${number}: a row of the snapshot before is not in the store`);
          db.run('INSERT OR REPLACE INTO ended (row, source, last) VALUES (?, ?, ?)', row['id']!, id, number);
          return {
            person: row['person'] as string | null,
            course: row['course'] as string | null,
            quarantined: row['bad'] === 1,
          };
        });
      });
    },

    async discard(source, number) {
      db.indexRows();
      db.tx(() => {
        const id = db.idOf('source_names', source);
        db.run('DELETE FROM rows WHERE source = ? AND first = ?', id, number);
        db.run('DELETE FROM ended WHERE source = ? AND last = ?', id, number);
        db.run('DELETE FROM packs WHERE source = ? AND number = ?', source, number);
        db.run('DELETE FROM snapshots WHERE source = ? AND number = ?', source, number);
      });
    },

    async quarantined(source, number, limit) {
      db.indexRows();
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
      db.indexRows();
      return db
        .all(
          `SELECT DISTINCT person FROM rows INDEXED BY rows_person LEFT JOIN ended ON ended.row = rows.id
           WHERE rows.source = ?1 AND person > ?3
           AND first <= ?2 AND (last IS NULL OR last >= ?2) ORDER BY person LIMIT ?4`,
          db.idOf('source_names', source),
          number,
          after,
          limit,
        )
        .map((row) => row['person'] as string);
    },

    evidence(source, number) {
      db.indexRows();
      return evidence(db, source, number);
    },
  };
}

function insert(db: Database, source: number, number: number, row: StoredRow): void {
  const good = 'record' in row.row;
  const keys: Hints = 'record' in row.row ? row.row.keys : row.row.quarantined.hints;
  const course = 'record' in row.row ? row.row.keys.course : courseOf(row.row.quarantined.course);
  db.run(
    `INSERT INTO rows (source, short, digest, first, person, number, email, course, file, line, bad, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    source,
    shortOf(row.digest),
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
  );
}

/** The first 48 bits of a digest: all that the index needs, the rest is compared. */
function shortOf(digest: Uint8Array): number {
  const view = new DataView(digest.buffer, digest.byteOffset);
  return view.getUint32(0) * 65_536 + view.getUint16(4);
}

/** A record without what the columns beside it say. */
function bodyOf({ firstName, lastName, kind, year, attributes }: PersonRecord): string {
  return JSON.stringify([firstName, lastName, kind, year, attributes]);
}

/** The record of a good row. */
export function recordOf(row: Row): PersonRecord {
  type Body = [string, string, PersonRecord['kind'], PersonRecord['year'], PersonRecord['attributes']];
  const [firstName, lastName, kind, year, attributes] = parse<Body>(row['body']);
  const [faculty, department, course] = (row['course_name'] as string).split('\u001f') as [string, string, string];
  const person = row['person'] as string;
  return {
    number: row['number'] as string | null,
    id: person.startsWith('i:') ? person.slice(2) : null,
    email: row['email'] as string,
    firstName,
    lastName,
    kind,
    year,
    attributes,
    faculty,
    department,
    course,
  };
}

function courseOf(course: CourseName | null): string | null {
  return course ? courseKey(course) : null;
}

const rowColumns = `rows.id, rows.source, first, last, bad, body, line, person, number, email,
  (SELECT name FROM file_names WHERE id = file) AS file, (SELECT name FROM course_names WHERE id = course) AS course_name`;

function evidence(db: Database, source: string, number: number): Evidence {
  const states = db
    .all('SELECT doc FROM source_states')
    .map((row) => parse<SourceState>(row['doc']))
    .filter((state) => state.source !== source);
  const names = new Map<number, { name: string; number: number }>();
  names.set(db.idOf('source_names', source), { name: source, number });
  for (const state of states)
    if (state.current !== null)
      names.set(db.idOf('source_names', state.source), { name: state.source, number: state.current });

  /** The row as evidence, or null when it is in no snapshot that counts here. */
  const seen = (row: Row): EvidenceRow | null => {
    const its = names.get(Number(row['source']));
    const first = Number(row['first']);
    const last = row['last'] === null ? Number.POSITIVE_INFINITY : Number(row['last']);
    if (!its || first > its.number) return null;
    const gone = its.name === source && last === number;
    if (!gone && last <= its.number) return null;
    const bad = row['bad'] === 1;
    const record = bad ? null : recordOf(row);
    return {
      source: its.name,
      state: gone ? 'gone' : 'now',
      record,
      hints: record ?? parse<Quarantined>(row['body']).hints,
      origin: { source: its.name, snapshot: first, file: row['file'] as string, line: Number(row['line']) },
    };
  };

  return {
    async rows(keys) {
      await breath();
      const found = new Map<unknown, Row>();
      const look = (index: string, where: string, values: string[]): void => {
        if (!values.length) return;
        // The index is named: without statistics SQLite would rather walk all rows of a source.
        const sql = `SELECT ${rowColumns} FROM rows INDEXED BY ${index} LEFT JOIN ended ON ended.row = rows.id
          WHERE ${where} IN (SELECT value FROM json_each(?))`;
        for (const row of db.all(sql, JSON.stringify(values))) found.set(row['id'], row);
      };
      look(
        'rows_person',
        'person',
        keys.filter((key) => !key.startsWith('e:')),
      );
      look('rows_number', 'number', withPrefix(keys, 'n:'));
      look('rows_email', 'email', withPrefix(keys, 'e:'));
      return [...found.values()].map(seen).filter((row) => row !== null);
    },

    async accounts(keys) {
      const found = new Map<string, Account>();
      const look = (column: string, values: string[]): void => {
        if (!values.length) return;
        const where = `${column} IN (SELECT value FROM json_each(?))`;
        for (const account of accountsWhere(db, where, JSON.stringify(values))) found.set(account.account, account);
      };
      look('id', withPrefix(keys, 'i:'));
      look('email', withPrefix(keys, 'e:'));
      const numbers = withPrefix(keys, 'n:').filter((value) => !found.has(value));
      if (numbers.length)
        for (const account of accountsWhere(
          db,
          'account IN (SELECT value FROM json_each(?))',
          JSON.stringify(numbers.map(Number)),
        ))
          found.set(account.account, account);
      return [...found.values()];
    },

    async pendingElsewhere(keys) {
      const result = new Map<string, string[]>();
      for (const state of states) {
        if (!state.pending) continue;
        const sql = 'SELECT key FROM pending WHERE plan = ? AND key IN (SELECT value FROM json_each(?))';
        for (const row of db.all(sql, state.pending, JSON.stringify(keys)))
          result.set(row['key'] as string, [...(result.get(row['key'] as string) ?? []), state.source]);
      }
      return result;
    },

    async courses() {
      return db.all('SELECT faculty, department, course, status FROM courses ORDER BY key') as unknown as CourseEntry[];
    },

    async coursesWithRows(courses) {
      const alive = new Set<string>();
      const sql = `SELECT 1 FROM rows INDEXED BY rows_course LEFT JOIN ended ON ended.row = rows.id
        WHERE course = (SELECT id FROM course_names WHERE name = ?1) AND rows.source = ?2
        AND first <= ?3 AND (last IS NULL OR last > ?3) LIMIT 1`;
      for (const key of courses)
        for (const [id, its] of names)
          if (db.get(sql, key, id, its.number)) {
            alive.add(key);
            break;
          }
      return alive;
    },

    async enrolmentCounts(courses) {
      const sql = 'SELECT enrolments FROM course_sizes WHERE course = (SELECT id FROM course_names WHERE name = ?)';
      return new Map(courses.map((key) => [key, Number(db.get(sql, key)?.['enrolments'] ?? 0)]));
    },

    async standing() {
      const id = db.idOf('source_names', source);
      const row = db.get('SELECT accounts, enrolments FROM standing WHERE source = ?', id);
      return { accounts: Number(row?.['accounts'] ?? 0), enrolments: Number(row?.['enrolments'] ?? 0) };
    },

    async removedSince(since) {
      const removed = { disables: 0, unenrolments: 0 };
      for (const row of db.all('SELECT doc FROM runs WHERE source = ? AND ended >= ?', source, since.toISOString())) {
        const run = parse<Run>(row['doc']);
        if (run.dryRun || (run.status !== 'applied' && run.status !== 'held') || run.heldTypes.length) continue;
        removed.disables += run.changes['account.disable'] ?? 0;
        removed.unenrolments += run.changes['enrolment.remove'] ?? 0;
      }
      return removed;
    },
  };
}

function withPrefix(keys: readonly string[], prefix: string): string[] {
  return keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
}
