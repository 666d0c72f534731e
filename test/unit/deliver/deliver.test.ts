import { expect, test } from 'vitest';
import { Denied, Unavailable } from '../../../src/base/errors.ts';
import { openLog } from '../../../src/base/log.ts';
import { Shut } from '../../../src/connector/target.ts';
import { deliverAll } from '../../../src/deliver/deliver.ts';
import { replay, setPaused } from '../../../src/operate/queue.ts';
import type { MemoryRow } from '../../support/memory-source.ts';
import { all, patience, queued, row, sentAll, Target, written } from '../../support/telling-target.ts';

test('the queue is sent in batches of at most the size of the target, in order, and then there is none', async () => {
  const target = new Target('canvas');
  const { deliver, statuses } = await queued(3, target);
  expect(await deliver()).toEqual([{ target: 'canvas', sent: 4, failed: 0, paused: false, error: null }]);
  expect(target.batches).toEqual([all.slice(0, 3), all.slice(3)]);
  expect(await statuses('canvas')).toEqual(sentAll);
  expect(target.closed).toBe(1);
  await deliver();
  expect(target.batches.length).toBe(2);
});

test('a target that is away is asked again after the time that it said', async () => {
  const target = new Target('canvas');
  const { deliver, waited } = await queued(9, target);
  target.delivers = () => {
    if (target.batches.length === 1) throw new Unavailable('busy', { delayMs: 42_000 });
  };
  expect(await deliver()).toMatchObject([{ sent: 4, error: null }]);
  expect(target.batches).toEqual([all, all]);
  expect(waited()).toBe(42_000);
});

test('what is refused after an answer that was lost says that it may have been taken', async () => {
  const target = new Target('canvas');
  const { deliver, site } = await queued(9, target);
  target.delivers = () => {
    if (target.batches.length === 1) throw new Unavailable('the answer was lost');
  };
  target.says = (_item, text) => (text === 'ann enrolment.add C1' ? { outcome: 'failed', answer: 'no' } : null);
  expect(await deliver()).toMatchObject([{ sent: 3, failed: 1, error: null }]);
  const [refused] = await site.store.outbox.list({ status: 'failed', limit: 9 });
  expect(refused).toMatchObject({
    attempts: 1,
    trail: [
      { outcome: 'retry', answer: 'the answer was lost' },
      { outcome: 'failed', answer: 'no' },
    ],
  });
});

test('a target that stays away is given up, and everything waits for the next delivery', async () => {
  const target = new Target('canvas');
  const { deliver, statuses } = await queued(9, target);
  target.delivers = () => {
    throw new Unavailable('away');
  };
  expect(await deliver()).toMatchObject([
    { sent: 0, failed: 0, paused: false, error: { kind: 'Unavailable', message: 'away' } },
  ]);
  expect(target.batches.length).toBe(1 + patience.batch.retries);
  expect(new Set(Object.values(await statuses('canvas')))).toEqual(new Set(['queued']));
  expect(target.closed).toBe(1);
  target.delivers = () => {};
  expect(await deliver()).toMatchObject([{ sent: 4, error: null }]);
});

test('a target that asks for more time than a run has is left for the next one at once', async () => {
  const target = new Target('canvas');
  const { deliver, waited } = await queued(9, target);
  target.delivers = () => {
    throw new Unavailable('come tomorrow', { delayMs: 86_400_000 });
  };
  expect(await deliver()).toMatchObject([{ error: { kind: 'Unavailable' } }]);
  expect(target.batches.length).toBe(1);
  expect(waited()).toBe(0);
});

test('what a target refuses is not sent again, and the rest goes on', async () => {
  const target = new Target('canvas');
  const { deliver, statuses, site } = await queued(9, target);
  target.says = (_item, text) =>
    text === 'ann enrolment.add C1' ? { outcome: 'failed', answer: 'no such course' } : null;
  expect(await deliver()).toMatchObject([{ sent: 3, failed: 1, paused: false, error: null }]);
  expect(await statuses('canvas')).toEqual({ ...sentAll, 'ann enrolment.add C1': 'failed' });
  expect(await site.store.outbox.list({ status: 'failed', limit: 9 })).toMatchObject([
    { answer: 'no such course', attempts: 1 },
  ]);
  await deliver();
  expect(target.batches.length).toBe(1);
});

test('what a target does not answer is sent again', async () => {
  const target = new Target('canvas');
  const { deliver, statuses } = await queued(9, target);
  target.says = (_item, text) => (text.startsWith('bob') && target.batches.length === 1 ? { item: 'another' } : null);
  expect(await deliver()).toMatchObject([{ sent: 4 }]);
  expect(target.batches[1]).toEqual(['bob account.create', 'bob enrolment.add C1']);
  expect(await statuses('canvas')).toEqual(sentAll);
});

test.each(['opens', 'delivers'] as const)(
  'credentials that are refused (%s) stop that target only, at once',
  async (when) => {
    const [canvas, salesforce] = [new Target('canvas'), new Target('salesforce')];
    const { deliver, statuses, waited } = await queued(9, canvas, salesforce);
    canvas[when] = () => {
      throw new Denied('the token was revoked');
    };
    expect(await deliver()).toMatchObject([
      { target: 'canvas', sent: 0, error: { kind: 'Denied', message: 'the token was revoked' } },
      { target: 'salesforce', sent: 4, error: null },
    ]);
    expect(canvas.batches.length).toBe(when === 'opens' ? 0 : 1);
    expect(waited()).toBe(0);
    expect(new Set(Object.values(await statuses('canvas')))).toEqual(new Set(['queued']));
    expect(await statuses('salesforce')).toEqual(sentAll);
  },
);

