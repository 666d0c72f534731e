import { expect, onTestFinished, test } from 'vitest';
import { Unavailable } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Work } from '../../../src/base/work.ts';
import { deliverAlone } from '../../../src/deliver/deliver.ts';
import { runOnce } from '../../../src/run.ts';
import type { Hand } from '../../../src/schedule/lanes.ts';
import { type Hands, Scheduler } from '../../../src/schedule/scheduler.ts';
import { under } from '../../../src/store/exclusive.ts';
import type { Run } from '../../../src/store/port.ts';
import { noLimits, Site } from '../../support/history.ts';
import { type MemorySettings, memorySource } from '../../support/memory-source.ts';
import { SteppedClock, settle } from '../../support/stepped-clock.ts';

/** The scheduler over real runs and a real store: what it is handed fits, and what it reads is what runs write. */

const [minute, hour] = [60_000, 3_600_000];

const rows = [['Arts', 'History', 'Rome', 'Ada', 'Byron', 'ada@example.edu', '1', 's1']];

/** A site whose one source runs each night, and its scheduler. */
async function nightly(connector = memorySource) {
  const site = new Site({ sources: ['sis'], limits: noLimits, targets: [] });
  onTestFinished(() => site[Symbol.asyncDispose]());
  const clock = new SteppedClock('2026-01-15T00:00:00Z');
  const settings: MemorySettings = { answer: rows };
  const { config } = site.rosterd;
  const sources = config.sources.map((source) => ({ ...source, schedule: '15 2 * * *', connector, settings }));
  const workOf = (hand: Hand): Work => ({ clock, log: silentLog, ...hand });
  const hands: Hands = {
    connect: async () => {},
    runs: (source, skip, limit) => site.store.runs.list({ source, skip, limit }),
    runSource: async (source, order, hand) => {
      const lock = await site.store.lock(`source:${source.name}`);
      if (!lock) return null;
      try {
        return await runOnce(
          { config: hand.config, store: site.store, work: under(lock, workOf(hand)) },
          source,
          order,
        );
      } finally {
        await lock.release();
      }
    },
    deliver: (target, hand) => deliverAlone(target, hand.config, site.store, workOf(hand)),
  };
  const start = async (): Promise<Scheduler> => {
    const scheduler = new Scheduler({ ...config, sources }, hands, { clock, log: silentLog });
    await scheduler.start();
    return scheduler;
  };
  /** The runs, newest first, once there are so many that are over. */
  const runs = async (count: number): Promise<Run[]> => {
    for (;;) {
      const all = await site.store.runs.list({ limit: 100 });
      if (all.length >= count && all.every(({ endedAt }) => endedAt)) return all;
      await settle();
    }
  };
  return { site, clock, settings, start, runs };
}

const shown = ({ trigger, status, startedAt }: Run): string => `${trigger} ${status} ${startedAt.slice(5, 16)}`;

test('a night, three days of downtime, one run that makes up for them, and none after another start', async () => {
  const { clock, start, runs } = await nightly();
  const first = await start();
  await clock.advance(3 * hour);
  expect((await runs(1)).map(shown)).toEqual(['schedule applied 01-15T02:15']);
  await first.stop('stopped');
  await clock.advance(72 * hour);

  const second = await start();
  expect((await runs(2)).map(shown)[0]).toBe('catch-up unchanged 01-18T03:00');
  expect(second.status.sources[0]!.freshness).toMatchObject({ state: 'fresh', ageMs: 0 });
  await second.stop('stopped');

  const third = await start();
  await clock.advance(hour);
  expect(await runs(2)).toHaveLength(2);
  await third.stop('stopped');
});

test('an incomplete answer is tried again, and a restart remembers that it failed', async () => {
  const { clock, settings, start, runs } = await nightly();
  settings.answer = 'incomplete';
  const first = await start();
  await clock.advance(2 * hour + 15 * minute);
  expect((await runs(1)).map(shown)).toEqual(['schedule failed 01-15T02:15']);
  await settle();
  expect(first.status.sources[0]).toMatchObject({
    breaker: { failures: 1, failure: { kind: 'Incomplete', message: 'page 2 of 3 is missing' } },
    freshness: { state: 'never' },
  });
  await first.stop('stopped');

  const second = await start();
  expect(second.status.sources[0]!.breaker.failures).toBe(1);
  settings.answer = rows;
  await clock.advance(2 * minute);
  expect((await runs(2)).map(shown)[0]).toMatch(/^retry applied 01-15T02:1[67]$/);
  await second.stop('stopped');
});

test('a source that somebody else has in hand is left to them', async () => {
  const { site, start } = await nightly();
  const scheduler = await start();
  const lock = await site.store.lock('source:sis');
  const order = { trigger: 'socket', dryRun: false };
  await expect(scheduler.runNow('sis', order)).rejects.toThrow('another rosterd is at work on sis');
  await lock!.release();
  expect(await scheduler.runNow('sis', order)).toMatchObject({ status: 'applied', trigger: 'socket' });
  await scheduler.stop('stopped');
});

test('how long a server wants to be left alone is in the run, and outlasts a restart', async () => {
  const delayMs = 3 * hour;
  const pull = () => Promise.reject(new Unavailable('maintenance', { delayMs }));
  const { clock, start, runs } = await nightly({ ...memorySource, pull });
  const first = await start();
  await clock.advance(2 * hour + 15 * minute);
  expect((await runs(1))[0]!.error).toEqual({ kind: 'Unavailable', message: 'maintenance', delayMs });
  await settle();
  const retryAt = new Date('2026-01-15T05:15:00Z');
  expect(first.status.sources[0]!.breaker).toMatchObject({ retryAt, notBefore: retryAt });
  await first.stop('stopped');
  const second = await start();
  expect(second.status.sources[0]!.breaker).toMatchObject({ retryAt, notBefore: retryAt });
  await second.stop('stopped');
});
