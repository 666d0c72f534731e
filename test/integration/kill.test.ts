import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { WrittenFault } from '../../src/connector/stub.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import { expectSame, finish, surviveKills, syncOf, workplace } from '../support/kill-days.ts';
import { between, History, type Random, randomBy } from '../support/kill-history.ts';
import { embedded } from '../support/kill-keeping.ts';
import { makeSite, picture, type Running, remains, type Site, sourceName, start } from '../support/kill-site.ts';
import { runSeed } from '../support/seed.ts';

/**
 * A kill at any instant is survived: one site is never killed, others are killed again and again, and after every day
 * all have the same roster, the same outbox, and the same records at every target.
 */

const seed = runSeed();
const kills = Number(process.env['ROSTERD_KILLS'] ?? 100);

describe('a kill at any instant is survived', () => {
  const name = `${kills} kills leave what no kill leaves (ROSTERD_SEED=${seed})`;
  // Two side by side, because most of a kill's time is the start of the next process.
  test(name, { timeout: 1_200_000 }, async () => {
    await surviveKills(embedded, { seed, kills, victims: 2, people: 150, killsOfOneDay: 25 });
  });
});

/** What goes wrong at one target until the next kill; slow enough for a signal to come amid a delivery. */
function troubles(random: Random): WrittenFault[] {
  const when = random() < 0.5 ? 'before' : 'after';
  const status = [429, 500, 503][between(random, 0, 2)]!;
  return [
    { status, when, share: 0.5, count: between(random, 1, 3), headers: status === 429 ? { 'retry-after': '1' } : {} },
    { kind: 'reset', when: random() < 0.5 ? 'before' : 'after', share: 0.3, count: between(random, 1, 3) },
    { kind: 'partial', share: 0.3, count: 1 },
    { delayMs: 20 },
  ];
}

test(`20 kills of deliveries to three targets that fail as well leave what none leaves (ROSTERD_SEED=${seed})`, {
  timeout: 1_200_000,
}, async () => {
  const { base, drops, drop } = workplace();
  const random = randomBy(seed);
  const history = new History(seed, 80);
  const [reference, site] = [await makeSite(base, 'reference', drops), await makeSite(base, 'killed', drops)];
  onTestFinished(async () => void (await Promise.all([reference.close(), site.close()])));
  const failed = new Set<string>();
  let [kills, amid] = [0, 0];
  for (let day = 0; kills < 20 && day < 40; day += 1) {
    drop(day, history.next());
    await finish(reference, syncOf(reference.config.open));
    for (let ofDay = 0; kills < 20 && ofDay < 6; ofDay += 1) {
      for (const stub of site.stubs) stub.setFaults(troubles(random));
      const { killed } = await start(site, syncOf(site.config.open), { at: 'told', ms: random() * 2000 }).ended;
      for (const { kind, requests } of site.stubs)
        if (requests().some(({ status }) => status === 429 || status === 500 || status === 503)) failed.add(kind);
      if (!killed) break;
      kills += 1;
      if ((await remains(site)).waiting) amid += 1;
    }
    for (const stub of site.stubs) stub.setFaults([]);
    await finish(site, syncOf(site.config.open));
    await expectSame(site, reference, `after day ${day}`);
  }
  process.stderr.write(`${kills} kills, ${amid} amid a delivery, seed ${seed}\n`);
  expect(kills).toBe(20);
  expect(amid, 'kills amid a delivery').toBeGreaterThan(5);
  expect([...failed].sort(), 'targets that failed').toEqual(['canvas', 'peoplesoft', 'salesforce']);
});

/** A first load big enough that a signal finds it at work. */
function crowd(people: number): string {
  return new History(7, people).next();
}

