import { describe, expect, test } from 'vitest';
import { type GuardInput, measureGuards } from '../../../src/reconcile/guards.ts';

const usual = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };
const none = { disables: 0, unenrolments: 0, kinds: 0 };

function guards(more: Partial<GuardInput>) {
  return measureGuards({
    limits: usual,
    removals: none,
    standing: { accounts: 1000, enrolments: 2000 },
    earlier: none,
    givenSince: { accounts: 0, enrolments: 0 },
    records: { now: 900, before: 1000 },
    rows: 1_000_000,
    first: null,
    keptBack: 0,
    ...more,
  });
}
const heldBy = (more: Partial<GuardInput>): string[] =>
  guards(more)
    .filter((result) => result.held)
    .map((result) => result.guard);

describe('at once', () => {
  test.each([
    [100, 1000, []],
    [101, 1000, ['disables.percent']],
    [20, 100, []],
    [21, 100, ['disables.percent']],
    [20, 190, []],
    [21, 210, []],
    [21, 209, ['disables.percent']],
  ])('%i of %i accounts', (disables, accounts, held) => {
    expect(heldBy({ removals: { ...none, disables }, standing: { accounts, enrolments: 0 } })).toEqual(held);
  });

  test('enrolments are counted apart', () => {
    expect(heldBy({ removals: { ...none, disables: 100, unenrolments: 200 } })).toEqual([]);
    expect(heldBy({ removals: { ...none, disables: 100, unenrolments: 201 } })).toEqual(['unenrolments.percent']);
  });

  test('a per cent that is no whole number is exact as well', () => {
    const limits = { ...usual, percent: 12.5, atLeast: 0 };
    expect(heldBy({ limits, removals: { ...none, disables: 125 } })).toEqual([]);
    expect(heldBy({ limits, removals: { ...none, disables: 126 } })).toEqual(['disables.percent']);
  });

  test('a limit of 0 per cent lets nothing go, one of 100 per cent everything', () => {
    const of = (percent: number, disables: number) =>
      heldBy({
        limits: { percent, atLeast: 0, window: { days: 7, percent: 100 } },
        removals: { ...none, disables },
      });
    expect(of(0, 1)).toEqual(['disables.percent']);
    expect(of(100, 1000)).toEqual([]);
  });
});

test('a source stands for no more than it has rows, whatever once came from it', () => {
  const standing = { accounts: 1060, enrolments: 2000 };
  expect(heldBy({ standing, removals: { ...none, disables: 59 } })).toEqual([]);
  const few = { standing, rows: 60 };
  expect(heldBy({ ...few, removals: { ...none, disables: 59, unenrolments: 59 } })).toEqual([
    ...['disables.percent', 'disables.window', 'unenrolments.percent', 'unenrolments.window'],
  ]);
  expect(heldBy({ ...few, removals: { ...none, disables: 3 } })).toEqual([]);
  // what waits from days when it had more is no more than all of it
  const all = { percent: 100, atLeast: 0, window: { days: 7, percent: 100 } };
  expect(heldBy({ ...few, limits: all, removals: { ...none, disables: 990, unenrolments: 990 } })).toEqual([]);
});

describe('over the window', () => {
  const small = { accounts: 12, enrolments: 12 };
  test.each([
    [3, 0, []],
    [4, 0, ['disables.window']],
    [1, 0, []],
    // two went this week: of 14, three may go and four may not
    [1, 2, []],
    [2, 2, ['disables.window']],
  ])('%i of 12 now, %i this week', (disables, past, held) => {
    const removals = { ...none, disables };
    expect(heldBy({ removals, standing: small, earlier: { ...none, disables: past } })).toEqual(held);
  });

  test('the whole of a small source waits, whatever the minimum says', () => {
    expect(
      heldBy({ removals: { ...none, disables: 1, unenrolments: 1 }, standing: { accounts: 1, enrolments: 1 } }),
    ).toEqual(['disables.window', 'unenrolments.window']);
  });

  test('what nothing of this source stands for waits', () => {
    expect(heldBy({ removals: { ...none, disables: 1 }, standing: { accounts: 0, enrolments: 0 } })).toEqual([
      'disables.window',
    ]);
  });

  test('a full week holds nothing when nothing goes now', () => {
    expect(heldBy({ earlier: { ...none, disables: 999, unenrolments: 999 } })).toEqual([]);
  });
});

