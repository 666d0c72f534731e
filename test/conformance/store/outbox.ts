import { expect, test } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import type { OpenStore } from '../store.ts';
import { account, change, plan } from './samples.ts';

/** Queues the creation of accounts for targets, as one plan. Gives back the ids of the first target's items. */
async function queue(store: Store, id: string, people: readonly number[], targets = ['canvas']): Promise<string[]> {
  await store.roster.apply(
    plan(id),
    'free',
    people.map((n) => change('account.create', account(n))),
    targets.map((target) => ({ target, accepts: ['account.create'] })),
  );
  return (await store.outbox.list({ target: targets[0]!, plan: id, limit: 1000 })).map(({ item }) => item);
}

const none = { queued: 0, processing: 0, sent: 0, failed: 0 };

/** The outbox: order, marks, answers, counts. */
export function outboxConformance(open: OpenStore): void {
  test('what is queued comes in the order of queueing, page by page, for each target by itself', async () => {
    const { store, reopen } = await open();
    await queue(store, 'p1', [3, 1], ['canvas', 'salesforce']);
    await queue(store, 'p2', [2, 4], ['canvas']);
    const again = await reopen();
    const first = await again.outbox.queued('canvas', 0, 3);
    expect(first.map(({ item }) => item.account!.id)).toEqual(['S3', 'S1', 'S2']);
    expect(first.map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    const seqs = first.map(({ seq }) => seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    const rest = await again.outbox.queued('canvas', seqs.at(-1)!, 3);
    expect(rest.map(({ item }) => item.account!.id)).toEqual(['S4']);
    expect(await again.outbox.queued('canvas', rest[0]!.seq, 3)).toEqual([]);
    expect(await again.outbox.queued('salesforce', 0, 10)).toHaveLength(2);
    expect(await again.outbox.queued('nobody', 0, 10)).toEqual([]);
  });

  test('looking marks nothing', async () => {
    const { store } = await open();
    await queue(store, 'p1', [1, 2]);
    await store.outbox.queued('canvas', 0, 10);
    expect(await store.outbox.queued('canvas', 0, 10)).toHaveLength(2);
  });

  test('what is processing is not queued; what is settled says what the target said', async () => {
    const { store, reopen } = await open();
    const [one, two, three, four] = await queue(store, 'p1', [1, 2, 3, 4]);
    await store.outbox.processing('canvas', [one!, two!, three!]);
    expect((await store.outbox.queued('canvas', 0, 10)).map(({ item }) => item.item)).toEqual([four]);
    expect(await store.outbox.counts()).toEqual({ canvas: { ...none, queued: 1, processing: 3 } });
    await store.outbox.settle('canvas', [
      { item: one!, outcome: 'sent', answer: null },
      { item: two!, outcome: 'failed', answer: 'no such term' },
      { item: three!, outcome: 'retry', answer: 'too busy', delayMs: 5 },
    ]);
    const items = await (await reopen()).outbox.list({ limit: 10 });
    expect(items.map(({ status, attempts, answer }) => [status, attempts, answer])).toEqual([
      ['sent', 1, null],
      ['failed', 1, 'no such term'],
      ['queued', 1, 'too busy'],
      ['queued', 0, null],
    ]);
  });

  test('what is tried again keeps its place in the order, and counts its attempts', async () => {
    const { store } = await open();
    const [one, two] = await queue(store, 'p1', [1, 2]);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await store.outbox.processing('canvas', [one!]);
      await store.outbox.settle('canvas', [{ item: one!, outcome: 'retry', answer: `attempt ${attempt}` }]);
    }
    const queued = await store.outbox.queued('canvas', 0, 10);
    expect(queued.map(({ item, attempts }) => [item.item, attempts])).toEqual([
      [one, 3],
      [two, 0],
    ]);
  });

  test('what a dead process left in processing is queued again, in its place; nothing else moves', async () => {
    const { store, reopen } = await open();
    const [one, two, three] = await queue(store, 'p1', [1, 2, 3]);
    const other = await queue(store, 'p2', [4], ['salesforce']);
    await store.outbox.processing('canvas', [one!, three!]);
    await store.outbox.processing('salesforce', other);
    await store.outbox.settle('canvas', [{ item: three!, outcome: 'sent', answer: 'ok' }]);
    const again = await reopen();
    expect(await again.outbox.recover('nobody')).toBe(0);
    expect(await again.outbox.recover('canvas')).toBe(1);
    expect(await again.outbox.recover('canvas')).toBe(0);
    expect((await again.outbox.queued('canvas', 0, 10)).map(({ item }) => item.item)).toEqual([one, two]);
    expect(await again.outbox.counts()).toEqual({
      canvas: { ...none, queued: 2, sent: 1 },
      salesforce: { ...none, processing: 1 },
    });
    expect((await again.outbox.list({ limit: 1 }))[0]).toMatchObject({ attempts: 0, answer: null });
  });

  test('an item of another target is not touched', async () => {
    const { store } = await open();
    const [item] = await queue(store, 'p1', [1]);
    await store.outbox.processing('salesforce', [item!]);
    await store.outbox.settle('salesforce', [{ item: item!, outcome: 'failed', answer: 'x' }]);
    expect(await store.outbox.list({ limit: 10 })).toMatchObject([{ status: 'queued', attempts: 0 }]);
  });

  test('counts name every target that ever had an item', async () => {
    const { store } = await open();
    expect(await store.outbox.counts()).toEqual({});
    const items = await queue(store, 'p1', [1, 2, 3], ['canvas', 'peoplesoft']);
    await store.outbox.settle(
      'canvas',
      items.map((item) => ({ item, outcome: 'sent', answer: null })),
    );
    expect(await store.outbox.counts()).toEqual({
      canvas: { ...none, sent: 3 },
      peoplesoft: { ...none, queued: 3 },
    });
  });

  test('items are listed in the order of queueing, by target, status and plan together, as far as the limit', async () => {
    const { store } = await open();
    const [first] = await queue(store, 'p1', [2, 1], ['canvas', 'salesforce']);
    await queue(store, 'p2', [3], ['canvas', 'salesforce']);
    await store.outbox.settle('canvas', [{ item: first!, outcome: 'failed', answer: 'no' }]);
    const who = async (filter: Omit<Parameters<typeof store.outbox.list>[0], 'limit'>, limit = 10) =>
      (await store.outbox.list({ ...filter, limit })).map((item) => `${item.target} ${item.delivery.account!.id}`);
    expect(await who({ target: 'canvas' })).toEqual(['canvas S2', 'canvas S1', 'canvas S3']);
    expect(await who({ target: 'canvas' }, 2)).toEqual(['canvas S2', 'canvas S1']);
    expect(await who({ status: 'failed' })).toEqual(['canvas S2']);
    expect(await who({ plan: 'p2' })).toEqual(['canvas S3', 'salesforce S3']);
    expect(await who({ plan: 'p1', target: 'canvas', status: 'queued' })).toEqual(['canvas S1']);
    expect(await who({ plan: 'p1', target: 'canvas', status: 'sent' })).toEqual([]);
    expect((await who({})).sort()).toEqual(
      ['canvas S1', 'canvas S2', 'canvas S3', 'salesforce S1', 'salesforce S2', 'salesforce S3'].sort(),
    );
  });
}
