import { Misconfigured } from '../base/errors.ts';
import { deliverAll } from '../deliver/deliver.ts';
import type { DeliveryEnd } from '../deliver/drain.ts';
import type { Discrepancy } from '../outbox/discrepancies.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { OutboxItem, OutboxStatus } from '../store/port.ts';
import type { Daemon } from './control/client.ts';
import { type Filled, fill, settleMove } from './fill.ts';
import {
  acknowledge,
  discrepancies,
  findItem,
  type PreviewJson,
  preview,
  type Replayed,
  replay,
  review,
  type Selection,
  setPaused,
} from './queue.ts';
import { paint, type Screen, table, timeText } from './screen.ts';
import { exit, withDaemon } from './session.ts';

/** The commands `queue …`: through the daemon when one runs, else on the store. */

interface Options {
  config: string;
  json: boolean;
}

/** What commands do with the queue, wherever it is. */
interface Queue {
  list(filter: Filter): AsyncGenerator<OutboxItem>;
  item(id: string): Promise<OutboxItem>;
  preview(what: { items?: string[] | undefined; target?: string | undefined }): Promise<PreviewJson[]>;
  /** A daemon delivers what is queued again by itself, unless told not to. */
  replay(selection: Selection, how: { deliver: boolean }): Promise<Replayed>;
  ack(id: string, said: { status: Acked; answer: string | null; target?: string }): Promise<OutboxItem>;
  pause(target: string, paused: boolean, reason: string | null): Promise<boolean>;
  /** As `replay` with the delivery. */
  fill(target: string, how: { deliver: boolean }): Promise<Filled>;
  moved(target: string, platform: 'same' | 'new', how: { deliver: boolean }): Promise<Filled>;
  discrepancies(): Promise<Discrepancy[]>;
  review(account: string, what: { discrepancy?: string | undefined; note: string | null }): Promise<Discrepancy[]>;
  /** Delivers what is queued now; a daemon does by itself. */
  deliver(): Promise<DeliveryEnd[]>;
}

type Acked = 'processing' | 'sent' | 'failed';

interface Filter {
  target?: string | undefined;
  status?: OutboxStatus | undefined;
  run?: string | undefined;
  person?: string | undefined;
  limit: number;
}

const pageSize = 500;

function queueOf(rosterd: Rosterd): Queue {
  const { store, config, work } = rosterd;
  return {
    async *list({ target, status, run, person, limit }) {
      const filter = {
        ...(target !== undefined && { target }),
        ...(status !== undefined && { status }),
        ...(run !== undefined && { plan: run }),
        ...(person !== undefined && { people: [person] }),
      };
      let left = limit;
      for (let after = 0; left > 0; ) {
        const page = await store.outbox.list({ ...filter, after, limit: Math.min(left, pageSize) });
        if (!page.length) return;
        yield* page;
        left -= page.length;
        after = page.at(-1)!.seq;
      }
    },
    item: (id) => findItem(rosterd, id),
    preview: (what) => preview(rosterd, what),
    replay: (selection) => replay(rosterd, selection),
    ack: (id, said) => acknowledge(rosterd, id, said),
    pause: (target, paused, reason) => setPaused(rosterd, target, paused, reason),
    fill: (target) => fill(rosterd, target),
    moved: (target, platform) => settleMove(rosterd, target, platform),
    discrepancies: () => discrepancies(rosterd),
    review: (account, what) => review(rosterd, account, what),
    deliver: () => deliverAll(config, store, work),
  };
}

function queueOver(daemon: Daemon): Queue {
  return {
    async *list({ target, status, run, person, limit }) {
      let left = limit;
      for (let after: number | null = 0; after !== null && left > 0; ) {
        const query = { target, status, plan: run, person, after, limit: Math.min(left, pageSize) };
        const page: { items: unknown[]; next: number | null } = await daemon.call('queue', { query });
        // its schema leaves open what is delivered; this is a whole item all the same
        yield* page.items as OutboxItem[];
        left -= page.items.length;
        after = page.next;
      }
    },
    item: async (item) => (await daemon.call('item', { params: { item } })) as unknown as OutboxItem,
    preview: async (body) => (await daemon.call('preview', { body })).requests,
    replay: ({ items, ...rest }, { deliver }) =>
      daemon.call('replay', { body: { ...rest, items: items && [...items], deliver } }),
    ack: async (item, said) => (await daemon.call('ack', { body: { item, ...said } })) as unknown as OutboxItem,
    async pause(target, paused, reason) {
      const params = { target };
      if (paused) return (await daemon.call('pause', { params, body: { reason } })).changed;
      return (await daemon.call('resume', { params })).changed;
    },
    fill: (target, { deliver }) => daemon.call('fill', { params: { target }, body: { deliver } }),
    moved: (target, platform, { deliver }) => daemon.call('moved', { params: { target }, body: { platform, deliver } }),
    discrepancies: async () => (await daemon.call('discrepancies')).discrepancies,
    review: async (account, what) => (await daemon.call('review', { body: { account, ...what } })).discrepancies,
    deliver: async () => [],
  };
}