test('what was answered before a door was shut counts, and nobody knocks again', async () => {
  const target = new Target('campus');
  const { deliver, statuses, waited, site } = await queued(9, target);
  target.answers = (results) => {
    const cause = new Denied('the password was changed');
    throw new Shut(
      results.map((one, at) =>
        at === 0 ? one : { item: one.item, outcome: 'retry', answer: 'not sent', attempted: false },
      ),
      cause,
    );
  };
  const error = { kind: 'Denied', message: 'the password was changed' };
  expect(await deliver()).toEqual([{ target: 'campus', sent: 1, failed: 0, paused: false, error }]);
  expect(await statuses('campus')).toMatchObject({ [all[0]!]: 'sent', [all[1]!]: 'queued', [all[2]!]: 'queued' });
  expect([target.batches.length, waited()]).toEqual([1, 0]);
  // it is known where that one went
  expect(await site.store.outbox.platforms()).toMatchObject([{ target: 'campus' }]);
});

test('what a dead process left in the middle of a batch is sent again', async () => {
  const target = new Target('canvas');
  const { deliver, site, statuses } = await queued(9, target);
  const items = await site.store.outbox.list({ limit: 99 });
  await site.store.outbox.processing('canvas', [items[0]!.item]);
  await deliver();
  expect(target.texts[0]).toBe(all[0]);
  expect(await statuses('canvas')).toEqual(sentAll);
});

test('what a dead process had in hand may have got through, and nothing older makes somebody active again', async () => {
  const target = new Target('canvas');
  const { deliver, site } = await queued(9, target);
  await deliver();
  target.says = (_item, text) => (text.startsWith('ann') ? { outcome: 'failed', answer: 'no' } : null);
  const married: MemoryRow = ['F', 'D', 'C1', 'ann', 'Married', 'ann@x.edu', '1', 'ann'];
  await site.run('sis', [married, row('bob')]);
  await deliver();
  await site.run('sis', [row('bob')]);
  const left = await site.store.outbox.list({ status: 'queued', limit: 9 });
  expect(left.map(({ type }) => type)).toContain('account.disable');
  await site.store.outbox.processing(
    'canvas',
    left.map(({ item }) => item),
  );
  // nobody knows how far the process came
  await setPaused(site.rosterd, 'canvas', true, null);
  await deliver();
  const [{ item }] = left as [(typeof left)[number]];
  expect((await site.store.outbox.get(item))!.trail).toMatchObject([
    { outcome: 'retry', answer: 'the process ended with this in hand: it may have been sent' },
  ]);
  await replay(site.rosterd, {});
  await setPaused(site.rosterd, 'canvas', false, null);
  const statuses: string[] = [];
  target.says = ({ account }) => {
    statuses.push(account!.status);
    return null;
  };
  await deliver();
  expect(statuses.length).toBeGreaterThan(1);
  expect(new Set(statuses)).toEqual(new Set(['disabled']));
});

test('asked to stop, it finishes the batch in hand and begins no other', async () => {
  const target = new Target('canvas');
  const { site, deliver, statuses, stop } = await queued(1, target);
  const { to, said } = written();
  site.rosterd.work.log = openLog({ level: 'info', terminal: false, journal: false, to });
  target.delivers = stop;
  const error = { kind: 'Stopped', message: 'stopped by SIGTERM' };
  expect(await deliver()).toEqual([{ target: 'canvas', sent: 1, failed: 0, paused: false, error }]);
  // nobody has to do anything, and nobody is told that the queue is empty
  expect(said).toMatchObject([{ event: 'delivery.stopped', level: 'info', sent: 1, error }]);
  expect(target.batches.length).toBe(1);
  expect(await statuses('canvas')).toMatchObject({ [all[0]!]: 'sent', [all[1]!]: 'queued' });
  expect(target.closed).toBe(1);
});

test('asked to stop during the last batch, it has delivered everything', async () => {
  const target = new Target('canvas');
  const { deliver, statuses, stop } = await queued(9, target);
  target.delivers = stop;
  expect(await deliver()).toMatchObject([{ sent: 4, error: null }]);
  expect(await statuses('canvas')).toEqual(sentAll);
});

test('a target that is away while somebody asks to stop is no failure of the target', async () => {
  const target = new Target('canvas');
  const { deliver, stop } = await queued(9, target);
  target.delivers = () => {
    stop();
    throw new Unavailable('away');
  };
  expect(await deliver()).toMatchObject([{ sent: 0, error: { kind: 'Stopped' } }]);
});

test('a target that is switched off is sent nothing, and keeps its queue', async () => {
  const target = new Target('canvas');
  const { site, statuses } = await queued(9, target);
  const targets = site.rosterd.config.targets.map((one) => ({ ...one, enabled: false }));
  expect(await deliverAll({ ...site.rosterd.config, targets }, site.store, site.rosterd.work, patience)).toEqual([]);
  expect(new Set(Object.values(await statuses('canvas')))).toEqual(new Set(['queued']));
});
