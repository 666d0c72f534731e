import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Differences, type RowDifference } from '../../../src/snapshot/differences.ts';
import { noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** What two snapshots differ in, as a site took them. */

function site(): Site {
  const made = new Site({ sources: ['sis', 'hr'], limits: noLimits });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}
const row = (who: string, course = 'C1', year = '1', lastName = 'L'): MemoryRow => [
  ...['F', 'D', course, who, lastName, `${who}@x.edu`, year, who],
];

async function between(at: Site, from: number, to: number, source = 'sis'): Promise<Differences> {
  const [a, b] = await Promise.all([at.store.snapshots.get('sis', from), at.store.snapshots.get(source, to)]);
  return Differences.between(at.store, a!, b!);
}

/** All of them, page by page. */
async function all(found: Differences, limit = 1000): Promise<RowDifference[]> {
  const rows: RowDifference[] = [];
  for (let begin: number | null = 0; begin !== null; ) {
    const page: Awaited<ReturnType<Differences['page']>> = await found.page(begin, limit);
    rows.push(...page.differences);
    begin = page.next;
  }
  return rows;
}

/** In a few words: what, whom, from where to where, and which fields. */
function brief({ what, person, from, to, fields }: RowDifference): string {
  const place = [from, to].map((seen) => (seen ? `${seen.line}` : '-')).join('>');
  return [what, person, place, ...fields].join(' ');
}

test('who came, who went, what changed, and where each row stands', async () => {
  const at = site();
  await at.run('sis', [
    row('stays'),
    row('goes'),
    row('moves', 'C1'),
    row('named'),
    row('both', 'C1'),
    row('both', 'C2'),
  ]);
  await at.run('sis', [
    row('comes'),
    row('named', 'C1', '2', 'New'),
    row('stays'),
    row('moves', 'C9'),
    row('both', 'C2'),
    row('both', 'C3'),
    row('both', 'C4'),
  ]);
  const found = await between(at, 1, 2);
  expect([found.added, found.gone]).toEqual([5, 4]);
  expect((await all(found)).map(brief)).toEqual([
    'changed i:both 6>7 course',
    'added i:both ->8',
    'added i:comes ->2',
    'gone i:goes 3>-',
    'changed i:moves 4>5 course',
    'changed i:named 5>3 lastName year',
  ]);
  expect((await all(found)).at(-1)).toMatchObject({
    from: { file: 'memory', record: { lastName: 'L', year: 1 }, reason: null },
    to: { record: { lastName: 'New', year: 2, email: 'named@x.edu' } },
  });
});

test('the other way round it is the same, turned', async () => {
  const at = site();
  await at.run('sis', [row('a'), row('b')]);
  await at.run('sis', [row('b', 'C2'), row('c')]);
  expect((await all(await between(at, 2, 1))).map(brief)).toEqual([
    'added i:a ->2',
    'changed i:b 2>3 course',
    'gone i:c 3>-',
  ]);
  expect(await all(await between(at, 1, 1))).toEqual([]);
});

test('a row that cannot be read is told with its reason, and is no field that changed', async () => {
  const at = site();
  await at.run('sis', [row('a'), row('b')]);
  await at.run('sis', [row('a'), row('b', 'C1', 'first'), 'broken']);
  const rows = await all(await between(at, 1, 2));
  expect(rows.map(brief)).toEqual(['changed i:b 3>3', 'added  ->4']);
  expect(rows.map(({ to }) => [to!.record, to!.reason])).toEqual([
    [null, expect.stringMatching(/^year is "first"/)],
    [null, 'no cells'],
  ]);
});

test('what says the same in other bytes is rewritten', async () => {
  const at = site();
  await at.run('sis', [row('a')]);
  await at.run('sis', [['F', 'D', 'C1', 'a', 'L', 'A@X.edu ', '1', 'a']]);
  expect((await all(await between(at, 1, 2))).map(brief)).toEqual(['rewritten i:a 2>2']);
});

test('a person with rows on two pages is told on one', async () => {
  const at = site();
  await at.run('sis', [row('a', 'C1'), row('b', 'C1'), row('b', 'C2'), row('b', 'C3'), row('c')]);
  await at.run('sis', []);
  await at.run('sis', [row('z')]);
  const found = await between(at, 1, 3);
  const first = await found.page(0, 2);
  expect(first.differences.map(({ person }) => person)).toEqual(['i:a', 'i:b', 'i:b', 'i:b']);
  expect((await all(found, 1)).map(brief)).toEqual((await all(found)).map(brief));
});

test('two sources have nothing to compare, and a snapshot whose rows have been forgotten is refused, not half told', async () => {
  const at = site();
  await at.run('sis', [row('a'), row('b')]);
  await at.run('hr', [row('a')]);
  await expect(between(at, 1, 1, 'hr')).rejects.toThrow('sis-1 and hr-1 are snapshots of two sources');
  await at.run('sis', [row('b')]);
  await at.run('sis', [row('b'), row('c')]);
  await at.store.rows.forget('sis', 3);
  await expect(between(at, 1, 3)).rejects.toThrow('rows of the snapshot sis-1 are no longer kept');
  expect((await all(await between(at, 2, 3))).map(brief)).toEqual(['added i:c ->3']);
});

test('any two of any history: exactly the rows that one has and the other has not', async () => {
  const person = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('C1', 'C2'), fc.constantFrom('1', '2'));
  // an empty snapshot is not taken while people stand
  const drop = fc.uniqueArray(person, { minLength: 1, maxLength: 8, selector: (one) => one.join() });
  await fc.assert(
    fc.asyncProperty(fc.array(drop, { minLength: 2, maxLength: 5 }), fc.nat(), fc.nat(), async (drops, a, b) => {
      await using at = new Site({ sources: ['sis'], limits: noLimits });
      const taken: { number: number; rows: Set<string> }[] = [];
      for (const rows of drops) {
        const { snapshot } = await at.run(
          'sis',
          rows.map(([who, course, year]) => row(who, course, year)),
        );
        const number = Number(snapshot.id!.split('-')[1]);
        if (!taken.some((one) => one.number === number))
          taken.push({ number, rows: new Set(rows.map((one) => one.join())) });
      }
      const [from, to] = [taken[a % taken.length]!, taken[b % taken.length]!];
      const found = await all(await between(at, from.number, to.number), 2);
      const keys = (side: 'from' | 'to') =>
        found
          .flatMap((one) => (one[side] ? [one[side].record!] : []))
          .map(({ id, course, year }) => [id, course, year].join());
      const only = (a: Set<string>, b: Set<string>) => [...a].filter((one) => !b.has(one)).sort();
      expect(keys('from').sort()).toEqual(only(from.rows, to.rows));
      expect(keys('to').sort()).toEqual(only(to.rows, from.rows));
      expect(found.filter(({ what }) => what === 'rewritten')).toEqual([]);
    }),
    { numRuns: 60 },
  );
});
