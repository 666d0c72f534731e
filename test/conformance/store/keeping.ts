import { expect, test } from 'vitest';
import { changeTypes } from '../../../src/connector/target.ts';
import type { OutboxItem, Store, StoredRow } from '../../../src/store/port.ts';
import type { OpenStore } from '../store.ts';
import { account, all, badRow, change, course, digest, goodRow, inForce, plan, run, snapshot } from './samples.ts';

const at = '2026-09-01T00:00:00.000Z';

const canvas = { target: 'canvas', accepts: changeTypes };
const lineOf = ({ line }: { line: number }): number => line;

/** All rows and ends of a source: by the snapshots that brought and ended them, the lines of the rows. */
async function history(store: Store, source: string): Promise<{ brought: object; ended: object }> {
  const rows: [number, StoredRow][] = [];
  for (const lot of await all(store.rows.all(source))) for (const row of lot.rows) rows.push([lot.number, row]);
  const brought = Object.fromEntries(
    [...Map.groupBy(rows, ([number]) => number)].map(([number, its]) => [
      number,
      its.map(([, row]) => row.line).sort(),
    ]),
  );
  const ends = await all(store.rows.ends(source));
  expect(ends.map(({ number }) => number)).toEqual(ends.map(({ number }) => number).sort((a, b) => a - b));
  const ended = Object.fromEntries(ends.map(({ number, digests }) => [number, digests.map((one) => one[3]!).sort()]));
  return { brought, ended };
}

