import { expect, test } from 'vitest';
import { changeTypes } from '../../../src/connector/target.ts';
import type { Note, PlanType } from '../../../src/reconcile/model.ts';
import type { PlannedChange } from '../../../src/reconcile/plan.ts';
import type { PlanPosition, Store } from '../../../src/store/port.ts';
import type { OpenStore } from '../store.ts';
import { account, all, change, course, origin, plan } from './samples.ts';

async function inOrder(store: Store, id: string): Promise<PlannedChange[]> {
  return (await all(store.plans.sink(id).inOrder())).flat();
}

const places = (changes: readonly PlannedChange[]): string[] => changes.map(({ rank, key }) => `${rank} ${key}`);

/** Plans: changes in order, notes, what is left pending. */
export function plansConformance(open: OpenStore): void {
  test('a plan is kept whole, and the same again replaces it', async () => {
    const { store, reopen } = await open();
    expect(await store.plans.get('p1')).toBeNull();
    await store.plans.put(plan('p1', { heldTypes: ['account.disable'] }));
    await store.plans.put(plan('p1'));
    expect(await (await reopen()).plans.get('p1')).toEqual(plan('p1'));
  });

  test('changes come by rank and then by the bytes of their keys, whatever the order of adding', async () => {
    const { store, hardOrder } = await open();
    const keys = ['b', 'B', '', '10', '9', 'é', 'z', 'ÿ', ...(hardOrder ?? [])];
    const sink = store.plans.sink('p1');
    await sink.add(keys.map((key) => change('enrolment.add', account(1), course('Statics'), { key })));
    await sink.add(keys.toReversed().map((key) => change('account.create', account(1), null, { key })));
    await sink.add([]);
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(places(await inOrder(store, 'p1'))).toEqual([
      ...sorted.map((key) => `1 ${key}`),
      ...sorted.map((key) => `4 ${key}`),
    ]);
  });

  test('changes are begun at any place, also one that is none', async () => {
    const { store } = await open();
    await store.plans.put(plan('p1'));
    const about = (n: number, key: string) => change('enrolment.add', account(n), course('Statics'), { key });
    const keys = ['9500000001/ab', '9500000002/0c', '9500000002/ff', '9500000003/11'];
    await store.plans.sink('p1').add(keys.map((key, n) => about(n, key)));
    await store.plans.sink('p1').add([change('account.create', account(2)), change('account.create', account(3))]);
    const from = async (rank: number, key: string, types: readonly PlanType[]) =>
      places(await store.plans.changes('p1', types, { rank, key }, 2));
    expect(await from(4, '9500000001~', ['enrolment.add'])).toEqual(['4 9500000002/0c', '4 9500000002/ff']);
    expect(await from(1, '9500000001~', ['account.create'])).toEqual(['1 9500000002', '1 9500000003']);
    expect(await from(1, '9500000003~', ['account.create'])).toEqual([]);
  });

  test('a change comes back as it was put, byte for byte, with its rows', async () => {
    const { store, reopen } = await open();
    const made = { ...change('account.create', account(1)), body: '{"é":"\\u0000","n":1.50}', rows: [origin, origin] };
    await store.plans.sink('p1').add([made]);
    expect(await inOrder(await reopen(), 'p1')).toEqual([made]);
  });

  test('a change put again at its place replaces the first one', async () => {
    const { store } = await open();
    const sink = store.plans.sink('p1');
    await sink.add([change('account.create', account(1)), change('account.create', account(2))]);
    const again = change('account.create', account(1, { year: 7 }));
    await sink.add([again]);
    expect(await inOrder(store, 'p1')).toEqual([again, change('account.create', account(2))]);
  });

  test('thousands of changes stream in bounded batches, while pending keys are put', async () => {
    const { store } = await open();
    const sink = store.plans.sink('p1');
    const many = Array.from({ length: 2500 }, (_, n) => change('account.create', account(n + 1)));
    await sink.add(many);
    let seen = 0;
    for await (const batch of sink.inOrder()) {
      expect(batch.length).toBeLessThanOrEqual(1000);
      seen += batch.length;
      await sink.pending([`i:S${seen}`]);
    }
    expect(seen).toBe(2500);
    expect(places(await inOrder(store, 'p1'))).toEqual(places(many));
  });

  test('plans do not see each other', async () => {
    const { store } = await open();
    await store.plans.sink('p1').add([change('account.create', account(1))]);
    await store.plans.sink('p2').add([change('account.create', account(2))]);
    expect(await inOrder(store, 'p1')).toEqual([change('account.create', account(1))]);
    expect(await store.plans.changes('p3', changeTypes, null, 10)).toEqual([]);
  });

  test('changes are paged by position, only of the types asked for', async () => {
    const { store } = await open();
    const one = [1, 2, 3, 4].map((n) => change('account.create', account(n)));
    const two = [1, 2, 3].map((n) => change('enrolment.add', account(n), course('Statics')));
    const three = [1, 2].map((n) => change('account.disable', account(n)));
    await store.plans.sink('p1').add([...three, ...two, ...one]);
    expect(await store.plans.changes('p1', changeTypes, null, 100)).toEqual([...one, ...two, ...three]);
    expect(await store.plans.changes('p1', ['account.disable', 'account.create'], null, 100)).toEqual([
      ...one,
      ...three,
    ]);
    expect(await store.plans.changes('p1', [], null, 100)).toEqual([]);
    const paged: PlannedChange[] = [];
    for (let after: PlanPosition | null = null; ; ) {
      const page = await store.plans.changes('p1', ['account.create', 'account.disable'], after, 3);
      if (!page.length) break;
      expect(page.length).toBeLessThanOrEqual(3);
      paged.push(...page);
      after = { rank: page.at(-1)!.rank, key: page.at(-1)!.key };
    }
    expect(paged).toEqual([...one, ...three]);
    // A position need not be that of a change.
    expect(await store.plans.changes('p1', changeTypes, { rank: 2, key: '' }, 2)).toEqual(two.slice(0, 2));
  });

  test('notes come in the order of putting, as far as the limit', async () => {
    const { store } = await open();
    const note = (n: number): Note => ({
      ...{ kind: n % 2 ? 'conflict' : 'blocked', reason: 'rows-disagree', text: `note ${n}` },
      ...{ account: n % 2 ? null : '9500000001', rows: [origin] },
    });
    const sink = store.plans.sink('p1');
    await sink.note([note(3), note(1)]);
    await sink.note([note(2)]);
    await store.plans.sink('p2').note([note(9)]);
    expect(await store.plans.notes('p1', 10)).toEqual([note(3), note(1), note(2)]);
    expect(await store.plans.notes('p1', 2)).toEqual([note(3), note(1)]);
    expect(await store.plans.notes('p3', 10)).toEqual([]);
  });

  test('pending keys are kept once each and come sorted', async () => {
    const { store, reopen } = await open();
    const sink = store.plans.sink('p1');
    await sink.pending(['i:S2', 'e:b@example.edu', 'i:S2']);
    await sink.pending(['i:S1', 'e:b@example.edu', 'c:A\u001fB\u001fC']);
    const again = await reopen();
    expect(await again.plans.pendingKeys('p1')).toEqual(['c:A\u001fB\u001fC', 'e:b@example.edu', 'i:S1', 'i:S2']);
    expect(await again.plans.pendingKeys('p2')).toEqual([]);
  });

  test('discard throws away a plan with everything that lies beside it, and no other', async () => {
    const { store } = await open();
    for (const id of ['p1', 'p2']) {
      await store.plans.put(plan(id));
      const sink = store.plans.sink(id);
      await sink.add([change('account.create', account(1))]);
      await sink.note([{ kind: 'conflict', reason: 'r', text: 't', account: null, rows: [] }]);
      await sink.pending(['i:S1']);
    }
    await store.plans.discard('p1');
    await store.plans.discard('p1');
    const left = async (id: string) => [
      await store.plans.get(id),
      (await store.plans.changes(id, changeTypes, null, 10)).length,
      (await store.plans.notes(id, 10)).length,
      (await store.plans.pendingKeys(id)).length,
    ];
    expect(await left('p1')).toEqual([null, 0, 0, 0]);
    expect(await left('p2')).toEqual([plan('p2'), 1, 1, 1]);
  });
}
