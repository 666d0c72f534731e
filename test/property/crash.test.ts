import fc from 'fast-check';
import { expect, test } from 'vitest';
import { finishInterrupted } from '../../src/run/force.ts';
import { Crash, type CrashPoint, crashingStore } from '../support/crashing-store.ts';
import type { Letter, Site, View } from '../support/history.ts';
import { Chronicle } from './chronicle.ts';
import { type Act, type Story, stories } from './story.ts';

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 60);

/** What a crash must not change: the roster, the courses, and for each person what is sent in which order. */
function outcome(view: View): unknown {
  const letters = (whose: Letter['account']): string[] =>
    view.outbox.filter((one) => one.account === whose).map(({ type, course, body }) => `${type} ${course} ${body}`);
  return {
    members: view.members,
    courses: view.courses,
    outbox: Object.fromEntries(
      [null, ...view.members.map((one) => one.account)].map((who) => [String(who), letters(who)]),
    ),
  };
}

/** The last act is the one that dies. `prefix` has happened; what is done again is decided by what came into force. */
async function crashed(chronicle: Chronicle, site: Site, act: Act, point: CrashPoint, first: 'finish' | 'again') {
  const source = 'source' in act ? chronicle.nameOf(act) : '';
  const answer = act.act === 'drop' ? chronicle.answerOf(act) : [];
  const before = await site.store.sources.get(source);
  const held = await site.held(source);
  const perform = async (): Promise<void> => {
    if (act.act === 'drop' && (act.how === 'complete' || act.how === 'dry'))
      await site.run(source, answer, act.how === 'dry');
    else if (act.act === 'approve' && held) await site.approve(held.run, held.digest!);
    else if (act.act === 'reject' && held) await site.reject(held.run);
  };
  const dying = crashingStore(site.store, point);
  site.rosterd.store = dying.store;
  try {
    await perform();
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
  await site.restart();
  if (!dying.died()) return;
  if (first === 'finish') await finishInterrupted(site.rosterd, source);
  const after = await site.store.sources.get(source);
  const inForce = after.pending !== before.pending || after.held !== before.held;
  if (first === 'finish' && inForce) return;
  // an approval that came into force is finished by whatever is asked next
  if (inForce && act.act !== 'drop') return finishInterrupted(site.rosterd, source);
  if (!inForce || first === 'again') await perform();
}

async function prefix(story: Story): Promise<Chronicle> {
  const chronicle = new Chronicle(story);
  for (const act of story.acts.slice(0, -1)) await chronicle.step(act);
  return chronicle;
}

test('a crash at any write, and a restart, end where no crash ends', async () => {
  await fc.assert(
    fc.asyncProperty(
      stories(5),
      fc.record({ write: fc.integer({ min: 1, max: 20 }), when: fc.constantFrom('before' as const, 'after' as const) }),
      async (story, point) => {
        const last = story.acts.at(-1)!;
        const calm = await prefix(story);
        await using _calm = calm.site;
        await crashed(calm, calm.site, last, { write: 0, when: 'before' }, 'finish');
        const expected = outcome(await calm.site.look());

        const shaken = await prefix(story);
        await using _shaken = shaken.site;
        await crashed(shaken, shaken.site, last, point, 'finish');
        expect(outcome(await shaken.site.look())).toEqual(expected);
      },
    ),
    { numRuns },
  );
});

test('a run after a crash needs nobody to clean up: in the end both sites are the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      stories(5),
      fc.record({ write: fc.integer({ min: 1, max: 20 }), when: fc.constantFrom('before' as const, 'after' as const) }),
      async (story, point) => {
        const ends: unknown[] = [];
        for (const at of [{ write: 0, when: 'before' as const }, point]) {
          const chronicle = await prefix(story);
          await using site = chronicle.site;
          await crashed(chronicle, site, story.acts.at(-1)!, at, 'again');
          await chronicle.settle();
          ends.push(outcome(await site.look()));
        }
        expect(ends[1]).toEqual(ends[0]);
      },
    ),
    { numRuns },
  );
});
