import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Account, Note } from '../../../src/reconcile/model.ts';
import { changeOf, makePlan, type PlanInput, type PlannedChange, type PlanSink } from '../../../src/reconcile/plan.ts';
import { account, brief, type EvidenceOf, evidenceOf, row } from './make.ts';

/** A sink in memory. */
function memorySink() {
  const changes = new Map<string, PlannedChange>();
  const notes: Note[] = [];
  const pending = new Set<string>();
  const ordered = (): PlannedChange[] =>
    [...changes.values()].sort((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : 1));
  const sink: PlanSink = {
    async add(batch) {
      for (const change of batch) {
        const place = `${change.rank} ${change.key}`;
        if (changes.has(place)) throw new Error(`two changes at ${place}`);
        changes.set(place, change);
      }
    },
    note: async (more) => void notes.push(...more),
    async pending(keys) {
      for (const key of keys) pending.add(key);
    },
    async *inOrder() {
      yield ordered();
    },
  };
  return { sink, notes, pending, briefs: () => ordered().map((change) => brief(changeOf(change))) };
}

interface Setup extends EvidenceOf {
  keys?: string[];
  everybody?: boolean;
  pageSize?: number;
  more?: Partial<PlanInput>;
}

async function plan({ keys = [], everybody = false, pageSize = 500, more = {}, ...of }: Setup) {
  const kept = memorySink();
  async function* pages() {
    const sorted = [...keys].sort();
    for (let at = 0; at < sorted.length; at += pageSize) yield sorted.slice(at, at + pageSize);
  }
  async function* nothing(): AsyncGenerator<string[]> {}
  const input: PlanInput = {
    source: 'sis',
    evidence: evidenceOf(of),
    touched: { pages: pages(), own: new Set(keys), everybody, given: nothing() },
    precedence: ['sis'],
    courseRules: { matches: () => true, newCourses: 'report', emptyCourses: 'keep' },
    courses: { added: [], gone: [], doubt: { any: false, courses: new Set() } },
    everything: false,
    blockAll: null,
    answered: true,
    directories: new Set(),
    unread: new Set(),
    limits: { percent: 100, atLeast: 0, window: { days: 7, percent: 100 } },
    records: { now: 10, before: 10 },
    rows: 10,
    givenSince: { accounts: 0, enrolments: 0 },
    numbers: { '950': 7, '951': 3 },
    today: new Date(0),
    progress() {},
    ...more,
  };
  return { summary: await makePlan(input, kept.sink), ...kept, briefs: kept.briefs() };
}

const bob: Account = account({ account: '9500000002', id: 'b', email: 'bob@x.edu', courses: ['C2'] });

test('a plan is in order: accounts created, enabled, updated; enrolments added, removed; accounts disabled', async () => {
  const { briefs, summary } = await plan({
    keys: ['i:a', 'i:b', 'i:c', 'i:d'],
    rows: [
      row({ id: 'a', email: 'a@x.edu', firstName: 'Anna', course: 'C2' }),
      row({ id: 'c', email: 'c@x.edu' }),
      row({ id: 'd', email: 'd@x.edu', kind: 'staff' }),
      row({ id: 'b', email: 'bob@x.edu', gone: true }),
    ],
    accounts: [account({ email: 'a@x.edu', status: 'disabled' }), bob],
  });
  expect(briefs).toEqual([
    'account.create 9500000007 (newcomer)',
    'account.create 9510000003 (newcomer)',
    'account.enable 9500000001 status (returner)',
    'account.update 9500000001 firstName (attributes)',
    'enrolment.add 9500000001 C2 (course-in-scope)',
    'enrolment.add 9500000007 C1 (course-in-scope)',
    'enrolment.add 9510000003 C1 (course-in-scope)',
    'enrolment.remove 9500000001 C1 (left-course)',
    'enrolment.remove 9500000002 C2 (left-snapshot)',
    'account.disable 9500000002 status (left-snapshot)',
  ]);
  expect(summary.counts).toMatchObject({ 'account.create': 2, 'enrolment.add': 3, 'enrolment.remove': 2 });
  expect(summary.heldTypes).toEqual([]);
});

test('everybody is judged once, whatever the pages: one plan, however many people hang together', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const someRow = fc.record({ id: fc.option(name), email: name.map((one) => `${one}@x.edu`), gone: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(someRow, { maxLength: 10 }),
      fc.uniqueArray(fc.record({ id: name, email: name }), {
        maxLength: 4,
        selector: (one) => one.id,
      }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (rows, known, pageSize, everybody) => {
        const emails = new Set<string>();
        const accounts = known
          .filter(({ email }) => !emails.has(email) && emails.add(email))
          .map(({ id, email }, n) => account({ account: `950000000${n + 1}`, id, email: `${email}@x.edu` }));
        const evidence = { rows: rows.map((one) => row(one)), accounts };
        // One key a row, as a difference gives them.
        const keys = [...new Set(rows.map(({ id, email }) => (id ? `i:${id}` : `e:${email}`)))];
        const whole = await plan({ ...evidence, keys, everybody });
        const paged = await plan({ ...evidence, keys, everybody, pageSize });
        const people = (briefs: string[]) =>
          briefs.map((one) => one.replace(/95\d{8}/, (n) => (n < '9500000007' ? n : 'new'))).sort();
        expect(people(paged.briefs)).toEqual(people(whole.briefs));
        expect(paged.summary.conflicts).toBe(whole.summary.conflicts);
        expect(paged.summary.blocked).toBe(whole.summary.blocked);
        expect(paged.pending).toEqual(whole.pending);
      },
    ),
    { numRuns: 500 },
  );
});

