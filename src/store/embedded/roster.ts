import type { SQLInputValue } from 'node:sqlite';
import { type AccountFacts, type CourseName, courseKey } from '../../connector/target.ts';
import { deliveryOf, itemId, type Moment } from '../../outbox/items.ts';
import { type Account, type CourseEntry, type PlanType, toldAs } from '../../reconcile/model.ts';
import { effectOf, numberPrefix, type PlannedChange } from '../../reconcile/plan.ts';
import type { Plan, PlanPart, Roster, TargetInterest } from '../port.ts';
import { breath, type Database, parse, type Row } from './database.ts';
import { queueItem } from './outbox.ts';

/** The part of an account that no query asks for. */
function docOf({ firstName, lastName, kind, year, attributes }: AccountFacts): string {
  return JSON.stringify([firstName, lastName, kind, year, attributes]);
}

/** What rosterd believes, and the one place where it changes. */
export function roster(db: Database): Roster {
  return {
    async rules() {
      const row = db.get('SELECT fingerprint, times FROM rules');
      return row
        ? { fingerprint: row['fingerprint'] as string | null, times: Number(row['times']) }
        : { fingerprint: null, times: 0 };
    },

    async putRules({ fingerprint, times }) {
      db.run('INSERT OR REPLACE INTO rules (one, fingerprint, times) VALUES (1, ?, ?)', fingerprint, times);
    },

    async apply(plan, part, changes, targets) {
      const last = changes.at(-1);
      if (!last) return;
      await breath();
      db.tx(() => {
        const tally = new Tally();
        for (const change of changes) applyOne(db, plan, change, targets, tally);
        tally.write(db);
        db.run(
          'INSERT OR REPLACE INTO applied (plan, part, rank, key) VALUES (?, ?, ?, ?)',
          plan.plan,
          part,
          last.rank,
          last.key,
        );
      });
    },

    async applied(plan: string, part: PlanPart) {
      const row = db.get('SELECT rank, key FROM applied WHERE plan = ? AND part = ?', plan, part);
      return row ? { rank: Number(row['rank']), key: row['key'] as string } : null;
    },

    async putCourses(entries) {
      db.tx(() => {
        for (const entry of entries) putCourse(db, entry);
      });
    },

    async nextNumbers() {
      const next: Record<string, number> = {};
      for (const prefix of Object.values(numberPrefix)) {
        const from = Number(`${prefix}0000000`);
        const row = db.get(
          'SELECT max(account) AS n FROM accounts WHERE account BETWEEN ? AND ?',
          from,
          from + 9_999_999,
        )!;
        next[prefix] = row['n'] === null ? 1 : Number(row['n']) - from + 1;
      }
      return next;
    },

    async *accounts() {
      for (const page of pages(db, 'SELECT * FROM accounts WHERE account > ? ORDER BY account LIMIT 1000'))
        yield* page.map(factsOf);
    },

    async *entries() {
      const sourceOf = (row: Row): string => db.nameOf('source_names', Number(row['source']));
      for (const page of pages(db, 'SELECT * FROM accounts WHERE account > ? ORDER BY account LIMIT 1000'))
        for (const row of page)
          yield {
            account: factsOf(row),
            source: sourceOf(row),
            enrolments: db
              .all(
                `SELECT course, source FROM enrolments JOIN course_names ON course_names.id = course
                 WHERE account = ? ORDER BY name`,
                row['account'] as number,
              )
              .map((one) => ({ ...courseOf(db, Number(one['course'])), source: sourceOf(one) })),
          };
    },

    async *enrolments() {
      const sql = 'SELECT account, id, email FROM accounts WHERE account > ? ORDER BY account LIMIT 1000';
      for (const page of pages(db, sql))
        for (const row of page)
          for (const course of enrolmentsOf(db, row['account'] as number))
            yield {
              account: String(row['account']),
              id: row['id'] as string | null,
              email: row['email'] as string,
              ...course,
            };
    },

    async *courses() {
      yield* db.all('SELECT faculty, department, course, status FROM courses ORDER BY key') as unknown as CourseEntry[];
    },

    async stale(changes) {
      return changes.filter((planned) => isStale(db, planned)).map((planned) => `${planned.type} ${planned.key}`);
    },
  };
}

