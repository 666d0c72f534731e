import { expect, onTestFinished, test } from 'vitest';
import type { Level } from '../../../src/base/events.ts';
import { openLog } from '../../../src/base/log.ts';
import type { TargetConfig } from '../../../src/configure/config.ts';
import type { DeliveryItem, ItemResult } from '../../../src/connector/target.ts';
import { deliverAll } from '../../../src/deliver/deliver.ts';
import { fill, settleMove } from '../../../src/operate/fill.ts';
import { setPaused } from '../../../src/operate/queue.ts';
import { crashingStore } from '../../support/crashing-store.ts';
import { everything, noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** A target whose address in the configuration is no longer that of the platform that has what was sent to it. */

const row = (who: string, course = 'C1'): MemoryRow => ['F', 'D', course, who, 'L', `${who}@x.edu`, '1', who];
const [sandbox, production] = ['https://sandbox.example.edu', 'https://crm.example.edu'];

/** A site with platforms behind addresses, each with everything that it was sent. `names`: of its targets. */
function siteWith(...names: string[]) {
  const platforms = new Map<string, string[]>();
  const sentTo = (url: string): string[] => platforms.get(url) ?? [];
  const answers = { of: (_text: string): Partial<ItemResult> => ({}) };
  const textOf = ({ account, type, course }: DeliveryItem): string =>
    [account?.firstName, type, course?.course].filter(Boolean).join(' ');
  const take = (url: string, items: Iterable<DeliveryItem>): ItemResult[] =>
    [...items].map((item) => {
      platforms.set(url, [...sentTo(url), textOf(item)]);
      return { item: item.item, outcome: 'sent', answer: null, ...answers.of(textOf(item)) } as ItemResult;
    });
  const targetOf = (name: string, url: string, more: Partial<typeof everything> = {}): TargetConfig => {
    const connector = {
      ...everything,
      open: async () => ({
        deliver: async (items: Iterable<DeliveryItem>) => take(url, items),
        deliverRoster: async (_still: unknown, items: Iterable<DeliveryItem>) => {
          platforms.set(url, [...sentTo(url), 'the roster']);
          return take(url, items);
        },
        close: async () => {},
      }),
      ...more,
    };
    return { name, connector, enabled: true, rate: null, giveUpAfter: 50, settings: { url } };
  };
  const site = new Site({ sources: ['sis'], limits: noLimits, targets: names.map((name) => targetOf(name, sandbox)) });
  onTestFinished(() => site[Symbol.asyncDispose]());
  const said: { event: string; level: Level; msg: string }[] = [];
  const to = { write: (line: string) => void said.push(JSON.parse(line)) };
  site.rosterd.work.log = openLog({ level: 'info', terminal: false, journal: false, to });
  return {
    ...{ site, sentTo, answers, said },
    /** Another configuration: the addresses of the targets, in their order. */
    point(urls: readonly string[], more: Partial<typeof everything> = {}) {
      const targets = names.map((name, at) => targetOf(name, urls[at]!, more));
      site.rosterd.config = { ...site.rosterd.config, targets };
    },
    deliver: () => deliverAll(site.rosterd.config, site.store, site.rosterd.work),
    async stands() {
      const items = await site.store.outbox.list({ limit: 999 });
      return items.map(({ delivery, status }) => `${textOf(delivery)} ${status}`);
    },
  };
}
const created = ['ann account.create', 'ann enrolment.add C1'];

test('a target that points elsewhere than to what has what was sent gets nothing, and says so', async () => {
  const { site, point, deliver, sentTo, stands, said } = siteWith('crm');
  await site.run('sis', [row('ann')]);
  await deliver();
  expect(sentTo(sandbox)).toEqual(created);
  await site.run('sis', [row('ann', 'C2')]);
  await site.restart();
  point([production]);
  // also when nothing waits: who finds out with the next change finds out too late
  for (const _ of [1, 2]) {
    const [end] = await deliver();
    expect(end).toMatchObject({ sent: 0, failed: 0, paused: false, error: { kind: 'Misconfigured' } });
    for (const word of [sandbox, production, 'rosterd queue moved crm same', 'rosterd queue moved crm new'])
      expect(end!.error!.message).toContain(word);
  }
  expect(sentTo(production)).toEqual([]);
  expect((await stands()).slice(-2)).toEqual(['ann enrolment.add C2 queued', 'ann enrolment.remove C1 queued']);
  expect(said.filter(({ event }) => event === 'target.moved')[0]).toMatchObject({
    ...{ level: 'error', target: 'crm' },
    ...{ address: `everything at ${production}`, lastAddress: `everything at ${sandbox}` },
  });
  expect(said.at(-1)).toMatchObject({ event: 'delivery.stopped', level: 'error' });

  point([sandbox]);
  expect(await deliver()).toMatchObject([{ sent: 2, error: null }]);
  expect(sentTo(production)).toEqual([]);
});

test('another kind at the same address is another platform', async () => {
  const { site, point, deliver } = siteWith('crm');
  await site.run('sis', [row('ann')]);
  await deliver();
  point([sandbox], { kind: 'other' });
  expect(await deliver()).toMatchObject([
    { sent: 0, error: { message: expect.stringContaining(`other at ${sandbox}`) } },
  ]);
});

test('two targets whose names were swapped both get nothing', async () => {
  const { site, point, deliver, sentTo } = siteWith('crm', 'lms');
  point([sandbox, production]);
  await site.run('sis', [row('ann')]);
  await deliver();
  point([production, sandbox]);
  await site.run('sis', [row('ann'), row('bob')]);
  expect(await deliver()).toMatchObject([{ error: { kind: 'Misconfigured' } }, { error: { kind: 'Misconfigured' } }]);
  expect([sentTo(sandbox), sentTo(production)]).toEqual([created, created]);
});

test('before anything was sent an address is corrected without a word', async () => {
  const { site, point, answers, deliver, sentTo } = siteWith('crm');
  await site.run('sis', [row('ann')]);
  answers.of = () => ({ outcome: 'failed', answer: 'who is that?' });
  await deliver();
  expect(await site.store.outbox.platforms()).toEqual([]);
  point([production]);
  await site.run('sis', [row('bob')]);
  answers.of = () => ({});
  expect(await deliver()).toMatchObject([{ error: null }]);
  expect(sentTo(production)).toContain('bob account.create');
});

test('what an older rosterd has sent counts as sent to where the target points now', async () => {
  const { site, point, deliver } = siteWith('crm');
  await site.run('sis', [row('ann')]);
  const items = (await site.store.outbox.list({ limit: 9 })).map(({ item }) => item);
  const sent = items.map((item) => ({ item, outcome: 'sent' as const, answer: null }));
  await site.store.outbox.settle('crm', sent, new Date(site.time).toISOString());
  expect(await deliver()).toMatchObject([{ sent: 0, error: null }]);
  point([production]);
  expect(await deliver()).toMatchObject([{ sent: 0, error: { kind: 'Misconfigured' } }]);
});

test('a process that dies at any write of a first delivery leaves nothing sent of which nobody knows where', async () => {
  const { site, deliver } = siteWith('crm');
  await site.run('sis', [row('ann'), row('bob')]);
  for (let write = 1; ; write += 1) {
    const { store, died } = crashingStore(site.store, { write, when: 'after' });
    await deliverAll(site.rosterd.config, store, site.rosterd.work).catch(() => {});
    await site.restart();
    const { crm } = await site.store.outbox.counts();
    if (crm!.sent) expect(await site.store.outbox.platforms()).toMatchObject([{ target: 'crm', address: sandbox }]);
    if (!died()) break;
  }
  expect(await deliver()).toMatchObject([{ error: null }]);
});

test('the same platform under a new address goes on where it was', async () => {
  const { site, point, deliver, sentTo, said } = siteWith('crm');
  await site.run('sis', [row('ann')]);
  await deliver();
  await expect(settleMove(site.rosterd, 'crm', 'same')).rejects.toThrow(/crm has not moved/);
  await site.run('sis', [row('ann', 'C2')]);
  point([production]);
  expect(await settleMove(site.rosterd, 'crm', 'same')).toEqual({ queued: 0, remastered: false });
  expect(said.at(-1)).toMatchObject({ event: 'queue.moved', target: 'crm', outcome: 'same' });
  expect(await deliver()).toMatchObject([{ sent: 2, error: null }]);
  expect(sentTo(production)).toEqual(['ann enrolment.add C2', 'ann enrolment.remove C1']);
  point([sandbox]);
  expect(await deliver()).toMatchObject([{ error: { kind: 'Misconfigured' } }]);
});

test('a new platform gets everybody in scope, and nothing of what waited for the other one', async () => {
  const { site, point, answers, deliver, sentTo, stands } = siteWith('crm');
  await site.run('sis', [row('ann'), row('bob'), row('cid')]);
  answers.of = (text) => (text === 'cid enrolment.add C1' ? { outcome: 'failed', answer: 'full' } : {});
  await deliver();
  // bob has left, ann has moved: both are news to the other platform alone
  await site.run('sis', [row('ann', 'C2'), row('cid')]);
  const [first] = await site.store.outbox.list({ status: 'queued', limit: 1 });
  await site.store.outbox.processing('crm', [first!.item]);
  point([production]);
  await expect(fill(site.rosterd, 'crm')).rejects.toThrow(/what was sent went to/);
  expect(await settleMove(site.rosterd, 'crm', 'new')).toEqual({ queued: 6, remastered: false });
  answers.of = () => ({});
  expect(await deliver()).toMatchObject([{ sent: 6, failed: 0, error: null }]);
  expect(sentTo(production)).toEqual([
    ...['course.create C1', 'course.create C2', 'ann account.create', 'cid account.create'],
    ...['ann enrolment.add C2', 'cid enrolment.add C1'],
  ]);
  expect((await stands()).filter((text) => !/ (sent|superseded)$/.test(text))).toEqual([]);
  await site.run('sis', [row('ann', 'C2')]);
  expect(await deliver()).toMatchObject([{ sent: 2, error: null }]);
  expect(sentTo(production).slice(-2)).toEqual(['cid enrolment.remove C1', 'cid account.disable']);
});

test('a new platform that takes the whole roster is given it at once, unless the target is paused', async () => {
  const { site, point, deliver, sentTo } = siteWith('lms');
  const whole = { wantsRoster: () => true };
  point([sandbox], whole);
  await site.run('sis', [row('ann')]);
  await deliver();
  point([production], whole);
  await setPaused(site.rosterd, 'lms', true, null);
  await expect(settleMove(site.rosterd, 'lms', 'new')).rejects.toThrow(/lms is paused/);
  await setPaused(site.rosterd, 'lms', false, null);
  expect(await deliver()).toMatchObject([{ error: { kind: 'Misconfigured' } }]);
  await expect(fill(site.rosterd, 'lms')).rejects.toThrow(/what was sent went to/);
  expect(sentTo(production)).toEqual([]);
  expect(await settleMove(site.rosterd, 'lms', 'new')).toEqual({ queued: 0, remastered: true });
  expect(sentTo(production)).toEqual(['the roster']);
  expect(await deliver()).toMatchObject([{ error: null }]);
});

test('a target that got its first roster by a fill has it from there', async () => {
  const { site, point } = siteWith('lms');
  const whole = { wantsRoster: () => true };
  point([sandbox], whole);
  await fill(site.rosterd, 'lms');
  point([production], whole);
  await expect(fill(site.rosterd, 'lms')).rejects.toThrow(/what was sent went to/);
});