test('the digest covers what is approved, and not where a row stood', async () => {
  const leaving = () => ({ keys: ['i:b'], rows: [row({ id: 'b', email: 'bob@x.edu', gone: true })], accounts: [bob] });
  const first = await plan(leaving());
  const again = await plan(leaving());
  const other = await plan({ ...leaving(), accounts: [{ ...bob, firstName: 'Robert' }] });
  expect(again.summary.digest).toBe(first.summary.digest);
  expect(other.summary.digest).not.toBe(first.summary.digest);
});

test('what is held is looked at again by the next run', async () => {
  const { summary, pending } = await plan({
    keys: ['i:b', 'i:c'],
    rows: [row({ id: 'b', email: 'bob@x.edu', gone: true }), row({ id: 'c', email: 'c@x.edu' })],
    accounts: [bob],
    more: { limits: { percent: 100, atLeast: 0, window: { days: 7, percent: 0 } } },
  });
  expect(summary.heldTypes).toEqual(['account.disable', 'enrolment.remove']);
  expect([...pending].sort()).toEqual(['e:bob@x.edu', 'i:b', 'n:9500000002']);
});

test('an empty snapshot can only take away: what else would follow waits until it is in force', async () => {
  const setup: Setup = {
    keys: ['i:a', 'i:b'],
    rows: [
      row({ id: 'a', firstName: 'Anna', source: 'hr' }),
      row({ id: 'a', gone: true }),
      row({ id: 'b', email: 'bob@x.edu', gone: true }),
    ],
    accounts: [account({}), bob],
    courses: [{ faculty: 'F', department: 'D', course: 'C2', status: 'enrolled' }],
    more: {
      records: { now: 0, before: 2 },
      courses: {
        added: [],
        gone: ['F\u001fD\u001fC2'],
        doubt: { any: false, courses: new Set() },
      },
    },
  };
  const { briefs, summary, pending } = await plan(setup);
  expect(briefs).toEqual([
    'enrolment.remove 9500000002 C2 (left-snapshot)',
    'account.disable 9500000002 status (left-snapshot)',
  ]);
  expect(summary.guards.filter((guard) => guard.held).map((guard) => guard.guard)).toContain('empty-snapshot');
  expect(summary.courses).toEqual({ fresh: [], vanished: [], entries: [] });
  expect(pending).toContain('w:i:a');
  const full = await plan({ ...setup, more: { ...setup.more!, records: { now: 1, before: 2 } } });
  expect(full.briefs).toContain('account.update 9500000001 firstName (attributes)');
  expect(full.summary.courses.vanished.length).toBe(1);
});

test('when a series of numbers is used up, nothing is made up', async () => {
  const rows = [row({ id: 'a' })];
  const last = await plan({ keys: ['i:a'], rows, more: { numbers: { '950': 9_999_999 } } });
  expect(last.briefs[0]).toBe('account.create 9509999999 (newcomer)');
  await expect(plan({ keys: ['i:a'], rows, more: { numbers: { '950': 10_000_000 } } })).rejects.toThrow('used up');
});

test.each([
  [1, false],
  [1, true],
  [2, true],
  [500, true],
])(
  'people whom an entry of a directory links are each judged once, %i keys a page (everybody: %s)',
  async (pageSize, everybody) => {
    const nowhere = { faculty: '', department: '', course: '', source: 'ad' };
    const left = account({ account: '9500000003', id: 'c', email: 'c@x.edu', courses: [] });
    const elsewhere = account({ account: '9500000004', id: 'z', email: 'z@x.edu', courses: [], source: 'hr' });
    const { briefs, summary } = await plan({
      keys: ['i:a', 'i:b', 'i:c', 'n:9500000003'],
      pageSize,
      everybody,
      rows: [
        row({ id: 'a', email: 'a@x.edu' }),
        row({ id: 'b', email: 'b@x.edu' }),
        row({ id: 'z', email: 'z@x.edu', source: 'hr', ...{ faculty: '', department: '', course: '' } }),
        row({ ...nowhere, id: 'b', email: 'c@x.edu', attributes: { phone: '1' } }),
        row({ ...nowhere, id: 'z', email: 'a@x.edu', attributes: { phone: '2' } }),
        row({ id: 'c', email: 'c@x.edu', gone: true }),
      ],
      accounts: [left, elsewhere],
      more: { directories: new Set(['ad']), precedence: ['sis', 'hr', 'ad'] },
    });
    expect(briefs).toEqual([
      'account.create 9500000007 (newcomer)',
      'account.create 9500000008 (newcomer)',
      'account.update 9500000004 attributes (attributes)',
      'enrolment.add 9500000007 C1 (course-in-scope)',
      'enrolment.add 9500000008 C1 (course-in-scope)',
      'account.disable 9500000003 status (left-snapshot)',
    ]);
    expect(summary.counts).toEqual({
      ...{ 'account.create': 2, 'account.update': 1, 'enrolment.add': 2, 'account.disable': 1 },
    });
  },
);
