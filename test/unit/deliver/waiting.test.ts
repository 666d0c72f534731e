import { expect, test } from 'vitest';
import type { MemoryRow } from '../../support/memory-source.ts';
import { patience, queued, row, Target } from '../../support/telling-target.ts';

/** Who has to wait, and what a delivery says of it. */

test('an item that has to wait holds up its person only, for as long as the target said', async () => {
  const target = new Target('canvas');
  const { deliver, waited } = await queued(1, target);
  target.says = (_item, text) =>
    text === 'ann account.create' && target.batches.length === 1
      ? { outcome: 'retry', answer: 'later', delayMs: 9_000 }
      : null;
  expect(await deliver()).toMatchObject([{ sent: 4, error: null }]);
  expect(target.texts).toEqual([
    'ann account.create',
    'bob account.create',
    'bob enrolment.add C1',
    'ann account.create',
    'ann enrolment.add C1',
  ]);
  expect(waited()).toBe(9_000);
});

test('without a word of the target the waits double', async () => {
  const target = new Target('canvas');
  const { deliver, waited } = await queued(9, target);
  target.says = (_item, text) =>
    text.startsWith('ann') && target.batches.length < 3 ? { outcome: 'retry', answer: 'later' } : null;
  expect(await deliver()).toMatchObject([{ sent: 4, error: null }]);
  expect(target.batches.slice(1)).toEqual([
    ['ann account.create', 'ann enrolment.add C1'],
    ['ann account.create', 'ann enrolment.add C1'],
  ]);
  // both of ann's items had to wait both times: that is two attempts, not four
  expect(waited()).toBe(500 + 1000);
});

test('an item that is to wait longer than a run does is left for the next one', async () => {
  const target = new Target('canvas');
  const { deliver, waited } = await queued(9, target);
  target.says = (_item, text) =>
    text.startsWith('ann') ? { outcome: 'retry', answer: 'tomorrow', delayMs: 86_400_000 } : null;
  expect(await deliver()).toMatchObject([{ sent: 2, error: { kind: 'Waiting', delayMs: 86_400_000 } }]);
  expect(target.batches.length).toBe(1);
  expect(waited()).toBe(0);
});

test('an item that is never taken is given up; its person stays queued, everybody else is sent', async () => {
  const target = new Target('canvas');
  const { deliver, statuses } = await queued(1, target);
  target.says = (_item, text) => (text === 'ann account.create' ? { outcome: 'retry', answer: 'not now' } : null);
  const [end] = await deliver();
  const message = 'changes of 1 person were put off; they stay queued';
  // it takes those of others: nothing to leave it alone for
  expect(end).toMatchObject({ sent: 2, error: { kind: 'Waiting', message } });
  expect(target.texts.filter((text) => text === 'ann account.create').length).toBe(patience.itemAttempts);
  expect(await statuses('canvas')).toEqual({
    'ann account.create': 'queued',
    'bob account.create': 'sent',
    'ann enrolment.add C1': 'queued',
    'bob enrolment.add C1': 'sent',
  });
});

test('an address that is not given up yet is not taken, though that batch was picked already', async () => {
  const target = new Target('canvas');
  const { deliver, site } = await queued(1, target);
  await deliver();
  const moved = (who: string, email: string): MemoryRow => ['F', 'D', 'C1', who, 'L', email, '1', who];
  await site.run('sis', [moved('ann', 'new@x.edu'), row('bob')]);
  await site.run('sis', [moved('ann', 'new@x.edu'), moved('bob', 'ann@x.edu')]);
  const before = target.batches.length;
  target.says = (_item, text) =>
    text.startsWith('ann') && target.batches.length === before + 1 ? { outcome: 'retry', answer: 'locked' } : null;
  expect(await deliver()).toMatchObject([{ sent: 2, failed: 0, error: null }]);
  expect(target.texts.slice(-3)).toEqual(['ann account.update', 'ann account.update', 'bob account.update']);
});

test('what was put off is tried again later each time, up to an hour', async () => {
  const target = new Target('canvas');
  const { deliver, site } = await queued(9, target);
  target.says = (_item, text) => (text.startsWith('ann') ? { outcome: 'retry', answer: 'not now' } : null);
  const waits: number[] = [];
  for (let times = 0; times < 6; times += 1) waits.push((await deliver())[0]!.error!.delayMs!);
  // three attempts each time
  expect(waits).toEqual([4_000, 32_000, 256_000, 2_048_000, 3_600_000, 3_600_000]);
  expect(await site.store.outbox.list({ status: 'queued', limit: 9 })).toHaveLength(2);
});

test('what a target has, and does not show yet, is no failure of the target, and is not called put off', async () => {
  const target = new Target('campus');
  const { deliver } = await queued(9, target);
  target.says = () => ({
    ...{ outcome: 'retry', answer: 'transmitted, not confirmed yet' },
    ...{ attempted: false, taken: true, delayMs: 300_000 },
  });
  const message = 'changes of 2 people were transmitted and do not show yet; they stay queued';
  expect(await deliver()).toMatchObject([{ sent: 0, error: { kind: 'Waiting', message, delayMs: 300_000 } }]);
});

test.each([{ delayMs: 90_000 }, {}])(
  'a target that puts off everybody is left alone as long as it says: %j',
  async (delay) => {
    const target = new Target('campus');
    const { deliver } = await queued(9, target);
    target.says = () => ({ outcome: 'retry', answer: 'busy', attempted: false, ...delay });
    const [end] = await deliver();
    expect(end!.error).toEqual({
      ...{ kind: 'Unavailable', message: 'changes of 2 people were put off; they stay queued' },
      ...delay,
    });
  },
);

test.each([true, false])('a target that takes nothing for weeks fails somebody: %s', async (attempted) => {
  const target = new Target('canvas');
  const { deliver, statuses } = await queued(9, target);
  target.says = (_item, text) => ({
    ...{ outcome: 'retry', answer: 'not now' },
    ...(!(attempted && text.startsWith('ann')) && { attempted: false }),
  });
  for (let weeks = 0; weeks < 20; weeks += 1) await deliver();
  const [ann, bob] = ['ann account.create', 'bob account.create'];
  expect(await statuses('canvas')).toMatchObject({ [ann]: attempted ? 'failed' : 'queued', [bob]: 'queued' });
});
