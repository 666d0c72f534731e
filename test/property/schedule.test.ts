import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Config } from '../../src/configure/config.ts';
import { configOf, type Fate, type Line, Service, sourceOf } from '../support/service.ts';

/**
 * Whatever the order of due times, the length of runs, failures, orders, reloads and the stop: no two runs of a source
 * overlap, nothing that came due is lost, whoever asked hears of it, and the stop ends.
 */

const names = ['a', 'b', 'c'];
const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 200);
const minute = 60_000;

/** How the sources of a configuration are: minutes between their times, `off` is disabled, `gone` is not there. */
type Timing = number | 'off' | 'gone' | 'on demand';
const timing = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Timing>(5, 10, 15, 30, 60) },
  fc.constantFrom<Timing>('off', 'gone', 'on demand'),
);
const timings = fc.tuple(timing, timing, timing);

const fate: fc.Arbitrary<Fate> = fc.record(
  {
    ms: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 45 * minute })),
    error: fc.record({
      kind: fc.constantFrom('Unavailable', 'Incomplete', 'Denied', 'Misconfigured'),
      message: fc.constant('no'),
      delayMs: fc.integer({ min: 0, max: 90 * minute }),
    }),
    throws: fc.constant(new Error('bug')),
    elsewhere: fc.constant(true),
    heeds: fc.constant(false as const),
  },
  { requiredKeys: ['ms'] },
);

const act = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      advance: fc.oneof(
        fc.integer({ min: 1, max: 3 * 60 }).map((n) => n * minute),
        fc.nat(10_000),
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ ask: fc.nat(2), dryRun: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ reload: timings }) },
  { weight: 2, arbitrary: fc.record({ fates: fc.array(fate, { minLength: 1, maxLength: 4 }), of: fc.nat(2) }) },
);

const configFor = (of: readonly Timing[]): Config =>
  configOf(
    of.flatMap((one, i) => {
      if (one === 'gone') return [];
      const schedule = one === 60 ? '0 * * * *' : typeof one === 'number' ? `*/${one} * * * *` : '*/5 * * * *';
      return [sourceOf(names[i]!, one === 'on demand' ? null : schedule, { enabled: one !== 'off' })];
    }),
  );

/** The due times of a source within (from, to], as ISO 8601. */
function dueTimes(of: Timing, from: number, to: number): string[] {
  if (typeof of !== 'number') return [];
  const times: string[] = [];
  for (let at = (Math.floor(from / (of * minute)) + 1) * of * minute; at <= to; at += of * minute)
    times.push(new Date(at).toISOString());
  return times;
}

/** What the log says became of due times, by source. */
function fatesOf(
  log: readonly Line[],
  source: string,
): { came: string[]; joined: number; begun: number; dropped: number } {
  const lines = log.filter((line) => line['source'] === source);
  const turns = lines.filter(({ event, due }) => /\.(waits|after|joined)$/.test(event) && due);
  const skipped = lines.filter(({ event }) => event === 'schedule.skipped');
  const sum = (of: Line[]): number => of.reduce((all, { dues }) => all + (dues as number), 0);
  const atOnce = skipped.filter(({ due }) => due);
  for (const line of skipped) expect(line['reason']).toMatch(/./);
  return {
    came: [...turns, ...atOnce].map(({ due }) => due as string).sort(),
    joined: turns.length,
    begun: sum(lines.filter(({ event }) => event === 'schedule.begins')),
    dropped: sum(skipped) - atOnce.length,
  };
}

test('no overlap, nothing lost, everybody answered, and an end', async () => {
  await fc.assert(
    fc.asyncProperty(timings, fc.array(act, { maxLength: 30 }), fc.boolean(), async (first, acts, now) => {
      const service = new Service(configFor(first), '2026-01-15T00:00:00Z');
      const { clock, scheduler } = service;
      await scheduler.start();
      let current: readonly Timing[] = first;
      let since = clock.now().getTime();
      const expected: string[][] = [[], [], []];
      const note = (): void => {
        const to = clock.now().getTime();
        for (const [i, one] of current.entries()) expected[i]!.push(...dueTimes(one, since, to));
        since = to;
      };
      const answers: Promise<unknown>[] = [];
      for (const one of acts) {
        if ('advance' in one) await clock.advance(one.advance);
        else if ('ask' in one)
          answers.push(scheduler.runNow(names[one.ask]!, { trigger: 'socket', dryRun: one.dryRun }));
        else if ('fates' in one) service.fates[names[one.of]!] = [...one.fates];
        else {
          const reload = configFor(one.reload);
          if (reload.sources.length === 0) continue;
          await scheduler.reload(() => reload);
          note();
          current = one.reload;
        }
      }
      note();
      const stop = scheduler.stop('stopped', { now });
      await clock.advance(now ? 5_000 : 95_000);
      await stop;
      expect(scheduler.life.state).toBe('stopped');
      // what heard neither signal comes to its end some time
      await clock.advance(3 * 60 * minute);
      await Promise.allSettled(answers);

      expect(service.overlaps).toBe(0);
      expect(service.most).toBeLessThanOrEqual(2);
      expect(clock.sleepers.size).toBe(0);
      names.forEach((name, i) => {
        const { came, joined, begun, dropped } = fatesOf(service.log, name);
        expect(came).toEqual(expected[i]);
        expect(begun + dropped).toBe(joined);
      });
    }),
    { numRuns },
  );
});
