import type { OutboxItem, Replay, Store } from '../store/port.ts';
import { type Later, renewed } from './coalesce.ts';

/** More items than a page of people has. */
const many = 1_000_000;

/** So many people are looked up and queued again at a time: little may happen in between. */
const peopleAtOnce = 25;

/** What became of items that were to be sent once more. `void`: a newer item of the same subject goes before them. */
export interface SentAgain {
  queued: string[];
  void: { item: OutboxItem; because: string }[];
}

/**
 * Queues failed or sent items again, as they are to be sent now: see `renewed`. A failed one whose subject has had a newer
 * state since is superseded by that; a sent one stays as it is.
 */
export async function sendAgain(store: Store, items: readonly OutboxItem[]): Promise<SentAgain> {
  const done: SentAgain = { queued: [], void: [] };
  const people = [...Map.groupBy(items, ({ person }) => person)];
  for (let at = 0; at < people.length; at += peopleAtOnce) {
    const { queued, void: voids } = await sendTheirsAgain(store, new Map(people.slice(at, at + peopleAtOnce)));
    done.queued.push(...queued);
    done.void.push(...voids);
  }
  return done;
}

async function sendTheirsAgain(store: Store, chosen: ReadonlyMap<string, OutboxItem[]>): Promise<SentAgain> {
  const [people, items] = [[...chosen.keys()], [...chosen.values()].flat()];
  const theirs = Map.groupBy(await store.outbox.list({ people, limit: many }), personKey);
  const again: Replay[] = [];
  const voids: SentAgain['void'] = [];
  for (const item of items) {
    const later = (theirs.get(personKey(item)) ?? [])
      .filter(({ seq, status }) => seq > item.seq && status !== 'superseded')
      .map(({ item: id, delivery, status, trail }): Later => {
        const sent = status === 'sent' || status === 'processing';
        return { item: id, delivery, sent, tried: !sent && trail.some(({ outcome }) => outcome !== 'failed') };
      });
    const fate = renewed(item.delivery, later);
    if ('void' in fate) voids.push({ item, because: fate.void });
    // a delivery at work may have united it with a newer one since, and sent it: then it is not failed any more
    else again.push({ item: item.item, was: item.status, delivery: fate.delivery });
  }
  for (const [target, its] of Map.groupBy(voids, ({ item }) => item.target))
    await store.outbox.supersede(
      target,
      its.filter(({ item }) => item.status === 'failed').map(({ item, because }) => ({ item: item.item, because })),
    );
  return { queued: await store.outbox.replay(again), void: voids };
}

function personKey({ target, person }: OutboxItem): string {
  return `${target} ${person}`;
}
