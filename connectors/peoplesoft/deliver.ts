import pLimit from 'p-limit';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { type HttpRequest, retryAfterMs } from '../../src/connector/http.ts';
import type { DeliveryItem, ItemResult, PreviewedRequest, TargetContext } from '../../src/connector/target.ts';
import { judge, type Verdict } from './answer.ts';
import type { AcceptedType } from './operations.ts';
import type { Operation, PeoplesoftSettings } from './schema.ts';
import { fillBody, fillPath, type Template, valuesOf } from './template.ts';

/** Requests in a row without any answer, after which the rest of a batch is not tried. */
const silenceLimit = 3;

/** The `Authorization` header of a target. The secret is read anew each time, so that a rotated one is used. */
export function authorization(auth: PeoplesoftSettings['auth']): string {
  if ('bearer' in auth) return `Bearer ${auth.bearer.reveal()}`;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password.reveal()}`, 'utf8').toString('base64')}`;
}

/** The request of one item, or the words for why there cannot be one. */
export function requestFor(
  operation: Operation,
  item: DeliveryItem,
  node: string,
): HttpRequest | { impossible: string } {
  const values = valuesOf(item, node);
  const filled = fillPath(operation.path, values);
  if ('unusable' in filled) {
    const value = values[filled.unusable];
    return {
      impossible: `the path ${operation.path} cannot hold {${filled.unusable}}, which is ${value ?? 'missing'}`,
    };
  }
  const { body } = operation;
  return {
    method: operation.method,
    path: filled.path,
    ...(body === undefined ? {} : { body: JSON.stringify(fillBody(body as Template, values)) }),
  };
}

/**
 * Delivers a batch: people side by side, the items of one person one after the other. What is refused for good leaves
 * the person's later items alone; what is put off puts them off too, so that none overtakes it.
 */
export async function deliver(
  settings: PeoplesoftSettings,
  context: TargetContext,
  items: readonly DeliveryItem[],
): Promise<ItemResult[]> {
  const results = new Map<string, ItemResult>();
  const limit = pLimit(settings.concurrency);
  let stop: Error | undefined;
  let silence = 0;

  const person = async (own: readonly DeliveryItem[]): Promise<void> => {
    let late = false;
    for (const item of own) {
      if (stop || late) {
        const answer = late ? 'not sent: waits for an earlier change of this person' : 'not sent: no answer to others';
        results.set(item.item, { item: item.item, outcome: 'retry', answer });
        continue;
      }
      try {
        const result = await send(settings, context, item);
        silence = 0;
        results.set(item.item, result);
        late = result.outcome === 'retry';
      } catch (error) {
        if (!(error instanceof Unavailable)) {
          stop ??= error as Error;
          return;
        }
        // Nothing is known about the effect; the same request again does no harm.
        silence += 1;
        if (silence >= silenceLimit) stop ??= error;
        results.set(item.item, { item: item.item, outcome: 'retry', answer: error.message });
        late = true;
      }
    }
  };
  // Every request in flight is waited for: nothing of this batch has an effect after `deliver` has returned.
  await Promise.all([...byPerson(items).values()].map((own) => limit(person, own)));

  const answered = [...results.values()].some(({ outcome }) => outcome !== 'retry');
  if (stop && (!(stop instanceof Unavailable) || !answered)) throw stop;
  return items.map((item) => results.get(item.item)!);
}

/** The request of each item; one that cannot be made is left out, delivery says why. */
export function previewRequests(settings: PeoplesoftSettings, items: readonly DeliveryItem[]): PreviewedRequest[] {
  return items.flatMap((item): PreviewedRequest[] => {
    const request = requestFor(settings.operations[item.type as AcceptedType], item, settings.node);
    if ('impossible' in request) return [];
    const { method, path, body } = request;
    const base = settings.url.endsWith('/') ? settings.url : `${settings.url}/`;
    return [
      {
        ...{ method, url: new URL(path.replace(/^\//, ''), base).href, items: [item.item] },
        headers: headersOf('{secret}', body !== undefined),
        body: typeof body === 'string' ? Buffer.from(body) : null,
      },
    ];
  });
}

async function send(settings: PeoplesoftSettings, context: TargetContext, item: DeliveryItem): Promise<ItemResult> {
  const operation = settings.operations[item.type as AcceptedType];
  const request = requestFor(operation, item, settings.node);
  if ('impossible' in request) return { item: item.item, outcome: 'failed', answer: request.impossible };
  const answer = await context.http.send({
    ...request,
    headers: headersOf(authorization(settings.auth), request.body !== undefined),
  });
  const verdict = judge(answer, settings.success);
  if (verdict.meaning === 'done') return { item: item.item, outcome: 'sent', answer: verdict.words };
  if (verdict.meaning === 'later') {
    const delayMs = retryAfterMs(answer.headers, context.clock.now());
    return { item: item.item, outcome: 'retry', answer: verdict.words, ...(delayMs === undefined ? {} : { delayMs }) };
  }
  if (verdict.meaning === 'refused') {
    const already = operation.already !== undefined && new RegExp(operation.already).test(verdict.words);
    return { item: item.item, outcome: already ? 'sent' : 'failed', answer: verdict.words };
  }
  // the path as it is written in the configuration: filled, it names somebody
  throw stopping(verdict, `${request.method} ${operation.path}`);
}

/** What ends the whole batch: credentials, or an operation that is not there. */
function stopping(verdict: Verdict, what: string): Denied | Misconfigured {
  if (verdict.meaning === 'missing')
    return new Misconfigured(`${what}: ${verdict.words}`, {
      remedy: 'check node and operations of the target; a 404 that means success belongs into success.status',
    });
  return new Denied(`${what}: ${verdict.words}`, { remedy: 'check auth, and the permissions of the OPRID' });
}

/**
 * Reads the probe path. Any answer but a refusal of credentials, a 404 or a server error shows that the way is open:
 * an operation without GET may answer 405.
 */
export async function probeTarget(settings: PeoplesoftSettings, context: TargetContext): Promise<string[]> {
  const filled = settings.probe.replaceAll('{node}', encodeURIComponent(settings.node));
  const answer = await context.http.send({
    method: 'GET',
    path: filled,
    headers: headersOf(authorization(settings.auth), false),
  });
  const verdict = judge(answer, settings.success);
  if (verdict.meaning === 'later') throw new Unavailable(`GET ${filled}: ${verdict.words}`);
  if (verdict.meaning === 'denied' || verdict.meaning === 'missing') throw stopping(verdict, `GET ${filled}`);
  const who = 'bearer' in settings.auth ? 'the bearer token' : settings.auth.username;
  return [`reached ${new URL(settings.url).origin} as ${who}`, `GET ${filled}: HTTP ${answer.status}`];
}

function headersOf(credentials: string, hasBody: boolean): Record<string, string> {
  return {
    authorization: credentials,
    accept: 'application/json',
    ...(hasBody ? { 'content-type': 'application/json' } : {}),
  };
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
