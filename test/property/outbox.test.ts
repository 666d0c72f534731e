import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changeTypes, courseKey, type DeliveryItem } from '../../src/connector/target.ts';
import { deliverAll } from '../../src/deliver/deliver.ts';
import { peekBatch } from '../../src/deliver/queue.ts';
import { replay } from '../../src/operate/queue.ts';
import type { OutboxItem } from '../../src/store/port.ts';
import { crashingStore } from '../support/crashing-store.ts';
import { noLimits, Site } from '../support/history.ts';
import type { MemoryRow } from '../support/memory-source.ts';
import { type Effect, type Fault, StrictTarget } from '../support/strict-target.ts';

/**
 * Whatever happens on the way, in the end every target has what the roster says: each item has its effect once, and the
 * effects on one subject come in the order of the plans. The target is strict: it refuses changes of people whom it never
 * met, and nothing but a fault may make it refuse.
 */

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 80);
const patience = {
  batch: { retries: 1, firstWaitMs: 1_000, longestWaitMs: 60_000 },
  itemAttempts: 2,
  itemFirstWaitMs: 500,
};

/** A day: who is there, with which name and in which courses; what goes wrong at the target; where the process dies. */
const days = fc.array(
  fc.record({
    people: fc.array(
      fc.option(
        fc.record({
          name: fc.constantFrom('A', 'B', 'C'),
          courses: fc.uniqueArray(fc.constantFrom('C1', 'C2', 'C3'), { minLength: 1 }),
        }),
        { nil: null },
      ),
      { minLength: 4, maxLength: 4 },
    ),
    faults: fc.array(
      fc.oneof(
        fc.record({ fault: fc.constant('away' as const), when: fc.constantFrom('before' as const, 'after' as const) }),
        fc.record({
          fault: fc.constantFrom('refuses' as const, 'puts off' as const),
          nth: fc.integer({ min: 1, max: 3 }),
        }),
      ),
      { maxLength: 5 },
    ),
    dies: fc.option(
      fc.record({ write: fc.integer({ min: 1, max: 12 }), when: fc.constantFrom('before' as const, 'after' as const) }),
      { nil: null },
    ),
    delivers: fc.boolean(),
    replays: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);
type Day = typeof days extends fc.Arbitrary<(infer D)[]> ? D : never;

function rowsOf(people: Day['people']): MemoryRow[] {
  return people.flatMap((person, n) =>
    (person?.courses ?? []).map(
      (course): MemoryRow => [
        ...(['F', 'D', course, person!.name, 'L'] as const),
        ...([`p${n}@x.edu`, '1', `id${n}`] as const),
      ],
    ),
  );
}

/** One delivery, by a process that dies when it is told to. What a look at the queue shows before is what comes first. */
async function deliver(site: Site, target: StrictTarget, size: number, dies: Day['dies']): Promise<void> {
  const { config, work } = site.rosterd;
  if (!dies) {
    const { outbox } = site.store;
    const before = target.batches.length;
    const troubled = new Set(await outbox.troubled(target.name));
    const shown = await peekBatch(site.store, target.name, size, {
      accepts: changeTypes,
      discrepancies: new Map(),
      troubled,
    });
    // what a dead process had in hand, and what stood behind a failure, comes back when a delivery begins
    const back = [
      ...(await outbox.list({ status: 'processing', limit: 1 })),
      ...(await outbox.list({ withReason: true, status: 'failed', limit: 1 })),
    ];
    await deliverAll(config, site.store, work, patience);
    if (!back.length) expect(target.batches[before] ?? []).toEqual(shown);
    return;
  }
  const dying = crashingStore(site.store, dies);
  const [end] = await deliverAll(config, dying.store, work, patience);
  // told, not thrown: what a delivery ends with is its outcome
  if (end?.error && dying.died()) expect(end.error.message).not.toContain('no such person');
  await site.restart();
}

async function story(history: Day[], size: number): Promise<void> {
  const target = new StrictTarget('crm');
  await using site = new Site({ sources: ['sis'], limits: noLimits, targets: [target.config(size)] });
  for (const { people, faults, dies, delivers, replays } of history) {
    // an empty answer is held whatever the limits; that is another test's story
    if (people.some((person) => person)) await site.run('sis', rowsOf(people));
    target.faults = [...faults] satisfies Fault[];
    if (replays) await replay(site.rosterd, {});
    if (delivers) await deliver(site, target, size, dies);
  }
  target.faults = [];
  for (let round = 0; round < 3; round += 1) {
    await replay(site.rosterd, {});
    await deliverAll(site.rosterd.config, site.store, site.rosterd.work, patience);
  }

  expect(target.refusals).toEqual([]);
  const { members } = await site.look();
  const facts = members.map(({ enrolments: _, ...account }) => account);
  expect([...target.people.values()].sort((a, b) => (a.account < b.account ? -1 : 1))).toEqual(facts);
  const enrolled = members.flatMap(({ account, enrolments }) => enrolments.map((key) => `${account} ${key}`));
  expect([...target.enrolments].sort()).toEqual(enrolled.sort());

  const items = await site.store.outbox.list({ limit: 100_000 });
  expect(items.filter(({ status }) => status !== 'sent' && status !== 'superseded')).toEqual([]);
  const last = new Map<string, number>();
  // an item that carries others may have their effects as well: an answer that was lost leaves the first state there
  const carried = (id: string): number =>
    items.filter(({ because }) => because === id).reduce((sum, { item }) => sum + carried(item), 1);
  const effects = new Map<string, number>();
  const isFree = ({ item }: OutboxItem): boolean => (effects.get(item) ?? 0) < carried(item);
  for (const effect of target.effects) {
    const { item, subject, told } = effect;
    const least = last.get(subject) ?? 0;
    const of = told ? ownerOf(items, effect, least, isFree) : items.find((one) => one.item === item)!;
    effects.set(of.item, (effects.get(of.item) ?? 0) + 1);
    // what was refused after its answer was lost has had an effect that nobody knows of
    if (!told) continue;
    expect(of.seq, `${item} comes in its order`).toBeGreaterThanOrEqual(least);
    last.set(subject, of.seq);
  }
  for (const [item, count] of effects) expect(count, `${item} has its effect once`).toBeLessThanOrEqual(carried(item));
}

/**
 * The item whose effect it was: its own; or, of an older one that is sent again with the newest facts, the one that they are of,
 * which has no effect any more when it is sent itself.
 */
function ownerOf(
  items: readonly OutboxItem[],
  { item, subject, state }: Effect,
  least: number,
  isFree: (item: OutboxItem) => boolean,
): OutboxItem {
  const own = items.find((one) => one.item === item)!;
  if (own.seq >= least && isFree(own)) return own;
  const isOf = (one: OutboxItem): boolean =>
    one.seq >= Math.max(least, own.seq) &&
    isFree(one) &&
    !one.delivery.course &&
    one.delivery.account?.account === subject &&
    JSON.stringify(one.delivery.account) === state;
  return items.find(isOf) ?? own;
}

test('whatever goes wrong on the way, the target ends as the roster is', async () => {
  await fc.assert(
    fc.asyncProperty(days, fc.constantFrom(1, 2, 5, 100), (history, size) => story(history, size)),
    { numRuns },
  );
});

test('a person who is away for a day before the delivery loses nothing', async () => {
  const target = new StrictTarget('crm');
  await using site = new Site({ sources: ['sis'], limits: noLimits, targets: [target.config(100)] });
  const both = [
    { name: 'A', courses: ['C1'] },
    { name: 'B', courses: ['C1'] },
  ] as Day['people'];
  await site.run('sis', rowsOf(both));
  await deliver(site, target, 100, null);
  const before = target.effects.length;
  await site.run('sis', rowsOf([both[0]!, null]));
  await site.run('sis', rowsOf(both));
  await deliver(site, target, 100, null);
  expect(target.effects.slice(before)).toEqual([]);
  expect(target.enrolments.has(`9500000002 ${courseKey({ faculty: 'F', department: 'D', course: 'C1' })}`)).toBe(true);
  expect((await site.store.outbox.list({ status: 'superseded', limit: 99 })).map(({ type }) => type)).toEqual([
    'enrolment.remove',
    'account.disable',
  ]);
});

/** A target that gives no address to a second person. */
class UniqueAddresses extends StrictTarget {
  readonly #owners = new Map<string, string>();

  override stricter({ account: person, course }: DeliveryItem): string | null {
    if (!person || course) return null;
    const { account, email } = person;
    const owner = this.#owners.get(email);
    if (owner !== undefined && owner !== account) return `the address belongs to ${owner}`;
    for (const [address, its] of this.#owners) if (its === account) this.#owners.delete(address);
    this.#owners.set(email, account);
    return null;
  }
}

test('addresses that go from one to another are given up before they are taken, however long all of it waits', async () => {
  const moves = fc.array(
    fc.record({
      // whom a free address goes to, if anybody
      to: fc.array(fc.constantFrom(null, 0, 1, 2, 3, 4), { minLength: 3, maxLength: 3 }),
      names: fc.array(fc.constantFrom('A', 'B'), { minLength: 3, maxLength: 3 }),
      delivers: fc.boolean(),
    }),
    { minLength: 3, maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(moves, fc.constantFrom(1, 2, 100), async (history, size) => {
      const target = new UniqueAddresses('crm');
      await using site = new Site({ sources: ['sis'], limits: noLimits, targets: [target.config(size)] });
      const addresses = [0, 1, 2];
      for (const { to, names, delivers } of history) {
        // an address that is given up today is free from tomorrow on
        const taken = new Set(addresses);
        to.forEach((address, n) => {
          if (address === null || taken.has(address)) return;
          taken.add(address);
          addresses[n] = address;
        });
        const rows = addresses.map(
          (address, n): MemoryRow => ['F', 'D', 'C1', names[n]!, 'L', `a${address}@x.edu`, '1', `id${n}`],
        );
        await site.run('sis', rows);
        if (delivers) await deliver(site, target, size, null);
      }
      await deliver(site, target, size, null);
      expect(target.refusals).toEqual([]);
      const { members } = await site.look();
      expect([...target.people.values()].map(({ account, email }) => [account, email]).sort()).toEqual(
        members.map(({ account, email }) => [account, email]),
      );
    }),
    { numRuns: Math.ceil(numRuns / 2) },
  );
});
