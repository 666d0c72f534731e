import { describe, expect, test } from 'vitest';
import { type GuardInput, measureGuards } from '../../../src/reconcile/guards.ts';

const usual = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };

function guards(more: Partial<GuardInput>) {
  return measureGuards({
    limits: usual,
    removals: { disables: 0, unenrolments: 0 },
    standing: { accounts: 1000, enrolments: 2000 },
    earlier: { disables: 0, unenrolments: 0 },
    givenSince: { accounts: 0, enrolments: 0 },
    records: { now: 900, before: 1000 },
    rows: 1_000_000,
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
    expect(heldBy({ removals: { disables, unenrolments: 0 }, standing: { accounts, enrolments: 0 } })).toEqual(held);
  });

  test('enrolments are counted apart', () => {
    expect(heldBy({ removals: { disables: 100, unenrolments: 200 } })).toEqual([]);
    expect(heldBy({ removals: { disables: 100, unenrolments: 201 } })).toEqual(['unenrolments.percent']);
  });

  test('a per cent that is no whole number is exact as well', () => {
    const limits = { ...usual, percent: 12.5, atLeast: 0 };
    expect(heldBy({ limits, removals: { disables: 125, unenrolments: 0 } })).toEqual([]);
    expect(heldBy({ limits, removals: { disables: 126, unenrolments: 0 } })).toEqual(['disables.percent']);
  });

  test('a limit of 0 per cent lets nothing go, one of 100 per cent everything', () => {
    const of = (percent: number, disables: number) =>
      heldBy({
        limits: { percent, atLeast: 0, window: { days: 7, percent: 100 } },
        removals: { disables, unenrolments: 0 },
      });
    expect(of(0, 1)).toEqual(['disables.percent']);
    expect(of(100, 1000)).toEqual([]);
  });
});

test('a source stands for no more than it has rows, whatever once came from it', () => {
  const standing = { accounts: 1060, enrolments: 2000 };
  expect(heldBy({ standing, removals: { disables: 59, unenrolments: 0 } })).toEqual([]);
  const few = { standing, rows: 60 };
  expect(heldBy({ ...few, removals: { disables: 59, unenrolments: 59 } })).toEqual([
    ...['disables.percent', 'disables.window', 'unenrolments.percent', 'unenrolments.window'],
  ]);
  expect(heldBy({ ...few, removals: { disables: 3, unenrolments: 0 } })).toEqual([]);
  // what waits from days when it had more is no more than all of it
  const all = { percent: 100, atLeast: 0, window: { days: 7, percent: 100 } };
  expect(heldBy({ ...few, limits: all, removals: { disables: 990, unenrolments: 990 } })).toEqual([]);
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
    const removals = { disables, unenrolments: 0 };
    expect(heldBy({ removals, standing: small, earlier: { disables: past, unenrolments: 0 } })).toEqual(held);
  });

  test('the whole of a small source waits, whatever the minimum says', () => {
    expect(heldBy({ removals: { disables: 1, unenrolments: 1 }, standing: { accounts: 1, enrolments: 1 } })).toEqual([
      'disables.window',
      'unenrolments.window',
    ]);
  });

  test('what nothing of this source stands for waits', () => {
    expect(heldBy({ removals: { disables: 1, unenrolments: 0 }, standing: { accounts: 0, enrolments: 0 } })).toEqual([
      'disables.window',
    ]);
  });

  test('a full week holds nothing when nothing goes now', () => {
    expect(heldBy({ earlier: { disables: 999, unenrolments: 999 } })).toEqual([]);
  });
});

test('what was given since removals wait is no part of what stood before them', () => {
  const removals = { disables: 100, unenrolments: 200 };
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

describe('an empty snapshot', () => {
  const empty = { now: 0, before: 3 };
  const removals = { disables: 0, unenrolments: 1 };
  test('waits when it would take something away', () => {
    expect(heldBy({ records: empty, removals })).toContain('empty-snapshot');
    expect(heldBy({ records: empty, removals: { disables: 1, unenrolments: 0 } })).toContain('empty-snapshot');
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
    removals: { disables: 1001, unenrolments: 0 },
    standing: { accounts: 10_009, enrolments: 0 },
  });
  expect(results.find((result) => result.guard === 'disables.percent')).toMatchObject({ measured: 10, held: true });
});