/** Pages of account rows; each is read whole, so that no statement stays open while the caller waits. */
function* pages(db: Database, sql: string): Generator<Row[]> {
  let after: SQLInputValue = 0;
  for (;;) {
    const page = db.all(sql, after);
    if (!page.length) return;
    yield page;
    after = page.at(-1)!['account'] as number;
  }
}

/** Accounts by their numbers, with their enrolments; numbers that nobody has are left out. */
export function accountsOf(db: Database, numbers: readonly number[]): Account[] {
  const wanted = JSON.stringify(numbers);
  const enrolments = new Map<number, CourseName[]>();
  for (const row of db.all(
    `SELECT account, course FROM enrolments JOIN course_names ON course_names.id = course
     WHERE account IN (SELECT value FROM json_each(?)) ORDER BY account, name`,
    wanted,
  )) {
    const its = enrolments.get(Number(row['account'])) ?? [];
    enrolments.set(Number(row['account']), its);
    its.push(courseOf(db, Number(row['course'])));
  }
  return db
    .all(
      'SELECT account, id, email, alias, status, source, doc FROM accounts WHERE account IN (SELECT value FROM json_each(?))',
      wanted,
    )
    .map((row) => ({
      ...factsOf(row),
      source: db.nameOf('source_names', Number(row['source'])),
      enrolments: enrolments.get(Number(row['account'])) ?? [],
    }));
}

function factsOf(row: Row): AccountFacts {
  type Doc = [string, string, AccountFacts['kind'], AccountFacts['year'], AccountFacts['attributes']];
  const [firstName, lastName, kind, year, attributes] = parse<Doc>(row['doc']);
  const facts: AccountFacts = {
    account: String(row['account']),
    id: row['id'] as string | null,
    email: row['email'] as string,
    firstName,
    lastName,
    kind,
    year,
    status: row['status'] as AccountFacts['status'],
    attributes,
  };
  if (row['alias'] !== null) facts.alias = row['alias'] as string;
  return facts;
}

function enrolmentsOf(db: Database, account: number): CourseName[] {
  return db
    .all(
      'SELECT course FROM enrolments JOIN course_names ON course_names.id = course WHERE account = ? ORDER BY name',
      account,
    )
    .map((row) => courseOf(db, Number(row['course'])));
}

/** The course that has the number. */
export function courseOf(db: Database, id: number): CourseName {
  const [faculty, department, course] = db.nameOf('course_names', id).split('\u001f') as [string, string, string];
  return { faculty, department, course };
}

/** What one batch adds to the counts; written in its transaction, and only for what really changed. */
class Tally {
  readonly #standing = new Map<number, { accounts: number; enrolments: number }>();
  readonly #courses = new Map<number, number>();

