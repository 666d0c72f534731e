import { expect, onTestFinished, test } from 'vitest';
import { noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** Snapshots as a site takes them: on a real store, seen through the runs and the store's own words. */

function site(): Site {
  const made = new Site({ sources: ['sis'], limits: noLimits });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}
const row = (who: string, course = 'C1', year = '1'): MemoryRow => [
  'F',
  'D',
  course,
  who,
  'L',
  `${who}@x.edu`,
  year,
  who,
];
const many = (count: number): MemoryRow[] => Array.from({ length: count }, (_, n) => row(`p${n}`));

test('the same bytes are recognised before anything else: no snapshot, and nothing to do', async () => {
  const at = site();
  await at.run('sis', many(3));
  const again = await at.run('sis', many(3));
  expect(again).toMatchObject({ status: 'unchanged', plan: null, snapshot: { id: 'sis-1', records: 3 } });
  expect((await at.store.snapshots.list({ source: 'sis', limit: 9 })).length).toBe(1);
});

test('the same rows in another order are another snapshot without a difference', async () => {
  const at = site();
  await at.run('sis', many(3));
  expect(await at.run('sis', many(3).toReversed())).toMatchObject({ status: 'unchanged', snapshot: { id: 'sis-2' } });
  expect(await at.store.snapshots.get('sis', 2)).toMatchObject({ records: 3, added: 0, gone: 0 });
});

test('a row that is repeated counts once', async () => {
  const run = await site().run('sis', [...many(2), ...many(2)]);
  expect(run).toMatchObject({ snapshot: { records: 2 }, changes: { 'account.create': 2, 'enrolment.add': 2 } });
});

test('small differences are kept against the last full set, and sets come out right over many of them', async () => {
  const at = site();
  const bases: number[] = [];
  let rows = many(100);
  for (let n = 0; n < 30; n += 1) {
    rows = [...rows.slice(1), row(`new${n}`)];
    const run = await at.run('sis', rows);
    expect(run.changes).toMatchObject(n ? { 'account.create': 1, 'account.disable': 1 } : { 'account.create': 100 });
    bases.push((await at.store.snapshots.get('sis', n + 1))!.base);
  }
  // 100 rows: up to five of them exchanged are a tenth of the set, with the sixth a new full set begins.
  expect(bases.slice(0, 8)).toEqual([1, 1, 1, 1, 1, 1, 7, 7]);
  expect(await at.run('sis', rows)).toMatchObject({ status: 'unchanged' });
});

test('a snapshot in which no row can be read is none: the run fails, the last good one stands', async () => {
  const at = site();
  await at.run('sis', many(3));
  const before = await at.look();
  const run = await at.run('sis', [row('p0', 'C1', 'first'), row('p1', 'C1', 'first')]);
  expect(run).toMatchObject({ status: 'failed', error: { kind: 'Incomplete' }, snapshot: { complete: false } });
  expect(run.error!.message).toMatch(
    /^memory:2: none of the 2 rows can be read; the first one: year: year is a text of 5 characters/,
  );
  expect(await at.look()).toEqual(before);
  expect(await at.store.snapshots.get('sis', 2)).toBe(null);
});

test('one readable row among broken ones is a snapshot, and nobody goes', async () => {
  const at = site();
  await at.run('sis', many(3));
  const run = await at.run('sis', [row('p0'), 'broken', 'broken too']);
  expect(run).toMatchObject({ status: 'unchanged', blocked: 2, snapshot: { records: 1, quarantined: 2 } });
  expect(run.quarantine.map(({ line, reason }) => `${line} ${reason}`)).toEqual(['3 no cells', '4 no cells']);
});

test('a row that stays broken is told by the line it stands on today', async () => {
  const at = site();
  await at.run('sis', [row('p0'), 'broken']);
  const run = await at.run('sis', [row('p1'), row('p2'), row('p0'), 'broken']);
  expect(run.quarantine).toMatchObject([{ file: 'memory', line: 5 }]);
});

test('a number is never given twice, not even that of a snapshot that was thrown away', async () => {
  const at = site();
  await at.run('sis', many(1));
  await at.run('sis', many(2), true);
  expect(await at.run('sis', many(3))).toMatchObject({ snapshot: { id: 'sis-3' } });
});

test('a source that has nothing new changes nothing', async () => {
  const at = site();
  await at.run('sis', many(3));
  const before = await at.look();
  expect((await at.run('sis', 'nothing new')).status).toBe('skipped');
  expect(await at.look()).toEqual(before);
});
