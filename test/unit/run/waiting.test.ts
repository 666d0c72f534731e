import { expect, onTestFinished, test } from 'vitest';
import { Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** What is measured while removals wait: the same share as on the day on which they came up. */

const limits = { percent: 10, atLeast: 5, window: { days: 7, percent: 100 } };
const people = (from: number, to: number): MemoryRow[] =>
  Array.from({ length: to - from }, (_, at) => {
    const who = `p${from + at}`;
    return ['F', 'D', 'C1', who, 'L', `${who}@x.edu`, '1', who];
  });

function makeSite(): Site {
  const site = new Site({ sources: ['sis'], limits });
  onTestFinished(() => site[Symbol.asyncDispose]());
  return site;
}

test('a held removal is the same share of what stood, however often the file that took it comes again', async () => {
  const site = makeSite();
  await site.run('sis', people(0, 60));
  const disables = { guard: 'disables.percent', measured: 50, text: expect.stringMatching(/^30 of 60 /) };
  for (const answer of [people(0, 30), people(0, 30), [...people(0, 30), ...people(60, 61)]])
    expect(await site.run('sis', answer)).toMatchObject({
      status: 'held',
      guards: expect.arrayContaining([expect.objectContaining(disables)]),
    });
});

test('what was kept back in doubt passes when the doubt is gone, if it would have passed at once', async () => {
  const site = makeSite();
  await site.run('sis', people(0, 200));
  const unread: MemoryRow = ['F', 'D', 'C1', 'p0', 'L', 'no address', '1', ''];
  const doubted = await site.run('sis', [...people(1, 181), unread]);
  expect(doubted).toMatchObject({ blocked: 20, changes: {} });
  expect(await site.run('sis', people(0, 181))).toMatchObject({
    status: 'applied',
    changes: { 'account.disable': 19 },
    guards: expect.arrayContaining([
      expect.objectContaining({ guard: 'disables.percent', measured: 9.5, held: false }),
    ]),
  });
});