  account(source: number, by: number): void {
    this.#of(source).accounts += by;
  }
  enrolment(source: number, course: number, by: number): void {
    this.#of(source).enrolments += by;
    this.#courses.set(course, (this.#courses.get(course) ?? 0) + by);
  }
  write(db: Database): void {
    for (const [source, { accounts, enrolments }] of this.#standing)
      db.run(
        `INSERT INTO standing (source, accounts, enrolments) VALUES (?, ?, ?) ON CONFLICT (source) DO UPDATE
         SET accounts = accounts + excluded.accounts, enrolments = enrolments + excluded.enrolments`,
        source,
        accounts,
        enrolments,
      );
    for (const [course, by] of this.#courses)
      db.run(
        `INSERT INTO course_sizes (course, enrolments) VALUES (?, ?) ON CONFLICT (course) DO UPDATE
         SET enrolments = enrolments + excluded.enrolments`,
        course,
        by,
      );
  }
  #of(source: number): { accounts: number; enrolments: number } {
    const known = this.#standing.get(source) ?? { accounts: 0, enrolments: 0 };
    this.#standing.set(source, known);
    return known;
  }
}

/** One change: its effect on the roster and its outbox items. Each write is the same when it is repeated. */
function applyOne(
  db: Database,
  plan: Plan,
  planned: PlannedChange,
  targets: readonly TargetInterest[],
  tally: Tally,
): void {
  const { type, account, course } = effectOf(planned);
  const source = db.idOf('source_names', plan.source);
  if (type === 'course.create') putCourse(db, { ...course!, status: 'enrolled' });
  else if (type === 'course.archive') putCourse(db, { ...course!, status: 'archived' });
  else if (type === 'enrolment.add' || type === 'enrolment.remove') {
    const number = Number(account!.account);
    const id = db.idOf('course_names', courseKey(course!));
    if (type === 'enrolment.remove') {
      const sql = 'DELETE FROM enrolments WHERE account = ? AND course = ? RETURNING source';
      const was = db.get(sql, number, id);
      if (was) tally.enrolment(Number(was['source']), id, -1);
    } else if (
      db.run('INSERT OR IGNORE INTO enrolments (account, course, source) VALUES (?, ?, ?)', number, id, source)
    )
      tally.enrolment(source, id, 1);
  } else if (type === 'account.disable') disableAccount(db, account!, tally);
  else putAccount(db, type, account!, source, tally);

  for (const { target, accepts } of targets) {
    if (!accepts.includes(toldAs(type))) continue;
    const item = itemId(plan.plan, planned, target);
    const delivery = deliveryOf(item, planned, momentOf(db));
    queueItem(db, plan.plan, target, delivery);
  }
}

function momentOf(db: Database): Moment {
  return {
    facts(number) {
      const row = db.get('SELECT * FROM accounts WHERE account = ?', Number(number));
      return row && factsOf(row);
    },
    enrolments: (number) => enrolmentsOf(db, Number(number)),
  };
}

/** The status and nothing else: the plan may have waited, and others have said more of the person since. */
function disableAccount(db: Database, { account, status }: AccountFacts, tally: Tally): void {
  const was = db.get('SELECT status, source FROM accounts WHERE account = ?', Number(account));
  if (!was) throw new Error(`account.disable for the account ${account}, which is not in the roster`);
  const source = Number(was['source']);
  if (was['status'] === 'active') tally.account(source, -1);
  if (status === 'active') tally.account(source, 1);
  db.run('UPDATE accounts SET status = ? WHERE account = ?', status, Number(account));
}

/** Creating and enabling make the source of the run the one that the account stands for. */
function putAccount(db: Database, type: PlanType, facts: AccountFacts, source: number, tally: Tally): void {
  const number = Number(facts.account);
  const was = db.get('SELECT id, email, alias, status, source FROM accounts WHERE account = ?', number);
  const gives = !was || type === 'account.create' || type === 'account.enable';
  const giver = gives ? source : Number(was['source']);
  if (was?.['status'] === 'active') tally.account(Number(was['source']), -1);
  if (facts.status === 'active') tally.account(giver, 1);
  if (was) {
    const sql = 'UPDATE accounts SET status = ?, source = ?, doc = ? WHERE account = ?';
    db.run(sql, facts.status, giver, docOf(facts), number);
    // Named in the statement, an indexed column is written to its index even when nothing changed.
    if (was['id'] !== facts.id) db.run('UPDATE accounts SET id = ? WHERE account = ?', facts.id, number);
    if (was['email'] !== facts.email) db.run('UPDATE accounts SET email = ? WHERE account = ?', facts.email, number);
    const alias = facts.alias ?? null;
    if (was['alias'] !== alias) db.run('UPDATE accounts SET alias = ? WHERE account = ?', alias, number);
  } else
    db.run(
      'INSERT INTO accounts (account, id, email, status, source, doc, alias) VALUES (?, ?, ?, ?, ?, ?, ?)',
      number,
      facts.id,
      facts.email,
      facts.status,
      giver,
      docOf(facts),
      facts.alias ?? null,
    );
}

function putCourse(db: Database, { faculty, department, course, status }: CourseEntry): void {
  db.run(
    'INSERT OR REPLACE INTO courses (key, faculty, department, course, status) VALUES (?, ?, ?, ?, ?)',
    courseKey({ faculty, department, course }),
    faculty,
    department,
    course,
    status,
  );
}

/** True when a removal no longer finds what it takes away, or the person is not as the plan saw it. */
function isStale(db: Database, planned: PlannedChange): boolean {
  const { type, account, course } = effectOf(planned);
  if (type === 'account.disable')
    return !db.get("SELECT 1 FROM accounts WHERE account = ? AND status = 'active'", Number(account!.account));
  if (type === 'enrolment.remove')
    return !db.get(
      'SELECT 1 FROM enrolments WHERE account = ? AND course = (SELECT id FROM course_names WHERE name = ?)',
      Number(account!.account),
      courseKey(course!),
    );
  return false;
}
