import pLimit from 'p-limit';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import {
  type DeliveryItem,
  type ItemResult,
  type PreviewedRequest,
  Shut,
  type TargetContext,
} from '../../src/connector/target.ts';
import { openLogin, tokenRequest } from './login.ts';
import type { AcceptedType } from './operations.ts';
import { type Draft, hiddenCredentials, requestFor } from './request.ts';
import type { PeoplesoftSettings } from './schema.ts';
import { openSender, type Sender, stopping } from './send.ts';
import { valuesOf } from './template.ts';

/** Requests in a row without any answer, after which the rest of a batch is not tried. */
const silenceLimit = 3;

/**
 * Delivers batches: people side by side, the items of one person one after the other. What is refused for good leaves
 * the person's later items alone; what is put off puts them off too, so that none overtakes it.
 */
export function openDelivery(
  settings: PeoplesoftSettings,
  sender: Sender,
): (items: readonly DeliveryItem[]) => Promise<ItemResult[]> {
  return async (items) => {
    const { results, stop } = await deliver(settings, sender, items);
    if (!stop) return results;
    if (!results.some(({ outcome }) => outcome !== 'retry')) throw stop;
    if (!(stop instanceof Unavailable)) throw new Shut(results, stop);
    return results;
  };
}

/** `stop`: why the rest was not sent. */
async function deliver(
  { concurrency }: PeoplesoftSettings,
  sender: Sender,
  items: readonly DeliveryItem[],
): Promise<{ results: ItemResult[]; stop: Error | undefined }> {
  const results = new Map<string, ItemResult>();
  const limit = pLimit(concurrency);
  let stop: Error | undefined;
  let silence = 0;
  const halt = (why: Error): void => {
    if (!stop || stop instanceof Unavailable) stop = why;
  };
  // nobody asked about these: that is no attempt
  const leave = ({ item }: DeliveryItem, answer: string): void =>
    void results.set(item, { item, outcome: 'retry', answer, attempted: false });

  const alone = pLimit(1);
  /**
   * One at a time until a login was accepted, or a password that is wrong would be refused to all that begin together, and
   * three refusals may lock the account. Null: not sent.
   */
  const send = async (item: DeliveryItem): Promise<ItemResult | null> => {
    if (!sender.admitted) {
      const result = await alone(() => (stop || sender.admitted ? null : sender.send(item)));
      if (result) return result;
    }
    return stop ? null : sender.send(item);
  };

  const person = async (own: readonly DeliveryItem[]): Promise<void> => {
    let late = false;
    for (const item of own) {
      if (late) {
        leave(item, 'not sent: waits for an earlier change of this person');
        continue;
      }
      try {
        const result = await send(item);
        if (!result) {
          leave(item, 'not sent: no answer to others');
          continue;
        }
        silence = 0;
        results.set(item.item, result);
        late = result.outcome === 'retry';
      } catch (error) {
        if (!(error instanceof Unavailable)) {
          halt(error as Error);
          leave(item, 'not sent: others were turned away');
          continue;
        }
        // Nothing is known about the effect; the same request again does no harm.
        silence += 1;
        if (silence >= silenceLimit) halt(error);
        results.set(item.item, sender.putOff(item.item, error.message));
        late = true;
      }
    }
  };
  // Every request in flight is waited for: nothing of this batch has an effect after `deliver` has returned.
  await Promise.all([...byPerson(items).values()].map((own) => limit(person, own)));

  return { results: items.map((item) => results.get(item.item)!), stop };
}

/**
 * The requests of each item, the looks of a read-back among them. `{today}` is known only on the day. An item of which no
 * request can be made is left out: delivery says why.
 */
export function previewRequests(settings: PeoplesoftSettings, items: readonly DeliveryItem[]): PreviewedRequest[] {
  const who = hiddenCredentials(settings);
  const shown = ({ method, path, headers, body }: Draft, carried: readonly string[]): PreviewedRequest => {
    const base = settings.url.endsWith('/') ? settings.url : `${settings.url}/`;
    return {
      ...{ method, url: new URL(path.replace(/^\//, ''), base).href, items: carried },
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
      body: body === undefined ? null : Buffer.from(body),
    };
  };
  const requests = items.flatMap((item): PreviewedRequest[] => {
    const operation = settings.operations[item.type as AcceptedType];
    const values = valuesOf(item, settings.node);
    const request = requestFor(operation, values, settings, who);
    if ('impossible' in request) return [];
    const { confirm } = operation;
    const read = confirm && requestFor(confirm.read, values, settings, who);
    const look = read && !('impossible' in read) ? [shown(read, [])] : [];
    return [...(confirm?.lookFirst ? look : []), shown(request, [item.item]), ...look];
  });
  const { auth } = settings;
  if (!('tokenUrl' in auth) || requests.length === 0) return requests;
  const { headers, body } = tokenRequest(auth, '{secret}');
  return [{ method: 'POST', url: auth.tokenUrl, headers, body: Buffer.from(body), items: [] }, ...requests];
}

/**
 * Reads the probe path. Any answer but a refusal of credentials, a 404 or a server error shows that the way is open:
 * an operation without GET may answer 405.
 */
export async function probeTarget(settings: PeoplesoftSettings, context: TargetContext): Promise<string[]> {
  const login = openLogin(settings, context);
  try {
    const { answer, verdict } = await openSender(settings, context, login).probe();
    const what = `GET ${settings.probe.replaceAll('{node}', settings.node)}`;
    if (verdict.meaning === 'later') throw new Unavailable(`${what}: ${verdict.words}`);
    if (verdict.meaning === 'denied' || verdict.meaning === 'missing') {
      const { message, remedy } = stopping(verdict, what);
      const more = { remedy: `${remedy}; or set probe to a path that this OPRID may GET and that changes nothing` };
      throw verdict.meaning === 'denied' ? new Denied(message, more) : new Misconfigured(message, more);
    }
    const { auth } = settings;
    const who = 'username' in auth ? auth.username : 'bearer' in auth ? 'the bearer token' : `client ${auth.clientId}`;
    return [
      `reached ${new URL(settings.url).origin} as ${who}`,
      `${what}: HTTP ${answer.status}`,
      ...unconfirmed(settings),
    ];
  } finally {
    await login.close();
  }
}

/** Operations of which nobody will know what became of them. */
function unconfirmed({ changes, operations }: PeoplesoftSettings): string[] {
  const blind = changes.filter((type) => operations[type].async && !operations[type].confirm);
  if (blind.length === 0) return [];
  return [`asynchronous and without confirm, so that only their transmission is known: ${blind.join(', ')}`];
}

function byPerson(items: readonly DeliveryItem[]): Map<string, DeliveryItem[]> {
  const people = new Map<string, DeliveryItem[]>();
  for (const item of items) {
    const key = item.account?.account ?? item.item;
    const own = people.get(key);
    if (own) own.push(item);
    else people.set(key, [item]);
  }
  return people;
}