test('what was given since removals wait is no part of what stood before them', () => {
  const removals = { ...none, disables: 100, unenrolments: 200 };
  const standing = { accounts: 1050, enrolments: 2100 };
  expect(heldBy({ removals, standing })).toEqual([]);
  expect(heldBy({ removals, standing, givenSince: { accounts: 950, enrolments: 0 } })).toEqual([
    'disables.percent',
    'disables.window',
  ]);
  expect(heldBy({ removals, standing, givenSince: { accounts: 0, enrolments: 9000 } })).toEqual([
    'unenrolments.percent',
    'unenrolments.window',
  ]);
});

describe('people who change between student and staff', () => {
  test.each([
    [100, 1000, []],
    [101, 1000, ['kinds.percent']],
    [20, 100, []],
    [60, 60, ['kinds.percent', 'kinds.window']],
    [5, 12, ['kinds.window']],
  ])('%i of %i at once', (kinds, accounts, held) => {
    expect(heldBy({ removals: { ...none, kinds }, standing: { accounts, enrolments: 0 } })).toEqual(held);
  });

  test('are counted apart, and over the window', () => {
    expect(heldBy({ removals: { disables: 100, unenrolments: 200, kinds: 100 } })).toEqual([]);
    const earlier = { disables: 300, unenrolments: 600, kinds: 250 };
    expect(heldBy({ removals: { ...none, kinds: 70 }, earlier })).toEqual(['kinds.window']);
    expect(heldBy({ removals: { ...none, kinds: 70 }, earlier: { ...earlier, kinds: 0 } })).toEqual([]);
  });

  test('in a first snapshot are measured by the people whom it names, for nothing stands by its source yet', () => {
    const first = { standing: { accounts: 0, enrolments: 0 }, records: { now: 500, before: null } };
    expect(heldBy({ ...first, first: 100, removals: { ...none, kinds: 15 } })).toEqual([]);
    expect(heldBy({ ...first, first: 100, removals: { ...none, kinds: 60 } })).toEqual([
      'kinds.percent',
      'kinds.window',
    ]);
  });

  test('do not make an empty snapshot one that takes', () => {
    expect(heldBy({ records: { now: 0, before: 3 }, removals: { ...none, kinds: 1 } })).toEqual([]);
  });
});

describe('an empty snapshot', () => {
  const empty = { now: 0, before: 3 };
  const removals = { ...none, disables: 0, unenrolments: 1 };
  test('waits when it would take something away', () => {
    expect(heldBy({ records: empty, removals })).toContain('empty-snapshot');
    expect(heldBy({ records: empty, removals: { ...none, disables: 1 } })).toContain('empty-snapshot');
  });
  test('does not count either when something else would follow, or is only kept back', () => {
    expect(heldBy({ records: empty, keptBack: 1 })).toEqual(['empty-snapshot']);
  });
  test('does no harm otherwise', () => {
    expect(heldBy({ records: empty })).toEqual([]);
  });
  test('one record is not empty, and nothing can be emptied that was never full', () => {
    expect(heldBy({ records: { now: 1, before: 3 }, removals, keptBack: 1 })).toEqual([]);
    for (const before of [0, null])
      expect(
        guards({ records: { now: 0, before }, removals, keptBack: 1 }).map((result) => result.guard),
      ).not.toContain('empty-snapshot');
  });
});

test('what is shown is rounded, what decides is not', () => {
  const results = guards({
    removals: { ...none, disables: 1001 },
    standing: { accounts: 10_009, enrolments: 0 },
  });
  expect(results.find((result) => result.guard === 'disables.percent')).toMatchObject({ measured: 10, held: true });
});
