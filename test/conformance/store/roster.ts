import { expect, test } from 'vitest';
import type { PlannedChange } from '../../../src/reconcile/plan.ts';
import type { Store, TargetInterest } from '../../../src/store/port.ts';
import type { OpenStore } from '../store.ts';
import { account, all, change, course, plan } from './samples.ts';

const at = '2026-09-01T00:00:00.000Z';

const everything: TargetInterest = {
  target: 'canvas',
  accepts: ['course.create', 'account.create', 'account.update', 'account.enable', 'enrolment.add', 'enrolment.remove'],
};

async function picture(store: Store) {
  return {
    accounts: await all(store.roster.accounts()),
    enrolments: await all(store.roster.enrolments()),
    courses: await all(store.roster.courses()),
    outbox: await store.outbox.list({ limit: 1000 }),
  };
}

/** One change after the other, each as a batch of a plan of its own. */
async function applyEach(store: Store, ...changes: PlannedChange[]): Promise<void> {
  for (const [n, one] of changes.entries())
    await store.roster.apply(plan(`each-${n}-${one.type}-${one.key}`), 'free', [one], []);
}

/** The roster: changes applied once, however often, and read back in order. */
export function rosterConformance(open: OpenStore): void {
  test('each type of change has its effect', async () => {
    const { store, reopen } = await open();
    const [one, staff] = [
      account(1),
      account(10_000_001, { id: null, email: 't@example.edu', kind: 'staff', year: null }),
    ];
    await applyEach(
      store,
      change('course.create', null, course('Statics')),
      change('account.create', one),
      change('account.create', staff),
      change('enrolment.add', one, course('Statics')),
      change('enrolment.add', one, course('Optics')),
      change('enrolment.add', staff, course('Statics')),
    );
    const updated = account(1, { email: 'new@example.edu', id: 'S1b', year: 3, attributes: { a: '1' } });
    await applyEach(
      store,
      change('account.update', updated),
      change('enrolment.remove', updated, course('Statics')),
      change('account.disable', { ...staff, status: 'disabled' }),
      change('course.archive', null, course('Optics')),
    );
    const again = await reopen();
    expect(await all(again.roster.accounts())).toEqual([updated, { ...staff, status: 'disabled' }]);
    expect(await all(again.roster.enrolments())).toEqual([
      { account: one.account, id: 'S1b', email: 'new@example.edu', ...course('Optics') },
      { account: staff.account, id: null, email: 't@example.edu', ...course('Statics') },
    ]);
    expect(await all(again.roster.courses())).toEqual([
      { ...course('Optics'), status: 'archived' },
      { ...course('Statics'), status: 'enrolled' },
    ]);
    await applyEach(again, change('account.enable', { ...staff, firstName: 'Ida' }));
    expect((await all(again.roster.accounts()))[1]).toEqual({ ...staff, firstName: 'Ida' });
  });

  test('the rules that the roster stands under are kept, and there are none at first', async () => {
    const { store, reopen } = await open();
    expect(await store.roster.rules()).toEqual({ fingerprint: null, times: 0 });
    await store.roster.putRules({ fingerprint: 'a', times: 1 });
    await store.roster.putRules({ fingerprint: 'b', times: 2 });
    expect(await (await reopen()).roster.rules()).toEqual({ fingerprint: 'b', times: 2 });
  });

  test('a repeat of a batch changes nothing and queues nothing twice', async () => {
    const { store, reopen } = await open();
    const batch = [
      change('course.create', null, course('Statics')),
      change('account.create', account(1)),
      change('account.create', account(2)),
      change('enrolment.add', account(1), course('Statics')),
      change('enrolment.add', account(2), course('Statics')),
      change('enrolment.remove', account(2), course('Statics')),
      change('account.update', account(1, { year: 5 })),
    ];
    await store.roster.apply(plan('p1'), 'free', batch, [everything, { ...everything, target: 'salesforce' }]);
    const once = await picture(store);
    expect(once.outbox).toHaveLength(14);
    await store.roster.apply(plan('p1'), 'free', batch, [everything, { ...everything, target: 'salesforce' }]);
    const again = await reopen();
    await again.roster.apply(plan('p1'), 'free', batch.slice(2), [everything]);
    expect(await picture(again)).toEqual(once);
  });

  test('a repeat does not queue again what has been sent', async () => {
    const { store } = await open();
    const batch = [change('account.create', account(1))];
    await store.roster.apply(plan('p1'), 'free', batch, [everything]);
    const { item } = (await store.outbox.list({ limit: 1 }))[0]!;
    await store.outbox.settle('canvas', [{ item, outcome: 'sent', answer: null }], at);
    await store.roster.apply(plan('p1'), 'free', batch, [everything]);
    expect(await store.outbox.list({ limit: 10 })).toMatchObject([{ item, status: 'sent', attempts: 1 }]);
  });

  test('the same change in another plan is another item', async () => {
    const { store } = await open();
    await store.roster.apply(plan('p1'), 'free', [change('account.update', account(1))], [everything]);
    await store.roster.apply(plan('p2'), 'free', [change('account.update', account(1))], [everything]);
    expect((await store.outbox.list({ limit: 10 })).map((item) => item.plan)).toEqual(['p1', 'p2']);
  });

  test('how far a part of a plan got is remembered, for each part by itself', async () => {
    const { store, reopen } = await open();
    expect(await store.roster.applied('p1', 'free')).toBeNull();
    await store.roster.apply(plan('p1'), 'free', [], [everything]);
    expect(await store.roster.applied('p1', 'free')).toBeNull();
    const changes = [1, 2, 3].map((n) => change('account.create', account(n)));
    await store.roster.apply(plan('p1'), 'free', changes.slice(0, 2), []);
    expect(await store.roster.applied('p1', 'free')).toEqual({ rank: 1, key: '9500000002' });
    await store.roster.apply(plan('p1'), 'free', changes.slice(2), []);
    await store.roster.apply(plan('p1'), 'held', [change('account.disable', account(1))], []);
    await store.roster.apply(plan('p2'), 'free', changes.slice(0, 1), []);
    const again = await reopen();
    expect(await again.roster.applied('p1', 'free')).toEqual({ rank: 1, key: '9500000003' });
    expect(await again.roster.applied('p1', 'held')).toEqual({ rank: 6, key: '9500000001' });
    expect(await again.roster.applied('p2', 'free')).toEqual({ rank: 1, key: '9500000001' });
  });

  test('the position is never ahead of the effects: everything before it is in roster and outbox', async () => {
    const { store } = await open();
    const changes = Array.from({ length: 40 }, (_, n) => change('account.create', account(n + 1)));
    for (let at = 0; at < changes.length; at += 10) {
      await store.roster.apply(plan('p1'), 'free', changes.slice(at, at + 10), [everything]);
      const { key } = (await store.roster.applied('p1', 'free'))!;
      const numbers = (await all(store.roster.accounts())).map((one) => one.account);
      expect(numbers.at(-1)).toBe(key);
      expect(await store.outbox.list({ limit: 100 })).toHaveLength(numbers.length);
    }
  });

  test('a target gets only the types that it accepts, in the order of the plan', async () => {
    const { store } = await open();
    const changes = [
      change('course.create', null, course('Statics')),
      change('account.create', account(1)),
      change('enrolment.add', account(1), course('Statics'), { key: 'x' }),
      change('account.disable', account(1)),
    ];
    await store.roster.apply(plan('p1'), 'free', changes, [
      { target: 'people', accepts: ['account.create', 'account.disable'] },
      { target: 'nothing', accepts: [] },
      { target: 'courses', accepts: ['course.create', 'enrolment.add'] },
    ]);
    const types = async (target: string) => (await store.outbox.list({ target, limit: 10 })).map((item) => item.type);
    expect(await types('people')).toEqual(['account.create', 'account.disable']);
    expect(await types('courses')).toEqual(['course.create', 'enrolment.add']);
    expect(await types('nothing')).toEqual([]);
  });

  test('an item carries what its target is told', async () => {
    const { store } = await open();
    const after = { email: 'new@example.edu', year: 3 };
    const who = account(1, after);
    await store.roster.apply(
      plan('p1'),
      'free',
      [
        change('account.update', who, null, {
          before: { email: 'old@example.edu', year: 2 },
          after,
          emailConfirmed: true,
        }),
      ],
      [everything],
    );
    const [item] = await store.outbox.list({ limit: 10 });
    expect(item).toEqual({
      ...{ item: item!.item, seq: item!.seq, target: 'canvas', plan: 'p1', type: 'account.update' },
      ...{ person: who.account, status: 'queued', attempts: 0, answer: null, because: null, trail: [] },
      delivery: {
        ...{ item: item!.item, type: 'account.update', account: who, course: null },
        ...{ changed: ['email', 'year'], emailConfirmed: true },
        before: { email: 'old@example.edu', year: 2 },
      },
    });
  });

  test('an item that changes the kind of a person takes along what they were enrolled in', async () => {
    const { store } = await open();
    const [welding, dance, law] = [course('Welding'), course('Dance'), course('Law')];
    const before = account(1);
    await applyEach(
      store,
      change('account.create', before),
      change('enrolment.add', before, welding),
      change('enrolment.add', before, dance),
    );
    const after = account(1, { kind: 'staff' });
    const batch = [
      change('account.update', after, null, { before: { kind: 'student' }, after: { kind: 'staff' } }),
      change('enrolment.add', after, law),
      change('enrolment.remove', after, dance),
    ];
    await store.roster.apply(plan('p9'), 'free', batch, [everything]);
    const items = await store.outbox.list({ plan: 'p9', limit: 10 });
    expect(items.map(({ delivery }) => delivery.enrolments)).toEqual([[dance, welding], undefined, undefined]);
  });

  test('a change of kind is an update to a target, and who joins a course before it passes joins as what they are', async () => {
    const { store } = await open();
    const [welding, law] = [course('Welding'), course('Law')];
    const before = account(1);
    await applyEach(store, change('account.create', before), change('enrolment.add', before, welding));
    const after = account(1, { kind: 'staff', firstName: 'Ida' });
    const changed = { before: { kind: 'student' as const }, after: { kind: 'staff' as const } };
    const target: TargetInterest = { target: 'canvas', accepts: ['account.update', 'enrolment.add'] };
    const held = plan('p9', { heldTypes: ['account.kind'] });
    await store.roster.apply(held, 'free', [change('enrolment.add', after, law)], [target]);
    expect(await all(store.roster.accounts())).toEqual([before]);
    for (let times = 0; times < 2; times += 1)
      await store.roster.apply(held, 'held', [change('account.kind', after, null, changed)], [target]);
    expect(await all(store.roster.accounts())).toEqual([after]);
    const items = await store.outbox.list({ plan: 'p9', limit: 10 });
    expect(items.map(({ type, delivery }) => [type, delivery.type, delivery.account, delivery.enrolments])).toEqual([
      ['enrolment.add', 'enrolment.add', before, undefined],
      ['account.update', 'account.update', after, [law, welding]],
    ]);
    expect(await store.rows.evidence('sis', 1).standing()).toEqual({ accounts: 1, enrolments: 2 });
  });

  test('a removal takes what it names and nothing else, however long ago it was planned', async () => {
    const { store } = await open();
    const [planned, statics] = [account(1, { alias: 'a1' }), course('Statics')];
    await applyEach(store, change('account.create', planned), change('enrolment.add', planned, statics));
    const now = account(1, { id: 'S1b', email: 'new@example.edu', year: 4, attributes: { room: 'Σ 9' } });
    await applyEach(store, change('account.update', { ...now, firstName: 'Ida', alias: 'a2' }));
    const target: TargetInterest = { target: 'canvas', accepts: ['enrolment.remove', 'account.disable'] };
    const gone = { ...planned, status: 'disabled' as const };
    const after = { before: { status: 'active' as const }, after: { status: 'disabled' as const } };
    const removals = [change('enrolment.remove', gone, statics), change('account.disable', gone, null, after)];
    const left = { ...now, firstName: 'Ida', alias: 'a2', status: 'disabled' };
    for (const part of [removals, removals.slice(1)]) {
      await store.roster.apply(plan('held'), 'held', part, [target]);
      expect(await all(store.roster.accounts())).toEqual([left]);
      expect(await all(store.roster.enrolments())).toEqual([]);
    }
    const items = await store.outbox.list({ limit: 10 });
    expect(items.map(({ type, delivery }) => [type, delivery.account, delivery.changed])).toEqual([
      ['enrolment.remove', left, []],
      ['account.disable', left, ['status']],
    ]);
    expect(await store.rows.evidence('sis', 1).standing()).toEqual({ accounts: 0, enrolments: 0 });
  });

  test('an e-mail and an id belong to one account: a second one is refused', async () => {
    const { store } = await open();
    await applyEach(store, change('account.create', account(1)), change('account.create', account(2)));
    const twice = [
      change('account.create', account(3, { email: 's1@example.edu' })),
      change('account.create', account(3, { id: 'S1' })),
      change('account.update', account(2, { email: 's1@example.edu' })),
      change('account.update', account(2, { id: 'S1' })),
    ];
    for (const [n, one] of twice.entries())
      await expect(store.roster.apply(plan(`twice-${n}`), 'free', [one], [everything])).rejects.toThrow();
    expect(await all(store.roster.accounts())).toEqual([account(1), account(2)]);
    for (const n of twice.keys()) expect(await store.roster.applied(`twice-${n}`, 'free')).toBeNull();
  });

  test('any number of accounts have no id', async () => {
    const { store } = await open();
    await applyEach(store, ...[1, 2, 3].map((n) => change('account.create', account(n, { id: null }))));
    expect(await all(store.roster.accounts())).toHaveLength(3);
  });

  test('numbers go on after the highest of each series, and from 1 in an empty one', async () => {
    const { store } = await open();
    expect(await store.roster.nextNumbers()).toEqual({ '950': 1, '951': 1 });
    await applyEach(store, change('account.create', account(41)), change('account.create', account(7)));
    expect(await store.roster.nextNumbers()).toEqual({ '950': 42, '951': 1 });
    const staff = account(10_000_003, { kind: 'staff' });
    await applyEach(store, change('account.create', staff), change('account.create', account(9_999_998)));
    await applyEach(store, change('account.disable', { ...staff, status: 'disabled' }));
    expect(await store.roster.nextNumbers()).toEqual({ '950': 9_999_999, '951': 4 });
  });

  test('an enrolment that is there already stays with the source that gave it', async () => {
    const { store } = await open();
    await applyEach(
      store,
      change('account.create', account(1)),
      change('enrolment.add', account(1), course('Statics')),
    );
    const hr = plan('p-hr', { source: 'hr' });
    await store.roster.apply(hr, 'free', [change('enrolment.add', account(1), course('Statics'))], []);
    expect((await store.rows.evidence('sis', 1).standing()).enrolments).toBe(1);
    expect(await all(store.roster.enrolments())).toHaveLength(1);
  });

  test('entries of the course table are replaced by name', async () => {
    const { store } = await open();
    await store.roster.putCourses([
      { ...course('Statics'), status: 'known' },
      { ...course('Statics', 'Physics'), status: 'enrolled' },
    ]);
    await store.roster.putCourses([{ ...course('Statics'), status: 'vanished' }]);
    expect(await all(store.roster.courses())).toEqual([
      { ...course('Statics'), status: 'vanished' },
      { ...course('Statics', 'Physics'), status: 'enrolled' },
    ]);
  });

  test('exports stream in order, by account and course name, while the roster is written', async () => {
    const { store } = await open();
    const many = Array.from({ length: 2100 }, (_, n) => account(n + 1));
    await store.roster.apply(
      plan('p1'),
      'free',
      [
        ...many.map((who) => change('account.create', who)),
        ...many.flatMap((who) => ['Statics', 'Algebra'].map((name) => change('enrolment.add', who, course(name)))),
      ],
      [],
    );
    const seen: string[] = [];
    for await (const one of store.roster.accounts()) {
      if (seen.length % 700 === 0)
        await applyEach(store, change('account.update', account(1, { year: seen.length % 7 })));
      seen.push(one.account);
    }
    expect(seen).toEqual(many.map((who) => who.account));
    const enrolments: string[] = [];
    for await (const one of store.roster.enrolments()) {
      if (enrolments.length === 3)
        await applyEach(store, change('account.disable', account(2, { status: 'disabled' })));
      enrolments.push(`${one.account} ${one.course}`);
    }
    expect(enrolments).toEqual(many.flatMap((who) => [`${who.account} Algebra`, `${who.account} Statics`]));
  });

  test('removals that no longer find what they take away are stale, everything else is not', async () => {
    const { store } = await open();
    await applyEach(
      store,
      ...[1, 2].map((n) => change('account.create', account(n))),
      change('enrolment.add', account(1), course('Statics')),
      change('account.disable', account(2, { status: 'disabled' })),
    );
    const good = [
      change('account.disable', account(1)),
      change('enrolment.remove', account(1), course('Statics')),
      change('account.create', account(9)),
    ];
    const stale = [
      change('account.disable', account(2)),
      change('account.disable', account(9)),
      change('enrolment.remove', account(1), course('Optics')),
      change('enrolment.remove', account(9), course('Statics')),
    ];
    expect(await store.roster.stale([...good, ...stale])).toEqual(stale.map(({ type, key }) => `${type} ${key}`));
    expect(await store.roster.stale([])).toEqual([]);
  });
}
