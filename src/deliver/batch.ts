import type { DeliveryItem, ItemResult } from '../connector/target.ts';
import { personOf, subjectOf } from '../outbox/items.ts';
import type { Settlement } from '../store/port.ts';

/**
 * Takes the next batch from queued items in their order: at most `size`, one a subject, nobody who has to wait, and of
 * a person whose turn is not yet complete nothing that comes later.
 */
export function pickBatch(
  queued: readonly DeliveryItem[],
  size: number,
  waits: (person: string) => boolean,
): DeliveryItem[] {
  const batch: DeliveryItem[] = [];
  const subjects = new Set<string>();
  const passed = new Set<string>();
  for (const item of queued) {
    if (batch.length >= size) break;
    const person = personOf(item);
    if (waits(person) || passed.has(person)) continue;
    if (subjects.has(subjectOf(item))) passed.add(person);
    else {
      subjects.add(subjectOf(item));
      batch.push(item);
    }
  }
  return batch;
}

/**
 * Completes what a target said: an item that it did not answer is tried again, and so is what it refused of a person
 * after something of the same person that has to be tried again, because the refusal may only say that the first one
 * is missing. Where the first one was the account itself and is refused for good, what is refused after it stands behind it,
 * and comes by itself when it got through.
 */
export function completeResults(batch: readonly DeliveryItem[], results: readonly ItemResult[]): Settlement[] {
  const byItem = new Map(results.map((result) => [result.item, result]));
  const retried = new Set<string>();
  const uncreated = new Map<string, string>();
  return batch.map((item): Settlement => {
    const said = byItem.get(item.item) ?? { item: item.item, outcome: 'retry', answer: 'the target did not answer' };
    const person = personOf(item);
    if (said.outcome === 'retry') retried.add(person);
    else if (said.outcome === 'failed' && retried.has(person))
      return { item: item.item, outcome: 'retry', answer: said.answer };
    if (said.outcome !== 'failed') return said;
    const first = uncreated.get(person);
    if (first !== undefined) return { ...said, because: first };
    if (item.type === 'account.create') uncreated.set(person, item.item);
    return said;
  });
}
