import type { AccountFacts, CourseName } from '../../../src/connector/target.ts';
import { type Change, changeRank, type PlanType, type RowOrigin } from '../../../src/reconcile/model.ts';
import type { PlannedChange } from '../../../src/reconcile/plan.ts';
import type { Hints, PersonRecord } from '../../../src/snapshot/record.ts';
import {
  nothingInForce,
  type Plan,
  type Run,
  type Snapshot,
  type SourceState,
  type Store,
  type StoredRow,
} from '../../../src/store/port.ts';
import { rowKeysOf } from '../../../src/store/row-keys.ts';

/** Things to put into a store, each whole and different from the next. */

/** The 16 bytes of a row's digest; they sort like their numbers. */
export function digest(n: number): Uint8Array {
  const bytes = new Uint8Array(16).fill(7);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

export function course(name: string, department = 'Mechanics', faculty = 'Engineering'): CourseName {
  return { faculty, department, course: name };
}

export function record(id: string | null, changes: Partial<PersonRecord> = {}): PersonRecord {
  return {
    ...course('Statics'),
    number: null,
    id,
    email: `${(id ?? 'nobody').toLowerCase()}@example.edu`,
    firstName: 'Ada',
    lastName: 'Müller',
    kind: 'student',
    year: 1,
    attributes: { room: 'Ω 7' },
    ...changes,
  };
}

/** A good row; `n` is its digest and its line. */
export function goodRow(n: number, id: string | null, changes: Partial<PersonRecord> = {}): StoredRow {
  const one = record(id, changes);
  return { digest: digest(n), file: 'students.csv', line: n, row: { record: one, keys: rowKeysOf(one) } };
}

/** A row in quarantine. */
export function badRow(n: number, hints: Partial<Hints>, where: CourseName | null = null): StoredRow {
  const all = { number: null, id: null, email: null, ...hints };
  const quarantined = { reason: 'year is 9', column: 'year', hints: all, course: where };
  return { digest: digest(n), file: 'students.csv', line: n, row: { quarantined } };
}

export function state(source: string, changes: Partial<SourceState> = {}): SourceState {
  return { source, ...nothingInForce, ...changes };
}

/** Stages a snapshot's rows and puts it in force. */
export async function inForce(
  store: Store,
  source: string,
  number: number,
  rows: readonly StoredRow[],
  gone: readonly Uint8Array[] = [],
): Promise<void> {
  await store.sources.put(
    state(source, { current: number === 1 ? null : number - 1, staging: number, next: number + 1 }),
  );
  if (rows.length) await store.rows.add(source, number, rows);
  if (gone.length) await store.rows.end(source, number, gone);
  await store.sources.put(state(source, { current: number, next: number + 1 }));
}

export function run(id: string, changes: Partial<Run> = {}): Run {
  return {
    run: id,
    source: 'sis',
    trigger: 'cli',
    dryRun: false,
    status: 'applied',
    startedAt: '2026-02-01T02:00:00.000Z',
    endedAt: '2026-02-01T02:00:05.000Z',
    durationMs: 5000,
    snapshot: { id: 'sis-1', complete: true, records: 3, quarantined: 1 },
    quarantine: [{ file: 'students.csv', line: 4, column: 'year', reason: 'year is 9' }],
    plan: id,
    digest: 'd'.repeat(64),
    changes: { 'account.create': 3 },
    guards: [{ guard: 'disables.percent', measured: 1.5, limit: 10, held: false, text: '1 of 66' }],
    heldTypes: [],
    conflicts: 0,
    blocked: 0,
    courses: { new: ['Engineering / Mechanics / Statics'], vanished: [] },
    decision: null,
    error: null,
    ...changes,
  };
}

export function snapshot(source: string, number: number, changes: Partial<Snapshot> = {}): Snapshot {
  return {
    source,
    number,
    run: `run-${source}-${number}`,
    at: `2026-02-${String(number).padStart(2, '0')}T02:00:00.000Z`,
    content: 'c'.repeat(64),
    reading: 'unitu-1',
    parts: [{ name: '/drops/students.csv', bytes: 99, sha256: 'a'.repeat(64), modified: null }],
    records: 3,
    quarantined: 0,
    added: 3,
    gone: 0,
    base: number,
    ...changes,
  };
}

export function account(n: number, changes: Partial<AccountFacts> = {}): AccountFacts {
  return {
    account: String(9_500_000_000 + n),
    id: `S${n}`,
    email: `s${n}@example.edu`,
    firstName: 'Ada',
    lastName: `Łukasik ${n}`,
    kind: 'student',
    year: 2,
    status: 'active',
    attributes: { room: 'Ω 7' },
    ...changes,
  };
}

export const origin: RowOrigin = { source: 'sis', snapshot: 1, file: 'students.csv', line: 2 };

/** A change in its place in a plan; its key is made of its subject unless one is given. */
export function change(
  type: PlanType,
  who: AccountFacts | null,
  where: CourseName | null = null,
  changes: Partial<Change> & { key?: string } = {},
): PlannedChange {
  const { key, ...more } = changes;
  const after = type === 'account.create' ? who : null;
  const body: Omit<Change, 'rows'> = {
    ...{ type, account: who, course: where, before: null, after, emailConfirmed: false, rule: 'newcomer' },
    ...more,
  };
  const subject = [who?.account, where?.course].filter(Boolean).join('/');
  return { rank: changeRank[type], key: key ?? subject, type, body: JSON.stringify(body), rows: [origin] };
}

export function plan(id: string, changes: Partial<Plan> = {}): Plan {
  return {
    plan: id,
    run: id,
    source: 'sis',
    snapshot: 1,
    digest: 'd'.repeat(64),
    heldTypes: [],
    counts: { 'account.create': 1 },
    courseEntries: [{ ...course('Statics'), status: 'enrolled' }],
    courseEntriesWith: 'free',
    ...changes,
  };
}

/** Everything that an async iterable gives. */
export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}
