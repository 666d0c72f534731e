import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { readConfig } from '../../src/daemon.ts';
import { enforceHeld } from '../../src/run/force.ts';
import type { Rosterd } from '../../src/run/rosterd.ts';
import { runOnce } from '../../src/run.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import type { Store } from '../../src/store/port.ts';
import { dyingStore } from '../support/kill-cut.ts';
import { History } from '../support/kill-history.ts';
import { embedded } from '../support/kill-keeping.ts';
import { makeSite, picture, sourceName } from '../support/kill-site.ts';

/** The same promise as in `kill.test.ts`, write by write: the process dies after the first write, the second, … */

/** A run, and the approval of what it holds; again and again the same, wherever an earlier attempt got to. */
async function day(rosterd: Rosterd): Promise<void> {
  const { config, store } = rosterd;
  await runOnce(rosterd, config.sources[0]!, { trigger: 'test', dryRun: false });
  const state = await store.sources.get(sourceName);
  if (!state.held) return;
  const plan = (await store.plans.get(state.held))!;
  await enforceHeld(rosterd, state, plan, (await store.runs.get(plan.run))!);
}

test('a process that dies after any of its writes leaves what the next one makes whole', {
  timeout: 240_000,
}, async () => {
  const base = mkdtempSync(join(tmpdir(), 'rosterd-cut-'));
  const drops = join(base, 'drops');
  mkdirSync(drops);
  const site = await makeSite(base, 'site', drops);
  onTestFinished(async () => {
    await site.close();
    rmSync(base, { recursive: true, force: true });
  });
  const never = new AbortController().signal;
  const work = { clock: systemClock, log: silentLog, signal: never, abort: never, progress: () => {} };
  const trial = join(base, 'trial');
  const rosterdOn = (stateDir: string, store: Store, config: 'open' | 'strict'): Rosterd => ({
    config: { ...readConfig(site.config[config]), stateDir },
    store,
    work,
  });
  const history = new History(11, 40);
  const cuts: Record<string, number> = {};

  for (const [n, config] of (['open', 'open', 'strict'] as const).entries()) {
    const file = join(drops, `day-${n}.csv`);
    writeFileSync(file, history.next());
    utimesSync(file, 1_700_000_000 + n, 1_700_000_000 + n);
    const before = join(base, `before-${n}`);
    cpSync(site.stateDir, before, { recursive: true });
    const store = openEmbeddedStore(site.stateDir);
    await day(rosterdOn(site.stateDir, store, config));
    await store.close();
    const { failed: _, ...should } = await picture(site);

    /** One attempt that dies after so many writes; what was the last one, or null when it came to its end before. */
    const attempt = async (writes: number): Promise<string | null> => {
      const store = openEmbeddedStore(trial);
      const dying = dyingStore(store, writes);
      await day(rosterdOn(trial, dying.store, config)).catch(() => {});
      await store.close();
      return dying.alive() ? null : dying.last();
    };
    for (let writes = 0, alive = false; !alive; writes += 1)
      // Once, and once more in the first writes of the process that makes it whole.
      for (const again of [0, 1 + (writes % 3)]) {
        rmSync(trial, { recursive: true, force: true });
        cpSync(before, trial, { recursive: true });
        const last = await attempt(writes);
        if (last === null) alive = true;
        else cuts[last] = (cuts[last] ?? 0) + 1;
        const where = `day ${n}, cut after write ${writes} (${last}), then after ${again} (${again ? await attempt(again) : ''})`;
        const store = openEmbeddedStore(trial);
        await day(rosterdOn(trial, store, config));
        await store.close();
        const { failed, ...got } = await picture({ ...site, keeping: await embedded(trial) });
        expect(failed, where).toEqual([]);
        expect(got, where).toEqual(should);
      }
  }
  process.stderr.write(`cuts after each write: ${JSON.stringify(cuts)}\n`);
  const least = ['sources.put', 'runs.put', 'rows.add', 'rows.end', 'plans.put', 'sink.add', 'roster.apply'];
  expect(Object.keys(cuts)).toEqual(expect.arrayContaining([...least, 'roster.putCourses', 'snapshots.putPack']));
});
