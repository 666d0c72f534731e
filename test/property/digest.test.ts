import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Run } from '../../src/store/port.ts';
import { Chronicle } from './chronicle.ts';
import { shuffled, stories } from './story.ts';

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 60);

/** No plan at all and an empty one are the same. */
function planOf({ digest, changes, guards, conflicts, blocked, error }: Run): unknown {
  const held = guards.filter((guard) => guard.held);
  return { digest: digest ?? emptyDigest, changes, held, conflicts, blocked, error: error?.kind };
}
const emptyDigest = createHash('sha256').digest('hex');

test('the same rows give the same plan, whatever their order, and however often one is repeated', async () => {
  await fc.assert(
    fc.asyncProperty(stories(5), async (story) => {
      const chronicle = new Chronicle(story);
      await using site = chronicle.site;
      const drops = story.acts.filter((act) => act.act === 'drop');
      const last = drops.at(-1)!;
      for (const act of story.acts.slice(0, story.acts.indexOf(last))) await chronicle.step(act);
      const source = chronicle.nameOf(last);
      const answer = chronicle.answerOf(last);
      const plans: unknown[] = [];
      for (const [how, dryRun] of [
        ['as is', true],
        ['reversed', true],
        ['repeated', true],
        ['as is', true],
        ['reversed', false],
      ] as const)
        plans.push(planOf(await site.run(source, shuffled(answer, how), dryRun)));
      const [first, ...others] = plans;
      for (const other of others) expect(other).toEqual(first);
    }),
    { numRuns },
  );
});
