import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Stub } from '../../src/connector/stub.ts';
import { startStubs } from '../../src/daemon.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import { askSocket, DaemonSite, type Process } from '../support/daemon-site.ts';
import { line, lines } from '../support/installation.ts';

/** The commands `queue …` as people and scripts meet them: processes, on the store alone and through a daemon. */

// biome-ignore lint/suspicious/noExplicitAny: what it is, each test says
type Json = any;

type Way = 'on the store' | 'through a daemon';

/** Seven people in two sources, and a target, `crm`, that is a Salesforce. */
class QueueSite extends DaemonSite {
  readonly way: Way;
  readonly stubs: Stub[];
  daemon: Process | null = null;

  private constructor(way: Way, stubs: Stub[]) {
    const { url } = stubs.find(({ kind }) => kind === 'salesforce')!;
    super({
      top: `guards: { removals: { percent: 100, window: { percent: 100 } } }
targets:
  crm: { kind: salesforce, url: '${url}', clientId: c, clientSecret: { file: ./secret } }`,
    });
    this.way = way;
    this.stubs = stubs;
  }

  static async open(way: Way): Promise<QueueSite> {
    const stubs = await startStubs({});
    onTestFinished(async () => {
      await Promise.all(stubs.map((stub) => stub.close()));
    });
    const site = new QueueSite(way, stubs);
    writeFileSync(join(site.directory, 'secret'), 'stub');
    site.drop('sis', 0, 5);
    site.drop('hr', 5, 7);
    await site.restart();
    return site;
  }

  /** Another daemon; without one there is nothing to do, each command is a process of its own. */
  async restart(): Promise<void> {
    if (this.way === 'on the store') return;
    if (this.daemon) expect(await this.daemon.stop()).toBe(0);
    this.daemon = await this.start();
  }

  /** Runs a command, which has to end with a status; gives the lines that it printed. */
  async does(status: number, ...args: string[]): Promise<Json[]> {
    const said = await this.rosterd(...args, '--json');
    expect(said.status, `${args.join(' ')}: ${said.stderr}${said.stdout}`).toBe(status);
    return said.stdout
      .split('\n')
      .filter(Boolean)
      .map((one) => JSON.parse(one));
  }

  /** `queue …`, which has to go well. */
  async queue(...args: string[]): Promise<Json> {
    return (await this.does(0, 'queue', ...args))[0];
  }

  /** `queue …`, which has to be refused as wrong usage. */
  async refused(message: string | RegExp, ...args: string[]): Promise<void> {
    const { status, stdout, stderr } = await this.rosterd('queue', ...args);
    expect([status, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)]);
  }

  /** Every item, without a process. */
  async items(): Promise<Json[]> {
    if (this.daemon) return (await askSocket(this.socket, 'GET', '/v1/queue?limit=1000')).json.items;
    const store = openEmbeddedStore(join(this.directory, 'var'));
    const items = await store.outbox.list({ limit: 1000 });
    await store.close();
    return items;
  }

  /** Waits until nothing is queued or in hand; a daemon delivers in its own time. */
  async settled(): Promise<void> {
    const left = async (): Promise<number> =>
      (await this.items()).filter(({ status }) => status === 'queued' || status === 'processing').length;
    await expect.poll(left, { timeout: 30_000 }).toBe(0);
  }

  stub(kind: string): Stub {
    return this.stubs.find((stub) => stub.kind === kind)!;
  }

  /** What the Salesforce stub was asked to write. */
  async asked(): Promise<{ method: string; sha256: string; body: string }[]> {
    const { requests } = (await (await fetch(`${this.stub('salesforce').url}/_stub/requests`)).json()) as Json;
    return requests.filter(({ method, url }: Json) => method !== 'GET' && url.startsWith('/services/data/'));
  }

  contacts(): Json[] {
    return (this.stub('salesforce').state() as Json).contacts;
  }
}

const ways: Way[] = ['on the store', 'through a daemon'];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const idsOf = (items: readonly Json[]): string[] => items.map(({ item }) => item);

