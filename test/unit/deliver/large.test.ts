import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { changeTypes, type DeliveryItem } from '../../../src/connector/target.ts';
import type { Batch } from '../../../src/deliver/batch.ts';
import { mostHeld, nextBatch, peekBatch } from '../../../src/deliver/queue.ts';
import { SpooledBatch } from '../../../src/deliver/spooled.ts';
import { openEmbeddedStore } from '../../../src/store/embedded/index.ts';
import type { OutboxItem, OutboxStatus } from '../../../src/store/port.ts';
import { itemsFor } from '../../support/items.ts';

/** Batches that are too large to be held in memory. */

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'rosterd-large-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const itemOf = itemsFor('canvas');
const number = (n: number): string => String(9_500_000_000 + n);

test('a batch in a file is read as it was written, as often as anybody likes', () => {
  const texts = fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { maxLength: 30 });
  // a line that is longer than what is read at once, and every character at its edges
  const long = fc.nat(200).map((n) => ['é'.repeat(40_000 + n), '💙'.repeat(20_000), 'x']);
  fc.assert(
    fc.property(fc.array(fc.oneof(texts, { weight: 1, arbitrary: long }), { maxLength: 4 }), (lots) => {
      const file = join(directory(), 'batch');
      const batch = new SpooledBatch(file);
      const items = lots.map((names) =>
        names.map((firstName, n) => itemOf('account.update', number(n), { firstName })),
      );
      for (const lot of items) batch.add(lot);
      expect(batch.length).toBe(items.flat().length);
      expect([...batch]).toEqual(items.flat());
      const [one, other] = [batch[Symbol.iterator](), batch[Symbol.iterator]()];
      for (const item of items.flat()) expect([one.next().value, other.next().value]).toEqual([item, item]);
    }),
    { numRuns: 40 },
  );
});

/** A store with a queue of so many people, each with one update; `more` changes what is put there. */
async function queueOf(people: number, more: (items: OutboxItem[]) => void = () => {}) {
  const dir = directory();
  const store = openEmbeddedStore(dir);
  onTestFinished(() => store.close());
  const items = Array.from({ length: people }, (_, n) => queuedItem(itemOf('account.update', number(n))));
  more(items);
  await store.outbox.restore(items);
  const troubled = new Set(await store.outbox.troubled('canvas'));
  return {
    store,
    next: (size: number): Promise<Batch | null> =>
      nextBatch(
        store,
        'canvas',
        { least: 1, size, file: join(dir, 'batch') },
        { accepts: changeTypes, discrepancies: new Map(), troubled, waits: () => false },
        async () => {},
      ),
  };
}

function queuedItem(delivery: DeliveryItem, status: OutboxStatus = 'queued'): OutboxItem {
  return {
    ...{ item: delivery.item, seq: 0, target: 'canvas', plan: 'p', type: delivery.type },
    ...{ person: delivery.account!.account, status, attempts: 0, answer: null, because: null, trail: [], delivery },
  };
}

test('a large batch has everybody once and in order, and what is left comes next', async () => {
  const { store, next } = await queueOf(mostHeld + 15_000, (items) =>
    // somebody from the beginning has another change at the end, which is not of this batch
    items.push(queuedItem(itemOf('account.disable', number(5)))),
  );
  const batch = (await next(mostHeld + 10_000))!;
  const people = Array.from(batch.items, ({ account }) => account!.account);
  expect(people).toEqual(Array.from({ length: mostHeld + 10_000 }, (_, n) => number(n)));
  expect(batch.heads.map(({ person }) => person)).toEqual(people);
  expect(Array.from(batch.items, ({ item }) => item)).toEqual(batch.heads.map(({ item }) => item));
  expect(await store.outbox.counts()).toEqual({ canvas: { queued: 5001, processing: 30_000, sent: 0, failed: 0 } });
  const rest = (await next(mostHeld + 10_000))!;
  expect(rest.items.length).toBe(5001);
  expect([...rest.items].at(-1)!.type).toBe('account.disable');
  expect(await next(mostHeld + 10_000)).toBe(null);
});

test('a failure that goes on with a later change is sent before what comes behind it', async () => {
  const last = mostHeld - 1;
  const { store, next } = await queueOf(mostHeld, (items) => {
    // what was refused stands at the beginning, its mending far behind, and between them an enrolment of the same person
    items[0] = { ...queuedItem(itemOf('account.update', number(last)), 'failed') };
    items[1] = queuedItem(itemOf('enrolment.add', number(last)));
    items.push(queuedItem(itemOf('enrolment.remove', number(last))));
  });
  const all: DeliveryItem[] = [];
  for (let batch = await next(mostHeld + 1); batch; batch = await next(mostHeld + 1)) {
    all.push(...batch.items);
    await store.outbox.settle(
      'canvas',
      batch.heads.map(({ item }) => ({ item, outcome: 'sent' as const, answer: null })),
      '2026-11-24T08:00:00.000Z',
    );
  }
  const theirs = all.filter(({ account }) => account!.account === number(last));
  expect(theirs.map(({ type }) => type)).toEqual(['enrolment.add', 'account.update', 'enrolment.remove']);
  expect(new Set(all.map(({ item }) => item)).size).toBe(mostHeld);
  expect(all.length).toBe(mostHeld);
});

test('behind more than a page of what the target takes no more, a look finds what comes first', async () => {
  const { store } = await queueOf(3000, (items) => items.push(queuedItem(itemOf('account.disable', number(5)))));
  const troubled = new Set<string>();
  const look = { accepts: ['account.disable' as const], discrepancies: new Map(), troubled };
  expect(await peekBatch(store, 'canvas', 10, look)).toMatchObject([{ type: 'account.disable' }]);
});
