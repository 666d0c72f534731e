import { describe, expect, onTestFinished, test } from 'vitest';
import type { FormatConfig } from '../../../src/configure/config.ts';
import type { PeopleRules } from '../../../src/reconcile/model.ts';
import { reconcileComponent } from '../../../src/reconcile/person.ts';
import { Site, type SiteOptions } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';
import { account, brief, component, quarantined, row, rules } from './make.ts';

/** Rows that are no reason for an account (`provision: false`), beside rows that are one and alone. */

const one = '9500000001';
const nowhere = { faculty: '', department: '', course: '' };
/** Somebody of the staff feed who only teaches: known by name. */
const teaches = (more: Parameters<typeof row>[0] = {}) =>
  row({ id: 'a', source: 'hr', kind: 'staff', year: null, ...nowhere, provision: false, ...more });
const studies = (more: Parameters<typeof row>[0] = {}) => row({ id: 'a', ...more });
const first: Partial<PeopleRules> = { precedence: ['hr', 'sis'] };
const byHr: Partial<PeopleRules> = { ...first, source: 'hr' };

function verdict(of: Parameters<typeof component>[0], how: Partial<PeopleRules> = first) {
  const found = reconcileComponent(component(of), rules(how), (kind) => (kind === 'staff' ? '9510000100' : fresh));
  return { ...found, brief: found.changes.map(brief), notes: found.notes.map((note) => note.reason) };
}
const fresh = '9500000100';
const disabled = [`enrolment.remove ${one} C1 (no-account)`, `account.disable ${one} status (no-account)`];

describe('beside a row that is a reason for an account', () => {
  test('it does not say who somebody is, however high its source stands', () => {
    const rows = [teaches({ email: 'hr@x.edu', firstName: 'Anna' }), studies()];
    const { changes } = verdict({ rows });
    expect(changes.map(brief)).toEqual([
      `account.create ${fresh} (newcomer)`,
      `enrolment.add ${fresh} C1 (course-in-scope)`,
    ]);
    expect(changes[0]!.account).toMatchObject({ kind: 'student', year: 1, email: 'ann@x.edu', firstName: 'Ann' });
    expect(verdict({ rows, accounts: [account({})] }, byHr).changes).toEqual([]);
  });

  test('its attributes are taken, after those of the others', () => {
    const rows = [teaches({ attributes: { title: 'Dr', phone: '1' } }), studies({ attributes: { phone: '2' } })];
    expect(verdict({ rows }).changes[0]!.account!.attributes).toEqual({ phone: '2', title: 'Dr' });
  });

  test('its course is nobody’s', () => {
    const rows = [teaches({ faculty: 'F', department: 'D', course: 'C2' }), studies()];
    expect(verdict({ rows, accounts: [account({})] }).changes).toEqual([]);
  });

  test('its place does not make the word of a later source count where an earlier row cannot be read', () => {
    // the quarantined row may be the one that decides
    const rows = [teaches(), quarantined({ id: 'a', source: 'hr' }), studies({ firstName: 'Anna' })];
    expect(verdict({ rows, accounts: [account({})] }).changes).toEqual([]);
    expect(verdict({ rows: [teaches(), studies({ firstName: 'Anna' })], accounts: [account({})] }).brief).toEqual([
      `account.update ${one} firstName (attributes)`,
    ]);
    const torn = { ...byHr, blockAll: 'line 7' };
    const read = { rows: [teaches(), studies({ firstName: 'Anna' })], accounts: [account({})] };
    expect(verdict(read, torn).changes).toEqual([]);
  });
});

