import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openRosterd, readConfig } from '../../src/daemon.ts';
import { deliverAll } from '../../src/deliver/deliver.ts';
import { approveHeld } from '../../src/operate/approve.ts';
import { withSource } from '../../src/operate/session.ts';
import { syncOnce } from '../../src/operate/sync.ts';
import { retain } from '../../src/run/retain.ts';
import type { Run } from '../../src/store/port.ts';
import { workplace } from '../support/kill-days.ts';
import { History } from '../support/kill-history.ts';
import { embedded, inMongo, type Keep } from '../support/kill-keeping.ts';
import { makeSite, picture, type Site, sourceName } from '../support/kill-site.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { requireServer } from '../support/requirements.ts';

/**
 * A site that forgets what it may comes to the same as one that keeps everything, with a history that does not grow.
 * Three syncs a day, on a clock of the test's own: the window of the guards is seven days.
 */

const missing = await mongodbMissing();
const keeps = { snapshots: 3, runs: 10, sentItems: 5 };
const hours = 3_600_000;
const windowDays = 7;

async function forgetsAndComesToTheSame(keep: Keep): Promise<void> {
  const { base, drops, drop } = workplace();
  const history = new History(31, 150);
  const [brief, full] = [await makeSite(base, 'brief', drops, keep), await makeSite(base, 'full', drops, keep)];
  onTestFinished(async () => void (await Promise.all([brief.close(), full.close()])));
  for (const file of Object.values(brief.config)) {
    const text = readFileSync(file, 'utf8').replace('guards:', `retention: ${JSON.stringify(keeps)}\nguards:`);
    writeFileSync(file, text);
  }
  process.env['SECRET'] = 'stub';
  let now = Date.parse('2026-01-05T06:00:00Z');
  const clock: Clock = { ...systemClock, now: () => new Date(now) };

  const working = async <T>(site: Site, config: 'open' | 'strict', what: (on: Rosterd) => Promise<T>): Promise<T> => {
    const never = new AbortController().signal;
    const work = { clock, log: silentLog, signal: never, abort: never, progress: () => {} };
    const rosterd = await openRosterd(readConfig(site.config[config]), work);
    try {
      return await what(rosterd);
    } finally {
      await rosterd.close();
    }
  };
  const sync = (site: Site, config: 'open' | 'strict', dryRun: boolean): Promise<Run> =>
    working(site, config, async (rosterd) => {
      const { runs } = await syncOnce(rosterd, rosterd.config.sources, { dryRun, deliver: true });
      return runs[0]!;
    });
  /** One sync of both, a third of a day later: the same outcome, by the same plan. */
  const both = async (config: 'open' | 'strict' = 'open', dryRun = false): Promise<Run> => {
    now += 8 * hours;
    const [one, other] = [await sync(brief, config, dryRun), await sync(full, config, dryRun)];
    expect([one.status, one.digest, one.guards], `at ${clock.now().toISOString()}`).toEqual([
      other.status,
      other.digest,
      other.guards,
    ]);
    return one;
  };

  // more in a window than `runs` keeps
  for (let day = 0; day < 14; day += 1) {
    drop(day, history.next());
    expect((await both()).status).toBe('applied');
  }
  await expectBounded(brief, full, now);
  // a plan waits while the site goes on for a long time without a change
  drop(14, history.next());
  const held = await both('strict');
  expect(held.status).toBe('held');
  // what waits is planned anew by every sync that counts: only looking leaves it as old as it is
  for (let n = 0; n < 24; n += 1) expect((await both('strict', true)).status).toBe('planned');
  now += 2 * windowDays * 24 * hours;
  await working(brief, 'open', (rosterd) =>
    withSource(rosterd, sourceName, (mine) => retain(mine, mine.config.sources[0]!)),
  );
  await expectBounded(brief, full, now, held.run);

  for (const site of [brief, full])
    await working(site, 'open', async (rosterd) => {
      const { held: waiting } = await rosterd.store.sources.get(sourceName);
      const { run, digest } = (await rosterd.store.plans.get(waiting!))!;
      if (site === brief) expect(run).toBe(held.run);
      const approved = await withSource(rosterd, sourceName, (mine) => approveHeld(mine, run, digest));
      expect(approved.status).toBe('applied');
      await deliverAll(rosterd.config, rosterd.store, rosterd.work);
    });
  for (let day = 15; day < 18; day += 1) {
    drop(day, history.next());
    expect((await both()).status).toBe('applied');
  }
  await expectBounded(brief, full, now);
  const [one, other] = [await picture(brief), await picture(full)];
  expect(one.roster).toEqual(other.roster);
  expect(one.targets).toEqual(other.targets);
  expect(one.rows).toEqual(other.rows);
  expect(one.unfinished).toEqual(other.unfinished);
}

type Rosterd = Awaited<ReturnType<typeof openRosterd>>;

/** What is listed has an end, and what is needed is there. */
async function expectBounded(brief: Site, full: Site, now: number, heldRun?: string): Promise<void> {
  const [one, other] = [await brief.keeping.open(), await full.keeping.open()];
  try {
    const since = new Date(now - windowDays * 24 * hours);
    const runs = await one.runs.list({ limit: 1000 });
    const inWindow = (await other.runs.list({ limit: 1000 })).filter(({ endedAt }) => endedAt! >= since.toISOString());
    expect(runs.length).toBeLessThanOrEqual(Math.max(keeps.runs, inWindow.length) + 2);
    expect(runs.length).toBeGreaterThanOrEqual(Math.max(keeps.runs, inWindow.length));
    if (heldRun) {
      expect((await other.runs.list({ limit: 1000 })).length).toBeGreaterThan(runs.length);
      expect(runs.map(({ run }) => run)).toContain(heldRun);
    } else expect(inWindow.length).toBeGreaterThan(0);

    const snapshots = await one.snapshots.list({ source: sourceName, limit: 1000 });
    expect(snapshots.length).toBeLessThanOrEqual(keeps.snapshots + 3);
    const all = new Map((await other.snapshots.list({ limit: 1000 })).map((snapshot) => [snapshot.number, snapshot]));
    expect(all.size).toBeGreaterThan(snapshots.length + 5);
    for (const { number, base } of snapshots) {
      expect(all.get(number)?.base).toBe(base);
      for (const [of, kind] of [
        [base, 'full'],
        [number, 'added'],
        [number, 'gone'],
      ] as const)
        expect(Buffer.from(await one.snapshots.pack(sourceName, of, kind)), `${of} ${kind}`).toEqual(
          Buffer.from(await other.snapshots.pack(sourceName, of, kind)),
        );
      expect((await one.snapshots.pack(sourceName, base, 'full')).length).toBeGreaterThan(0);
    }
    const sent = Object.values(await one.outbox.counts()).map((counts) => counts.sent);
    expect(sent).toHaveLength(3);
    expect(Math.max(...sent)).toBeLessThanOrEqual(keeps.sentItems);

    const { current } = await one.sources.get(sourceName);
    const [counted, should] = [one, other].map((store) =>
      store.rows.evidence(sourceName, current!).removedSince(since),
    );
    expect(await counted).toEqual(await should);
  } finally {
    await Promise.all([one.close(), other.close()]);
  }
}

describe('retention', () => {
  test('forgets and comes to the same: embedded', { timeout: 240_000 }, () => forgetsAndComesToTheSame(embedded));
});

requireServer('mongodb', () => missing)('retention on MongoDB', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo();
  });
  afterAll(() => server?.stop());

  test('forgets and comes to the same', { timeout: 400_000 }, () => forgetsAndComesToTheSame(inMongo(server)));
});
