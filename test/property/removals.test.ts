import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Misconfigured } from '../../src/base/errors.ts';
import { noLimits, Site } from '../support/history.ts';
import type { MemoryRow } from '../support/memory-source.ts';
import { storyFormat } from './story.ts';

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 40);

function row(who: string, course = 'C1'): MemoryRow {
  return ['F', 'D1', course, who, 'L', `${who}@x.edu`, '1', who];
}

async function active(site: Site): Promise<string[]> {
  const { members } = await site.look();
  return members.filter((one) => one.status === 'active').map((one) => one.id!);
}

interface Day {
  /** So many people leave, and one comes. */
  leave: number;
  hours: number;
  approve: boolean;
}

/** Most of `stood` that may go: exact, in whole people. */
const allowed = (percent: number, stood: number): number => Math.floor((percent * stood) / 100);

test('removals over a limit wait, to the person exactly; an approval is used up, and counts to nothing', async () => {
  const day: fc.Arbitrary<Day> = fc.record({
    leave: fc.oneof(fc.nat(6), fc.nat(40)),
    hours: fc.constantFrom(1, 24, 100, 167, 168, 169),
    approve: fc.boolean(),
  });
  const setting = fc.record({
    people: fc.integer({ min: 8, max: 80 }),
    percent: fc.constantFrom(5, 10, 12.5, 50),
    atLeast: fc.constantFrom(0, 3, 20),
    window: fc.constantFrom(10, 25, 33, 100),
    days: fc.array(day, { minLength: 1, maxLength: 7, size: 'max' }),
  });
  await fc.assert(
    fc.asyncProperty(setting, async ({ people, percent, atLeast, window, days }) => {
      await using site = new Site({
        sources: ['sis'],
        limits: { percent, atLeast, window: { days: 7, percent: window } },
      });
      let here = Array.from({ length: people }, (_, n) => `p${n}`);
      await site.run(
        'sis',
        here.map((who) => row(who)),
      );
      /** Whom the roster has, whatever the drop says: those who wait are still there. */
      let standing = here.length;
      const passed: { at: number; count: number }[] = [];
      for (const [n, { leave, hours, approve }] of days.entries()) {
        site.time += hours * 3_600_000 - 1000;
        here = [...here.slice(Math.min(leave, here.length - 1)), `new${n}`];
        const going = standing - (here.length - 1);
        const run = await site.run(
          'sis',
          here.map((who) => row(who)),
        );
        const week = passed.filter((one) => one.at >= site.time - 7 * 24 * 3_600_000);
        const past = week.reduce((sum, one) => sum + one.count, 0);
        const over =
          going > 0 &&
          ((going > atLeast && going > allowed(percent, standing)) || going + past > allowed(window, standing + past));
        expect(run.status).toBe(over ? 'held' : 'applied');
        expect(run.changes['account.disable'] ?? 0).toBe(going);
        standing += 1;
        expect((await active(site)).length).toBe(over ? standing : standing - going);
        expect(await active(site)).toContain(`new${n}`);
        if (over && approve) {
          await expect(site.approve(run.run, 'f'.repeat(64))).rejects.toThrow(Misconfigured);
          await site.approve(run.run, run.digest!);
          await expect(site.approve(run.run, run.digest!)).rejects.toThrow(Misconfigured);
        }
        if (!over) passed.push({ at: site.time, count: going });
        if (!over || approve) standing -= going;
        expect((await active(site)).length).toBe(standing);
      }
    }),
    { numRuns },
  );
});

test('who is known to several sources is disabled by the last one that has a reason, and enabled by the first', async () => {
  const sources = ['sis', 'hr', 'guests'];
  const step = fc.record({
    source: fc.constantFrom(...sources),
    who: fc.constantFrom('ann', 'bob'),
    course: fc.constantFrom('C1', 'C2'),
    // what becomes of the row: it comes or goes, or is no reason for an account any more
    says: fc.constantFrom('L', 'L', 'guest', 'gone'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14, size: 'max' }), async (steps) => {
      await using site = new Site({ sources, limits: noLimits, format: storyFormat });
      // Each source keeps somebody of its own, so that none is ever empty and each has something standing.
      const rows = new Map(sources.map((name) => [name, new Map([[name, row(name)]])]));
      for (const { source, who, course, says } of steps) {
        const its = rows.get(source)!;
        const key = `${who} ${course}`;
        if (says === 'gone') its.delete(key);
        else its.set(key, (row(who, course) as string[]).with(4, says));
        const run = await site.run(source, [...its.values()]);
        // What somebody else gave may be more than all that stands by this source: then a person is asked.
        if (run.status === 'held') await site.approve(run.run, run.digest!);
        const reasons = [...rows.values()].flatMap((one) => [...one]).filter(([, cells]) => cells[4] === 'L');
        const known = new Set(reasons.map(([key]) => key));
        const { members } = await site.look();
        const there = new Set(members.map(({ id }) => id));
        for (const whose of ['ann', 'bob'])
          if ([...known].some((key) => key.startsWith(whose))) expect(there).toContain(whose);
        for (const member of members) {
          const courses = ['C1', 'C2'].filter((name) => known.has(`${member.id} ${name}`));
          if (sources.includes(member.id!)) continue;
          expect(member.status).toBe(courses.length ? 'active' : 'disabled');
          expect(member.enrolments).toEqual(courses.map((name) => `F\u001fD1\u001f${name}`));
        }
      }
    }),
    { numRuns },
  );
});
