import { Misconfigured } from '../../base/errors.ts';
import type { Config, IntegrationKey } from '../../configure/config.ts';
import type { DeliveryItem } from '../../connector/target.ts';
import { toldAs } from '../../reconcile/model.ts';
import { effectOf } from '../../reconcile/plan.ts';
import type { Rosterd } from '../../run/rosterd.ts';
import type { OutboxItem } from '../../store/port.ts';
import { Conflict, NotFound } from '../control/errors.ts';
import { acknowledge, previewOf, replay } from '../queue.ts';
import { version } from '../version.ts';
import type { Answer, Asked, EndpointName } from './api.ts';
import { type HeldItem, heldDelivery, heldItem, heldItems } from './held.ts';
import { integrationDocument } from './openapi.ts';

/** What the integration API needs of the service. */
export interface Host {
  /** Throws `Unavailable` while nothing is open. */
  readonly rosterd: Rosterd;
  readonly health: { state: string; healthy: boolean };
  /** Delivers soon. */
  deliverNow(trigger: string): void;
}

/** What answers to each endpoint. */
export type Handlers = { [N in EndpointName]: (asked: Asked<N>, caller: IntegrationKey) => Promise<Answer<N>> };

type Item = Answer<'replay'>['data'];

const begin = 'give what stands in `next` of the page before, as it is';

/** The handlers of a service. */
export function handlersOf(host: Host): Handlers {
  /** Everything that changes something is told, with who asked; ids of items have account numbers in them. */
  const decided = ({ key }: IntegrationKey, item: OutboxItem, what: string): void => {
    const { target, status: outcome } = item;
    const { log } = host.rosterd.work;
    log.info({ event: 'integration.decided', key, target, outcome }, `${target}: ${what}, asked for by ${key}`);
    host.deliverNow('integration');
  };
  return {
    root: async (_, { key, tenant, may }) => ({
      ...{ success: true, message: 'Integration API', tenantId: tenant },
      ...{ key, may: [...may], version, health: host.health },
    }),
    list: ({ query }) => pageOf(host.rosterd, query),
    async payload({ params: { submissionId } }) {
      const { rosterd } = host;
      const found = await find(rosterd, submissionId);
      const delivery = 'delivery' in found ? found.delivery : await heldDelivery(rosterd, found);
      const { institution } = rosterd.config;
      const { item: _, ...rest } = delivery;
      return {
        success: true,
        data: {
          ...{ institution, item: itemJson(found, rosterd.config), delivery: rest as Plain<typeof rest> },
          requests: previewOf(rosterd, found.target, [delivery]) as Plain<ReturnType<typeof previewOf>>,
        },
      };
    },
    async replay({ body: { submissionId, targetSystem } }, caller) {
      const { rosterd } = host;
      const before = await findQueued(rosterd, submissionId, targetSystem);
      const { replayed, superseded, left } = await replay(rosterd, { items: [submissionId] });
      const item = await findQueued(rosterd, submissionId, targetSystem);
      if (replayed.length) decided(caller, item, 'queued again');
      else if (before.status !== 'queued' && before.status !== 'processing')
        throw new Conflict(`it cannot be queued again: ${superseded[0]?.because ?? left[0]?.why}`, {
          remedy: 'look at it with the people who operate rosterd: rosterd queue show',
        });
      return {
        ...{ success: true, data: itemJson(item, rosterd.config), changed: replayed.length > 0 },
        message: replayed.length ? 'queued again' : left[0]!.why,
      };
    },
    async ack({ body }, caller) {
      const { rosterd } = host;
      const { submissionId, targetSystem, status } = body;
      const before = await findQueued(rosterd, submissionId, targetSystem);
      const answer = body.status === 'failed' ? body.lastError : null;
      // the same answer again, after the first was lost on its way back
      const known = before.status === status && (status !== 'processing' || before.because === 'outside');
      if (known && (status !== 'failed' || before.answer === answer))
        return {
          ...{ success: true, data: itemJson(before, rosterd.config), changed: false },
          message: `it is ${status} already`,
        };
      const item = await acknowledge(rosterd, submissionId, { status, answer });
      decided(caller, item, `${status} from outside`);
      return {
        ...{ success: true, data: itemJson(item, rosterd.config), changed: true, message: `it is ${status} now` },
      };
    },
    openapi: async () => integrationDocument(version) as Answer<'openapi'>,
  };
}

