import { expect, onTestFinished, test } from 'vitest';
import { Denied, Unavailable } from '../../../src/base/errors.ts';
import { openLog } from '../../../src/base/log.ts';
import type { TargetConfig } from '../../../src/configure/config.ts';
import { type DeliveryItem, type ItemResult, Shut, type TargetSession } from '../../../src/connector/target.ts';
import { deliverAll } from '../../../src/deliver/deliver.ts';
import type { DeliveryPatience } from '../../../src/deliver/waiting.ts';
import { everything, noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

const patience: DeliveryPatience = {
  batch: { retries: 3, firstWaitMs: 1_000, longestWaitMs: 60_000 },
  itemAttempts: 3,
  itemFirstWaitMs: 500,
};

/** A target that says what a test tells it to; `null` or nothing: sent. */
class Target {
  readonly name: string;
  readonly batches: string[][] = [];
  closed = 0;
  says: (item: DeliveryItem, text: string) => Partial<ItemResult> | null = () => null;
  answers: (results: ItemResult[]) => ItemResult[] = (results) => results;
  opens: () => void = () => {};
  delivers: () => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  config(size: number): TargetConfig {
    const session: TargetSession = {
      deliver: async (items) => {
        const batch = [...items];
        this.batches.push(batch.map(textOf));
        this.delivers();
        return this.answers(
          batch.map(
            (item): ItemResult =>
              ({ item: item.item, outcome: 'sent', answer: null, ...this.says(item, textOf(item)) }) as ItemResult,
          ),
        );
      },
      close: async () => {
        this.closed += 1;
      },
    };
    const connector = {
      ...everything,
      batchSize: () => size,
      open: async () => {
        this.opens();
        return session;
      },
    };
    return {
      name: this.name,
      connector,
      enabled: true,
      rate: null,
      giveUpAfter: 50,
      settings: { url: 'http://127.0.0.1:9' },
    };
  }

  /** Everything that was ever handed over. */
  get texts(): string[] {
    return this.batches.flat();
  }
}

function textOf({ account, type, course }: DeliveryItem): string {
  return [account?.firstName, type, course?.course].filter(Boolean).join(' ');
}

function written() {
  const said: Record<string, unknown>[] = [];
  return { said, to: { write: (line: string) => void said.push(JSON.parse(line)) } };
}

const row = (who: string, course = 'C1'): MemoryRow => ['F', 'D', course, who, 'L', `${who}@x.edu`, '1', who];

/** A site with ann and bob (in the order of their numbers) in the queue of each target. */
async function queued(size: number, ...targets: Target[]) {
  const site = new Site({ sources: ['sis'], limits: noLimits, targets: targets.map((target) => target.config(size)) });
  onTestFinished(() => site[Symbol.asyncDispose]());
  const controller = new AbortController();
  site.rosterd.work.signal = controller.signal;
  await site.run('sis', [row('ann'), row('bob')]);
  const started = site.time;
  return {
    site,
    stop: () => controller.abort(new Unavailable('stopped by SIGTERM')),
    deliver: () => deliverAll(site.rosterd.config, site.store, site.rosterd.work, patience),
    statuses: async (target: string) =>
      Object.fromEntries(
        (await site.store.outbox.list({ target, limit: 99 })).map((item) => [textOf(item.delivery), item.status]),
      ),
    waited: () => site.time - started,
  };
}
const all = ['ann account.create', 'bob account.create', 'ann enrolment.add C1', 'bob enrolment.add C1'];
const sentAll = Object.fromEntries(all.map((text) => [text, 'sent']));

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