function withQueue(options: Options, work: (queue: Queue, screen: Screen) => Promise<number>): Promise<number> {
  return withDaemon(
    options,
    (daemon, screen) => work(queueOver(daemon), screen),
    ({ rosterd, screen }) => work(queueOf(rosterd), screen),
  );
}

/** `queue list`: items in the order of queueing. */
export function listQueue(options: Options & Filter): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const shown: OutboxItem[] = [];
    for await (const item of queue.list(options))
      if (screen.human) shown.push(item);
      else screen.json(item);
    if (!screen.human) return exit.done;
    if (!shown.length) screen.say('nothing of that kind is in the queue');
    else
      screen.say(
        table(
          ['item', 'status', 'attempts', 'answer'],
          shown.map((item) => [item.item, statusText(item), item.attempts, item.answer ?? '']),
        ),
      );
    if (shown.length === options.limit) screen.say(paint.dim(`  the first ${options.limit}; --limit N shows more`));
    return exit.done;
  });
}

/** `queue show ITEM`: what is delivered, and every answer. */
export function showItem(id: string, options: Options): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const item = await queue.item(id);
    if (!screen.human) {
      screen.json(item);
      return exit.done;
    }
    screen.say(`${paint.bold(item.item)}\n  ${item.type} for ${item.target}, of run ${item.plan}`);
    screen.say(`  ${statusText(item)}, ${item.attempts} attempts${item.because ? `, because of ${item.because}` : ''}`);
    for (const { at, outcome, answer } of item.trail)
      screen.say(`  ${timeText(at)}  ${outcome.padEnd(7)} ${answer ?? ''}`);
    screen.say(JSON.stringify(item.delivery, null, 2));
    return exit.done;
  });
}

/** `queue preview`: the requests, byte for byte. */
export function previewQueue(items: readonly string[], options: Options & { target?: string }): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    if (!items.length && options.target === undefined)
      throw new Misconfigured('nothing to preview', { remedy: 'name items, or a target with --target' });
    const requests = await queue.preview({ items: items.length ? [...items] : undefined, target: options.target });
    if (!screen.human) for (const request of requests) screen.json(request);
    else if (!requests.length) screen.say('nothing would be sent');
    else for (const request of requests) printRequest(screen, request);
    const carried = new Set(requests.flatMap((request) => request.items));
    for (const item of items)
      if (!carried.has(item))
        process.stderr.write(`rosterd: no request can be made of ${item}; what is failed says why\n`);
    return exit.done;
  });
}

function printRequest(
  screen: Screen,
  { target, method, url, headers, body, encoding, bytes, files }: PreviewJson,
): void {
  screen.say(`${paint.bold(target)}  ${method} ${url}`);
  for (const [name, value] of Object.entries(headers)) screen.say(paint.dim(`  ${name}: ${value}`));
  if (files) for (const [name, text] of Object.entries(files)) screen.say(`  ${paint.bold(name)}\n${text.trimEnd()}`);
  else if (body !== null)
    screen.say(encoding === 'utf8' ? body : `  ${bytes} bytes that are no text (--json has them)`);
  screen.say('');
}

/** `queue replay`: failed items once more, and the delivery of them. */
export function replayQueue(
  items: readonly string[],
  options: Options & { person?: string; run?: string; target?: string; failed: boolean; deliver: boolean },
): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const { person, run, target, failed } = options;
    const chosen = items.length > 0 || person !== undefined || run !== undefined || target !== undefined;
    if (!chosen && !failed)
      throw new Misconfigured('nothing to replay', {
        remedy: 'name items, or give --person, --run, --target, or --failed for every failed one',
      });
    const { deliver } = options;
    const done = await queue.replay({ items: items.length ? items : undefined, person, run, target }, { deliver });
    const ends = deliver && done.replayed.length ? await queue.deliver() : [];
    if (!screen.human) screen.json({ ...done, deliveries: ends });
    else {
      screen.say(`${done.replayed.length} queued again`);
      for (const { item, because } of done.superseded) screen.say(`  ${item}: ${because} has a newer state of it`);
      for (const { item, why } of done.left) screen.say(paint.yellow(`  ${item}: ${why}`));
      for (const end of ends) screen.say(endLine(end));
    }
    return ends.some((end) => end.error || end.failed) ? exit.failed : exit.done;
  });
}

