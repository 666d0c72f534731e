import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Misconfigured } from '../../base/errors.ts';

/** SQLITE_FULL. */
const full = 13;

/** A row as SQLite gives it. */
export type Row = Record<string, null | number | bigint | string | Uint8Array>;

/** Tables of long names that many rows carry. */
type Names = 'source_names' | 'course_names' | 'file_names' | 'plan_names';

/** The version of the layout below. Ones from layout 2 on are brought up; any other is refused rather than guessed at. */
const layout = 6;

/**
 * One SQLite file. WAL, so that exports read beside a running sync; `synchronous = NORMAL`, because what a power cut
 * can take then (the last commits, never the order of them) is what the protocol repeats anyway. Small pages: a change
 * of one person in a hundred touches other pages each time, and each is read and written whole.
 */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #names = new Map<string, Map<string, number>>();
  readonly #namesById = new Map<string, Map<number, string>>();

  constructor(directory: string) {
    const file = join(directory, 'rosterd.db');
    try {
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      this.#db = new DatabaseSync(file);
      this.#db.exec('PRAGMA busy_timeout = 10000; PRAGMA page_size = 2048');
      this.#useWal();
      this.#db.exec(`PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 131072;`);
    } catch (cause) {
      throw new Misconfigured(`the database ${file} cannot be opened: ${(cause as Error).message}`, {
        remedy: 'check stateDir and who may write there',
        cause,
      });
    }
    const found = this.#layout();
    if (found > layout || found === 1) {
      this.close();
      const age = found > layout ? 'a newer' : 'an older';
      throw new Misconfigured(`the database ${file} was written by ${age} rosterd (layout ${found})`, {
        remedy: 'use that version, or another stateDir',
      });
    }
    if (found < layout)
      this.tx(() => {
        // Another process that opened the same new file may have been first.
        if (this.#layout() === layout) return;
        if (found === 0) this.#db.exec(tables);
        else for (const step of steps.slice(found - 2)) this.#db.exec(step);
        this.#db.exec(`PRAGMA user_version = ${layout}`);
      });
  }

  /**
   * Of several processes that make a new file at once, one switches it and the others are told that it is locked: here
   * SQLite does not wait by itself, whatever `busy_timeout` says.
   */
  #useWal(): void {
    for (let left = 100; ; left -= 1)
      try {
        this.#db.exec('PRAGMA journal_mode = WAL');
        return;
      } catch (error) {
        const code = (error as { errcode?: number }).errcode ?? 0;
        if ((code & 0xff) !== 5 || left === 0) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
  }

  #layout(): number {
    return Number(this.get('PRAGMA user_version')!['user_version']);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
  run(sql: string, ...values: SQLInputValue[]): number {
    try {
      return Number(this.#prepare(sql).run(...values).changes);
    } catch (error) {
      this.#makeRoom(error);
      throw error;
    }
  }
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }
  /** Row by row; the statement must not be used otherwise meanwhile. */
  each(sql: string, ...values: SQLInputValue[]): IterableIterator<Row> {
    return this.#prepare(sql).iterate(...values) as IterableIterator<Row>;
  }

  /** All of it or nothing. */
  tx<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // Numbers given inside are not given.
      this.#names.clear();
      this.#namesById.clear();
      // After a full disk SQLite has rolled back by itself, and the second time is an error that would hide the first.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#makeRoom(error);
      throw error;
    }
  }

  /**
   * On a full disk the log is written back and cut off. By itself it grows to 256 MB before that, each write of a source's
   * state a page more: what somebody makes free would be gone again in no time.
   */
  #makeRoom(error: unknown): void {
    if (((error as { errcode?: number }).errcode ?? 0) !== full || this.#db.isTransaction) return;
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // there is not even room for that: the next write that fails tries again
    }
  }

  /** Another number whenever another connection has changed something. */
  version(): number {
    return Number(this.get('PRAGMA data_version')!['data_version']);
  }

  /** A small number for a long name that many rows carry. Kept for good, and in memory. */
  idOf(table: Names, name: string): number {
    const known = this.#names.get(table) ?? new Map<string, number>();
    this.#names.set(table, known);
    let id = known.get(name);
    if (id === undefined) {
      this.run(`INSERT OR IGNORE INTO ${table} (name) VALUES (?)`, name);
      id = Number(this.get(`SELECT id FROM ${table} WHERE name = ?`, name)!['id']);
      known.set(name, id);
    }
    return id;
  }

  /** The name of a number that `idOf` gave, this time or in an earlier process. */
  nameOf(table: Names, id: number): string {
    const known = this.#namesById.get(table) ?? new Map<number, string>();
    this.#namesById.set(table, known);
    let name = known.get(id);
    if (name === undefined) {
      name = this.get(`SELECT name FROM ${table} WHERE id = ?`, id)!['name'] as string;
      known.set(id, name);
    }
    return name;
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }
}

/**
 * Lets the process see to signals, sockets and timers. SQLite works while everybody waits, and a promise that is kept
 * already does not change that: whoever is called batch after batch takes a breath first.
 */
export function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A value of a JSON column. */
export function parse<T>(value: unknown): T {
  return JSON.parse(value as string) as T;
}

/** What is asked of one person; pauses of targets, and discrepancies that a person has looked at. */
const queueTables = `
CREATE INDEX outbox_person ON outbox (person, seq);
CREATE TABLE pauses (target TEXT PRIMARY KEY, at TEXT NOT NULL, reason TEXT) WITHOUT ROWID;
CREATE TABLE reviews (account TEXT, discrepancy TEXT, at TEXT NOT NULL, note TEXT,
  PRIMARY KEY (account, discrepancy)) WITHOUT ROWID;
`;

