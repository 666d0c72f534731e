import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Entities, EntityName, Read } from './entities.ts';

/**
 * A whole OneRoster set, in a database file of its own: a million enrolments are too many for memory, and a delta is
 * merged by sourcedId. What is deleted stays with a mark, so that a class that was deleted is told from one that never was.
 */

const tables: readonly EntityName[] = [
  'orgs',
  'academicSessions',
  'courses',
  'classes',
  'users',
  'roles',
  'enrollments',
];
/** Tables whose rows are looked up by their user. */
const ofUser: readonly EntityName[] = ['roles', 'enrollments'];

/** An entity as the database gives it. */
interface Stored {
  id: string;
  gone: number;
  data: string;
  broken: number;
}

/** The set and its file. Everything between opening and `finish` is one transaction. */
export class Whole {
  readonly #db: DatabaseSync;
  readonly #insert = new Map<string, StatementSync>();
  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    // nobody else reads the file, and one that was not finished is thrown away
    this.#db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000; BEGIN');
    this.#db.exec('CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID');
    for (const table of tables)
      this.#db.exec(
        `CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY, gone INTEGER, broken INTEGER, user TEXT, data TEXT) WITHOUT ROWID`,
      );
  }

  /** Adds an entity that the set must not have yet; false when it has one of that sourcedId. */
  add<N extends EntityName>(table: N, entity: Read<Entities[N]>): boolean {
    return this.#write('INSERT OR IGNORE', table, entity) === 1;
  }

  /** Adds an entity, or puts it in the place of the one of that sourcedId. */
  merge<N extends EntityName>(table: N, entity: Read<Entities[N]>): void {
    this.#write('INSERT OR REPLACE', table, entity);
  }

  #write(verb: string, table: EntityName, { id, gone, user, data }: Read<unknown>): number {
    const sql = `${verb} INTO ${table} (id, gone, broken, user, data) VALUES (?, ?, ?, ?, ?)`;
    let statement = this.#insert.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#insert.set(sql, statement);
    }
    const broken = typeof data === 'string';
    const text = broken ? data : JSON.stringify(data);
    return Number(statement.run(id, gone ? 1 : 0, broken ? 1 : 0, user ?? null, text).changes);
  }

  /** Takes every entity out of a table. */
  clear(table: EntityName): void {
    this.#db.exec(`DELETE FROM ${table}`);
  }

  /** A fact about the set that is kept with it. */
  fact(name: string): string | null {
    const row = this.#db.prepare('SELECT value FROM facts WHERE name = ?').get(name) as { value: string } | undefined;
    return row?.value ?? null;
  }

  setFact(name: string, value: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)').run(name, value);
  }

  /** All entities of a table that is small enough for memory. */
  map<N extends EntityName>(table: N): Map<string, Read<Entities[N]>> {
    return new Map([...this.each(table)].map((entity) => [entity.id, entity]));
  }

  /** Entities of a table, by sourcedId. */
  *each<N extends EntityName>(table: N): Generator<Read<Entities[N]>> {
    for (const row of this.#db.prepare(`SELECT id, gone, broken, data FROM ${table} ORDER BY id`).iterate())
      yield entityOf(row as unknown as Stored);
  }

  /** A way to ask for the entities of one user, by sourcedId. */
  lookUp<N extends 'roles' | 'enrollments'>(table: N): (user: string) => Read<Entities[N]>[] {
    // with all columns: users are asked for in the order of their ids, so the index is read from end to end
    this.#db.exec(`CREATE INDEX IF NOT EXISTS ${table}_user ON ${table} (user, id, gone, broken, data)`);
    const statement = this.#db.prepare(`SELECT id, gone, broken, data FROM ${table} WHERE user = ? ORDER BY id`);
    return (user) => statement.all(user).map((row) => entityOf(row as unknown as Stored));
  }

  /** Entities of a table whose user is not in the set, or not said. */
  *strays<N extends 'roles' | 'enrollments'>(table: N): Generator<Read<Entities[N]>> {
    const sql = `SELECT id, gone, broken, data FROM ${table} AS one
      WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.id = one.user) ORDER BY user, id`;
    for (const row of this.#db.prepare(sql).iterate()) yield entityOf(row as unknown as Stored);
  }

  /** Ends the writing; the file is whole. */
  finish(): void {
    this.#insert.clear();
    // indexes serve the join alone, and would make every later merge slower
    for (const table of ofUser) this.#db.exec(`DROP INDEX IF EXISTS ${table}_user`);
    this.#db.exec('COMMIT');
    this.#db.close();
  }

  /** Closes a file that will not be used. Never throws. */
  abandon(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

function entityOf<T>({ id, gone, data, broken }: Stored): Read<T> {
  return { id, gone: gone === 1, data: broken === 1 ? data : (JSON.parse(data) as T) };
}
