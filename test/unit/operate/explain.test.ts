import { expect, onTestFinished, test } from 'vitest';
import { type Explanation, explain } from '../../../src/operate/explain.ts';
import type { Run } from '../../../src/store/port.ts';
import { noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** Why somebody is as they are, told of a real store. */

function site(limits = noLimits, directories: readonly string[] = []): Site {
  const made = new Site({ sources: ['sis', 'dir'], directories, limits, newCourses: 'provision' });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}
const row = (who: string, course = 'C1', lastName = 'L'): MemoryRow => [
  ...['F', 'D', course, who, lastName, `${who}@x.edu`, '1', who],
];
const told = ({ history }: Explanation): string[] =>
  history.map(({ type, became, rule, rows }) => `${became} ${type} ${rule} ${rows.map(({ line }) => line)}`);
/** Every change of a run about an account, as `show` has them. */
async function shown(at: Site, run: Run, account: string): Promise<number> {
  const plan = (await at.store.plans.get(run.plan!))!;
  const all = await at.store.plans.changes(plan.plan, Object.keys(plan.counts) as never, null, 10_000);
  return all.filter(({ key }) => key === account || key.startsWith(`${account}/`)).length;
}

test('every change with its row and rule, newest first, and what each target answered', async () => {
  const at = site();
  const first = await at.run('sis', [row('a'), row('b', 'C1'), row('b', 'C2'), row('c')]);
  const second = await at.run('sis', [row('a'), row('b', 'C2', 'New'), row('c')]);
  const found = await explain(at.rosterd, 'b', 50);
  expect(found.accounts).toMatchObject([
    { account: '9500000002', lastName: 'New', source: 'sis', enrolments: [{ course: 'C2' }] },
  ]);
  expect(told(found)).toEqual([
    'applied enrolment.remove left-course 3',
    'applied account.update attributes 3',
    expect.stringMatching(/^applied enrolment.add course-in-scope \d$/),
    expect.stringMatching(/^applied enrolment.add course-in-scope \d$/),
    expect.stringMatching(/^applied account.create newcomer 3/),
  ]);
  expect(found.history.length).toBe((await shown(at, first, '9500000002')) + (await shown(at, second, '9500000002')));
  expect(found.rows.map(({ state, record, origin }) => `${state} ${record!.course} ${origin.line}`).sort()).toEqual([
    'gone C1 3',
    'gone C2 4',
    'now C2 3',
  ]);
  const [newest] = found.history;
  await at.store.outbox.settle(
    'log',
    [{ item: newest!.targets[0]!.item, outcome: 'failed', answer: 'no such section' }],
    '2026-01-01T00:00:00.000Z',
  );
  expect((await explain(at.rosterd, 'b', 1)).history).toMatchObject([
    { run: second.run, targets: [{ target: 'log', status: 'failed', answer: 'no such section', attempts: 1 }] },
  ]);
  // each of the people beside has their own
  for (const who of ['a', 'c'])
    expect((await explain(at.rosterd, who, 50)).history.map(({ account }) => account!.id)).toEqual([who, who]);
});

test('by number, id and e-mail it is the same person; of others nothing is told', async () => {
  const at = site();
  await at.run('sis', [row('a'), row('b')]);
  const { who: _, ...byId } = await explain(at.rosterd, 'b', 50);
  for (const who of ['9500000002', 'B@X.edu']) {
    const { who: __, ...found } = await explain(at.rosterd, who, 50);
    expect(found).toEqual(byId);
  }
  for (const who of ['nobody', '9500000003', 'c@x.edu', 'F / D / C9', 'x / y / '])
    await expect(explain(at.rosterd, who, 50), who).rejects.toThrow(/^(nobody is known as|there is no course)/);
});

test('what waits, was replaced or rejected is told as that, and what keeps removals back is named', async () => {
  const at = site({ ...noLimits, percent: 10, atLeast: 1 });
  const everybody = Array.from({ length: 10 }, (_, n) => row(`p${n}`));
  await at.run('sis', everybody);
  await at.run('sis', everybody.slice(5));
  const became = async () => [
    ...new Set((await explain(at.rosterd, 'p0', 50)).history.map((one) => `${one.type} ${one.became}`)),
  ];
  expect(await became()).toEqual([
    'account.disable waits',
    'enrolment.remove waits',
    'enrolment.add applied',
    'account.create applied',
  ]);
  const held = await at.run('sis', everybody.slice(6));
  expect(await became()).toContain('account.disable replaced');
  await at.reject(held.run);
  expect(await became()).toContain('account.disable rejected');
  expect(await became()).not.toContain('account.disable waits');
  const dry = await at.run('sis', [...everybody.slice(1), row('p0', 'C1', 'New')], true);
  expect((await explain(at.rosterd, 'p0', 1)).history).toMatchObject([
    { run: dry.run, type: 'account.update', became: 'planned' },
  ]);
  await at.run('sis', [...everybody.slice(1), 'broken']);
  expect((await explain(at.rosterd, 'p0', 50)).open).toMatchObject([
    { source: 'sis', kind: 'blocked', account: '9500000001' },
  ]);
  expect((await explain(at.rosterd, 'p1', 50)).open).toEqual([]);
});

test('a limit leaves out the older ones and says so; items of them are told beside', async () => {
  const at = site();
  await at.run('sis', [row('a')]);
  await at.run('sis', [row('a', 'C1', 'New')]);
  const found = await explain(at.rosterd, 'a', 1);
  expect([told(found), found.more]).toEqual([['applied account.update attributes 2'], true]);
  expect(found.items.map(({ type }) => type)).toEqual(['account.create', 'enrolment.add']);
  expect((await explain(at.rosterd, 'a', 3)).more).toBe(false);
});

test('an entry of a directory counts as a row of the person that it fills in', async () => {
  const at = site(noLimits, ['dir']);
  await at.run('sis', [row('a')]);
  await at.run('dir', [['', '', '', '555', 'R1', 'a@x.edu', '', 'a']]);
  const found = await explain(at.rosterd, 'a', 50);
  expect(found.rows.map(({ source }) => source).sort()).toEqual(['dir', 'sis']);
  expect(found.history[0]).toMatchObject({
    source: 'dir',
    type: 'account.update',
    after: { attributes: { phone: '555' } },
  });
});

test('a course is told with who is in it, and whether anybody names it', async () => {
  const at = site();
  await at.run('sis', [row('a', 'C1'), row('b', 'C1'), row('c', 'C2')]);
  await at.run('sis', [row('a', 'C1'), row('b', 'C1'), row('c', 'C1')]);
  expect(await explain(at.rosterd, 'F / D / C1', 50)).toMatchObject({
    course: { status: 'enrolled', enrolled: 3, rows: true },
    accounts: [],
  });
  expect(await explain(at.rosterd, 'F / D / C2', 50)).toMatchObject({
    course: { status: 'vanished', enrolled: 0, rows: false },
  });
});
