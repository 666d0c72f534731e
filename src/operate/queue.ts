import { Misconfigured } from '../base/errors.ts';
import type { TargetConfig } from '../configure/config.ts';
import type { DeliveryItem, PreviewedRequest } from '../connector/target.ts';
import { peekBatch } from '../deliver/queue.ts';
import { sendAgain } from '../outbox/again.ts';
import { type Discrepancy, openDiscrepancies } from '../outbox/discrepancies.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { OutboxItem } from '../store/port.ts';
import { Conflict, NotFound } from './control/errors.ts';

/** What people do with the queue; the commands, the socket and the integration API all come here. */

/** Which items to send once more: these, or the failed ones of a person, a run, a target; nothing given: all failed ones. */
export interface Selection {
  items?: readonly string[] | undefined;
  person?: string | undefined;
  run?: string | undefined;
  target?: string | undefined;
}

/** What became of a replay. `left`: items that stay as they are, and why. */
export interface Replayed {
  replayed: string[];
  superseded: { item: string; because: string }[];
  left: { item: string; why: string }[];
}

/** A request as it would be sent, as JSON has it. */
export interface PreviewJson {
  target: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  /** Text where it is UTF-8, else base64; null: no body. */
  body: string | null;
  encoding: 'utf8' | 'base64';
  bytes: number;
  /** What a packed body holds. */
  files: Record<string, string> | null;
  items: readonly string[];
}

const pageSize = 500;

/** One item. Throws `NotFound` when there is none of that id. */
export async function findItem({ store }: Pick<Rosterd, 'store'>, id: string): Promise<OutboxItem> {
  const item = await store.outbox.get(id);
  if (!item) throw new NotFound(`there is no item ${id} in the queue`, { remedy: 'rosterd queue list lists them' });
  return item;
}

/** A target by its name. Throws `NotFound` with the names that there are. */
export function findTarget({ config }: Pick<Rosterd, 'config'>, name: string): TargetConfig {
  const target = config.targets.find((one) => one.name === name);
  if (target) return target;
  throw new NotFound(`there is no target ${name}`, {
    remedy: `there are: ${config.targets.map((one) => one.name).join(', ') || 'none'}`,
  });
}

/**
 * Queues failed items again, and sent ones that are named. What is queued or in hand already stays as it is; one whose
 * subject has had a newer state since is not sent over it.
 */
export async function replay(rosterd: Rosterd, selection: Selection): Promise<Replayed> {
  const done: Replayed = { replayed: [], superseded: [], left: [] };
  for await (const page of selected(rosterd, selection)) await replayPage(rosterd, page, done);
  const { work } = rosterd;
  if (done.replayed.length || done.superseded.length)
    work.log.info(
      { event: 'queue.replayed', items: done.replayed.length },
      `${done.replayed.length} items are queued again`,
    );
  return done;
}

async function* selected(rosterd: Rosterd, { items, person, run, target }: Selection): AsyncGenerator<OutboxItem[]> {
  const { outbox } = rosterd.store;
  if (target !== undefined) findTarget(rosterd, target);
  if (items) {
    for (let at = 0; at < items.length; at += pageSize)
      yield await Promise.all(items.slice(at, at + pageSize).map((id) => findItem(rosterd, id)));
    return;
  }
  const filter = {
    ...(person === undefined ? {} : { people: [person] }),
    ...(run === undefined ? {} : { plan: run }),
    ...(target === undefined ? {} : { target }),
  };
  for (let after = 0; ; ) {
    const page = await outbox.list({ ...filter, status: 'failed', after, limit: pageSize });
    if (!page.length) return;
    yield page;
    after = page.at(-1)!.seq;
  }
}

async function replayPage({ config, store }: Rosterd, page: readonly OutboxItem[], done: Replayed): Promise<void> {
  const chosen: OutboxItem[] = [];
  for (const item of page) {
    const why = reasonToLeave(item, config.targets);
    if (why === null) chosen.push(item);
    else done.left.push({ item: item.item, why });
  }
  const again = await sendAgain(store, chosen);
  for (const { item, because } of again.void)
    if (item.status === 'failed') done.superseded.push({ item: item.item, because });
    else done.left.push({ item: item.item, why: `${because} is a newer state of the same` });
  const [queued, gone] = [new Set(again.queued), new Set(again.void.map(({ item }) => item))];
  for (const item of chosen)
    if (queued.has(item.item)) done.replayed.push(item.item);
    else if (!gone.has(item)) done.left.push({ item: item.item, why: 'somebody else queued or settled it meanwhile' });
}

function reasonToLeave({ status, because, type, target }: OutboxItem, targets: readonly TargetConfig[]): string | null {
  if (status === 'queued') return 'it is queued already';
  if (status === 'processing') return because === null ? 'it is being sent' : 'another system has it in hand';
  if (status === 'superseded') return `${because} carries its state`;
  const to = targets.find(({ name }) => name === target);
  if (to && !takes(to, type)) return `${target} takes no ${type} any more`;
  if (because === 'type') return null;
  if (because === 'discrepancy') return 'an open discrepancy holds it back: rosterd queue discrepancies';
  if (because !== null && status === 'failed') return `it comes by itself after ${because}`;
  return null;
}

function takes({ connector, settings }: TargetConfig, type: DeliveryItem['type']): boolean {
  return connector.accepts(settings).includes(type);
}