/** What is kept, forgotten, and moved from one store to another. */
export function keepingConformance(open: OpenStore): void {
  test('the history of rows comes whole, whatever went and came back, without what was discarded', async () => {
    const { store, reopen } = await open();
    await inForce(store, 'hr', 1, [goodRow(9, 'S9')]);
    await inForce(store, 'sis', 1, [goodRow(1, 'S1'), badRow(2, { id: 'S2' }, course('Optics'))]);
    await store.rows.add('sis', 2, [goodRow(7, 'S7')]);
    await store.rows.end('sis', 2, [digest(2)]);
    await store.rows.discard('sis', 2);
    await inForce(store, 'sis', 3, [goodRow(3, 'S3')], [digest(1)]);
    await inForce(store, 'sis', 4, [goodRow(1, 'S1')], [digest(3)]);
    const again = await reopen();
    expect(await history(again, 'sis')).toEqual({
      brought: { 1: [1, 2], 3: [3], 4: [1] },
      ended: { 3: [1], 4: [3] },
    });
    const rows = (await all(again.rows.all('sis'))).flatMap((lot) => lot.rows);
    const plain = ({ digest: bytes, ...row }: StoredRow) => ({ digest: [...bytes], ...row });
    expect(rows.map(plain)).toEqual(
      expect.arrayContaining([plain(goodRow(1, 'S1')), plain(badRow(2, { id: 'S2' }, course('Optics')))]),
    );
    expect(await history(again, 'nobody')).toEqual({ brought: {}, ended: {} });
  });

  test('rows that ended before a snapshot are forgotten, and nothing that it or a later one has', async () => {
    const { store, reopen } = await open();
    await inForce(store, 'hr', 1, [goodRow(1, 'S1')]);
    await inForce(store, 'hr', 2, [], [digest(1)]);
    await inForce(store, 'sis', 1, [goodRow(1, 'S1'), goodRow(2, 'S2'), goodRow(3, 'S3'), badRow(4, {})]);
    await inForce(store, 'sis', 2, [goodRow(5, 'S5')], [digest(1), digest(4)]);
    await inForce(store, 'sis', 3, [], [digest(2), digest(5)]);
    expect(await store.rows.forget('sis', 2)).toBe(0);
    expect(await store.rows.forget('sis', 3)).toBe(2);
    expect(await store.rows.forget('sis', 3)).toBe(0);
    const again = await reopen();
    expect(await history(again, 'sis')).toEqual({ brought: { 1: [2, 3], 2: [5] }, ended: { 3: [2, 5] } });
    expect(await history(again, 'hr')).toEqual({ brought: { 1: [1] }, ended: { 2: [1] } });
    // What is left is found as before, and the forgotten row may come again.
    expect(await again.rows.personPage('sis', 3, '', 10)).toEqual(['i:S2', 'i:S3', 'i:S5']);
    await inForce(again, 'sis', 4, [goodRow(1, 'S1')]);
    expect(
      (await again.rows.evidence('sis', 4).rows(['i:S1', 'i:S3'])).map(({ origin }) => origin.line).sort(),
    ).toEqual([1, 3]);
    expect(await again.rows.end('sis', 5, [digest(1)])).toHaveLength(1);
  });

  test('snapshots and runs that are forgotten are gone with their packs, and no others', async () => {
    const { store } = await open();
    for (const number of [1, 2, 3]) {
      await store.snapshots.put(snapshot('sis', number));
      await store.snapshots.putPack('sis', number, 'full', digest(number));
      await store.snapshots.putPack('sis', number, 'added', digest(number));
      await store.runs.put(run(`r${number}`, { startedAt: `2026-02-0${number}T02:00:00.000Z` }));
    }
    await store.snapshots.put(snapshot('hr', 1));
    await store.snapshots.forget('sis', [1, 2]);
    await store.runs.forget(['r1', 'r2']);
    await store.runs.forget([]);
    expect((await store.snapshots.list({ limit: 10 })).map(({ source, number }) => `${source}-${number}`)).toEqual([
      'sis-3',
      'hr-1',
    ]);
    expect(await store.snapshots.pack('sis', 1, 'full')).toHaveLength(0);
    expect(await store.snapshots.pack('sis', 3, 'added')).toEqual(digest(3));
    expect((await store.runs.list({ limit: 10 })).map((one) => one.run)).toEqual(['r3']);
  });

  test('lists pass over the newest ones when asked', async () => {
    const { store } = await open();
    for (const number of [1, 2, 3]) {
      await store.snapshots.put(snapshot('sis', number));
      await store.runs.put(run(`r${number}`, { startedAt: `2026-02-0${number}T02:00:00.000Z` }));
    }
    expect((await store.snapshots.list({ skip: 1, limit: 1 })).map(({ number }) => number)).toEqual([2]);
    expect((await store.runs.list({ skip: 2, limit: 5 })).map((one) => one.run)).toEqual(['r1']);
    expect(await store.runs.list({ skip: 3, limit: 5 })).toEqual([]);
  });

  test('plans are listed all', async () => {
    const { store } = await open();
    expect(await all(store.plans.all())).toEqual([]);
    for (const id of ['p2', 'p1', 'p10']) await store.plans.put(plan(id));
    expect((await all(store.plans.all())).map((one) => one.plan).sort()).toEqual(['p1', 'p10', 'p2']);
  });

  test('entries of the roster say which source gave what', async () => {
    const { store, reopen } = await open();
    const one = account(1);
    await store.roster.apply(
      plan('p1'),
      'free',
      [change('account.create', one), change('enrolment.add', one, course('Statics'))],
      [],
    );
    const added = change('enrolment.add', one, course('Optics'));
    await store.roster.apply(plan('p2', { source: 'hr' }), 'free', [added], []);
    const entries = await all((await reopen()).roster.entries());
    expect(entries.map((entry) => ({ ...entry, enrolments: new Set(entry.enrolments) }))).toEqual([
      {
        account: one,
        source: 'sis',
        enrolments: new Set([
          { ...course('Optics'), source: 'hr' },
          { ...course('Statics'), source: 'sis' },
        ]),
      },
    ]);
  });

  test('sent items beyond the newest are forgotten; what waits, failed or belongs to a plan in hand stays', async () => {
    const { store } = await open();
    for (const id of ['p1', 'p2'])
      await store.roster.apply(
        plan(id),
        'free',
        [1, 2, 3].map((n) => change('account.create', account(n))),
        [canvas, { ...canvas, target: 'salesforce' }],
      );
    const items = (await store.outbox.list({ target: 'canvas', limit: 10 })).map(({ item }) => item);
    await store.outbox.settle(
      'canvas',
      [
        ...[0, 2, 3, 5].map((at) => ({ item: items[at]!, outcome: 'sent' as const, answer: null })),
        { item: items[1]!, outcome: 'failed', answer: 'no' },
      ],
      at,
    );
    const left = async () => (await store.outbox.list({ target: 'canvas', limit: 10 })).map(({ item }) => item);
    expect(await store.outbox.forget('canvas', 4, [])).toBe(0);
    expect(await store.outbox.forget('canvas', 0, ['p1', 'p2'])).toBe(0);
    expect(await store.outbox.forget('canvas', 1, ['p1'])).toBe(1);
    expect(await left()).toEqual([0, 1, 2, 4, 5].map((at) => items[at]));
    expect(await store.outbox.forget('canvas', 0, [])).toBe(3);
    expect(await left()).toEqual([1, 4].map((at) => items[at]));
    expect(await store.outbox.list({ target: 'salesforce', limit: 10 })).toHaveLength(6);
  });

  test('while an item of somebody is failed or in other hands, nothing of theirs is forgotten that came after it', async () => {
    const { store } = await open();
    for (const id of ['p1', 'p2', 'p3'])
      await store.roster.apply(
        plan(id),
        'free',
        [1, 2, 3, 4].map((n) => change('account.create', account(n))),
        [canvas, { ...canvas, target: 'salesforce' }],
      );
    const itemsOf = async (target: string) =>
      (await store.outbox.list({ target, limit: 20 })).map(({ item, person, plan: its }) => ({
        item,
        name: `${its} ${person.at(-1)}`,
      }));
    const items = await itemsOf('canvas');
    const named = (name: string) => items.find((one) => one.name === name)!.item;
    const open1 = named('p1 1');
    const open2 = named('p2 2');
    await store.outbox.ack(open2, 'processing', null, at);
    await store.outbox.supersede('canvas', [{ item: named('p2 1'), because: named('p3 1') }]);
    await store.outbox.settle(
      'canvas',
      items
        .map(({ item }) => item)
        .filter((item) => ![open1, open2, named('p2 1')].includes(item))
        .map((item) => ({ item, outcome: 'sent' as const, answer: null })),
      at,
    );
    await store.outbox.settle('canvas', [{ item: open1, outcome: 'failed', answer: 'no' }], at);
    const elsewhere = (await itemsOf('salesforce')).find(({ name }) => name === 'p1 3')!.item;
    await store.outbox.settle('salesforce', [{ item: elsewhere, outcome: 'failed', answer: 'no' }], at);

    const left = async () => (await itemsOf('canvas')).map(({ name }) => name);
    expect(await store.outbox.forget('canvas', 0, [])).toBe(6);
    expect(await left()).toEqual(['p1 1', 'p1 2', 'p2 1', 'p2 2', 'p3 1', 'p3 2']);
    expect(await store.outbox.forget('canvas', 0, [])).toBe(0);
    await store.outbox.ack(open1, 'sent', 'by hand', at);
    expect(await store.outbox.forget('canvas', 0, [])).toBe(3);
    await store.outbox.ack(open2, 'sent', 'by hand', at);
    expect(await store.outbox.forget('canvas', 0, [])).toBe(3);
    expect(await left()).toEqual([]);
  });

  test('items of another store are put behind what is there, as they are', async () => {
    const from = (await open()).store;
    const { store: to } = await open();
    const changes = [1, 2, 3].map((n) => change('account.create', account(n)));
    await from.roster.apply(plan('p1'), 'free', changes, [canvas]);
    const [one, two] = await from.outbox.list({ limit: 10 });
    await from.outbox.settle(
      'canvas',
      [
        { item: one!.item, outcome: 'sent', answer: 'ok' },
        { item: two!.item, outcome: 'failed', answer: 'no' },
      ],
      at,
    );
    await to.roster.apply(plan('p0'), 'free', [change('account.create', account(9))], [canvas]);
    const items = await all(from.outbox.all());
    await to.outbox.restore(items.slice(0, 2));
    await to.outbox.restore(items);
    const moved = await all(to.outbox.all());
    expect(moved.map(({ plan: its }) => its)).toEqual(['p0', 'p1', 'p1', 'p1']);
    const unplaced = ({ seq: _, ...rest }: OutboxItem) => rest;
    expect(moved.slice(1).map(unplaced)).toEqual(items.map(unplaced));
    await to.roster.apply(plan('p2'), 'free', [change('account.create', account(8))], [canvas]);
    expect((await to.outbox.list({ limit: 10 })).at(-1)!.plan).toBe('p2');
  });

  test('a store that is moved into is marked until the move ends, and has nothing of what it had', async () => {
    const { store, reopen } = await open();
    expect([await store.move.from(), await store.move.empty()]).toEqual([null, true]);
    const lock = await store.lock('roster');
    expect(await store.move.empty()).toBe(true);
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await store.roster.apply(plan('p1'), 'free', [change('account.create', account(1))], [canvas]);
    await lock!.release();
    expect(await store.move.empty()).toBe(false);
    await store.move.begin('somewhere');
    const again = await reopen();
    expect([await again.move.from(), await again.move.empty()]).toEqual(['somewhere', true]);
    expect(await all(again.roster.accounts())).toEqual([]);
    expect(await again.rows.personPage('sis', 1, '', 10)).toEqual([]);
    await inForce(again, 'sis', 1, [goodRow(1, 'S1'), goodRow(2, 'S2')]);
    expect(
      (await again.rows.evidence('sis', 1).rows(['i:S1', 'i:S2'])).map(({ origin }) => lineOf(origin)).sort(),
    ).toEqual([1, 2]);
    await again.move.end();
    expect([await again.move.from(), await again.move.empty()]).toEqual([null, false]);
  });
}
