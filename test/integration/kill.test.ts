import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import { between, History, type Random, randomBy } from '../support/kill-history.ts';
import {
  type Ended,
  type Kill,
  makeSite,
  type Phase,
  phaseOf,
  phases,
  picture,
  type Running,
  remains,
  type Site,
  sourceName,
  start,
} from '../support/kill-site.ts';

/**
 * A kill at any instant is survived: one site is never killed, others are killed again and again, and after every day
 * all have the same roster, the same outbox, and the same records at every target.
 */

const seed = Number(process.env['ROSTERD_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const wanted = Number(process.env['ROSTERD_KILLS'] ?? 100);
/** So many sites are killed side by side, because most of a kill's time is the start of the next process. */
const victims = 2;
/** Then a day is let come to its end, so that there are enough days. */
const killsOfOneDay = 25;

/** How a command usually goes, from a site that nobody kills. */
type Usual = Pick<Ended, 'ms' | 'toldMs' | 'writes'>;

const syncOf = (config: string): string[] => ['sync', '-c', config, '--json'];
const approveOf = (config: string, run: { run: string; digest: string | null }): string[] => [
  ...['approve', run.run, '--digest', run.digest!],
  ...['-c', config],
];

/** A place for sites and drops that is gone when the test is. */
function workplace(): { base: string; drops: string; drop(day: number, csv: string): void } {
  const base = mkdtempSync(join(tmpdir(), 'rosterd-kill-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const drops = join(base, 'drops');
  mkdirSync(drops);
  return {
    base,
    drops,
    drop(day, csv) {
      const file = join(drops, `day-${String(day).padStart(3, '0')}.csv`);
      writeFileSync(file, csv);
      utimesSync(file, 1_700_000_000 + day, 1_700_000_000 + day);
    },
  };
}

/** One command to its end, without a kill. */
async function finish(site: Site, args: readonly string[]): Promise<Ended> {
  const ended = await start(site, args).ended;
  expect([0, 3], `${args.join(' ')}: ${ended.err}`).toContain(ended.status);
  return ended;
}

/** Syncs, and approves what is held. Says how each command went. */
async function wholeDay(site: Site, config: string): Promise<{ sync: Usual; approve: Usual | null }> {
  const sync = await finish(site, syncOf(config));
  const { state, newest } = await remains(site);
  return { sync, approve: state.held ? await finish(site, approveOf(config, newest!)) : null };
}

/**
 * Draws the instant: mostly by a write to the database, because that is where the phases are short, and more often an
 * early one, because what is done by then is not done again.
 */
function draw(random: Random, usual: Usual): Kill {
  const dice = random();
  if (dice < 0.1) return { at: 'time', ms: random() * usual.ms };
  if (dice < 0.25) return { at: 'told', ms: random() * usual.toldMs * 0.7 };
  return { at: 'write', count: between(random, 1, 1 + Math.floor(usual.writes * random())) };
}

/** The same day with kills, until a process comes to its end before its kill, or there were enough of them. */
async function dayWithKills(
  site: Site,
  config: string,
  usual: { sync: Usual; approve: Usual | null },
  random: Random,
  count: (phase: Phase) => void,
): Promise<void> {
  let before = await remains(site);
  let args = syncOf(config);
  for (let kills = 0; ; ) {
    const approving = args[0] === 'approve';
    const kill = kills < killsOfOneDay ? draw(random, approving ? usual.approve! : usual.sync) : null;
    const ended = await start(site, args, kill).ended;
    const after = await remains(site);
    if (ended.killed) {
      kills += 1;
      count(phaseOf(before, after, ended.writes));
    } else expect([0, 3], `${args.join(' ')}: ${ended.err}`).toContain(ended.status);
    if (!ended.killed && ended.status === 0) return;
    // An approval that was cut before it counted is given again; after that the next sync goes on.
    if (approving) args = after.state.held ? approveOf(config, after.newest!) : syncOf(config);
    else if (ended.status === 3) args = approveOf(config, after.newest!);
    before = after;
  }
}

async function expectSame(site: Site, reference: Site, when: string): Promise<void> {
  const [got, should] = [await picture(site), await picture(reference)];
  expect(got.unfinished, when).toEqual(should.unfinished);
  expect(got.failed, when).toEqual([]);
  expect(got.rows, when).toEqual(should.rows);
  expect(got.removed, when).toEqual(should.removed);
  expect(got.roster, when).toEqual(should.roster);
  expect(got.outbox, when).toEqual(should.outbox);
  expect(got.inOrder, when).toEqual(should.inOrder);
  expect(got.targets, when).toEqual(should.targets);
}

describe('a kill at any instant is survived', () => {
  const name = `${wanted} kills leave what no kill leaves (ROSTERD_KILL_SEED=${seed})`;
  test(name, { timeout: 400_000 }, async () => {
    const { base, drops, drop } = workplace();
    const history = new History(seed, 150);
    const reference = await makeSite(base, 'reference', drops);
    const killed = await Promise.all(
      Array.from({ length: victims }, async (_, n) => ({
        site: await makeSite(base, `victim-${n}`, drops),
        random: randomBy(seed + 1 + n),
      })),
    );
    onTestFinished(
      async () => void (await Promise.all([reference, ...killed.map(({ site }) => site)].map((site) => site.close()))),
    );
    const histogram = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<Phase, number>;
    let [kills, approvals, day] = [0, 0, 0];
    try {
      for (; kills < wanted; day += 1) {
        drop(day, history.next());
        const config = day % 3 === 2 ? 'strict' : 'open';
        const usual = await wholeDay(reference, reference.config[config]);
        if (usual.approve) approvals += 1;
        await Promise.all(
          killed.map(({ site, random }) =>
            dayWithKills(site, site.config[config], usual, random, (phase) => {
              kills += 1;
              histogram[phase] += 1;
            }),
          ),
        );
        for (const { site } of killed) await expectSame(site, reference, `${site.directory} after day ${day}`);
      }
    } finally {
      const landed = phases.map((phase) => `${phase} ${histogram[phase]}`).join(', ');
      process.stderr.write(`${kills} kills in ${day} days, seed ${seed}: ${landed}; ${approvals} days approved\n`);
    }
    expect(histogram.start + histogram.pull, 'kills before the first row was staged').toBeGreaterThan(0);
    for (const phase of ['staging', 'apply', 'delivery'] as const) expect(histogram[phase], phase).toBeGreaterThan(0);
    expect(approvals).toBeGreaterThan(0);
    for (const { site } of killed)
      expect(readdirSync(site.stateDir).filter((file) => file.startsWith('spool'))).toEqual([]);
  });
});

/** A first load big enough that a signal finds it at work. */
function crowd(people: number): string {
  return new History(7, people).next();
}

describe('SIGTERM', () => {
  test('while a plan is applied: stops after the batch in hand, and the next start goes on', {
    timeout: 60_000,
  }, async () => {
    const { base, drops, drop } = workplace();
    drop(0, crowd(1500));
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
      { timeout: 30_000, interval: 2 },
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
    await vi.waitFor(() => expect((target.state() as { requests: number }).requests).toBe(2), { timeout: 30_000 });
    return { site, reference, running };
  }

  test('while a target is at work: its batch is finished and written down, nothing more is sent', {
    timeout: 60_000,
  }, async () => {
    const { site, reference, running } = await hanging(1500);
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

  test('a second one stops at once, and what was in hand is sent again', { timeout: 60_000 }, async () => {
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
