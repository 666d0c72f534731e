import { expect, test } from 'vitest';
import type { OutboxStatus, Store } from '../../../src/store/port.ts';
import type { OpenStore } from '../store.ts';
import { account, change, plan } from './samples.ts';

const at = '2026-09-01T00:00:00.000Z';

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
    await store.outbox.settle(
      'canvas',
      [
        { item: one!, outcome: 'sent', answer: null },
        { item: two!, outcome: 'failed', answer: 'no such term' },
        { item: three!, outcome: 'retry', answer: 'too busy', delayMs: 5 },
      ],
      at,
    );
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
      await store.outbox.settle('canvas', [{ item: one!, outcome: 'retry', answer: `attempt ${attempt}` }], at);
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
    await store.outbox.settle('canvas', [{ item: three!, outcome: 'sent', answer: 'ok' }], at);
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
    await store.outbox.settle('salesforce', [{ item: item!, outcome: 'failed', answer: 'x' }], at);
    expect(await store.outbox.list({ limit: 10 })).toMatchObject([{ status: 'queued', attempts: 0 }]);
  });

  test('counts name every target that ever had an item', async () => {
    const { store } = await open();
    expect(await store.outbox.counts()).toEqual({});
    const items = await queue(store, 'p1', [1, 2, 3], ['canvas', 'peoplesoft']);
    await store.outbox.settle(
      'canvas',
      items.map((item) => ({ item, outcome: 'sent', answer: null })),
      at,
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
    await store.outbox.settle('canvas', [{ item: first!, outcome: 'failed', answer: 'no' }], at);
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

  const statusOf = async (store: Store, item: string) => {
    const { status, because, attempts, answer } = (await store.outbox.get(item))!;
    return [status, because, attempts, answer];
  };
  const personOf = (store: Store, item: string) => store.outbox.get(item).then((found) => found!.person);

  test('only what is queued is marked: an answer from outside that came in between is not sent over', async () => {
    const { store, reopen } = await open();
    const [one, two, three] = await queue(store, 'p1', [1, 2, 3]);
    expect(await store.outbox.ack(two!, 'sent', 'done by hand', at)).toBe(true);
    expect(await store.outbox.processing('canvas', [one!, two!, three!])).toEqual([two]);
    expect(await statusOf(await reopen(), two!)).toEqual(['sent', null, 0, 'done by hand']);
  });

  test('what another system has in hand is not queued again with what a dead process left', async () => {
    const { store, reopen } = await open();
    const [one, two] = await queue(store, 'p1', [1, 2]);
    expect(await store.outbox.ack(one!, 'processing', null, at)).toBe(true);
    await store.outbox.processing('canvas', [two!]);
    const again = await reopen();
    expect(await again.outbox.recover('canvas')).toBe(1);
    expect(await statusOf(again, one!)).toEqual(['processing', 'outside', 0, null]);
    expect(await again.outbox.troubled('canvas')).toEqual([await personOf(again, one!)]);
    expect(await again.outbox.ack(one!, 'failed', 'Validation mismatch', at)).toBe(true);
    expect(await statusOf(again, one!)).toEqual(['failed', null, 0, 'Validation mismatch']);
  });

  test('an answer from outside is refused for what we have in hand, for what is settled, and for what is not there', async () => {
    const { store } = await open();
    const [one, two] = await queue(store, 'p1', [1, 2]);
    await store.outbox.processing('canvas', [one!]);
    for (const status of ['processing', 'sent', 'failed'] as const)
      expect(await store.outbox.ack(one!, status, null, at)).toBe(false);
    await store.outbox.settle('canvas', [{ item: two!, outcome: 'sent', answer: 'ok' }], at);
    expect(await store.outbox.ack(two!, 'failed', 'no', at)).toBe(false);
    expect(await store.outbox.ack('nothing', 'sent', null, at)).toBe(false);
    expect(await statusOf(store, two!)).toEqual(['sent', null, 1, 'ok']);
  });

  test('what is replayed is queued in its place, as if it had never been tried; what is queued or in hand is not', async () => {
    const { store, reopen } = await open();
    const [one, two, three, four] = await queue(store, 'p1', [1, 2, 3, 4]);
    await store.outbox.settle(
      'canvas',
      [
        { item: one!, outcome: 'failed', answer: 'no' },
        { item: two!, outcome: 'sent', answer: 'ok' },
      ],
      at,
    );
    await store.outbox.processing('canvas', [three!]);
    const was = { queued: three!, processing: three!, superseded: four! } as const;
    for (const [status, item] of Object.entries(was))
      expect(await store.outbox.replay([{ item, was: status as OutboxStatus }]), status).toEqual([]);
    const other = { [one!]: 'sent', [two!]: 'failed' } as const;
    for (const [item, was] of Object.entries(other))
      expect(await store.outbox.replay([{ item, was }]), 'no longer as it was seen').toEqual([]);
    const seen = [one!, two!, three!, four!, 'nothing'].map((item) => ({
      ...{ item, was: item === two ? ('sent' as const) : ('failed' as const) },
    }));
    expect(await store.outbox.replay(seen)).toEqual([one, two]);
    expect(await store.outbox.replay([{ item: one!, was: 'failed' }])).toEqual([]);
    const again = await reopen();
    expect((await again.outbox.queued('canvas', 0, 10)).map(({ item, attempts }) => [item.item, attempts])).toEqual([
      [one, 0],
      [two, 0],
      [four, 0],
    ]);
    const { trail, delivery } = (await again.outbox.get(one!))!;
    expect(trail).toEqual([{ at, outcome: 'failed', answer: 'no' }]);
    await again.outbox.settle('canvas', [{ item: one!, outcome: 'sent', answer: 'ok' }], at);
    const newer = { ...delivery, changed: ['year'] };
    expect(await again.outbox.replay([{ item: one!, was: 'sent', delivery: newer }])).toEqual([one]);
    expect((await again.outbox.get(one!))!.delivery).toEqual(newer);
  });

  test('answers are kept, the last twenty, oldest first', async () => {
    const { store, reopen } = await open();
    const [one] = await queue(store, 'p1', [1]);
    for (let n = 1; n <= 23; n += 1)
      await store.outbox.settle('canvas', [{ item: one!, outcome: 'retry', answer: `it's "${n}"` }], at);
    await store.outbox.settle('canvas', [{ item: one!, outcome: 'sent', answer: null }], at);
    const { trail, attempts } = (await (await reopen()).outbox.get(one!))!;
    expect([trail.length, attempts]).toEqual([20, 24]);
    expect(trail[0]).toEqual({ at, outcome: 'retry', answer: 'it\'s "5"' });
    expect(trail.at(-1)).toEqual({ at, outcome: 'sent', answer: null });
  });

  test('what was put away without a word of the target says why, and counts no attempt', async () => {
    const { store, reopen } = await open();
    const [one, two] = await queue(store, 'p1', [1, 2]);
    await store.outbox.settle(
      'canvas',
      [{ item: one!, outcome: 'failed', answer: 'waits', because: 'discrepancy', attempted: false }],
      at,
    );
    await store.outbox.settle('canvas', [{ item: two!, outcome: 'failed', answer: 'no' }], at);
    const again = await reopen();
    expect(await statusOf(again, one!)).toEqual(['failed', 'discrepancy', 0, 'waits']);
    expect(
      (await again.outbox.list({ status: 'failed', withReason: true, limit: 10 })).map(({ item }) => item),
    ).toEqual([one]);
    expect(await again.outbox.replay([{ item: one!, was: 'failed' }])).toEqual([one]);
    expect(await statusOf(again, one!)).toEqual(['queued', null, 0, 'waits']);
  });

  test('nothing is put away that another system has settled, or has in hand', async () => {
    const { store } = await open();
    const [one, two, three] = await queue(store, 'p1', [1, 2, 3]);
    await store.outbox.ack(one!, 'sent', 'by hand', at);
    await store.outbox.ack(two!, 'processing', null, at);
    await store.outbox.processing('canvas', [three!]);
    const away = { outcome: 'failed', answer: 'waits', because: 'discrepancy', attempted: false } as const;
    await store.outbox.settle(
      'canvas',
      [one!, two!, three!].map((item) => ({ item, ...away })),
      at,
    );
    expect(await statusOf(store, one!)).toEqual(['sent', null, 0, 'by hand']);
    expect(await statusOf(store, two!)).toEqual(['processing', 'outside', 0, null]);
    expect(await statusOf(store, three!)).toEqual(['failed', 'discrepancy', 0, 'waits']);
  });

  test('items become one: it stays in its place with another delivery, the others are superseded by it', async () => {
    const { store, reopen } = await open();
    const [one, two, three] = await queue(store, 'p1', [1, 2, 3]);
    const { delivery } = (await store.outbox.get(one!))!;
    const other = { ...delivery, changed: ['email'], account: { ...delivery.account!, email: 'new@example.edu' } };
    await store.outbox.settle('canvas', [{ item: one!, outcome: 'failed', answer: 'no' }], at);
    await store.outbox.processing('canvas', [three!]);
    await store.outbox.merge('canvas', [{ into: one!, delivery: other, gone: [two!, three!] }]);
    const again = await reopen();
    expect(await statusOf(again, one!)).toEqual(['queued', null, 0, 'no']);
    expect((await again.outbox.get(one!))!.delivery).toEqual(other);
    expect(await statusOf(again, two!)).toEqual(['superseded', one, 0, null]);
    expect((await again.outbox.get(three!))!.status).toBe('processing');
    expect(await again.outbox.counts()).toEqual({ canvas: { ...none, queued: 1, processing: 1 } });
    expect(await again.outbox.replay([{ item: two!, was: 'superseded' }])).toEqual([]);
  });

  test('items do not become one that is in hand or sent by now', async () => {
    const { store } = await open();
    const [one, two] = await queue(store, 'p1', [1, 2]);
    const { delivery } = (await store.outbox.get(one!))!;
    await store.outbox.processing('canvas', [one!]);
    await store.outbox.merge('canvas', [{ into: one!, delivery: { ...delivery, changed: ['year'] }, gone: [two!] }]);
    await store.outbox.supersede('canvas', [{ item: one!, because: two! }]);
    expect((await store.outbox.get(one!))!).toMatchObject({ status: 'processing', delivery });
    expect((await store.outbox.get(two!))!.status).toBe('queued');
    await store.outbox.supersede('canvas', [{ item: two!, because: one! }]);
    expect(await statusOf(store, two!)).toEqual(['superseded', one, 0, null]);
  });

  test('superseded items are forgotten with the sent ones before them', async () => {
    const { store } = await open();
    const [one, two, three] = await queue(store, 'p1', [1, 2, 3]);
    await store.outbox.supersede('canvas', [{ item: one!, because: two! }]);
    await store.outbox.settle('canvas', [{ item: two!, outcome: 'sent', answer: null }], at);
    expect(await store.outbox.forget('canvas', 1, [])).toBe(0);
    expect(await store.outbox.forget('canvas', 0, [])).toBe(2);
    expect((await store.outbox.list({ limit: 10 })).map(({ item }) => item)).toEqual([three]);
  });

  test('items are listed by people, and page by page', async () => {
    const { store } = await open();
    const [one, two, three] = await queue(store, 'p1', [1, 2, 3]);
    const people = [await personOf(store, one!), await personOf(store, three!)];
    expect((await store.outbox.list({ people, limit: 10 })).map(({ item }) => item)).toEqual([one, three]);
    expect(await store.outbox.list({ people: [], limit: 10 })).toEqual([]);
    const [first] = await store.outbox.list({ limit: 1 });
    expect((await store.outbox.list({ after: first!.seq, limit: 1 })).map(({ item }) => item)).toEqual([two]);
    expect(await store.outbox.get('nothing')).toBeNull();
  });

  test('a target is paused until somebody says otherwise', async () => {
    const { store, reopen } = await open();
    expect(await store.outbox.pauses()).toEqual([]);
    await store.outbox.pause('salesforce', { at, reason: null });
    await store.outbox.pause('canvas', { at, reason: 'term rollover' });
    const again = await reopen();
    expect(await again.outbox.pauses()).toEqual([
      { target: 'canvas', at, reason: 'term rollover' },
      { target: 'salesforce', at, reason: null },
    ]);
    await again.outbox.pause('canvas', null);
    await again.outbox.pause('canvas', null);
    expect((await again.outbox.pauses()).map(({ target }) => target)).toEqual(['salesforce']);
  });

  test('which platform has what was sent to a target is remembered, the last word counts', async () => {
    const { store, reopen } = await open();
    expect(await store.outbox.platforms()).toEqual([]);
    const crm = { target: 'salesforce', kind: 'salesforce', address: 'https://sandbox.example.edu' };
    const canvas = { target: 'canvas', kind: 'canvas', address: 'https://canvas.example.edu, account 1' };
    await store.outbox.putPlatform(crm);
    await store.outbox.putPlatform(canvas);
    await store.outbox.putPlatform({ ...crm, address: 'https://crm.example.edu' });
    const again = await reopen();
    expect(await again.outbox.platforms()).toEqual([canvas, { ...crm, address: 'https://crm.example.edu' }]);
  });

  test('what a person let pass is kept, by account and discrepancy', async () => {
    const { store, reopen } = await open();
    const review = { account: '9500000001', discrepancy: 'abc', at, note: 'called them' };
    await store.outbox.review({ ...review, note: null });
    await store.outbox.review(review);
    await store.outbox.review({ ...review, discrepancy: 'abd' });
    await store.outbox.review({ ...review, account: '9500000000' });
    const again = await reopen();
    expect((await again.outbox.reviews()).map(({ account, discrepancy }) => `${account} ${discrepancy}`)).toEqual([
      '9500000000 abc',
      '9500000001 abc',
      '9500000001 abd',
    ]);
    expect((await again.outbox.reviews())[1]).toEqual(review);
    await again.outbox.unreview([review, { account: 'nobody', discrepancy: 'abc' }]);
    expect(await again.outbox.reviews()).toHaveLength(2);
  });
}
