import type { ChangeType, DeliveryBatch, DeliveryItem } from '../connector/target.ts';
import { sendAgain } from '../outbox/again.ts';
import { unite } from '../outbox/coalesce.ts';
import type { Discrepancy } from '../outbox/discrepancies.ts';
import { personOf, subjectOf, unique } from '../outbox/items.ts';
import type { Merge, OutboxItem, Settlement, Store } from '../store/port.ts';
import { type Batch, type Head, headOf, Picker, pickBatch } from './batch.ts';
import { SpooledBatch } from './spooled.ts';

/** A batch is picked among so many items more than it takes: some of them have to wait. */
const pageSize = 1000;
/** Larger batches are in a file, and are picked from pages of half as much. */
export const mostHeld = 20_000;
/** More failed items than a page of people has. */
const many = 100_000;

/** What keeps whom from being sent to, in one delivery. */
export interface Obstacles {
  /** What the target takes, as it is configured now: the queue may have items of before. */
  accepts: readonly ChangeType[];
  /** Open discrepancies, by account. */
  discrepancies: ReadonlyMap<string, Discrepancy>;
  /** People with items that failed, or that another system has in hand. Grows as items fail. */
  troubled: Set<string>;
  /** True for somebody who has to wait: tried a moment ago. */
  waits(person: string): boolean;
}

/**
 * The next batch of a target, at most `size` items; null when nothing is left that may be sent now, or the queue does not begin
 * with `least` such items. On the way, items become one that are one state, ones behind a failure of their person, or a
 * discrepancy, or that the target takes no more, are put away as failed, and who is in other hands waits.
 */
export async function nextBatch(
  store: Store,
  target: string,
  { least, size, file }: BatchSize,
  obstacles: Obstacles,
  settle: (settlements: Settlement[]) => Promise<void>,
): Promise<Batch | null> {
  const limit = pageSize + (size > mostHeld ? mostHeld / 2 : size);
  let elsewhere: ReadonlySet<string> = new Set();
  const picker = new Picker(size, (person) => obstacles.waits(person) || elsewhere.has(person));
  const batch = new Collected(size > mostHeld ? file : null);
  for (let after = 0; !picker.full; ) {
    const page = await store.outbox.queued(target, after, limit);
    if (!page.length) break;
    const queued = page.map(({ item }) => item);
    const troubled = [...new Set(queued.map(personOf))].filter((person) => obstacles.troubled.has(person));
    const standings = await standing(store, target, troubled);
    elsewhere = standings.elsewhere;

    const { merges, voids } = unions(page, standings.failed, obstacles);
    if (merges.length || voids.length) {
      await store.outbox.merge(target, merges);
      await store.outbox.supersede(target, voids);
      const again = new Set(merges.map(({ into }) => into));
      if (!standings.failed.some(({ item }) => again.has(item))) continue;
      // an item of before is queued again: nothing that comes later may go with this batch
      if (batch.length) break;
      after = 0;
      continue;
    }
    const away = putAway(target, queued, standings.failed, obstacles);
    if (away.length) {
      await settle(away);
      const theirs = new Set(away.map(({ item }) => item));
      for (const item of queued) if (theirs.has(item.item)) obstacles.troubled.add(personOf(item));
      continue;
    }
    const taken = picker.take(queued);
    if (taken.length < least && least > 1) return null;
    const ids = taken.map(({ item }) => item);
    const lost = new Set(ids.length ? await store.outbox.processing(target, ids) : []);
    const tried = new Map(page.filter(({ attempts }) => attempts > 0).map(({ item, attempts }) => [item, attempts]));
    batch.add(
      taken.filter(({ item }) => !lost.has(item)),
      tried,
    );
    if (batch.length && size <= mostHeld) break;
    after = page.at(-1)!.seq;
  }
  return batch.length ? batch : null;
}

