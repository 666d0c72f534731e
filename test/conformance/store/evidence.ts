import { expect, test } from 'vitest';
import { courseKey } from '../../../src/connector/target.ts';
import { noRemovals } from '../../../src/reconcile/guards.ts';
import type { EvidenceRow } from '../../../src/reconcile/model.ts';
import type { PlannedChange } from '../../../src/reconcile/plan.ts';
import type { Store } from '../../../src/store/port.ts';
import type { OpenStore } from '../store.ts';
import { account, badRow, change, course, digest, goodRow, inForce, plan, record, run, state } from './samples.ts';

const short = ({ source, state, origin, record, hints }: EvidenceRow): string =>
  `${source} ${state} ${record ? 'good' : 'bad'} ${hints.id ?? hints.number ?? hints.email} line ${origin.line} of ${origin.snapshot}`;

/** What one snapshot's evidence finds under keys, in short and sorted. */
async function found(store: Store, source: string, number: number, keys: string[]): Promise<string[]> {
  return (await store.rows.evidence(source, number).rows(keys)).map(short).sort();
}

/** Accounts 1 to 3 of `sis` and 4 of `hr`; 3 is disabled again. One course each, 1 has two. */
async function withAccounts(store: Store): Promise<void> {
  const [one, two, three] = [account(1), account(2), account(3)];
  await store.roster.apply(
    plan('p1'),
    'free',
    [
      ...[one, two, three].map((who) => change('account.create', who)),
      change('enrolment.add', one, course('Statics')),
      change('enrolment.add', one, course('Optics')),
      change('enrolment.add', two, course('Statics')),
    ],
    [],
  );
  await store.roster.apply(plan('p2'), 'free', [change('account.disable', { ...three, status: 'disabled' })], []);
  const four = account(4, { id: null });
  await store.roster.apply(
    plan('p3', { source: 'hr' }),
    'free',
    [change('account.create', four), change('enrolment.add', four, course('Statics'))],
    [],
  );
}

