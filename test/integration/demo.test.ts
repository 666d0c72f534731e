import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const main = join(root, 'src/main.ts');

/** Runs rosterd without a terminal. */
function rosterd(args: string[], tmp: string) {
  const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: tmp, CI: '1' };
  for (const name of ['FORCE_COLOR', 'ROSTERD_LOG_LEVEL', 'npm_lifecycle_event']) delete env[name];
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env, maxBuffer: 64 * 1024 * 1024 });
}

interface Totals {
  accounts: number;
  active: number;
  enrolments: number;
  courses: number | null;
}
interface Day {
  day: string;
  file: string;
  sync: {
    runs: {
      source: string;
      status: string;
      error: { kind: string; message: string } | null;
      snapshot: { records: number; quarantined: number };
      plan: { changes: Record<string, number> };
      guards: { guard: string }[];
      courses: { new: string[]; vanished: string[] };
      held: string[];
      conflicts: number;
      blocked: number;
      quarantine: { file: string; line: number; column: string; reason: string }[];
    }[];
    outbox: Record<string, { queued: number; processing: number; sent: number; failed: number }>;
  };
  roster: Totals;
  targets: Record<string, Totals>;
}

/** A plain recount of the drops, which shares no code with rosterd: who is there, and what changed since the last one. */
class Recount {
  readonly accounts: { id: string; email: string; facts: string; active: boolean; courses: Set<string> }[] = [];
  #courses = new Set<string>();

  take(file: string) {
    const text = readFileSync(join(root, 'config/demo', file), 'utf8');
    const rows = parse<Record<string, string>>(text, { bom: true, columns: true }).map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([key, value]) => [key, value.normalize('NFC').replace(/\s+/g, ' ').trim()]),
      ),
    ) as Record<string, string>[];
    const isGood = ({ year, email, lastName }: Record<string, string>): boolean =>
      /^[0-7]?$/.test(year!) && /^\S+@\S+$/.test(email!) && !lastName!.includes('\ufffd');
    const courseOf = (row: Record<string, string>): string =>
      `${row['faculty']} / ${row['department']} / ${row['course']}`;
    const unclear = new Set(rows.filter((row) => !isGood(row)).map(({ id }) => id!));
    const changes: Record<string, number> = {};
    const bump = (type: string, by = 1): void => {
      if (by) changes[type] = (changes[type] ?? 0) + by;
    };
    const here = new Set<object>();
    for (const its of Map.groupBy(rows.filter(isGood), ({ id, email }) => id || email!.toLowerCase()).values()) {
      const { id = '', firstName, lastName, year } = its[0]!;
      const email = its[0]!['email']!.toLowerCase();
      const facts = JSON.stringify([id, email, firstName, lastName, year]);
      const courses = new Set(its.map(courseOf));
      let account = this.accounts.find((one) => (id && one.id === id) || one.email === email);
      if (!account) {
        account = { id, email, facts, active: true, courses: new Set() };
        this.accounts.push(account);
        bump('account.create');
      }
      if (!account.active) bump('account.enable');
      if (account.facts !== facts) bump('account.update');
      bump('enrolment.add', minus(courses, account.courses).size);
      const lost = unclear.has(id) ? new Set<string>() : minus(account.courses, courses);
      bump('enrolment.remove', lost.size);
      const kept = minus(account.courses, lost);
      Object.assign(account, { id, email, facts, active: true, courses: new Set([...kept, ...courses]) });
      here.add(account);
    }
    for (const account of this.accounts)
      if (account.active && !here.has(account) && !unclear.has(account.id)) {
        bump('account.disable');
        bump('enrolment.remove', account.courses.size);
        Object.assign(account, { active: false, courses: new Set() });
      }
    const courses = new Set(rows.map(courseOf));
    const fresh = minus(courses, this.#courses);
    const vanished = minus(this.#courses, courses);
    bump('course.create', fresh.size);
    bump('course.archive', vanished.size);
    this.#courses = courses;
    return {
      rows: rows.length,
      broken: unclear.size,
      changes,
      fresh: [...fresh].sort(),
      vanished: [...vanished].sort(),
    };
  }

  get totals(): Totals {
    return {
      accounts: this.accounts.length,
      active: this.accounts.filter(({ active }) => active).length,
      enrolments: this.accounts.reduce((sum, { courses }) => sum + courses.size, 0),
      courses: this.#courses.size,
    };
  }
}