/** The items of the batch that would be next, as they would be sent. Nothing is changed, and nobody waits. */
export async function peekBatch(
  store: Store,
  target: string,
  size: number,
  obstacles: Omit<Obstacles, 'waits'>,
): Promise<DeliveryItem[]> {
  const limit = pageSize + size;
  let page: { seq: number; item: DeliveryItem }[] = [];
  // what would be put away first takes no room
  for (let room = limit; room > 0; ) {
    const more = await store.outbox.queued(target, page.at(-1)?.seq ?? 0, limit);
    if (!more.length) break;
    page.push(...more);
    room -= more.filter(({ item }) => obstacles.accepts.includes(item.type)).length;
  }
  const people = [...new Set(page.map(({ item }) => personOf(item)))].filter((person) =>
    obstacles.troubled.has(person),
  );
  let { failed, elsewhere } = await standing(store, target, people);
  for (;;) {
    const { merges, voids } = unions(page, failed, obstacles);
    if (!merges.length && !voids.length) break;
    const gone = new Set([...merges.flatMap((merge) => merge.gone), ...voids.map(({ item }) => item)]);
    const united = new Map(merges.map(({ into, delivery }) => [into, delivery]));
    const again = failed.filter(({ item }) => united.has(item));
    failed = failed.filter(({ item }) => !united.has(item) && !gone.has(item));
    page = [...again.map(({ seq, delivery }) => ({ seq, item: delivery })), ...page]
      .filter(({ item }) => !gone.has(item.item))
      .map(({ seq, item }) => ({ seq, item: united.get(item.item) ?? item }))
      .sort((a, b) => a.seq - b.seq);
  }
  const queued = page.map(({ item }) => item);
  const away = new Set(putAway(target, queued, failed, obstacles).map(({ item }) => item));
  const free = queued.filter(({ item }) => !away.has(item));
  return pickBatch(free, size, (person) => elsewhere.has(person));
}

/** How large a batch may be, and where a large one is kept. */
export interface BatchSize {
  least: number;
  size: number;
  file: string;
}

/** A batch that grows. */
class Collected implements Batch {
  readonly heads: Head[] = [];
  readonly #held: DeliveryItem[] = [];
  readonly #spooled: SpooledBatch | null;

  constructor(file: string | null) {
    this.#spooled = file === null ? null : new SpooledBatch(file);
  }

  get items(): DeliveryBatch {
    return this.#spooled ?? this.#held;
  }

  get length(): number {
    return this.heads.length;
  }

  /** `tried`: how often, of those that were put off before. */
  add(items: readonly DeliveryItem[], tried: ReadonlyMap<DeliveryItem, number>): void {
    this.heads.push(...items.map((item) => headOf(item, tried.get(item))));
    if (this.#spooled) this.#spooled.add(items);
    else this.#held.push(...items);
  }
}

/** What is failed of these people, and who of them is in the hands of another system. */
async function standing(
  store: Store,
  target: string,
  people: readonly string[],
): Promise<{ failed: OutboxItem[]; elsewhere: ReadonlySet<string> }> {
  if (!people.length) return { failed: [], elsewhere: new Set() };
  const [failed, others] = await Promise.all([
    store.outbox.list({ target, status: 'failed', people, limit: many }),
    store.outbox.list({ target, status: 'processing', withReason: true, people, limit: many }),
  ]);
  return { failed, elsewhere: new Set(others.map(({ person }) => person)) };
}

/**
 * Items that are not sent: what the target takes no more, of somebody with an open discrepancy all, and what comes behind the
 * failed creation of an account, for a target that never met the person would refuse it, and in words that hide what is
 * really wrong. One that takes no creations has its people from elsewhere.
 */
function putAway(
  target: string,
  queued: readonly DeliveryItem[],
  failed: readonly OutboxItem[],
  { accepts, discrepancies }: Pick<Obstacles, 'accepts' | 'discrepancies'>,
): Settlement[] {
  const uncreated = new Map<string, string>();
  for (const { item, person, type } of failed)
    if (type === 'account.create' && accepts.includes(type)) uncreated.set(person, item);
  return queued.flatMap((item): Settlement[] => {
    const put = (because: string, answer: string): Settlement[] => [
      { item: item.item, outcome: 'failed', answer, because, attempted: false },
    ];
    if (!accepts.includes(item.type)) return put('type', `not sent: ${target} takes no ${item.type} any more`);
    const discrepancy = item.account && discrepancies.get(item.account.account);
    if (discrepancy)
      return put(
        'discrepancy',
        `not sent: ${discrepancy.source} has an open discrepancy about this person (${discrepancy.reason}: ${discrepancy.text})`,
      );
    const before = uncreated.get(personOf(item));
    // a new word on the account itself may be what the failed one lacked
    if (before === undefined || (item.type === 'account.update' && !item.enrolments)) return [];
    return put(before, `not sent: ${before} comes first, and failed`);
  });
}

/**
 * What can be made of items of one subject that nobody has sent: see `unite`. Failed ones go on as one with a newer; those
 * between count as well, or a newer state would overtake an older one, which would then be sent over it. What takes an address
 * stays behind the item by which somebody else gives it up. What the target takes no more carries nothing that it does take.
 */
function unions(
  queued: readonly { seq: number; item: DeliveryItem }[],
  failed: readonly OutboxItem[],
  { accepts, discrepancies }: Pick<Obstacles, 'accepts' | 'discrepancies'>,
): { merges: Merge[]; voids: { item: string; because: string }[] } {
  const merges: Merge[] = [];
  const voids: { item: string; because: string }[] = [];
  const fresh = new Set(queued.map(({ item }) => item.item));
  const all = [...failed.map(({ seq, delivery }) => ({ seq, item: delivery })), ...queued];
  const inOrder = all.sort((a, b) => a.seq - b.seq);
  const givenUp = new GivenUp(inOrder);
  for (const chain of Map.groupBy(inOrder, ({ item }) => subjectOf(item)).values()) {
    if (chain.length < 2 || !chain.some(({ item }) => fresh.has(item.item))) continue;
    if (discrepancies.has(personOf(chain[0]!.item))) continue;
    let { seq: place, item: earlier } = chain[0]!;
    let gone: string[] = [];
    const keep = (): void => {
      if (gone.length) merges.push({ into: earlier.item, delivery: earlier, gone });
    };
    for (const { seq, item } of chain.slice(1)) {
      const union = unite(earlier, item);
      const carries = union !== null && union !== 'void' && accepts.includes(earlier.type);
      if (carries && !givenUp.between(place, seq, earlier, item)) {
        earlier = union.into;
        gone.push(item.item);
        continue;
      }
      if (union === 'void') voids.push({ item: earlier.item, because: item.item });
      else keep();
      earlier = item;
      place = seq;
      gone = [];
    }
    keep();
  }
  return { merges, voids };
}

/** Where people give up addresses and ids, among items in their order. */
class GivenUp {
  readonly #items: readonly { seq: number; item: DeliveryItem }[];
  /** By field and value; made when somebody asks, which is seldom. */
  #places: Map<string, { seq: number; person: string }[]> | null = null;