/** What planning may ask: rows of several sources at one moment, accounts, what is pending, counts. */
export function evidenceConformance(open: OpenStore): void {
  test('rows and accounts are found by alias, also when id and e-mail are others', async () => {
    const { store } = await open();
    const aliased = { alias: 'guid-1', number: null };
    await inForce(store, 'sis', 1, [goodRow(3, 'old', aliased), goodRow(4, 'S2')]);
    await inForce(store, 'sis', 2, [goodRow(5, 'new', aliased)], [digest(3)]);
    const evidence = store.rows.evidence('sis', 2);
    const rows = await evidence.rows(['a:guid-1', 'a:guid-2']);
    expect(rows.map(short).sort()).toEqual(['sis gone good old line 3 of 1', 'sis now good new line 5 of 2']);
    expect(rows.map(({ record }) => record?.alias)).toEqual(['guid-1', 'guid-1']);
    const facts = account(1, { alias: 'guid-1' });
    await store.roster.apply(plan('p1'), 'free', [change('account.create', facts)], []);
    expect(await evidence.accounts(['a:guid-1', 'a:guid-2'])).toEqual([expect.objectContaining(facts)]);
    const { alias: _alias, ...without } = facts;
    await store.roster.apply(plan('p2'), 'free', [change('account.update', without)], []);
    expect(await store.rows.evidence('sis', 2).accounts(['a:guid-1'])).toEqual([]);
  });

  test('people without a course or an address come back as they were, and belong to no course', async () => {
    const { store } = await open();
    const nowhere = { faculty: '', department: '', course: '' };
    const person = goodRow(3, 'S1', { ...nowhere, provision: false });
    const entry = goodRow(4, 'S2', { ...nowhere, email: '', alias: 'guid-2', firstName: '' });
    await inForce(store, 'sis', 1, [person, entry]);
    const evidence = store.rows.evidence('sis', 1);
    const records = (await evidence.rows(['i:S1', 'i:S2'])).map(({ record }) => record);
    const wanted = [person, entry].map(({ row }) => ('record' in row ? row.record : null));
    expect(records).toEqual(expect.arrayContaining(wanted));
    expect(await evidence.rows(['e:'])).toEqual([]);
    expect(await evidence.coursesWithRows([courseKey(nowhere)])).toEqual(new Set());
    expect(await store.rows.end('sis', 2, [digest(3)])).toEqual([{ person: 'i:S1', course: null, quarantined: false }]);
  });

  test('rows are found by id, number and e-mail, each once, with record, hints and origin', async () => {
    const { store } = await open();
    const row = goodRow(3, 'S1', { number: '9500000001', email: 'ada@example.edu' });
    await inForce(store, 'sis', 1, [row, goodRow(4, 'S2'), badRow(5, { email: 'x@example.edu' })]);
    const evidence = store.rows.evidence('sis', 1);
    const keys = ['i:S1', 'n:9500000001', 'e:ada@example.edu'];
    for (const key of keys) expect(await evidence.rows([key]), key).toHaveLength(1);
    const one = record('S1', { number: '9500000001', email: 'ada@example.edu' });
    expect(await evidence.rows([...keys, 'i:nobody', 'i:s1', 'e:S1'])).toEqual([
      {
        source: 'sis',
        state: 'now',
        record: one,
        hints: expect.objectContaining({ number: '9500000001', id: 'S1', email: 'ada@example.edu' }),
        origin: { source: 'sis', snapshot: 1, file: 'students.csv', line: 3 },
      },
    ]);
    expect(await found(store, 'sis', 1, ['e:x@example.edu'])).toEqual(['sis now bad x@example.edu line 5 of 1']);
    expect(await evidence.rows([])).toEqual([]);
  });

  test('a staged snapshot counts for its own source and is seen by nobody else', async () => {
    const { store } = await open();
    await inForce(store, 'hr', 1, [goodRow(7, 'S1')]);
    await inForce(store, 'sis', 1, [goodRow(1, 'S1'), goodRow(2, 'S2')]);
    await store.rows.add('sis', 2, [goodRow(3, 'S1', course('Optics')), goodRow(4, 'S4')]);
    await store.rows.end('sis', 2, [digest(1), digest(2)]);
    const keys = ['i:S1', 'i:S2', 'i:S4'];
    expect(await found(store, 'sis', 2, keys)).toEqual([
      'hr now good S1 line 7 of 1',
      'sis gone good S1 line 1 of 1',
      'sis gone good S2 line 2 of 1',
      'sis now good S1 line 3 of 2',
      'sis now good S4 line 4 of 2',
    ]);
    expect(await found(store, 'hr', 1, keys)).toEqual([
      'hr now good S1 line 7 of 1',
      'sis now good S1 line 1 of 1',
      'sis now good S2 line 2 of 1',
    ]);
  });

  test('only this source’s last ended rows are gone: older ones, and those of others, are no evidence', async () => {
    const { store } = await open();
    await inForce(store, 'hr', 1, [goodRow(7, 'S1')]);
    await inForce(store, 'hr', 2, [goodRow(8, 'S2')], [digest(7)]);
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await inForce(store, 'sis', 2, [goodRow(2, 'S1', course('Optics'))], [digest(1)]);
    await inForce(store, 'sis', 3, [], [digest(2)]);
    expect(await found(store, 'sis', 3, ['i:S1', 'i:S2'])).toEqual([
      'hr now good S2 line 8 of 2',
      'sis gone good S1 line 2 of 2',
    ]);
    // What one source ended is no business of the other.
    expect(await found(store, 'hr', 2, ['i:S1'])).toEqual(['hr gone good S1 line 7 of 1']);
  });

  test('a row that went and came back is now, and gone in the snapshot that it left', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await inForce(store, 'sis', 2, [], [digest(1)]);
    expect(await found(store, 'sis', 2, ['i:S1'])).toEqual(['sis gone good S1 line 1 of 1']);
    await inForce(store, 'sis', 3, [goodRow(1, 'S1')]);
    expect(await found(store, 'sis', 3, ['i:S1'])).toEqual(['sis now good S1 line 1 of 3']);
  });

  test('a source without a snapshot in force gives no evidence', async () => {
    const { store } = await open();
    await store.sources.put(state('hr', { staging: 1, next: 2 }));
    await store.rows.add('hr', 1, [goodRow(1, 'S1')]);
    await inForce(store, 'sis', 1, [goodRow(2, 'S1')]);
    expect(await found(store, 'sis', 1, ['i:S1'])).toEqual(['sis now good S1 line 2 of 1']);
  });

  test('a thousand keys are one question', async () => {
    const { store } = await open();
    const ids = Array.from({ length: 1000 }, (_, n) => `S${n}`);
    await inForce(
      store,
      'sis',
      1,
      ids.map((id, n) => goodRow(n, id)),
    );
    expect(await store.rows.evidence('sis', 1).rows(ids.map((id) => `i:${id}`))).toHaveLength(1000);
  });

  test('accounts are found by number, id and e-mail, each once, with source and enrolments by name', async () => {
    const { store } = await open();
    await withAccounts(store);
    const evidence = store.rows.evidence('sis', 1);
    const one = { ...account(1), source: 'sis', enrolments: [course('Optics'), course('Statics')] };
    for (const key of ['i:S1', 'n:9500000001', 'e:s1@example.edu'])
      expect(await evidence.accounts([key]), key).toEqual([one]);
    const keys = ['i:S1', 'n:9500000001', 'e:s4@example.edu', 'i:S3', 'i:nobody', 'n:9519999999'];
    const accounts = await evidence.accounts(keys);
    expect(accounts.map(({ account, source, status }) => `${account} ${source} ${status}`).sort()).toEqual([
      '9500000001 sis active',
      '9500000003 sis disabled',
      '9500000004 hr active',
    ]);
    expect(await evidence.accounts([])).toEqual([]);
  });

  test('what other sources left pending is known by key, what this one left is not asked here', async () => {
    const { store } = await open();
    await store.plans.sink('p-sis').pending(['i:S1', 'e:a@example.edu']);
    await store.plans.sink('p-hr').pending(['i:S1', 'i:S2']);
    await store.plans.sink('p-old').pending(['i:S3']);
    await store.plans.sink('p-lib').pending(['i:S1']);
    await store.sources.put(state('sis', { pending: 'p-sis' }));
    await store.sources.put(state('hr', { pending: 'p-hr' }));
    await store.sources.put(state('lib', { pending: 'p-lib' }));
    await store.sources.put(state('idle'));
    const asked = ['i:S1', 'i:S2', 'i:S3', 'e:a@example.edu'];
    const pending = await store.rows.evidence('sis', 1).pendingElsewhere(asked);
    expect(Object.fromEntries([...pending].map(([key, sources]) => [key, [...sources].sort()]))).toEqual({
      'i:S1': ['hr', 'lib'],
      'i:S2': ['hr'],
    });
    const others = await store.rows.evidence('hr', 1).pendingElsewhere(asked);
    expect([...others.keys()].sort()).toEqual(['e:a@example.edu', 'i:S1']);
  });

  test('a course has rows while any source in force has one, good or not; gone ones do not count', async () => {
    const { store } = await open();
    const key = (name: string): string => courseKey(course(name));
    await inForce(store, 'sis', 1, [
      goodRow(1, 'S1', course('Statics')),
      goodRow(2, 'S2', course('Optics')),
      badRow(3, { id: 'S3' }, course('Broken')),
    ]);
    await inForce(store, 'hr', 1, [goodRow(4, 'H1', course('Office'))]);
    await store.sources.put(state('lib', { staging: 1, next: 2 }));
    await store.rows.add('lib', 1, [goodRow(5, 'L1', course('Staged'))]);
    await store.rows.add('sis', 2, [goodRow(6, 'S2', course('New'))]);
    await store.rows.end('sis', 2, [digest(2)]);
    const asked = ['Statics', 'Optics', 'Broken', 'Office', 'Staged', 'New', 'Never'].map(key);
    const staged = await store.rows.evidence('sis', 2).coursesWithRows(asked);
    expect([...staged].sort()).toEqual(['Broken', 'New', 'Office', 'Statics'].map(key).sort());
    const seenByHr = await store.rows.evidence('hr', 1).coursesWithRows(asked);
    expect([...seenByHr].sort()).toEqual(['Broken', 'Office', 'Optics', 'Statics'].map(key).sort());
    expect(await store.rows.evidence('sis', 2).coursesWithRows([])).toEqual(new Set());
  });

  test('enrolments are counted by course over all sources, and a course without any is 0', async () => {
    const { store } = await open();
    await withAccounts(store);
    const asked = ['Statics', 'Optics', 'Never'].map((name) => courseKey(course(name)));
    expect(await store.rows.evidence('sis', 1).enrolmentCounts(asked)).toEqual(
      new Map([
        [asked[0], 3],
        [asked[1], 1],
        [asked[2], 0],
      ]),
    );
  });

  test('what stands because of a source: its active accounts and the enrolments that it added', async () => {
    const { store } = await open();
    await withAccounts(store);
    expect(await store.rows.evidence('sis', 1).standing()).toEqual({ accounts: 2, enrolments: 3 });
    expect(await store.rows.evidence('hr', 1).standing()).toEqual({ accounts: 1, enrolments: 1 });
    expect(await store.rows.evidence('new', 1).standing()).toEqual({ accounts: 0, enrolments: 0 });
  });

  test('an account counts for the source that enabled it last; an update moves nothing', async () => {
    const { store } = await open();
    await withAccounts(store);
    const hr = plan('p4', { source: 'hr' });
    await store.roster.apply(
      hr,
      'free',
      [change('account.enable', account(3)), change('account.update', account(1, { year: 3 }))],
      [],
    );
    expect(await store.rows.evidence('hr', 1).standing()).toEqual({ accounts: 2, enrolments: 1 });
    expect(await store.rows.evidence('sis', 1).standing()).toEqual({ accounts: 2, enrolments: 3 });
  });

  test('what stands, and how many are enrolled, is the same after a repeat of any batch', async () => {
    const { store, reopen } = await open();
    await withAccounts(store);
    // The last batch of each plan is the one that a cut can repeat.
    const batches: [ReturnType<typeof plan>, PlannedChange[]][] = [
      [plan('p4', { source: 'hr' }), [change('account.enable', account(3)), change('account.update', account(2))]],
      [plan('p5', { source: 'hr' }), [change('enrolment.add', account(1), course('Statics'))]],
      [plan('p6', { source: 'hr' }), [change('enrolment.remove', account(1), course('Optics'))]],
      [plan('p7'), [change('account.disable', account(1, { status: 'disabled' }))]],
      [plan('p8'), [change('account.disable', account(4, { id: null, status: 'disabled' }))]],
    ];
    const stands = async (from: Store) => [
      await from.rows.evidence('sis', 1).standing(),
      await from.rows.evidence('hr', 1).standing(),
      [
        ...(await from.rows
          .evidence('sis', 1)
          .enrolmentCounts(['Statics', 'Optics'].map((one) => courseKey(course(one))))),
      ].map(([, count]) => count),
    ];
    for (const [its, changes] of batches) {
      await store.roster.apply(its, 'free', changes, []);
      const once = await stands(store);
      await store.roster.apply(its, 'free', changes, []);
      expect(await stands(store), its.plan).toEqual(once);
    }
    expect(await stands(await reopen())).toEqual([
      { accounts: 1, enrolments: 2 },
      { accounts: 1, enrolments: 1 },
      [3, 0],
    ]);
  });

  test('the course table comes whole, sorted by its names', async () => {
    const { store } = await open();
    const entries = [
      { ...course('Zoology', 'B'), status: 'known' as const },
      { ...course('Anatomy', 'B'), status: 'vanished' as const },
      { ...course('Zen', 'A'), status: 'enrolled' as const },
    ];
    await store.roster.putCourses(entries);
    expect(await store.rows.evidence('sis', 1).courses()).toEqual([entries[2], entries[1], entries[0]]);
  });

  test('removals within the window count when guards let them pass: not held, not dry, not failed, not another’s', async () => {
    const { store } = await open();
    const removals = { 'account.disable': 2, 'enrolment.remove': 3, 'account.kind': 4, 'account.create': 9 };
    const put = (id: string, changes: Parameters<typeof run>[1]) =>
      store.runs.put(run(id, { changes: removals, endedAt: '2026-02-05T02:00:00.000Z', ...changes }));
    await put('applied', {});
    await put('first-moment', { endedAt: '2026-02-02T00:00:00.000Z' });
    await put('too-old', { endedAt: '2026-02-01T23:59:59.999Z' });
    await put('held-or-approved', { status: 'held', heldTypes: ['account.disable', 'enrolment.remove'] });
    await put('kinds-held', { status: 'held', heldTypes: ['account.kind'] });
    await put('approved', { status: 'applied', heldTypes: ['account.disable', 'enrolment.remove'] });
    await put('dry', { status: 'planned', dryRun: true });
    await put('failed', { status: 'failed' });
    await put('running', { status: 'running', endedAt: null });
    await put('other', { source: 'hr' });
    await put('nothing', { changes: {} });
    const since = new Date('2026-02-02T00:00:00.000Z');
    expect(await store.rows.evidence('sis', 1).removedSince(since)).toEqual({ disables: 4, unenrolments: 6, kinds: 8 });
    expect(await store.rows.evidence('new', 1).removedSince(since)).toEqual(noRemovals);
  });
}