describe('alone', () => {
  test('it enables nobody', () => {
    const accounts = [account({ status: 'disabled', courses: [] })];
    expect(verdict({ rows: [teaches()], accounts }, byHr).changes).toEqual([]);
    expect(verdict({ rows: [studies({ provision: false })], accounts }).changes).toEqual([]);
    expect(verdict({ rows: [teaches(), studies()], accounts }).brief).toEqual([
      `account.enable ${one} status (returner)`,
      `enrolment.add ${one} C1 (course-in-scope)`,
    ]);
  });

  test('it ends an account, and nothing else of it is changed', () => {
    const rows = [
      studies({ gone: true }),
      studies({ provision: false, firstName: 'Anna', attributes: { phone: '1' } }),
    ];
    const { changes, pending } = verdict({ rows, accounts: [account({})] });
    expect(changes.map(brief)).toEqual(disabled);
    expect(changes[1]!.account).toMatchObject({ firstName: 'Ann', attributes: {}, status: 'disabled' });
    expect(pending).toEqual([]);
  });

  test.each([
    ['the source that says so', {}, byHr, true],
    ['the source that let go', { rows: [studies({ gone: true })] }, first, true],
    ['the source that gave the account', {}, first, true],
    ['a source that left it pending', { accounts: [account({ source: 'x' })], touched: ['i:a'] }, first, true],
    ['no source that never spoke of the person', { accounts: [account({ source: 'x' })] }, first, false],
  ])('an account is ended by %s', (_name, { rows = [], accounts = [account({})], touched = [] }: Ended, how, ends) => {
    expect(verdict({ rows: [teaches(), ...rows], accounts, touched }, how).brief).toEqual(ends ? disabled : []);
  });

  test.each([
    ['a row about the person cannot be read', { rows: [quarantined({ id: 'a' })] }, {}, 'quarantine'],
    ['a row that could be anybody’s cannot be read', {}, { blockAll: 'line 7' }, 'quarantine-unknown'],
    ['another source has unfinished business', { pendingElsewhere: ['sis'] }, {}, 'pending-elsewhere'],
    [
      'a person in conflict may be the same',
      { rows: [row({ id: 'b', source: 'hr', email: 'ann@x.edu', ...nowhere })] },
      {},
      'conflict',
    ],
  ])('it ends none while %s', (_name, { rows = [], pendingElsewhere = [] }: Kept, how, reason) => {
    const of = { rows: [teaches({ email: 'a@x.edu' }), ...rows], accounts: [account({})], pendingElsewhere };
    const found = verdict(of, { ...byHr, ...how });
    expect(found.changes).toEqual([]);
    expect(found.notes).toContain(reason);
    expect(found.pending.length).toBeGreaterThan(0);
  });

  test('a row out of scope is a reason still', () => {
    expect(
      verdict({ rows: [teaches(), studies({ course: 'X' })], accounts: [account({ courses: [] })] }).changes,
    ).toEqual([]);
  });

  test('what a directory says of it is nothing', () => {
    const how = { directories: new Set(['hr']) };
    expect(verdict({ rows: [teaches(), studies()], accounts: [account({})] }, how).changes).toEqual([]);
    expect(
      verdict({ rows: [teaches()], accounts: [account({})] }, { ...how, ...byHr, fillOnly: true }).changes,
    ).toEqual([]);
  });
});

type Ended = Partial<Pick<Parameters<typeof component>[0], 'rows' | 'accounts' | 'touched'>>;
type Kept = Partial<Pick<Parameters<typeof component>[0], 'rows' | 'pendingElsewhere'>>;

