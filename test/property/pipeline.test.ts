import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Chronicle } from './chronicle.ts';
import { stories } from './story.ts';

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 200);

test('whatever happened, the roster becomes what the last complete snapshots say, and nobody is lost on the way', async () => {
  await fc.assert(
    fc.asyncProperty(stories(14), async (story) => {
      const chronicle = new Chronicle(story);
      await using _site = chronicle.site;
      for (const act of story.acts) await chronicle.step(act);
      await chronicle.settle();
      await chronicle.checkEnd();
      await chronicle.tidy();
      await chronicle.settle();
      await chronicle.checkEnd();
      expect(chronicle.complaints).toEqual([]);
    }),
    { numRuns },
  );
});