/** What items say, apart from where they stand: that is written at each step of their way. */
const bodyTable = `
CREATE TABLE outbox_bodies (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TRIGGER outbox_forgotten AFTER DELETE ON outbox BEGIN DELETE FROM outbox_bodies WHERE seq = old.seq; END;
`;

/** Which platform has what was sent to a target, and whose people these are. */
const identityTables = `
CREATE TABLE platforms (target TEXT PRIMARY KEY, kind TEXT NOT NULL, address TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE owner (one INTEGER PRIMARY KEY, institution TEXT NOT NULL);
`;

/**
 * What each layout has more than the one before, from 3 on: aliases; what an item of the outbox knows of itself; what items
 * say in a table of its own; platforms and the institution.
 */
const steps = [
  `
ALTER TABLE rows ADD COLUMN alias TEXT;
ALTER TABLE accounts ADD COLUMN alias TEXT;
CREATE INDEX accounts_alias ON accounts (alias) WHERE alias IS NOT NULL;
`,
  `
ALTER TABLE outbox ADD COLUMN person TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN because TEXT;
ALTER TABLE outbox ADD COLUMN trail TEXT NOT NULL DEFAULT '[]';
UPDATE outbox SET person = coalesce(json_extract(body, '$.account.account'),
  'course ' || json_extract(body, '$.course.faculty') || char(31) || json_extract(body, '$.course.department')
  || char(31) || json_extract(body, '$.course.course'));
${queueTables}`,
  `
${bodyTable}
INSERT INTO outbox_bodies SELECT seq, body FROM outbox;
ALTER TABLE outbox DROP COLUMN body;
`,
  identityTables,
];

const tables = `
CREATE TABLE source_names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE course_names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE file_names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE source_states (source TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (run TEXT PRIMARY KEY, source TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, doc TEXT NOT NULL);
CREATE INDEX runs_started ON runs (started);
CREATE INDEX runs_ended ON runs (source, ended);
CREATE TABLE snapshots (source TEXT, number INTEGER, at TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (source, number));
CREATE TABLE packs (source TEXT, number INTEGER, kind TEXT, piece INTEGER, bytes BLOB NOT NULL,
  PRIMARY KEY (source, number, kind, piece)) WITHOUT ROWID;

-- What rows are found by lies in runs: see finder.ts. A row lives from snapshot "first" up to, but without, the "last" of its end. Ends stand
-- by themselves: writing each into its row would touch as many pages all over the table.
CREATE TABLE rows (id INTEGER PRIMARY KEY, source INTEGER NOT NULL, digest BLOB NOT NULL, first INTEGER NOT NULL,
  person TEXT, number TEXT, email TEXT, course INTEGER, file INTEGER NOT NULL, line INTEGER NOT NULL,
  bad INTEGER NOT NULL, body TEXT NOT NULL, alias TEXT);
CREATE INDEX rows_bad ON rows (source) WHERE bad = 1;
CREATE TABLE ended (row INTEGER PRIMARY KEY, source INTEGER NOT NULL, last INTEGER NOT NULL);
-- Sorted pairs of hash and row, for rows "first_row" to "last_row". Numbers of runs are never given twice: readers keep
-- what they read. A piece's id is the run's and its place.
CREATE TABLE found_runs (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, size INTEGER NOT NULL,
  first_row INTEGER NOT NULL, last_row INTEGER NOT NULL, lows BLOB NOT NULL);
CREATE TABLE found_pieces (id INTEGER PRIMARY KEY, pairs BLOB NOT NULL);

CREATE TABLE plan_names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE plans (plan TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE changes (id INTEGER PRIMARY KEY, plan INTEGER NOT NULL, rank INTEGER NOT NULL, key TEXT NOT NULL,
  type TEXT NOT NULL, body TEXT NOT NULL, origin TEXT NOT NULL, UNIQUE (plan, rank, key));
CREATE TABLE notes (id INTEGER PRIMARY KEY, plan TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX notes_plan ON notes (plan);
CREATE TABLE pending (plan TEXT, key TEXT, PRIMARY KEY (plan, key)) WITHOUT ROWID;
CREATE TABLE applied (plan TEXT, part TEXT, rank INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (plan, part)) WITHOUT ROWID;

CREATE TABLE moves (one INTEGER PRIMARY KEY, origin TEXT NOT NULL);
CREATE TABLE rules (one INTEGER PRIMARY KEY, fingerprint TEXT, times INTEGER NOT NULL);
CREATE TABLE accounts (account INTEGER PRIMARY KEY, id TEXT UNIQUE, email TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
  source INTEGER NOT NULL, doc TEXT NOT NULL, alias TEXT);
CREATE INDEX accounts_alias ON accounts (alias) WHERE alias IS NOT NULL;
CREATE TABLE enrolments (account INTEGER, course INTEGER, source INTEGER NOT NULL, PRIMARY KEY (account, course)) WITHOUT ROWID;
-- Counts that move in the transaction of what they count: two indexes over everything would cost more.
CREATE TABLE standing (source INTEGER PRIMARY KEY, accounts INTEGER NOT NULL, enrolments INTEGER NOT NULL);
CREATE TABLE course_sizes (course INTEGER PRIMARY KEY, enrolments INTEGER NOT NULL);
CREATE TABLE courses (key TEXT PRIMARY KEY, faculty TEXT NOT NULL, department TEXT NOT NULL, course TEXT NOT NULL,
  status TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL UNIQUE, target TEXT NOT NULL,
  plan TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL, answer TEXT,
  person TEXT NOT NULL, because TEXT, trail TEXT NOT NULL DEFAULT '[]');
CREATE INDEX outbox_status ON outbox (target, status, seq);
${queueTables}${bodyTable}${identityTables}`;