describe('at a whole site', () => {
  const column = (name: string) => ({ columns: [name], join: '', constant: null, values: null });
  const format: FormatConfig = {
    kind: 'map',
    fields: {
      ...Object.fromEntries(
        ['faculty', 'department', 'course', 'firstName', 'email', 'year', 'id'].map((name) => [name, column(name)]),
      ),
      lastName: { ...column(''), columns: [], constant: 'L' },
      provision: { ...column('lastName'), values: { active: 'yes', inactive: 'no' } },
    },
  };
  function siteOf(options: Partial<SiteOptions> = {}): Site {
    const limits = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };
    const made = new Site({ sources: ['sis'], limits, format, ...options });
    onTestFinished(() => made[Symbol.asyncDispose]());
    return made;
  }
  const line = (id: string, status = 'active'): MemoryRow => ['F', 'D', 'C1', id, status, `${id}@x.edu`, '1', id];
  const many = (from: number, to: number, status = 'active'): MemoryRow[] =>
    Array.from({ length: to - from }, (_, n) => line(`s${from + n}`, status));
  const active = async (site: Site): Promise<string[]> =>
    (await site.look()).members.filter(({ status }) => status === 'active').map(({ id }) => id!);

  test('somebody who becomes inactive is disabled, keeps all data, and comes back under the same number', async () => {
    const site = siteOf();
    await site.run('sis', many(0, 20));
    const [before] = (await site.look()).members;
    const run = await site.run('sis', [line('s0', 'inactive'), ...many(1, 20)]);
    expect(run).toMatchObject({ status: 'applied', changes: { 'enrolment.remove': 1, 'account.disable': 1 } });
    expect((await site.look()).members[0]).toEqual({ ...before, status: 'disabled', enrolments: [] });
    expect(await site.run('sis', [line('s0', 'inactive'), ...many(1, 20)])).toMatchObject({ status: 'unchanged' });
    const back = await site.run('sis', many(0, 20));
    expect(back.changes).toEqual({ 'account.enable': 1, 'enrolment.add': 1 });
    expect((await site.look()).members[0]).toEqual(before);
  });

  test('a leaver who comes back as inactive stays disabled', async () => {
    const site = siteOf();
    await site.run('sis', many(0, 20));
    await site.run('sis', many(1, 20));
    expect((await site.run('sis', [line('s0', 'inactive'), ...many(1, 20)])).changes).toEqual({});
    expect(await active(site)).not.toContain('s0');
    expect((await site.run('sis', many(0, 20))).changes).toEqual({ 'account.enable': 1, 'enrolment.add': 1 });
  });

  test('that half of them are inactive at once waits for a person', async () => {
    const site = siteOf();
    await site.run('sis', many(0, 100));
    const half = [...many(0, 50, 'inactive'), ...many(50, 100)];
    const held = await site.run('sis', half);
    expect(held).toMatchObject({ status: 'held', heldTypes: ['account.disable', 'enrolment.remove'] });
    expect(await active(site)).toHaveLength(100);
    // it is not forgotten, and passes as it was shown
    const again = await site.run('sis', half);
    expect(again.status).toBe('held');
    await site.approve(again.run, again.digest!);
    expect(await active(site)).toHaveLength(50);
  });

  test('an approval takes who is only known by name elsewhere by now', async () => {
    const site = siteOf({ sources: ['sis', 'hr'] });
    await site.run('sis', many(0, 2));
    const held = await site.run('sis', [line('s0', 'inactive'), line('s1')]);
    expect(await site.run('hr', [line('s0', 'inactive')])).toMatchObject({ changes: {}, blocked: 1 });
    await site.approve(held.run, held.digest!);
    expect(await active(site)).toEqual(['s1']);
  });

  test('an approval does not take somebody whom another source has a reason for by now', async () => {
    const site = siteOf({ sources: ['sis', 'hr'] });
    await site.run('sis', many(0, 2));
    const held = await site.run('sis', [line('s0', 'inactive'), line('s1')]);
    expect(held.status).toBe('held');
    await site.run('hr', [line('s0', 'inactive')]);
    await site.run('hr', [line('s0')]);
    await expect(site.approve(held.run, held.digest!)).rejects.toThrow(/out of date/);
    expect(await active(site)).toEqual(['s0', 's1']);
  });

  test('the last source with a reason takes the account, whatever the others know by name', async () => {
    const site = siteOf({ sources: ['hr', 'sis'] });
    await site.run('sis', many(0, 20));
    await site.run('hr', many(0, 5, 'inactive'));
    expect(await active(site)).toHaveLength(20);
    const run = await site.run('sis', many(1, 20));
    expect(run.changes).toEqual({ 'enrolment.remove': 1, 'account.disable': 1 });
    expect(await active(site)).not.toContain('s0');
  });

  test('a row that nobody can read keeps back that somebody inactive goes', async () => {
    const site = siteOf();
    await site.run('sis', many(0, 20));
    const answer = [line('s0', 'inactive'), ...many(1, 20)];
    expect(await site.run('sis', ['torn', ...answer])).toMatchObject({ changes: {}, blocked: 1 });
    expect(await active(site)).toHaveLength(20);
    expect((await site.run('sis', answer)).changes).toEqual({ 'enrolment.remove': 1, 'account.disable': 1 });
  });

  test('a newcomer who is inactive gets no account, and the row is there to be found', async () => {
    const site = siteOf();
    await site.run('sis', many(0, 3));
    const run = await site.run('sis', [...many(0, 3), line('s9', 'inactive')]);
    expect(run).toMatchObject({ changes: {}, snapshot: { records: 4 } });
    const { current } = await site.store.sources.get('sis');
    expect(await site.store.rows.evidence('sis', current!).rows(['i:s9'])).toMatchObject([
      { state: 'now', record: { id: 's9', provision: false } },
    ]);
  });
});