/** `queue ack ITEM STATUS`: an answer in place of the target's. */
export function ackItem(
  id: string,
  status: string,
  options: Options & { answer?: string; target?: string },
): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    if (status !== 'processing' && status !== 'sent' && status !== 'failed')
      throw new Misconfigured(`an item cannot become ${status}`, { remedy: 'processing, sent or failed' });
    const { answer = null, target } = options;
    const item = await queue.ack(id, { status, answer, ...(target === undefined ? {} : { target }) });
    if (screen.human) screen.say(`${item.item} is ${item.status}`);
    else screen.json(item);
    return exit.done;
  });
}

/** `queue pause TARGET` and `queue resume TARGET`. */
export function pauseQueue(target: string, paused: boolean, options: Options & { reason?: string }): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const changed = await queue.pause(target, paused, options.reason ?? null);
    const text = paused ? 'is paused: what comes for it waits in the queue' : 'goes on';
    if (screen.human) screen.say(`${target} ${changed ? '' : 'already '}${text}`);
    else screen.json({ target, paused, changed });
    return exit.done;
  });
}

/** `queue fill TARGET`: the whole roster for one target. */
export function fillQueue(target: string, options: Options & { deliver: boolean }): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const { deliver } = options;
    const filled = await queue.fill(target, { deliver });
    const ends = deliver && filled.queued ? await queue.deliver() : [];
    return tellFilled(screen, target, filled, ends, filledText(target, filled));
  });
}

/** `queue moved TARGET same|new`: what a target is that points elsewhere than to what has what was sent. */
export function movedQueue(
  target: string,
  platform: 'same' | 'new',
  options: Options & { deliver: boolean },
): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const { deliver } = options;
    const filled = await queue.moved(target, platform, { deliver });
    const ends = deliver ? await queue.deliver() : [];
    const text = platform === 'same' ? `${target} goes on at its new address` : filledText(target, filled);
    return tellFilled(screen, target, filled, ends, text);
  });
}

function filledText(target: string, { queued, remastered }: Filled): string {
  if (remastered) return `${target} has applied the whole roster anew`;
  return `${queued.toLocaleString('en')} items queued for ${target}`;
}

function tellFilled(
  screen: Screen,
  target: string,
  filled: Filled,
  ends: readonly DeliveryEnd[],
  text: string,
): number {
  if (!screen.human) screen.json({ target, ...filled, deliveries: ends });
  else {
    screen.say(text);
    for (const end of ends) screen.say(endLine(end));
  }
  return ends.some((end) => end.error || end.failed) ? exit.failed : exit.done;
}

function endLine({ target, sent, failed, error }: DeliveryEnd): string {
  return `  ${target}: ${sent} sent, ${failed} failed${error ? `, ${error.message}` : ''}`;
}

/** `queue discrepancies`: whose items are held back; exits with 3 while any is. */
export function listDiscrepancies(options: Options): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const open = await queue.discrepancies();
    if (!screen.human) for (const one of open) screen.json(one);
    else if (!open.length) screen.say('no discrepancy is open');
    else
      screen.say(
        table(
          ['account', 'source', 'discrepancy', 'what', 'passes'],
          open.map(({ account, source, digest, reason, text, reviewed }) => [
            ...[account, source, digest, `${reason}: ${text}`],
            reviewed ? `since ${reviewed.at.slice(0, 10)}${reviewed.note ? ` (${reviewed.note})` : ''}` : 'no',
          ]),
        ),
      );
    return open.some(({ reviewed }) => reviewed === null) ? exit.held : exit.done;
  });
}

/** `queue review ACCOUNT`: lets the items of a person pass. */
export function reviewDiscrepancy(
  account: string,
  options: Options & { discrepancy?: string; note?: string },
): Promise<number> {
  return withQueue(options, async (queue, screen) => {
    const { discrepancy, note = null } = options;
    const passed = await queue.review(account, { discrepancy, note });
    if (screen.human)
      screen.say(`${passed.length} discrepancies of ${account} let pass; the next delivery sends its items`);
    else for (const one of passed) screen.json(one);
    return exit.done;
  });
}

function statusText({ status, because }: OutboxItem): string {
  const text = because === null ? status : status === 'processing' ? 'processing (outside)' : `${status} (put away)`;
  if (status === 'failed') return paint.red(text);
  if (status === 'sent') return paint.green(text);
  return status === 'superseded' ? paint.dim(status) : text;
}