// some dozens of processes, on a machine that may have others to start
describe.each(ways)('%s', { timeout: 300_000 }, (way) => {
  test('pause outlives the process, list and show tell, a preview is what is sent', async () => {
    const site = await QueueSite.open(way);
    expect(await site.queue('pause', 'crm', '--reason', 'rollover')).toEqual({
      ...{ target: 'crm', paused: true, changed: true },
    });
    await site.restart();
    expect(await site.queue('pause', 'crm')).toMatchObject({ changed: false });
    await site.refused('there is no target lms; there are: crm', 'pause', 'lms');
    await site.does(3, 'sync');
    expect(site.contacts()).toEqual([]);

    const all = await site.does(0, 'queue', 'list');
    expect(all).toEqual(await site.items());
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['queued']));
    const [{ item, person, plan }] = all.filter(({ type }) => type === 'account.create');
    const listed = async (...filter: string[]): Promise<Json[]> => site.does(0, 'queue', 'list', ...filter);
    expect(await listed('--person', person)).toEqual(all.filter((one) => one.person === person));
    expect(await listed('--run', plan, '--target', 'crm')).toEqual(all.filter((one) => one.plan === plan));
    expect(await listed('--limit', '3')).toEqual(all.slice(0, 3));
    expect(await listed('--status', 'sent')).toEqual([]);
    expect(await site.queue('show', item)).toEqual(all.find((one) => one.item === item));
    await site.refused('no item none', 'show', 'none');

    const one = await site.does(0, 'queue', 'preview', item);
    expect(one.flatMap(({ items }) => items)).toEqual([item]);
    const shown = await site.does(0, 'queue', 'preview', '--target', 'crm');
    expect(shown.flatMap(({ items }) => items)).toContain(item);
    await site.refused('nothing to preview', 'preview');
    expect([await site.asked(), await site.does(0, 'queue', 'list')], 'nothing was sent').toEqual([[], all]);

    expect(await site.queue('resume', 'crm')).toMatchObject({ paused: false, changed: true });
    await site.does(0, 'sync');
    await site.settled();
    expect(site.contacts()).toHaveLength(7);
    const sent = (await site.asked()).slice(0, shown.length);
    expect(sent.map(({ method, sha256: hash }) => [method, hash])).toEqual(
      shown.map(({ method, body }) => [method, sha256(body ?? '')]),
    );
    const after = await site.queue('show', item);
    expect(after).toMatchObject({ status: 'sent', trail: [{ outcome: 'sent' }] });
    expect(await site.queue('resume', 'crm')).toMatchObject({ changed: false });
  });

  test('what is queued anew stays in the queue when nothing is to be delivered', async () => {
    const site = await QueueSite.open(way);
    await site.does(0, 'sync');
    await site.settled();
    const item = (await site.items()).findLast(({ status }) => status === 'sent').item;
    const queued = async (): Promise<string[]> =>
      idsOf((await site.items()).filter(({ status }) => status === 'queued'));
    expect(await site.queue('replay', item, '--no-deliver')).toMatchObject({ replayed: [item], deliveries: [] });
    expect(await queued()).toEqual([item]);
    const filled = await site.queue('fill', 'crm', '--no-deliver');
    expect(filled).toMatchObject({ deliveries: [] });
    expect(filled.queued).toBeGreaterThan(6);
    expect(await queued()).toHaveLength(filled.queued + 1);
    await site.does(0, 'sync');
    await site.settled();
    expect(await queued()).toEqual([]);
  });

  test('ack answers in place of the target, replay sends once more what is chosen', async () => {
    const site = await QueueSite.open(way);
    await site.does(0, 'sync');
    await site.settled();
    await site.queue('pause', 'crm');
    const created = (await site.items()).filter(({ type }) => type === 'account.create');
    const replay = async (...chosen: string[]): Promise<string[]> => {
      const { replayed, left, superseded } = await site.queue('replay', ...chosen);
      expect([left, superseded]).toEqual([[], []]);
      return replayed.sort();
    };
    const statusOf = async (id: string): Promise<string> =>
      (await site.items()).find(({ item }) => item === id)!.status;
    const of = (n: number): Json => created.find(({ delivery }) => delivery.account.id === `id${n}`);
    const [first] = created;

    await site.refused('nothing to replay', 'replay');
    expect(await replay(first.item)).toEqual([first.item]);
    expect(await site.queue('replay', first.item)).toMatchObject({
      ...{ replayed: [], left: [{ item: first.item, why: 'it is queued already' }] },
    });
    await site.refused('needs the words of the target', 'ack', first.item, 'failed');
    await site.refused('cannot become lost', 'ack', first.item, 'lost');
    await site.refused('on its way to crm, not to lms', 'ack', first.item, 'sent', '--target', 'lms');
    expect(await site.queue('ack', first.item, 'processing')).toMatchObject({
      ...{ status: 'processing', because: 'outside' },
    });
    expect(await site.queue('ack', first.item, 'sent', '--answer', 'by hand')).toMatchObject({ status: 'sent' });
    await site.refused('is sent, and cannot become failed', 'ack', first.item, 'failed', '--answer', 'too late');

    // six of seven are failed, one of those by the command
    const failed = [0, 1, 2, 3, 5, 6].map((n) => of(n).item as string);
    expect(await replay(...failed)).toEqual([...failed].sort());
    expect(
      await site.queue('ack', failed[0]!, 'failed', '--answer', 'no such record', '--target', 'crm'),
    ).toMatchObject({
      ...{ status: 'failed', answer: 'no such record' },
    });
    for (const id of failed.slice(1)) await fail(site, id);
    expect(idsOf(await site.does(0, 'queue', 'list', '--status', 'failed')).sort()).toEqual([...failed].sort());
    expect(await replay('--person', of(0).person)).toEqual([of(0).item]);
    expect(await replay('--run', of(5).plan)).toEqual([of(5).item, of(6).item].sort());
    expect(await replay(of(1).item)).toEqual([of(1).item]);
    expect(await replay('--target', 'crm')).toEqual([of(2).item, of(3).item].sort());
    expect(await replay('--failed')).toEqual([]);
    await fail(site, of(2).item);

    const before = await site.asked();
    await site.queue('resume', 'crm');
    expect(await replay('--failed')).toEqual([of(2).item]);
    await site.settled();
    expect(await Promise.all(failed.map(statusOf))).toEqual(failed.map(() => 'sent'));
    const again = (await site.asked())
      .slice(before.length)
      .map(({ body }) => body)
      .join('');
    for (const id of failed) expect(again).toContain(created.find(({ item }) => item === id)!.delivery.account.email);
    expect(site.contacts(), 'nobody twice').toHaveLength(7);
  });

  test('fill gives a target that is added later the whole roster', async () => {
    const site = await QueueSite.open(way);
    await site.does(0, 'sync');
    site.drop('sis', 0, 4);
    await site.does(0, 'sync');
    await site.settled();
    const lms = `\n  lms: { kind: canvas, url: '${site.stub('canvas').url}', token: { file: ./secret }, pollEvery: 20ms }`;
    site.rewrite((yaml) => yaml.replace(/(\n {2}crm: .*)/, `$1${lms}`));
    if (site.daemon) await site.does(0, 'reload');
    await site.refused('there is no target nobody', 'fill', 'nobody');
    const { queued } = await site.queue('fill', 'lms');
    await site.settled();
    const filled = (await site.items()).filter(({ target }) => target === 'lms');
    expect(filled.filter(({ status }) => status !== 'sent')).toEqual([]);
    expect(queued).toBe(filled.length);
    const { users, enrollments } = site.stub('canvas').state() as Json;
    // who had left before the target came was never there
    const active = (await site.items()).filter(
      ({ target, type, delivery }) => target === 'crm' && type === 'account.create' && delivery.account.id !== 'id4',
    );
    expect(users.map(({ email }: Json) => email).sort()).toEqual(
      active.map(({ delivery }) => delivery.account.email).sort(),
    );
    expect([users.length, enrollments.length]).toEqual([6, 6]);
  });

  test('a target that points elsewhere gets nothing before somebody has said what it is', async () => {
    const site = await QueueSite.open(way);
    await site.does(0, 'sync');
    await site.settled();
    const others = await startStubs({});
    onTestFinished(async () => {
      await Promise.all(others.map((stub) => stub.close()));
    });
    const other = others.find(({ kind }) => kind === 'salesforce')!;
    const contacts = (): Json[] => (other.state() as Json).contacts;
    const [from, to] = [site.stub('salesforce').url, other.url];
    site.rewrite((yaml) => yaml.replace(from, `${to}/`));
    if (site.daemon) {
      await site.does(0, 'reload');
      expect(await site.daemon.says('target.moved')).toMatchObject({ target: 'crm', level: 'error' });
      const [{ targets }] = await site.does(0, 'status');
      expect(targets).toMatchObject([{ moved: { from: `salesforce at ${from}`, to: `salesforce at ${to}` } }]);
    }
    const words = new RegExp(
      `crm is salesforce at ${to} now, but what was sent went to salesforce at ${from};.* moved crm`,
    );
    const [{ findings }] = await site.does(2, 'check', '--connect');
    expect(findings.find(({ name }: Json) => name === 'crm').error.message).toMatch(words);
    site.drop('sis', 0, 4);
    const [{ deliveryErrors }] = await site.does(1, 'sync');
    expect(deliveryErrors).toMatchObject([{ error: { kind: 'Misconfigured', message: expect.stringMatching(words) } }]);
    await site.refused(words, 'fill', 'crm');
    await site.refused('there is no target lms', 'moved', 'lms', 'new');
    expect(contacts()).toEqual([]);

    const { queued } = await site.queue('moved', 'crm', 'new');
    await site.settled();
    // the seventh had left by then, and was never there
    expect(contacts()).toHaveLength(6);
    expect(queued).toBeGreaterThan(6);
    await site.refused('crm has not moved', 'moved', 'crm', 'same');

    site.rewrite((yaml) => yaml.replace(`${to}/`, from));
    if (site.daemon) await site.does(0, 'reload');
    site.drop('sis', 0, 3);
    await site.does(1, 'sync');
    expect(await site.queue('moved', 'crm', 'same')).toMatchObject({ queued: 0 });
    await site.settled();
    await site.does(0, 'sync');
    expect(contacts(), 'the other one was told of nobody any more').toHaveLength(6);
    const left = (await site.items()).filter(({ type, status }) => type === 'account.disable' && status === 'sent');
    expect(left).toHaveLength(1);
  });

  test('what sources disagree about is held back until somebody lets it pass', async () => {
    const site = await QueueSite.open(way);
    await site.does(0, 'sync');
    expect(await site.does(0, 'queue', 'discrepancies')).toEqual([]);
    site.dropRows('hr', [...lines(5, 7), line(6).replace(',id6', ',other6')]);
    await site.does(0, 'sync');
    await site.settled();
    const open = await site.does(3, 'queue', 'discrepancies');
    expect(open).toMatchObject([{ source: 'hr', reviewed: null }]);
    const [{ account, digest }] = open;
    const { item } = (await site.items()).find(({ person, type }) => person === account && type === 'account.create')!;
    // without a daemon the command delivers, and tells by its status that this item was not sent
    const status = site.daemon ? 0 : 1;
    expect(await site.does(status, 'queue', 'replay', item)).toMatchObject([{ replayed: [item] }]);
    await site.settled();
    expect(await site.queue('show', item)).toMatchObject({ status: 'failed', because: 'discrepancy' });

    await site.refused('no such open discrepancy', 'review', account, '--discrepancy', 'none');
    await site.refused('no such open discrepancy', 'review', '9509999999');
    const note = 'called them';
    const reviewed = await site.does(0, 'queue', 'review', account, '--discrepancy', digest, '--note', note);
    expect(reviewed).toMatchObject([{ account, digest, reviewed: { note } }]);
    expect(await site.does(0, 'queue', 'discrepancies')).toEqual(reviewed);
    await site.does(0, 'sync');
    await site.settled();
    expect(await site.queue('show', item)).toMatchObject({ status: 'sent' });
  });
});

/** An answer of the target that refuses an item, without a process. */
async function fail(site: QueueSite, item: string): Promise<void> {
  if (site.daemon) {
    const body = { item, status: 'failed', answer: 'no such record' };
    expect((await askSocket(site.socket, 'POST', '/v1/queue/ack', body)).status).toBe(200);
    return;
  }
  const store = openEmbeddedStore(join(site.directory, 'var'));
  expect(await store.outbox.ack(item, 'failed', 'no such record', '2026-01-01T00:00:00.000Z')).toBeTruthy();
  await store.close();
}