describe('SIGTERM', () => {
  test('while a plan is applied: stops after the batch in hand, and the next start goes on', {
    timeout: 240_000,
  }, async () => {
    const { base, drops, drop } = workplace();
    drop(0, crowd(4000));
    const [reference, site] = [await makeSite(base, 'reference', drops), await makeSite(base, 'stopped', drops)];
    onTestFinished(async () => void (await Promise.all([reference.close(), site.close()])));
    const apply = [...syncOf(site.config.open), '--no-deliver'];
    const store = openEmbeddedStore(site.stateDir);
    const running = start(site, apply);
    await vi.waitFor(
      async () => {
        const { applying } = await store.sources.get(sourceName);
        expect(await store.roster.applied(applying?.plan ?? '', 'free')).not.toBeNull();
      },
      { timeout: 120_000, interval: 2 },
    );
    running.signal('SIGTERM');
    const ended = await running.ended;
    const run = (await store.runs.list({ limit: 1 }))[0]!;
    const { applying } = await store.sources.get(sourceName);
    const items = (await store.outbox.list({ limit: 100_000 })).length;
    await store.close();

    expect(ended.status, ended.err).toBe(1);
    expect(applying).toEqual({ plan: run.plan, part: 'free' });
    expect(run.status).toBe('running');
    expect(items).toBeGreaterThan(0);

    await finish(site, apply);
    await finish(reference, [...syncOf(reference.config.open), '--no-deliver']);
    await expectSame(site, reference, 'after the second start');
    expect(items).toBeLessThan((await picture(site)).outbox.length);
  });

  /** A sync whose first request with records hangs at the target: the first batch is in hand when this returns. */
  async function hanging(delayMs: number): Promise<{ site: Site; reference: Site; running: Running }> {
    const { base, drops, drop } = workplace();
    drop(0, crowd(40));
    const [reference, site] = [await makeSite(base, 'reference', drops), await makeSite(base, 'stopped', drops)];
    onTestFinished(async () => void (await Promise.all([reference.close(), site.close()])));
    const target = site.stubs.find(({ kind }) => kind === 'salesforce')!;
    target.setFaults([{ method: 'PATCH', delayMs, count: 1 }]);
    const running = start(site, syncOf(site.config.open));
    // The log-in, and then the request that hangs.
    await vi.waitFor(() => expect((target.state() as { requests: number }).requests).toBe(2), { timeout: 120_000 });
    return { site, reference, running };
  }

  test('while a target is at work: its batch is finished and written down, nothing more is sent', {
    timeout: 240_000,
  }, async () => {
    const { site, reference, running } = await hanging(5000);
    running.signal('SIGTERM');
    const ended = await running.ended;
    expect(ended.status, ended.err).not.toBeNull();
    const store = openEmbeddedStore(site.stateDir);
    const counts = (await store.outbox.counts())['salesforce']!;
    await store.close();
    expect(counts).toMatchObject({ sent: 25, processing: 0, failed: 0 });
    expect(counts.queued).toBeGreaterThan(0);
    const { contacts } = (await picture(site)).targets.find(({ kind }) => kind === 'salesforce') as unknown as {
      contacts: unknown[];
    };
    expect(contacts).toHaveLength(25);

    await finish(site, syncOf(site.config.open));
    await finish(reference, syncOf(reference.config.open));
    await expectSame(site, reference, 'after the second start');
  });

  test('a second one stops at once, and what was in hand is sent again', { timeout: 240_000 }, async () => {
    const { site, reference, running } = await hanging(30_000);
    const began = performance.now();
    // Two names, because two signals of one name may arrive as one.
    running.signal('SIGINT');
    running.signal('SIGTERM');
    const ended = await running.ended;
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(ended.status, ended.err).toBe(1);
    const store = openEmbeddedStore(site.stateDir);
    const counts = (await store.outbox.counts())['salesforce']!;
    await store.close();
    expect(counts).toMatchObject({ sent: 0, failed: 0 });

    await finish(site, syncOf(site.config.open));
    await finish(reference, syncOf(reference.config.open));
    await expectSame(site, reference, 'after the second start');
  });
});
