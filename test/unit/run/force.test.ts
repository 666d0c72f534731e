import { expect, onTestFinished, test } from 'vitest';
import { Unavailable } from '../../../src/base/errors.ts';
import type { Inbox } from '../../../src/connector/inbox.ts';
import { changeTypes } from '../../../src/connector/target.ts';
import { runSource } from '../../../src/operate/run-source.ts';
import type { Store } from '../../../src/store/port.ts';
import { noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** A store that cannot do one thing at one moment, while the process lives on. */

const row = (who: string): MemoryRow => ['F', 'D', 'C1', who, 'L', `${who}@x.edu`, '1', who];

/** A site whose store is disturbed by `changed` as long as `disturbed` says. */
function siteWith(changed: (store: Store) => Partial<Store>, limits = noLimits) {
  const site = new Site({ sources: ['sis'], limits });
  onTestFinished(() => site[Symbol.asyncDispose]());
  site.rosterd.store = { ...site.store, ...changed(site.store) };
  return { site, ...site.store };
}

test('a run that was applied whole stays so when only its end cannot be written; the next one ends it', async () => {
  let full = true;
  const { site, runs, sources } = siteWith(({ sources, runs }) => ({
    sources: {
      ...sources,
      put: async (state) => {
        const [run] = await runs.list({ source: 'sis', limit: 1 });
        if (full && run?.status === 'applied' && state.applying === null) throw new Error('disk I/O error');
        return sources.put(state);
      },
    },
  }));
  const run = await site.run('sis', [row('ann')]);
  expect(run).toMatchObject({ status: 'applied', changes: { 'account.create': 1 } });
  expect((await runs.get(run.run))!.status).toBe('applied');
  expect((await sources.get('sis')).applying).toEqual({ plan: run.run, part: 'free' });

  full = false;
  expect(await site.run('sis', [row('ann'), row('bob')])).toMatchObject({ status: 'applied' });
  expect((await runs.get(run.run))!).toMatchObject({ status: 'applied', error: null });
  expect((await sources.get('sis')).applying).toBeNull();
});

test('a run whose end cannot be written is told as one that goes on', async () => {
  let full = true;
  const { site, runs } = siteWith(({ runs }) => ({
    runs: {
      ...runs,
      put: async (run) => {
        if (full && run.status === 'applied') throw new Error('database or disk is full');
        return runs.put(run);
      },
    },
  }));
  const run = await site.run('sis', [row('ann')]);
  expect(run).toMatchObject({ status: 'running', endedAt: null, error: { message: 'database or disk is full' } });
  full = false;
  expect(await site.run('sis', [row('ann')])).toMatchObject({ status: 'unchanged' });
  expect((await runs.get(run.run))!).toMatchObject({ status: 'applied', error: null });
});

test('a roster that cannot be given back makes no failure of a run that is done', async () => {
  const { site, runs } = siteWith((store) => ({
    lock: async (on) => {
      const lock = await store.lock(on);
      if (on !== 'roster' || !lock) return lock;
      return {
        lost: lock.lost,
        async release() {
          await lock.release();
          throw new Unavailable('away');
        },
      };
    },
  }));
  const run = await site.run('sis', [row('ann')]);
  expect(run).toMatchObject({ status: 'applied', error: null });
  expect((await runs.get(run.run))!.status).toBe('applied');
});

test('what a run planned that comes to no end is thrown away', async () => {
  let full = true;
  const { site, plans, runs } = siteWith(({ plans }) => ({
    plans: {
      ...plans,
      put: async (plan) => {
        if (full) throw new Error('database or disk is full');
        return plans.put(plan);
      },
    },
  }));
  const run = await site.run('sis', [row('ann')]);
  expect(run).toMatchObject({ status: 'failed', error: { message: 'database or disk is full' } });
  expect(await plans.changes(run.run, changeTypes, null, 10)).toEqual([]);

  // as a dead process leaves it
  await plans.sink('dead').pending(['i:ann']);
  await runs.put({ ...run, run: 'dead', status: 'running', endedAt: null, error: null });
  full = false;
  await site.run('sis', [row('ann')]);
  expect(await plans.pendingKeys('dead')).toEqual([]);
  expect((await runs.get('dead'))!).toMatchObject({ status: 'failed', error: { kind: 'Stopped' } });
});

test('a push whose plan waits for a person is over, whatever was written of its end', async () => {
  const few = { percent: 10, atLeast: 1, window: { days: 7, percent: 100 } };
  const { site, runs, plans, sources } = siteWith(() => ({}), few);
  await site.run('sis', [row('ann'), row('bob'), row('cy')]);
  const held = await site.run('sis', [row('ann')]);
  expect(held.status).toBe('held');
  await runs.put({ ...held, status: 'failed', error: { kind: 'Unavailable', message: 'away' } });

  const waiting = [held.run];
  const settled: string[] = [];
  const inbox = {
    next: async () => waiting[0] ?? null,
    settle: async (run: string) => {
      settled.push(run);
      waiting.shift();
    },
  } as Partial<Inbox> as Inbox;
  const [source] = site.rosterd.config.sources;
  const pushed = { ...source!, connector: { ...source!.connector, inbox: () => inbox } };
  for await (const run of runSource(site.rosterd, pushed, { trigger: 'push', dryRun: false }))
    expect(run.run).toBe(held.run);
  expect(settled).toEqual([held.run]);
  expect((await sources.get('sis')).held).toBe(held.run);
  expect((await plans.changes(held.run, changeTypes, null, 10)).length).toBeGreaterThan(0);
});
