import type { Evidence } from '../../reconcile/evidence.ts';
import { removalsTogether } from '../../reconcile/guards.ts';
import { type Account, type CourseEntry, type EvidenceRow, withPrefix } from '../../reconcile/model.ts';
import type { PersonRecord, Quarantined } from '../../snapshot/record.ts';
import type { Run, SourceState } from '../port.ts';
import { breath, type Database, parse, type Row } from './database.ts';
import { by, Finder, keysOfRow } from './finder.ts';
import { hashOfText } from './pairs.ts';
import { accountsOf, courseOf } from './roster.ts';

/** A row that was found, and what it is found by. */
interface Known {
  keys: string[];
  row: EvidenceRow | null;
}

/** Rows of a course that are read at a time, until one is there. */
const rowsLookedAt = 500;

const rowColumns = 'rows.id, rows.source, first, last, bad, body, line, person, number, email, alias, file, course';

/** What planning may ask of this store. Rows are indexed up to the last one. */
export function evidence(db: Database, source: string, number: number): Evidence {
  const states = db
    .all('SELECT doc FROM source_states')
    .map((row) => parse<SourceState>(row['doc']))
    .filter((state) => state.source !== source);
  const names = new Map<number, { name: string; number: number }>();
  names.set(db.idOf('source_names', source), { name: source, number });
  for (const state of states)
    if (state.current !== null)
      names.set(db.idOf('source_names', state.source), { name: state.source, number: state.current });

  /** How a row stands in the snapshots that count here; null when it is in none of them. */
  const stateOf = (row: Row): EvidenceRow['state'] | null => {
    const its = names.get(Number(row['source']));
    const last = row['last'] === null ? Number.POSITIVE_INFINITY : Number(row['last']);
    if (!its || Number(row['first']) > its.number) return null;
    if (its.name === source && last === number) return 'gone';
    return last > its.number ? 'now' : null;
  };

  /** The row as evidence. */
  const seen = (row: Row): EvidenceRow | null => {
    const state = stateOf(row);
    if (!state) return null;
    const its = names.get(Number(row['source']))!;
    const bad = row['bad'] === 1;
    const record = bad ? null : recordOf(db, row);
    return {
      source: its.name,
      state,
      record,
      hints: record ?? parse<Quarantined>(row['body']).hints,
      origin: {
        source: its.name,
        snapshot: Number(row['first']),
        file: db.nameOf('file_names', Number(row['file'])),
        line: Number(row['line']),
      },
    };
  };

  /** True when a row of the course is in one of the snapshots that count. */
  const hasRow = (course: number): boolean => {
    const ids = finder.candidates(by.course, Uint32Array.of(course));
    const sql = `SELECT rows.source, first, last FROM rows LEFT JOIN ended ON ended.row = rows.id
      WHERE rows.id IN (SELECT value FROM json_each(?1)) AND course = ?2`;
    // The newest first: they are the most likely to be there still.
    for (let to = ids.length; to > 0; to -= rowsLookedAt)
      for (const row of db.all(sql, JSON.stringify(ids.slice(Math.max(to - rowsLookedAt, 0), to)), course))
        if (stateOf(row) === 'now') return true;
    return false;
  };

  const finder = new Finder(db);
  /** What the question before this one found: whoever asks on, with the keys of an answer, mostly finds the same. */
  let known = new Map<number, Known>();
  let knownAccounts = new Map<number, Account>();

  return {
    async rows(keys) {
      await breath();
      if (!keys.length) return [];
      const asked = new Set(keys);
      const ids = finder.candidates(by.key, Uint32Array.from(keys, hashOfText));
      const found = new Map<number, Known>();
      const missing: number[] = [];
      for (const id of ids) {
        const before = known.get(id);
        if (before) found.set(id, before);
        else missing.push(id);
      }
      const sql = `SELECT ${rowColumns} FROM rows LEFT JOIN ended ON ended.row = rows.id
        WHERE rows.id IN (SELECT value FROM json_each(?))`;
      if (missing.length)
        for (const row of db.all(sql, JSON.stringify(missing)))
          found.set(Number(row['id']), { keys: keysOfRow(row), row: seen(row) });
      known = found;
      const answer: EvidenceRow[] = [];
      for (const one of found.values()) if (one.row && one.keys.some((key) => asked.has(key))) answer.push(one.row);
      return answer;
    },

    async accounts(keys) {
      const numbers = new Set(withPrefix(keys, 'n:').map(Number));
      const look = (column: string, values: string[]): void => {
        if (!values.length) return;
        const sql = `SELECT account FROM accounts WHERE ${column} IN (SELECT value FROM json_each(?))`;
        for (const row of db.all(sql, JSON.stringify(values))) numbers.add(Number(row['account']));
      };
      look('id', withPrefix(keys, 'i:'));
      look('email', withPrefix(keys, 'e:'));
      look('alias', withPrefix(keys, 'a:'));
      const found = new Map<number, Account>();
      const missing: number[] = [];
      for (const number of numbers) {
        const before = knownAccounts.get(number);
        if (before) found.set(number, before);
        else missing.push(number);
      }
      if (missing.length) for (const account of accountsOf(db, missing)) found.set(Number(account.account), account);
      knownAccounts = found;
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
      for (const key of courses) {
        const course = db.get('SELECT id FROM course_names WHERE name = ?', key);
        if (course && hasRow(Number(course['id']))) alive.add(key);
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
      const counts = ({ dryRun, status, heldTypes }: Run): boolean =>
        !dryRun && (status === 'applied' || status === 'held') && !heldTypes.length;
      const rows = db.all('SELECT doc FROM runs WHERE source = ? AND ended >= ?', source, since.toISOString());
      return removalsTogether(
        rows.flatMap((row) => {
          const run = parse<Run>(row['doc']);
          return counts(run) ? run.changes : [];
        }),
      );
    },
  };
}

const noCourse = { faculty: '', department: '', course: '' };

/** The record of a good row. */
export function recordOf(db: Database, row: Row): PersonRecord {
  type Body = [string, string, PersonRecord['kind'], PersonRecord['year'], PersonRecord['attributes'], false?];
  const [firstName, lastName, kind, year, attributes, provision] = parse<Body>(row['body']);
  const person = row['person'] as string;
  const course = row['course'] === null ? noCourse : courseOf(db, Number(row['course']));
  const record: PersonRecord = {
    number: row['number'] as string | null,
    id: person.startsWith('i:') ? person.slice(2) : null,
    email: (row['email'] as string | null) ?? '',
    firstName,
    lastName,
    kind,
    year,
    attributes,
    ...course,
  };
  if (row['alias'] !== null) record.alias = row['alias'] as string;
  if (provision === false) record.provision = false;
  return record;
}