/** The same without `readonly`, which answers have no word for. */
type Plain<T> = T extends object ? { -readonly [K in keyof T]: Plain<T[K]> } : T;

async function find(rosterd: Rosterd, id: string): Promise<OutboxItem | HeldItem> {
  const found = (await rosterd.store.outbox.get(id)) ?? (await heldItem(rosterd, id));
  if (found) return found;
  throw new NotFound('there is no submission of that id', { remedy: 'take one that the queue lists' });
}

/** One that is in the queue, and on its way to where the caller thinks. */
async function findQueued(rosterd: Rosterd, id: string, system: string | undefined): Promise<OutboxItem> {
  const found = await find(rosterd, id);
  const { targets } = rosterd.config;
  const { target } = found;
  const alike = targets.filter(({ connector }) => connector.kind === system);
  if (system !== undefined && system !== target && targets.some(({ name }) => name === system))
    throw new Misconfigured(`targetSystem: the submission is on its way to ${target}, not to ${system}`);
  if (system !== undefined && system !== target && (alike.length !== 1 || alike[0]!.name !== target))
    throw new Misconfigured(`targetSystem: the submission is on its way to ${target}`, {
      remedy:
        alike.length > 1
          ? `several targets are of the kind ${system}: ${alike.map(({ name }) => name).join(', ')}`
          : 'name the target, or its kind where only one target has that',
    });
  if ('delivery' in found) return found;
  throw new Conflict('it waits for approval, and is not queued yet', {
    remedy: `a person approves it: rosterd approve ${found.plan.run}`,
  });
}

/** Items by their place in the queue, then what waits for approval by its id: the first has digits only. */
async function pageOf(rosterd: Rosterd, { status, limit, after }: Asked<'list'>['query']): Promise<Answer<'list'>> {
  const { store, config } = rosterd;
  const data: Item[] = [];
  const waiting = status === 'all' || status === 'not_queued';
  const [number, held] = [/^\d{1,15}$/.test(after ?? '0'), after?.includes(':') ?? false];
  if (after !== undefined && !(status !== 'not_queued' && number) && !(waiting && held))
    throw new Misconfigured('query after: is no place in the queue', { remedy: begin });
  if (status !== 'not_queued' && !held) {
    const filter = { limit, after: Number(after ?? 0), ...(status === 'all' ? {} : { status }) };
    const items = await store.outbox.list(filter);
    data.push(...items.map((item) => itemJson(item, config)));
    if (items.length === limit) return { success: true, data, next: String(items.at(-1)!.seq) };
  }
  if (waiting)
    for await (const one of heldItems(rosterd, held ? after! : null)) {
      if (data.length === limit) return { success: true, data, next: data.at(-1)!.submissionId };
      data.push(itemJson(one, config));
    }
  return { success: true, data, next: null };
}

function itemJson(found: OutboxItem | HeldItem, { targets }: Config): Item {
  const { item, target } = found;
  const about = {
    ...{ submissionId: item, targetSystem: target },
    targetKind: targets.find(({ name }) => name === target)?.connector.kind ?? null,
  };
  const subject = ({ account, course }: Pick<DeliveryItem, 'account' | 'course'>) => ({
    account: account?.account ?? null,
    course,
  });
  if (!('delivery' in found)) {
    const { type, ...change } = effectOf(found.planned);
    return {
      ...{ ...about, status: 'not_queued', because: 'approval', type: toldAs(type), run: found.plan.run },
      ...{ ...subject(change), attempts: 0, lastError: null, lastAnswerAt: null },
    };
  }
  const { status, because, type, plan: run, attempts, answer, trail, delivery } = found;
  return {
    ...{ ...about, status, because, type, run, ...subject(delivery), attempts },
    ...{ lastError: status === 'sent' ? null : answer, lastAnswerAt: trail.at(-1)?.at ?? null },
  };
}