  constructor(items: readonly { seq: number; item: DeliveryItem }[]) {
    this.#items = items;
  }

  /** True when between two places somebody else gives up what `later` has and `earlier`, of the same person, has not. */
  between(from: number, to: number, earlier: DeliveryItem, later: DeliveryItem): boolean {
    const taken = unique.filter((field) => later.account?.[field] !== earlier.account?.[field]);
    if (!taken.length) return false;
    this.#places ??= this.#find();
    const person = personOf(later);
    return taken.some((field) =>
      this.#places!.get(`${field} ${later.account?.[field]}`)?.some(
        (one) => one.seq > from && one.seq < to && one.person !== person,
      ),
    );
  }

  #find(): Map<string, { seq: number; person: string }[]> {
    const places = new Map<string, { seq: number; person: string }[]>();
    for (const { seq, item } of this.#items)
      for (const field of unique) {
        const value = item.before?.[field];
        if (value === undefined || value === null) continue;
        const key = `${field} ${value}`;
        const known = places.get(key);
        if (known) known.push({ seq, person: personOf(item) });
        else places.set(key, [{ seq, person: personOf(item) }]);
      }
    return places;
  }
}

/**
 * Queues again what is failed for a reason that is gone: a discrepancy that is settled, an item before it that got through or
 * that the target takes no more, a type that it takes again.
 */
export async function release(
  store: Store,
  target: string,
  { accepts, discrepancies }: Pick<Obstacles, 'accepts' | 'discrepancies'>,
): Promise<number> {
  const fates = new Map<string, boolean>();
  const isGone = async ({ because, person, type }: OutboxItem): Promise<boolean> => {
    if (because === 'type') return accepts.includes(type);
    if (because === 'discrepancy') return !discrepancies.has(person);
    const known = fates.get(because!);
    if (known !== undefined) return known;
    const before = await store.outbox.get(because!);
    const gone = before?.status !== 'failed' || !accepts.includes(before.type);
    fates.set(because!, gone);
    return gone;
  };
  let released = 0;
  for (let after = 0; ; ) {
    const page = await store.outbox.list({ target, status: 'failed', withReason: true, after, limit: pageSize });
    if (!page.length) return released;
    const free: OutboxItem[] = [];
    for (const item of page) if (await isGone(item)) free.push(item);
    released += (await sendAgain(store, free)).queued.length;
    after = page.at(-1)!.seq;
  }
}
