import { expect, onTestFinished, test } from 'vitest';
import { type ChangeType, changeTypes, type DeliveryItem, type ItemResult } from '../../../src/connector/target.ts';
import { deliverAll } from '../../../src/deliver/deliver.ts';
import { fill } from '../../../src/operate/fill.ts';
import { acknowledge, discrepancies, preview, replay, review, setPaused } from '../../../src/operate/queue.ts';
import { everything, noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** What is kept back on the way to a target, why, and what lets it go. So many lines because each story needs the same site. */

const patience = { batch: { retries: 0, firstWaitMs: 1, longestWaitMs: 60_000 }, itemAttempts: 2, itemFirstWaitMs: 1 };
const row = (who: string, changes: { course?: string; name?: string; email?: string } = {}): MemoryRow => [
  ...(['F', 'D', changes.course ?? 'C1', changes.name ?? who, 'L'] as const),
  ...([changes.email ?? `${who}@x.edu`, '1', who] as const),
];

type Answer = Partial<ItemResult>;

/** A site with one target that answers as a test says; `told` and `sent`: everything that the last delivery sent. */
async function siteWith({ sources = ['sis'], giveUpAfter = 50, size = 100 } = {}) {
  const told: string[] = [];
  const sent: DeliveryItem[] = [];
  const answers = { of: (_item: DeliveryItem, _text: string): Answer | Promise<Answer> => ({}) };
  const textOf = ({ account, type, course }: DeliveryItem): string =>
    [account?.firstName, type, course?.course].filter(Boolean).join(' ');
  const connector = {
    ...everything,
    batchSize: () => size,
    preview: (_settings: unknown, _about: unknown, items: readonly DeliveryItem[]) =>
      items.map((item) => ({ method: 'PUT' as const, url: textOf(item), headers: {}, body: null, items: [item.item] })),
    open: async () => ({
      deliver: async (items: readonly DeliveryItem[]) => {
        const results: ItemResult[] = [];
        for (const item of items) {
          told.push(textOf(item));
          sent.push(item);
          const answer = await answers.of(item, textOf(item));
          results.push({ item: item.item, outcome: 'sent', answer: null, ...answer } as ItemResult);
        }
        return results;
      },
      close: async () => {},
    }),
  };
  const settings = { url: 'http://127.0.0.1:9' };
  const target = { name: 'crm', connector, enabled: true, rate: null, giveUpAfter, settings };
  const site = new Site({ sources, limits: noLimits, targets: [target] });
  onTestFinished(() => site[Symbol.asyncDispose]());
  return {
    site,
    told,
    sent,
    answers,
    async deliver() {
      told.length = 0;
      sent.length = 0;
      const [end] = await deliverAll(site.rosterd.config, site.store, site.rosterd.work, patience);
      return end!;
    },
    /** As after a change of the configuration. */
    takesAllBut(...types: ChangeType[]) {
      target.connector.accepts = () => changeTypes.filter((type) => !types.includes(type));
    },
    items: () => site.store.outbox.list({ limit: 999 }),
    async stands() {
      const items = await site.store.outbox.list({ limit: 999 });
      return Object.fromEntries(items.map(({ delivery, status }) => [textOf(delivery), status]));
    },
  };
}
const refuse =
  (...texts: string[]) =>
  (_: DeliveryItem, text: string) =>
    texts.includes(text) ? { outcome: 'failed' as const, answer: 'last name is missing' } : {};

test('behind an account that the target refused nothing of the person is sent, and it comes by itself when it got through', async () => {
  const { site, told, answers, deliver, stands, items } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  answers.of = refuse('ann account.create', 'ann enrolment.add C1');
  await deliver();
  await site.run('sis', [row('ann'), row('ann', { course: 'C2' }), row('bob')]);
  expect(await deliver()).toMatchObject({ sent: 0, failed: 1 });
  expect(told).toEqual([]);
  const [create, ...behind] = (await items()).filter(({ status }) => status === 'failed');
  expect([create!.because, behind.map(({ because }) => because)]).toEqual([null, [create!.item, create!.item]]);
  answers.of = () => ({});
  expect((await replay(site.rosterd, { items: [create!.item] })).replayed).toEqual([create!.item]);
  expect(await deliver()).toMatchObject({ sent: 3, failed: 0 });
  expect(told).toEqual(['ann account.create', 'ann enrolment.add C1', 'ann enrolment.add C2']);
  expect(new Set(Object.values(await stands()))).toEqual(new Set(['sent']));
});

test('a correction in the source mends a refused account without anybody', async () => {
  const { site, told, answers, deliver, items } = await siteWith();
  await site.run('sis', [row('ann')]);
  answers.of = refuse('ann account.create', 'ann enrolment.add C1');
  await deliver();
  answers.of = refuse('ann account.create');
  await site.run('sis', [row('ann', { name: 'Ann' })]);
  expect(await deliver()).toMatchObject({ sent: 2, failed: 0 });
  expect(told).toEqual(['Ann account.create', 'ann enrolment.add C1']);
  const [create, , update] = await items();
  expect(update).toMatchObject({ type: 'account.update', status: 'superseded', because: create!.item });
  expect(create!.trail.map(({ outcome, answer }) => [outcome, answer])).toEqual([
    ['failed', 'last name is missing'],
    ['sent', null],
  ]);
});

test('many updates that wait are one request, and each says where it went', async () => {
  const { site, told, deliver, stands } = await siteWith();
  await site.run('sis', [row('ann')]);
  await deliver();
  for (const name of ['Ann', 'Anna', 'Annie']) await site.run('sis', [row('ann', { name })]);
  await deliver();
  expect(told).toEqual(['Annie account.update']);
  expect(await stands()).toMatchObject({ 'Annie account.update': 'superseded', 'Anna account.update': 'superseded' });
});

test('an address is not taken before the one who had it has given it up, however long both wait', async () => {
  const { site, told, answers, deliver } = await siteWith();
  const owners = new Map<string, string>();
  answers.of = ({ account }) => {
    const { account: number, email } = account!;
    if ((owners.get(email) ?? number) !== number)
      return { outcome: 'failed', answer: 'somebody else has this address' };
    for (const [address, owner] of owners) if (owner === number) owners.delete(address);
    owners.set(email, number);
    return {};
  };
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob', { email: 'other@x.edu' })]);
  await site.run('sis', [row('ann', { name: 'Ann', email: 'bob@x.edu' }), row('bob', { email: 'other@x.edu' })]);
  await site.run('sis', [
    row('ann', { name: 'Anna', email: 'bob@x.edu' }),
    row('bob', { name: 'Bob', email: 'other@x.edu' }),
  ]);
  expect(await deliver()).toMatchObject({ sent: 3, failed: 0 });
  expect(told).toEqual(['Ann account.update', 'Bob account.update', 'Anna account.update']);
  expect([...owners.keys()].sort()).toEqual(['bob@x.edu', 'other@x.edu']);
});

test('a discrepancy holds back what was queued before, until a run settles it', async () => {
  const { site, told, deliver, items } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob', { name: 'Bob' })]);
  // somebody new comes with ann's address and an id of their own
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob', { name: 'Bob' }), row('eve', { email: 'ann@x.edu' })]);
  expect(await deliver()).toMatchObject({ sent: 1, failed: 1 });
  expect(told).toEqual(['Bob account.update']);
  const held = (await items()).filter(({ status }) => status === 'failed');
  expect(held.map(({ because, attempts }) => [because, attempts])).toEqual([['discrepancy', 0]]);
  expect(held[0]!.answer).toContain('two-ids-one-email');
  expect((await replay(site.rosterd, {})).left.map(({ why }) => why)).toEqual([
    'an open discrepancy holds it back: rosterd queue discrepancies',
  ]);
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob', { name: 'Bob' })]);
  expect(await deliver()).toMatchObject({ sent: 1, failed: 0 });
  expect(told).toEqual(['Ann account.update']);
});

test('a discrepancy that opens while a delivery is at work holds back what is left of the queue', async () => {
  const { site, told, deliver, answers, items } = await siteWith({ sources: ['sis', 'hr'], size: 1 });
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob', { name: 'Bob' })]);
  answers.of = async (_, text) => {
    // the other source says at this moment that somebody else has bob's address
    if (text === 'Ann account.update') await site.run('hr', [row('eve', { email: 'bob@x.edu' })]);
    return {};
  };
  expect(await deliver()).toMatchObject({ sent: 1, failed: 1 });
  expect(told).toEqual(['Ann account.update']);
  const held = (await items()).filter(({ status }) => status === 'failed');
  expect(held.map(({ because, person }) => [because, person])).toEqual([
    ['discrepancy', (await discrepancies(site.rosterd))[0]!.account],
  ]);
});

test('a discrepancy that a person has looked at lets its items pass; another one of the same person does not', async () => {
  const { site, told, deliver } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob')]);
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob'), row('eve', { email: 'ann@x.edu' })]);
  await deliver();
  const [open] = await discrepancies(site.rosterd);
  await expect(review(site.rosterd, '9509999999', { note: null })).rejects.toThrow(/no such open discrepancy/);
  await review(site.rosterd, open!.account, { note: 'called them' });
  expect(await deliver()).toMatchObject({ sent: 1 });
  expect(told).toEqual(['Ann account.update']);
  expect((await discrepancies(site.rosterd))[0]!.reviewed?.note).toBe('called them');
  // settled and come again, it is a matter of its own
  await site.run('sis', [row('ann', { name: 'Anna' }), row('bob')]);
  await deliver();
  expect(await site.store.outbox.reviews()).toEqual([]);
});

test('an empty answer that is refused settles no discrepancy, and takes back no look at one', async () => {
  const { site, told, deliver } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob', { name: 'Bob' })]);
  const disagree = ['ann', 'bob'].flatMap((who) => [row(who), row(who, { course: 'C2', name: 'X' })]);
  await site.run('sis', disagree);
  const open = await discrepancies(site.rosterd);
  expect(open.map(({ reason }) => reason)).toEqual(['rows-disagree', 'rows-disagree']);
  await review(site.rosterd, open[1]!.account, { note: 'called them' });
  for (let day = 0; day < 2; day += 1) {
    expect(await site.run('sis', [])).toMatchObject({ status: 'held', conflicts: 2 });
    await deliver();
    expect(told).toEqual(day === 0 ? ['Bob account.update'] : []);
    const reviewed = (await discrepancies(site.rosterd)).map((one) => one.reviewed?.note);
    expect(reviewed).toEqual([undefined, 'called them']);
  }
  await site.run('sis', [row('ann', { name: 'Ann' }), row('bob', { name: 'Bob' })]);
  expect(await discrepancies(site.rosterd)).toEqual([]);
  await deliver();
  expect(told).toEqual(['Ann account.update']);
});

test('what a discrepancy held back is sent as one when it is settled, with all that changed', async () => {
  const { site, deliver, sent } = await siteWith();
  await site.run('sis', [row('ann')]);
  await deliver();
  await site.run('sis', [row('ann', { email: 'new@x.edu' })]);
  await site.run('sis', [row('ann', { email: 'new@x.edu', name: 'Ann' })]);
  await site.run('sis', [
    row('ann', { email: 'new@x.edu' }),
    row('ann', { email: 'new@x.edu', course: 'C2', name: 'X' }),
  ]);
  expect(await deliver()).toMatchObject({ sent: 0, failed: 2 });
  await site.run('sis', [row('ann', { email: 'new@x.edu', name: 'Ann' })]);
  expect(await deliver()).toMatchObject({ sent: 1 });
  expect(sent).toMatchObject([
    {
      account: { firstName: 'Ann', email: 'new@x.edu' },
      ...{ changed: ['email', 'firstName'], before: { firstName: 'ann', email: 'ann@x.edu' }, emailConfirmed: true },
    },
  ]);
});

test('nothing is sent to a paused target, and nothing is lost', async () => {
  const { site, told, deliver } = await siteWith();
  await site.run('sis', [row('ann')]);
  expect(await setPaused(site.rosterd, 'crm', true, 'rollover')).toBe(true);
  expect(await setPaused(site.rosterd, 'crm', true, 'rollover')).toBe(false);
  await site.restart();
  expect(await deliver()).toMatchObject({ sent: 0, paused: true, error: null });
  await setPaused(site.rosterd, 'crm', false, null);
  expect(await deliver()).toMatchObject({ sent: 2, paused: false });
  expect(told.length).toBe(2);
  await expect(setPaused(site.rosterd, 'canvas', true, null)).rejects.toThrow(/no target canvas/);
});

test('a pause in the middle ends with the batch in hand', async () => {
  const { site, told, answers, deliver } = await siteWith();
  await site.run('sis', [row('ann')]);
  site.rosterd.config.targets[0]!.connector.batchSize = () => 1;
  const pausing: Promise<unknown>[] = [];
  answers.of = () => {
    pausing.push(setPaused(site.rosterd, 'crm', true, null));
    return {};
  };
  expect(await deliver()).toMatchObject({ sent: 1, paused: true });
  await Promise.all(pausing);
  expect(told).toEqual(['ann account.create']);
});

test('while another system has an item in hand the rest of that person waits', async () => {
  const { site, told, deliver, items } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  const create = (await items())[0]!.item;
  await acknowledge(site.rosterd, create, { status: 'processing', answer: null });
  await deliver();
  expect(told).toEqual(['bob account.create', 'bob enrolment.add C1']);
  await expect(acknowledge(site.rosterd, create, { status: 'failed', answer: null })).rejects.toThrow(
    /needs the words/,
  );
  await expect(acknowledge(site.rosterd, create, { status: 'sent', answer: null, target: 'canvas' })).rejects.toThrow(
    /on its way to crm/,
  );
  await acknowledge(site.rosterd, create, { status: 'sent', answer: 'by hand' });
  await deliver();
  expect(told).toEqual(['ann enrolment.add C1']);
});

test('what another system takes in hand during a delivery is not overtaken either', async () => {
  const { site, told, answers, deliver, items } = await siteWith();
  site.rosterd.config.targets[0]!.connector.batchSize = () => 1;
  await site.run('sis', [row('ann'), row('bob')]);
  const create = (await items()).find(({ delivery }) => delivery.account!.firstName === 'bob')!.item;
  answers.of = async (_, text) => {
    if (text === 'ann account.create') await acknowledge(site.rosterd, create, { status: 'processing', answer: null });
    return {};
  };
  await deliver();
  expect(told).toEqual(['ann account.create', 'ann enrolment.add C1']);
  await acknowledge(site.rosterd, create, { status: 'sent', answer: 'by hand' });
  await deliver();
  expect(told).toEqual(['bob enrolment.add C1']);
});

test('an item that is put off for ever is failed in the end; a target that is away counts as nobody’s attempt', async () => {
  const { site, answers, deliver, items } = await siteWith({ giveUpAfter: 5 });
  await site.run('sis', [row('ann')]);
  answers.of = (_, text) => (text === 'ann account.create' ? { outcome: 'retry', answer: 'locked' } : {});
  for (let n = 0; n < 3; n += 1) await deliver();
  const [create] = await items();
  expect(create).toMatchObject({ status: 'failed', attempts: 5, answer: 'given up after 5 attempts: locked' });
});

test('a replay of an old failure never brings an older state', async () => {
  const { site, told, answers, deliver, items } = await siteWith();
  await site.run('sis', [row('ann'), row('ann', { course: 'C2' })]);
  answers.of = refuse('ann enrolment.add C2');
  await deliver();
  answers.of = () => ({});
  await site.run('sis', [row('ann')]);
  await deliver();
  const old = (await items()).find(
    ({ delivery }) => delivery.type === 'enrolment.add' && delivery.course?.course === 'C2',
  )!;
  const done = await replay(site.rosterd, { items: [old.item] });
  expect(done).toMatchObject({ replayed: [], superseded: [{ item: old.item }] });
  await deliver();
  expect(told).toEqual([]);
});

test('a replay of an old failure gives nothing back to a leaver, however few sent items are kept', async () => {
  const { site, sent, answers, deliver, items } = await siteWith();
  site.rosterd.config.retention.sentItems = 2;
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  answers.of = refuse('Ann account.update', 'Ann enrolment.add C2');
  await site.run('sis', [row('ann', { name: 'Ann' }), row('ann', { name: 'Ann', course: 'C2' }), row('bob')]);
  expect(await deliver()).toMatchObject({ sent: 0, failed: 2 });
  answers.of = () => ({});
  await site.run('sis', [row('bob')]);
  await deliver();
  for (const name of ['Bob', 'Bobby', 'Robert']) {
    await site.run('sis', [row('bob', { name })]);
    await deliver();
  }
  expect((await items()).filter(({ delivery }) => delivery.account!.firstName === 'bob')).toEqual([]);
  const { superseded } = await replay(site.rosterd, { target: 'crm' });
  expect(superseded).toHaveLength(1);
  await deliver();
  expect(sent).toMatchObject([{ type: 'account.update', account: { firstName: 'Ann', status: 'disabled' } }]);
});

test('the creation of somebody who has left since is not sent again', async () => {
  const { site, told, deliver, items } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  await site.run('sis', [row('bob')]);
  await deliver();
  const [create] = await items();
  const { replayed, left } = await replay(site.rosterd, { items: [create!.item] });
  expect([replayed, left.map(({ why }) => why)]).toEqual([[], [expect.stringContaining('is a newer state')]]);
  await deliver();
  expect(told).toEqual([]);
});

test('what is queued or sent is not queued again, unless it is named and sent', async () => {
  const { site, told, deliver, items } = await siteWith();
  await site.run('sis', [row('ann')]);
  const ids = (await items()).map(({ item }) => item);
  expect((await replay(site.rosterd, { items: ids })).left.map(({ why }) => why)).toEqual([
    'it is queued already',
    'it is queued already',
  ]);
  await deliver();
  expect(await replay(site.rosterd, {})).toEqual({ replayed: [], superseded: [], left: [] });
  expect((await replay(site.rosterd, { items: [ids[1]!] })).replayed).toEqual([ids[1]]);
  await deliver();
  expect(told).toEqual(['ann enrolment.add C1']);
  await expect(replay(site.rosterd, { items: ['nothing'] })).rejects.toThrow(/no item nothing/);
});

test('the whole roster can be queued for a target: courses, then people, then enrolments; nobody who is disabled', async () => {
  const { site, told, deliver } = await siteWith();
  await site.run('sis', [row('ann'), row('ann', { course: 'C2' }), row('bob')]);
  await site.run('sis', [row('ann'), row('ann', { course: 'C2' })]);
  await deliver();
  expect(await fill(site.rosterd, 'crm')).toEqual({ queued: 5, remastered: false });
  await deliver();
  expect(told).toEqual([
    'course.create C1',
    'course.create C2',
    'ann account.create',
    'ann enrolment.add C1',
    'ann enrolment.add C2',
  ]);
});

test('what stood behind a failed creation is not sent over what came after it', async () => {
  const { site, told, answers, deliver } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  answers.of = refuse('ann account.create', 'ann enrolment.add C1');
  await deliver();
  answers.of = () => ({});
  // mended by a correction, and out of the course meanwhile
  await site.run('sis', [row('ann', { name: 'Ann', course: 'C2' }), row('bob')]);
  await deliver();
  expect(told).toContain('Ann account.create');
  expect(told.lastIndexOf('ann enrolment.add C1')).toBeLessThanOrEqual(told.lastIndexOf('Ann enrolment.remove C1'));
});

test('what the target takes no more is put away, stops nobody, and comes by itself when it is taken again', async () => {
  const { site, told, deliver, stands, items, takesAllBut } = await siteWith({ size: 1 });
  await site.run('sis', [row('ann'), row('bob')]);
  await deliver();
  await fill(site.rosterd, 'crm');
  await site.run('sis', [row('ann')]);
  takesAllBut('course.create', 'account.disable', 'enrolment.remove');
  const shown = async () => (await preview(site.rosterd, { target: 'crm' })).map(({ url }) => url);
  expect(await shown()).toEqual(['ann account.create']);
  expect(await deliver()).toMatchObject({ sent: 4, failed: 3, error: null });
  expect(told).toEqual([
    ...['ann account.create', 'bob account.create', 'ann enrolment.add C1', 'bob enrolment.add C1'],
  ]);
  const away = (await items()).filter(({ status }) => status === 'failed');
  expect(away.map(({ type, because, attempts, answer }) => [type, because, attempts, answer])).toEqual(
    ['course.create', 'enrolment.remove', 'account.disable'].map((type) => [
      ...[type, 'type', 0, `not sent: crm takes no ${type} any more`],
    ]),
  );
  expect(await deliver()).toMatchObject({ sent: 0, failed: 0 });
  takesAllBut('course.create');
  expect(await deliver()).toMatchObject({ sent: 2, failed: 0 });
  expect(told).toEqual(['bob enrolment.remove C1', 'bob account.disable']);
  expect(await stands()).toMatchObject({ 'course.create C1': 'failed' });
});

test('a creation that the target takes no more swallows no update and holds up no enrolment', async () => {
  const { site, sent, told, answers, deliver, items, takesAllBut } = await siteWith();
  answers.of = refuse('eve account.create', 'eve enrolment.add C1');
  await site.run('sis', [row('eve')]);
  await deliver();
  await site.run('sis', [row('ann'), row('eve')]);
  for (const name of ['Ann', 'Anna']) await site.run('sis', [row('ann', { name }), row('eve')]);
  answers.of = () => ({});
  takesAllBut('account.create');
  // what stood behind a refused creation would wait for ever: nobody sends that any more
  expect(await deliver()).toMatchObject({ sent: 3, failed: 1 });
  expect(told.sort()).toEqual(['Anna account.update', 'ann enrolment.add C1', 'eve enrolment.add C1']);
  await site.run('sis', [row('ann', { name: 'Annie' }), row('eve')]);
  await deliver();
  expect(told).toEqual(['Annie account.update']);
  takesAllBut();
  expect(await deliver()).toMatchObject({ sent: 1, failed: 0 });
  expect(sent).toMatchObject([{ type: 'account.create', account: { firstName: 'Annie' } }]);
  expect((await items()).filter(({ status }) => status === 'failed').map(({ type }) => type)).toEqual([
    ...['account.create'],
  ]);
});

test('who left and came back while the target took no such change is as the roster says', async () => {
  const { site, told, deliver, items, takesAllBut } = await siteWith();
  await site.run('sis', [row('ann'), row('bob'), row('eve')]);
  await deliver();
  await site.run('sis', [row('bob'), row('eve')]);
  takesAllBut('account.disable', 'enrolment.remove');
  expect(await deliver()).toMatchObject({ sent: 0, failed: 2 });
  await site.run('sis', [row('ann'), row('bob'), row('eve')]);
  await deliver();
  expect(told).toEqual(['ann account.enable', 'ann enrolment.add C1']);
  takesAllBut();
  expect(await deliver()).toMatchObject({ sent: 0, failed: 0 });
  expect((await items()).filter(({ status }) => status === 'failed')).toEqual([]);
});

test('a replay leaves what the target takes no more, and sends it once it does', async () => {
  const { site, told, answers, deliver, items, takesAllBut } = await siteWith();
  await site.run('sis', [row('ann'), row('bob')]);
  answers.of = refuse('bob enrolment.add C1');
  await deliver();
  await fill(site.rosterd, 'crm');
  takesAllBut('enrolment.add', 'course.create');
  await deliver();
  const ids = (await items())
    .filter(({ type, status }) => type === 'enrolment.add' && status !== 'superseded')
    .map(({ item }) => item);
  const { replayed, left } = await replay(site.rosterd, { items: ids });
  expect([replayed, left.map(({ item }) => item)]).toEqual([[], ids]);
  expect(new Set(left.map(({ why }) => why))).toEqual(new Set(['crm takes no enrolment.add any more']));
  expect(await preview(site.rosterd, { items: ids })).toEqual([]);
  takesAllBut('course.create');
  const own = ids.at(-1)!;
  expect((await replay(site.rosterd, { items: [own] })).replayed).toEqual([own]);
  answers.of = () => ({});
  await deliver();
  expect(told.sort()).toEqual(['ann enrolment.add C1', 'bob enrolment.add C1']);
});