/** An answer in place of a target's. Throws `NotFound`, `Misconfigured` (of another target), or `Conflict` (settled, or in hand). */
export async function acknowledge(
  rosterd: Rosterd,
  id: string,
  { status, answer, target }: { status: 'processing' | 'sent' | 'failed'; answer: string | null; target?: string },
): Promise<OutboxItem> {
  const { store, work } = rosterd;
  const item = await findItem(rosterd, id);
  if (target !== undefined && target !== item.target)
    throw new Misconfigured(`the item ${id} is on its way to ${item.target}, not to ${target}`);
  if (status === 'failed' && !answer)
    throw new Misconfigured('a failure needs the words of the target', { remedy: 'say why it failed' });
  if (!(await store.outbox.ack(id, status, answer, work.clock.now().toISOString())))
    throw new Conflict(`the item ${id} is ${item.status}, and cannot become ${status}`, {
      remedy:
        item.status === 'sent' || item.status === 'failed'
          ? 'rosterd queue replay queues it again'
          : 'try again when it has been answered',
    });
  work.log.info(
    { event: 'queue.acknowledged', target: item.target, outcome: status },
    `${item.target}: ${status} from outside`,
  );
  return findItem(rosterd, id);
}

/** Stops sending to a target after the batch in hand, or goes on. Says whether that was anything new. */
export async function setPaused(
  rosterd: Rosterd,
  target: string,
  paused: boolean,
  reason: string | null,
): Promise<boolean> {
  const { store, work } = rosterd;
  findTarget(rosterd, target);
  const was = (await store.outbox.pauses()).some((pause) => pause.target === target);
  await store.outbox.pause(target, paused ? { at: work.clock.now().toISOString(), reason } : null);
  if (was !== paused)
    work.log.info(
      { event: 'queue.paused', target, paused },
      `${target}: ${paused ? 'nothing is sent until it is resumed' : 'goes on'}`,
    );
  return was !== paused;
}

/**
 * What would be sent of these items, or of the next batch of a target, byte for byte; nothing is sent, and nothing changed.
 * Items of several targets make requests for each.
 */
export async function preview(
  rosterd: Rosterd,
  { items, target }: { items?: readonly string[] | undefined; target?: string | undefined },
): Promise<PreviewJson[]> {
  const { store } = rosterd;
  const shown: PreviewJson[] = [];
  if (target !== undefined) {
    const { connector, settings } = findTarget(rosterd, target);
    const open = (await openDiscrepancies(store)).filter(({ reviewed }) => reviewed === null);
    const obstacles = {
      discrepancies: new Map(open.map((one) => [one.account, one])),
      troubled: new Set(await store.outbox.troubled(target)),
      accepts: connector.accepts(settings),
    };
    const batch = await peekBatch(store, target, connector.batchSize(settings), obstacles);
    if (batch.length) shown.push(...previewOf(rosterd, target, batch));
  }
  const named = await Promise.all((items ?? []).map((id) => findItem(rosterd, id)));
  for (const [name, its] of Map.groupBy(named, (item) => item.target)) {
    shown.push(
      ...previewOf(
        rosterd,
        name,
        its.map(({ delivery }) => delivery),
      ),
    );
  }
  return shown;
}

/** The requests of one batch of a target, whether or not it is in the queue; none for what the target takes no more. */
export function previewOf(rosterd: Rosterd, target: string, batch: readonly DeliveryItem[]): PreviewJson[] {
  const found = findTarget(rosterd, target);
  const { connector, settings } = found;
  const { institution } = rosterd.config;
  const taken = batch.filter(({ type }) => takes(found, type));
  return taken.length ? connector.preview(settings, { target, institution }, taken).map(asJson(target)) : [];
}

function asJson(target: string): (request: PreviewedRequest) => PreviewJson {
  return ({ method, url, headers, body, files, items }) => {
    const text = body && utf8Of(body);
    return {
      ...{ target, method, url, headers, files: files ?? null, items, bytes: body?.length ?? 0 },
      body: body && (text ?? Buffer.from(body).toString('base64')),
      encoding: body === null || text !== null ? 'utf8' : 'base64',
    };
  };
}

function utf8Of(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Every open discrepancy; see `Discrepancy`. */
export function discrepancies({ store }: Rosterd): Promise<Discrepancy[]> {
  return openDiscrepancies(store);
}

/** Lets the items of a person pass although the sources disagree. Throws `NotFound` when nothing is open. */
export async function review(
  rosterd: Rosterd,
  account: string,
  { discrepancy, note }: { discrepancy?: string | undefined; note: string | null },
): Promise<Discrepancy[]> {
  const { store, work } = rosterd;
  const open = (await openDiscrepancies(store)).filter(
    (one) => one.account === account && (discrepancy === undefined || one.digest === discrepancy),
  );
  if (!open.length)
    throw new NotFound(`account ${account} has no such open discrepancy`, {
      remedy: 'rosterd queue discrepancies lists them',
    });
  const at = work.clock.now().toISOString();
  for (const one of open) await store.outbox.review({ account, discrepancy: one.digest, at, note });
  work.log.info({ event: 'queue.reviewed', discrepancies: open.length }, `${open.length} discrepancies let pass`);
  return open.map((one) => ({ ...one, reviewed: { at, note } }));
}
