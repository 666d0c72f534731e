import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { parsedJson } from '../../src/base/json.ts';
import type { HttpAnswer, HttpRequest } from '../../src/connector/http.ts';
import type { PreviewedRequest, TargetContext } from '../../src/connector/target.ts';
import { answerDelay, excerpt, isLocked, isPassing } from './answer.ts';
import { requestSession, type Session } from './login.ts';
import type { SalesforceSettings } from './schema.ts';
import { apiErrors } from './wire.ts';

/** The daily quota is counted over a rolling day: an hour is the shortest wait that is worth another request. */
const quotaDelayMs = 3_600_000;

/** Limits on requests side by side, or on long ones: they have the code of the daily quota, and pass in seconds. */
const sideBySide = /^REQUEST_LIMIT_EXCEEDED: Concurrent/i;

/** Refusals with status 401 that a new session does not change; asking for one again and again would be a loop. */
const lastingRefusal = /Connected app is not attached to Agent|This session is not valid for use with the REST API/i;

/** Why nothing may begin, and until when (monotonic); it holds for the later sessions too. */
interface Day {
  /** `percent`: the share at which delivery stopped by itself, left out when Salesforce stopped it. */
  spent: { until: number; why: string; percent?: number } | null;
}

/** A request under `/services/data/vXX.0/`. `body`: JSON, or a file or text of CSV. */
export interface Call {
  method: HttpRequest['method'];
  resource: string;
  body?: { json: unknown } | { csv: string | { file: string } };
  headers?: Record<string, string>;
  /** File that the answer goes to. */
  into?: string;
}

/** Calls the REST API with a token of its own. */
export interface Client {
  /** Sends one request; gives a 2xx answer with its JSON (undefined where it has none), throws everything else. */
  call(call: Call): Promise<{ json: unknown; answer: HttpAnswer }>;
  /** Logs in if no session is open; the id of the session's user, where it is known. */
  login(): Promise<string | null>;
  /** Throws `Unavailable` while the day's requests are used up, or nearly so: before anything new is begun. */
  mayBegin(): void;
}

/** The request that a call is. */
function requestOf({ apiVersion }: SalesforceSettings, token: string, call: Call): HttpRequest {
  const { method, resource, body, headers, into } = call;
  return {
    method,
    path: resource.startsWith('/') ? resource : `/services/data/${apiVersion}/${resource}`,
    headers: {
      authorization: `Bearer ${token}`,
      accept: into === undefined ? 'application/json' : 'text/csv',
      ...(body && { 'content-type': 'json' in body ? 'application/json' : 'text/csv' }),
      ...headers,
    },
    ...(body && { body: 'json' in body ? JSON.stringify(body.json) : body.csv }),
    ...(into === undefined ? {} : { into }),
  };
}

/** The same request as it would be sent; its body is text. */
export function previewOf(settings: SalesforceSettings, call: Call, items: readonly string[]): PreviewedRequest {
  const { method, path, headers, body } = requestOf(settings, '{secret}', call);
  const url = new URL(settings.url).origin + path;
  return { method, url, headers: headers!, body: body === undefined ? null : Buffer.from(body as string), items };
}

/**
 * Opens a client. No answer names a lifetime, so a session is kept until a 401, renewed once, and the request repeated
 * once.
 */
export function openClient(settings: SalesforceSettings, context: TargetContext): Client {
  const { http, clock } = context;
  const day = context.keep((): Day => ({ spent: null }));
  let session: Promise<Session> | null = null;

  /** One login for all who need a new session at the same time. A failed one is not kept. */
  function renew(stale: Promise<Session> | null): Promise<Session> {
    if (session === stale || session === null) {
      const opening = requestSession(settings, context);
      session = opening;
      opening.catch(() => {
        if (session === opening) session = null;
      });
    }
    return session;
  }

  /** What a refused request means. Codes and statuses: REST API Developer Guide, "Status Codes and Error Responses". */
  function refused(answer: HttpAnswer, json: unknown, what: string): Error {
    const errors = apiErrors.safeParse(json);
    const told = errors.success ? errors.data.map(({ errorCode, message }) => `${errorCode}: ${message}`) : [];
    const words = errors.success ? told.join('; ') : excerpt(answer.text);
    const said = `${what}: HTTP ${answer.status}${words ? `, ${words}` : ''}`;
    const limits = told.filter((one) => one.startsWith('REQUEST_LIMIT_EXCEEDED:'));
    if (answer.status === 403 && limits.length > 0) {
      if (limits.every((one) => sideBySide.test(one))) return new Unavailable(said, answerDelay(answer, clock.now()));
      day.spent = { until: clock.monotonic() + quotaDelayMs, why: said };
      return new Unavailable(said, { delayMs: quotaDelayMs });
    }
    if (answer.status === 401 || answer.status === 403) return new Denied(said);
    if (isPassing(answer.status) || told.some(isLocked)) return new Unavailable(said, answerDelay(answer, clock.now()));
    return new Misconfigured(said, { remedy: 'check url, apiVersion, objects and fields of the target' });
  }

  /** The org's use of the day's requests, and the app's, whichever is nearer to its end. */
  function watchUsage(answer: HttpAnswer): void {
    const header = answer.headers['sforce-limit-info'] ?? '';
    for (const [text, used, limit] of header.matchAll(/(?:per-app-)?api-usage=(\d+)\/(\d+)/g)) {
      const percent = (100 * Number(used)) / Number(limit);
      if (Number(limit) === 0 || percent < settings.stopAtPercent) continue;
      const why = `stopped by itself at ${settings.stopAtPercent} % of the day's API requests (${text})`;
      day.spent = { until: clock.monotonic() + quotaDelayMs, why, percent };
    }
  }

  return {
    async login() {
      return (await (session ?? renew(null))).user;
    },
    mayBegin() {
      if (!day.spent) return;
      const { until, why, percent = 100 } = day.spent;
      const delayMs = Math.ceil(until - clock.monotonic());
      // a person may have raised the share since
      if (delayMs > 0 && percent >= settings.stopAtPercent) throw new Unavailable(why, { delayMs });
      day.spent = null;
    },
    async call(call) {
      const send = async (opened: Promise<Session>): Promise<HttpAnswer> =>
        http.send(requestOf(settings, (await opened).token, call));
      const what = `${call.method} ${call.resource}`;
      const used = session ?? renew(null);
      let answer = await send(used);
      if (answer.status === 401 && !lastingRefusal.test(answer.text)) answer = await send(renew(used));
      watchUsage(answer);
      const json = parsedJson(answer.text);
      if (answer.status < 200 || answer.status > 299) throw refused(answer, json, what);
      if (json === undefined && answer.text !== '')
        throw new Unavailable(
          `${what}: the answer is not JSON: ${excerpt(answer.text)}`,
          answerDelay(answer, clock.now()),
        );
      return { json, answer };
    },
  };
}
