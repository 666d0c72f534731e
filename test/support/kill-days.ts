import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { between, History, type Random, randomBy } from './kill-history.ts';
import type { Keep } from './kill-keeping.ts';
import {
  type Ended,
  type Kill,
  makeSite,
  type Phase,
  phaseOf,
  phases,
  picture,
  remains,
  type Site,
  start,
} from './kill-site.ts';

/** Days of sites that are killed again and again, beside one that never is. */

/** How many kills, by which seed, of how many sites side by side, with so many people. */
export interface KillPlan {
  seed: number;
  kills: number;
  victims: number;
  people: number;
  /** Then a day is let come to its end, so that there are enough days. */
  killsOfOneDay: number;
}

/** How a command usually goes, from a site that nobody kills. */
type Usual = Pick<Ended, 'ms' | 'toldMs' | 'writes'>;

/** A sync that prints JSON. */
export const syncOf = (config: string): string[] => ['sync', '-c', config, '--json'];
/** The approval of what a run holds. */
export const approveOf = (config: string, run: { run: string; digest: string | null }): string[] => [
  ...['approve', run.run, '--digest', run.digest!],
  ...['-c', config],
];

/** A place for sites and drops that is gone when the test is. */
export function workplace(): { base: string; drops: string; drop(day: number, csv: string): void } {
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
export async function finish(site: Site, args: readonly string[]): Promise<Ended> {
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
  most: number,
  count: (phase: Phase) => void,
): Promise<void> {
  let before = await remains(site);
  let args = syncOf(config);
  for (let kills = 0; ; ) {
    const approving = args[0] === 'approve';
    const kill = kills < most ? draw(random, approving ? usual.approve! : usual.sync) : null;
    const ended = await start(site, args, kill).ended;
    const after = await remains(site);
    if (ended.killed) {
      await site.keeping.bury?.();
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

export async function expectSame(site: Site, reference: Site, when: string): Promise<void> {
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

/** Phases that a test has to have cut. */
const needed = ['staging', 'apply', 'delivery'] as const;

/** Kills, day after day, until there were enough; after every day all sites have the same. Prints where kills landed. */
export async function surviveKills(keep: Keep, plan: KillPlan): Promise<Record<Phase, number>> {
  const { seed } = plan;
  const { base, drops, drop } = workplace();
  const history = new History(seed, plan.people);
  const reference = await makeSite(base, 'reference', drops, keep);
  const killed = await Promise.all(
    Array.from({ length: plan.victims }, async (_, n) => ({
      site: await makeSite(base, `victim-${n}`, drops, keep),
      random: randomBy(seed + 1 + n),
    })),
  );
  onTestFinished(
    async () => void (await Promise.all([reference, ...killed.map(({ site }) => site)].map((site) => site.close()))),
  );
  const histogram = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<Phase, number>;
  let [kills, approvals, day] = [0, 0, 0];
  try {
    // Where kills land is luck; without more days, a phase that is short would now and then have none.
    const unseen = (): boolean => !approvals || needed.some((phase) => !histogram[phase]);
    for (; kills < plan.kills || (unseen() && kills < 3 * plan.kills); day += 1) {
      drop(day, history.next());
      const config = day % 3 === 2 ? 'strict' : 'open';
      const usual = await wholeDay(reference, reference.config[config]);
      if (usual.approve) approvals += 1;
      await Promise.all(
        killed.map(({ site, random }) =>
          dayWithKills(site, site.config[config], usual, random, plan.killsOfOneDay, (phase) => {
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
  for (const phase of needed) expect(histogram[phase], phase).toBeGreaterThan(0);
  expect(approvals).toBeGreaterThan(0);
  for (const { site } of killed)
    expect(readdirSync(site.stateDir).filter((file) => file.startsWith('spool'))).toEqual([]);
  return histogram;
}
