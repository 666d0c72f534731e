import { expect, onTestFinished, test } from 'vitest';
import { noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

const row = (who: string): MemoryRow => ['F', 'D', 'C1', who, 'L', `${who}@x.edu`, '1', who];

test('a run that was applied whole stays so when only its end cannot be written; the next one ends it', async () => {
  const site = new Site({ sources: ['sis'], limits: noLimits });
  onTestFinished(() => site[Symbol.asyncDispose]());
  const { sources, runs } = site.store;
  let full = true;
  site.rosterd.store = {
    ...site.store,
    sources: {
      ...sources,
      put: async (state) => {
        const [run] = await runs.list({ source: 'sis', limit: 1 });
        if (full && run?.status === 'applied' && state.applying === null) throw new Error('disk I/O error');
        return sources.put(state);
      },
    },
  };
  const run = await site.run('sis', [row('ann')]);
  expect(run).toMatchObject({ status: 'applied', changes: { 'account.create': 1 } });
  expect((await runs.get(run.run))!.status).toBe('applied');
  expect((await sources.get('sis')).applying).toEqual({ plan: run.run, part: 'free' });

  full = false;
  expect(await site.run('sis', [row('ann'), row('bob')])).toMatchObject({ status: 'applied' });
  expect((await runs.get(run.run))!).toMatchObject({ status: 'applied', error: null });
  expect((await sources.get('sis')).applying).toBeNull();
});
