import { expect, test } from 'vitest';
import { syncOnce } from '../../../src/operate/sync.ts';
import { crashingStore } from '../../support/crashing-store.ts';
import { noLimits, Site } from '../../support/history.ts';

/** Ann in the source `a`, Bob in `b`, whose process dies while it applies that Cid came. */
async function cutSecond(site: Site): Promise<void> {
  const cid = ['F', 'D', 'C1', 'Cid', 'Three', 'p3@x.edu', '1', 'i3'];
  const bob = ['F', 'D', 'C1', 'Bob', 'Two', 'p2@x.edu', '1', 'i2'];
  await site.run('a', [['F', 'D', 'C1', 'Ann', 'One', 'p1@x.edu', '1', 'i1']]);
  await site.run('b', [bob]);
  for (let write = 1; !(await site.store.sources.get('b')).applying; write += 1) {
    site.rosterd.store = crashingStore(site.store, { write, when: 'after' }).store;
    await site.run('b', [bob, cid]).catch(() => {});
    await site.restart();
  }
}

test('a sync finishes what a dead process left half applied, whichever of its sources that is', async () => {
  await using site = new Site({ sources: ['a', 'b'], limits: noLimits });
  await cutSecond(site);
  // nobody else is at work here: whoever waits, waits for ever
  const clock = {
    ...site.rosterd.work.clock,
    wait: () => Promise.reject(new Error('the sync waits for a lock that it holds itself')),
  };
  const rosterd = { ...site.rosterd, work: { ...site.rosterd.work, clock } };
  const { runs } = await syncOnce(rosterd, rosterd.config.sources, { dryRun: false, deliver: false });
  expect(runs.map(({ source, status }) => [source, status])).toEqual([
    ['a', 'unchanged'],
    ['b', 'unchanged'],
  ]);
  expect((await site.store.sources.get('b')).applying).toBeNull();
  expect((await site.look()).members.map(({ id, enrolments }) => [id, enrolments.length])).toEqual([
    ['i1', 1],
    ['i2', 1],
    ['i3', 1],
  ]);
});
