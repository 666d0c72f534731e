import { expect, onTestFinished, test } from 'vitest';
import { noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

const row = (who: string, name = who): MemoryRow => ['F', 'D', 'C1', name, 'L', `${who}@x.edu`, '1', who];
/** An entry of a directory that knows the person by another id: telephone and room, for people found by their address. */
const entry = (who: string): MemoryRow => ['', '', '', '123', 'B 4', `${who}@x.edu`, '', `cn-${who}`];

test('a directory that the configuration does not name any more goes on filling in, and is nobody', async () => {
  const site = new Site({ sources: ['sis', 'ad'], directories: ['ad'], limits: noLimits });
  onTestFinished(() => site[Symbol.asyncDispose]());
  await site.run('sis', [row('ann'), row('bob')]);
  await site.run('ad', [entry('ann'), entry('bob'), entry('guest')]);
  const { config } = site.rosterd;
  site.rosterd.config = { ...config, sources: config.sources.filter(({ name }) => name === 'sis') };

  const run = await site.run('sis', [row('ann', 'Ann'), row('cy')]);
  expect(run).toMatchObject({ status: 'applied', conflicts: 0, blocked: 0 });
  expect(run.changes).toEqual({
    ...{ 'account.create': 1, 'account.update': 1, 'account.disable': 1 },
    ...{ 'enrolment.add': 1, 'enrolment.remove': 1 },
  });
  const { members } = await site.look();
  expect(members.map(({ id, firstName, status, attributes }) => [id, firstName, status, attributes])).toEqual([
    ['ann', 'Ann', 'active', { phone: '123', room: 'B 4' }],
    ['bob', 'bob', 'disabled', { phone: '123', room: 'B 4' }],
    ['cy', 'cy', 'active', {}],
  ]);
});