const minus = (all: ReadonlySet<string>, without: ReadonlySet<string>): Set<string> =>
  new Set([...all].filter((one) => !without.has(one)));

describe('the demo', () => {
  const tmp = mkdtempSync(join(tmpdir(), 'rosterd-demo-test-'));
  afterAll(() => rmSync(tmp, { recursive: true, force: true }));
  let days: Day[];
  let result: ReturnType<typeof rosterd>;

  beforeAll(() => {
    result = rosterd(['demo', '--json'], tmp);
    days = JSON.parse(result.stdout).days;
  });

  it('goes as told, prints one object and nothing else, and leaves nothing behind', () => {
    expect(result.status).toBe(0);
    expect(result.stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(result.stdout)).toMatchObject({ ok: true, problems: [] });
    expect(days.map(({ file }) => file)).toEqual(['pilot', 'day1', 'day2', 'day3'].map((day) => `students-${day}.csv`));
    expect(readdirSync(tmp).filter((name) => name.startsWith('rosterd-demo-'))).toEqual([]);
  });

  it('says on standard error what it is doing, one plain line for each day', () => {
    const lines = result.stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toBe('Day 1: students-day1.csv: 2,990 people in 4,471 rows');
  });

  it('changes what a recount of the drops says, and each target has it', () => {
    const recount = new Recount();
    const staffOf = [
      { known: 0, active: 0 },
      { known: 160, active: 160 },
      { known: 167, active: 163 },
    ];
    for (const [at, { file, sync, roster, targets }] of days.slice(0, 3).entries()) {
      const staff = staffOf[at]!;
      const counted = recount.take(file);
      const [run] = sync.runs;
      expect(run!.status).toBe('applied');
      // Who comes back has to do without a telephone until the directory has been asked again.
      const { 'account.update': updates = 0, ...changes } = run!.plan.changes;
      const { 'account.update': recounted = 0, 'account.enable': returners = 0 } = counted.changes;
      expect(updates).toBeGreaterThanOrEqual(recounted);
      expect(updates).toBeLessThanOrEqual(recounted + returners);
      expect({ ...changes, ...(recounted && { 'account.update': recounted }) }, file).toEqual(counted.changes);
      expect(run!.snapshot.quarantined).toBe(counted.broken);
      expect([...run!.courses.new].sort()).toEqual(counted.fresh);
      expect([...run!.courses.vanished].sort()).toEqual(counted.vanished);
      const students = recount.totals;
      const totals = { ...students, accounts: students.accounts + staff.known, active: students.active + staff.active };
      expect(roster).toEqual(totals);
      for (const [target, found] of Object.entries(targets))
        expect(found, target).toEqual({ ...totals, courses: target === 'canvas' ? roster.courses : null });
    }
  });

  it('shows every kind of change on day 2, with its guards passed', () => {
    const [run] = days[2]!.sync.runs;
    expect(Object.keys(run!.plan.changes).sort()).toEqual(
      'account.create account.disable account.enable account.update course.archive course.create enrolment.add enrolment.remove'.split(
        ' ',
      ),
    );
    expect(run).toMatchObject({ guards: [], held: [], conflicts: 0, blocked: 3 });
    expect(run!.courses.new).toHaveLength(1);
    expect(run!.courses.vanished).toHaveLength(1);
  });

  it('names the three broken rows by line, column and reason', () => {
    const [run] = days[2]!.sync.runs;
    const lines = readFileSync(join(root, 'config/demo/students-day2.csv'), 'utf8').split('\n');
    expect(run!.quarantine.map(({ column, reason }) => `${column}: ${reason}`).sort()).toEqual([
      'email: email is not an address',
      'lastName: lastName contains a damaged character (wrong encoding?)',
      'year: year is a text of 4 characters: a whole number from 0 to 7, or blank',
    ]);
    for (const { line } of run!.quarantine) expect(lines[line - 1]).toMatch(/,2026\r| at |\ufffd/);
  });

  it('holds the removals of the cut file, and sends nothing', () => {
    const [before, cut] = [days[2]!, days[3]!];
    const [run] = cut.sync.runs;
    expect(run!.status).toBe('held');
    expect(run!.held).toEqual(['account.disable', 'course.archive', 'enrolment.remove']);
    expect(Object.keys(run!.plan.changes).sort()).toEqual(run!.held);
    expect(run!.guards.map(({ guard }) => guard)).toContain('disables.percent');
    expect(run!.quarantine.every(({ file }) => file.endsWith('students-day3.csv'))).toBe(true);
    expect(cut.roster).toEqual(before.roster);
    expect(cut.targets).toEqual(before.targets);
    expect(cut.sync.outbox).toEqual(before.sync.outbox);
  });

  it('reads staff from an API without courses, and telephones from a directory for those who are there', () => {
    const [, day1, day2] = days;
    const of = (day: Day, source: string) => day.sync.runs.find((run) => run.source === source)!;
    expect(of(day1!, 'sis-staff').plan.changes).toEqual({ 'account.create': 160 });
    expect(of(day2!, 'sis-staff').plan.changes).toEqual({ 'account.create': 7, 'account.disable': 4 });
    for (const day of [day1!, day2!]) {
      expect(Object.keys(of(day, 'directory').plan.changes)).toEqual(['account.update']);
      expect(of(day, 'directory')).toMatchObject({ conflicts: 0, blocked: 0, snapshot: { quarantined: 0 } });
    }
  });

  it('takes neither missing pages nor a directory that shows nobody for the truth', () => {
    const [, staff, directory] = days[3]!.sync.runs;
    expect(staff).toMatchObject({ source: 'sis-staff', status: 'failed', error: { kind: 'Incomplete' } });
    expect(staff!.error!.message).toContain('declares 163 records and 60 came');
    expect(directory).toMatchObject({ source: 'directory', status: 'failed', error: { kind: 'Incomplete' } });
  });

  it('delivers everything: nothing is queued, nothing failed', () => {
    for (const { sync } of days)
      for (const counts of Object.values(sync.outbox))
        expect(counts).toMatchObject({ queued: 0, processing: 0, failed: 0 });
  });

  it('tells people the same in plain text that fits a terminal, and keeps everything when asked', () => {
    const folder = join(tmp, 'kept');
    const told = rosterd(['demo', '--keep', folder], tmp);
    expect(told.status).toBe(0);
    expect(told.stderr).toBe('');
    expect(told.stdout).not.toContain('\u001b');
    const long = /^ {4}\S.* \/ |\/kept|--\w+-port|^ {2}Incomplete: /;
    const text = told.stdout.split('\n').filter((line) => !long.test(line));
    for (const line of text) expect(line.length, line).toBeLessThanOrEqual(80);
    for (const count of ['account.create    2,750', 'year is a text of 4', 'students-day2.csv', 'All went as told'])
      expect(told.stdout).toContain(count);

    const config = join(folder, 'rosterd.yaml');
    expect(existsSync(config)).toBe(true);
    const exported = rosterd(['export', 'accounts', '-c', config], tmp);
    expect(exported.stdout.trimEnd().split('\n')).toHaveLength(days[3]!.roster.accounts);
    const runs = rosterd(['runs', '-c', config], tmp);
    expect(
      runs.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).status),
    ).toEqual([
      ...['failed', 'failed', 'held', 'applied', 'applied', 'applied', 'applied', 'applied', 'applied'],
      ...['applied', 'unchanged', 'applied'],
    ]);
    const again = rosterd(['demo', '--keep', folder], tmp);
    expect(again.status).toBe(2);
    expect(again.stderr).toContain('is not empty');
  });
});
