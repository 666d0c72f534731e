import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import type { OutboxItem, Store } from '../../src/store/port.ts';
import { itemsFor } from '../support/items.ts';

/** The embedded store remembers what it read of a queue. Nobody may ever see the difference. */

const target = 'canvas';
const items: OutboxItem[] = Array.from({ length: 9 }, (_, n) => {
  const delivery = itemsFor(target)('account.update', String(9_500_000_000 + (n % 3)));
  const { account } = delivery.account!;
  return {
    ...{
      item: delivery.item,
      seq: n + 1,
      target,
      plan: 'plan',
      type: delivery.type,
      person: account,
      status: 'queued',
    },
    ...{ attempts: 0, answer: null, because: null, trail: [], delivery },
  };
});
const at = '2026-11-24T08:00:00.000Z';

/** What is done to an item, as somebody delivers, or meanwhile. `n`: which item. */
const steps: Record<string, (store: Store, n: number) => Promise<unknown>> = {
  take: async ({ outbox }, n) => {
    const queued = await outbox.queued(target, 0, 1 + (n % 5));
    await outbox.processing(
      target,
      queued.slice(0, 1 + (n % 3)).map(({ item }) => item.item),
    );
  },
  sent: ({ outbox }, n) => outbox.settle(target, [{ item: items[n]!.item, outcome: 'sent', answer: 'yes' }], at),
  refused: ({ outbox }, n) => outbox.settle(target, [{ item: items[n]!.item, outcome: 'failed', answer: 'no' }], at),
  again: ({ outbox }, n) => outbox.settle(target, [{ item: items[n]!.item, outcome: 'retry', answer: 'later' }], at),
  recover: ({ outbox }) => outbox.recover(target),
  replay: ({ outbox }, n) =>
    outbox.replay([
      { item: items[n]!.item, was: n % 2 ? 'failed' : 'sent', delivery: { ...items[n]!.delivery, changed: ['year'] } },
    ]),
  void: ({ outbox }, n) => outbox.supersede(target, [{ item: items[n]!.item, because: 'a-newer' }]),
  merge: ({ outbox }, n) =>
    outbox.merge(target, [
      {
        into: items[n]!.item,
        delivery: { ...items[n]!.delivery, changed: ['email'] },
        gone: [items[(n + 3) % 9]!.item],
      },
    ]),
  outside: ({ outbox }, n) => outbox.ack(items[n]!.item, 'processing', null, at),
  acked: ({ outbox }, n) => outbox.ack(items[n]!.item, n % 2 ? 'sent' : 'failed', 'yes', at),
  add: ({ outbox }, n) => outbox.restore(items.slice(0, n + 1)),
};

/** A step with the first item, that looks at the next one of the queue. */
const here = (what: string) => ({ what, n: 0, elsewhere: false, after: 0, limit: 1 });

test('a queue that is remembered is the queue that is there', { timeout: 120_000 }, async () => {
  const step = fc.record({
    what: fc.constantFrom(...Object.keys(steps)),
    n: fc.nat(items.length - 1),
    elsewhere: fc.boolean(),
    after: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(items.length)),
    limit: fc.integer({ min: 1, max: 6 }),
  });
  const history = fc.array(step, { minLength: 12, maxLength: 30, size: 'max' });
  await fc.assert(
    fc.asyncProperty(history, async (history) => {
      const directory = mkdtempSync(join(tmpdir(), 'rosterd-queue-head-'));
      const [ours, another] = [openEmbeddedStore(directory), openEmbeddedStore(directory)];
      try {
        await ours.outbox.restore(items.slice(0, 6));
        for (const { what, n, elsewhere, after, limit } of history) {
          await steps[what]!(elsewhere ? another : ours, n);
          const fresh = openEmbeddedStore(directory);
          const there = await fresh.outbox.queued(target, after, limit);
          await fresh.close();
          expect(await ours.outbox.queued(target, after, limit)).toEqual(there);
        }
        const left = [];
        for await (const item of ours.outbox.all()) left.push(item);
        const seen = [];
        for await (const item of another.outbox.all()) seen.push(item);
        expect(left).toEqual(seen);
      } finally {
        await Promise.all([ours.close(), another.close()]);
        rmSync(directory, { recursive: true, force: true });
      }
    }),
    {
      numRuns: 150,
      examples: [[[here('take'), { ...here('recover'), elsewhere: true }, here('refused'), here('take')]]],
    },
  );
});
