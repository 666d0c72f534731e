import type { Settlement, Store } from '../store/port.ts';

const pageSize = 1000;

/**
 * Queues again what a dead process had in hand. How far it came nobody knows, so the trail says that it may have been sent:
 * what is made of older and newer items of the same person depends on it.
 */
export async function takeBack(store: Store, target: string, at: string): Promise<void> {
  const answer = 'the process ended with this in hand: it may have been sent';
  for (let after = 0; ; ) {
    const page = await store.outbox.list({ target, status: 'processing', after, limit: pageSize });
    const ours = page.filter(({ because }) => because === null);
    const back = ours.map(({ item }): Settlement => ({ item, outcome: 'retry', answer, attempted: false }));
    if (back.length) await store.outbox.settle(target, back, at);
    if (page.length < pageSize) return;
    after = page.at(-1)!.seq;
  }
}
