import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { hideSecret, scrub } from '../../src/base/redact.ts';
import { type HttpAnswer, type HttpRequest, retryAfterMs } from '../../src/connector/http.ts';
import type { TargetContext } from '../../src/connector/target.ts';
import { apiErrors, type SalesforceSettings, tokenAnswer, tokenRefusal } from './schema.ts';

/** The daily quota is counted over a rolling day: an hour is the shortest wait that is worth another request. */
const quotaDelayMs = 3_600_000;

/** Refusals of the token endpoint that pass: a busy server, and a throttle on logins (3600 an hour and user). */
const passingRefusal = /^unknown_error|server_error|temporarily_unavailable|rate exceeded/i;

/** Calls the REST API with a token of its own. */
export interface Client {
  /** Sends one request under `/services/data/vXX.0/`; gives a 2xx answer with its JSON, throws everything else. */
  call(method: HttpRequest['method'], resource: string, body?: unknown): Promise<{ json: unknown; answer: HttpAnswer }>;
  /** Logs in if no session is open. */
  login(): Promise<void>;
}

/**
 * Opens a client. The login is client credentials with a form body (OAuth 2.0, RFC 6749 §4.4, on the My Domain host).
 * The answer names no lifetime, so the session is kept until a 401, renewed once, and the request repeated once.
 */
export function openClient(settings: SalesforceSettings, { http, clock, log, target }: TargetContext): Client {
  let session: Promise<string> | null = null;

  /** One login for all who need a new session at the same time. A failed one is not kept. */
  function renew(stale: Promise<string> | null): Promise<string> {
    if (session === stale || session === null) {
      const opening = requestToken();
      session = opening;
      opening.catch(() => {
        if (session === opening) session = null;
      });
    }
    return session;
  }

  async function requestToken(): Promise<string> {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: settings.clientId,
      client_secret: settings.clientSecret.reveal(),
    });
    const answer = await http.send({
      method: 'POST',
      path: '/services/oauth2/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
    });
    const json = parseJson(answer.text);
    const token = tokenAnswer.safeParse(json);
    if (answer.status !== 200 || !token.success) throw loginError(answer, json);
    const instance = new URL(token.data.instance_url).origin;
    const configured = new URL(settings.url).origin;
    if (instance !== configured)
      throw new Denied(`the login at ${configured} opened a session on ${instance}, where nothing is sent`, {
        remedy: `if ${instance} is your org, write it as the url of the target`,
      });
    hideSecret(token.data.access_token);
    log.debug({ event: 'salesforce.login', target }, `${target}: logged in to Salesforce`);
    return token.data.access_token;
  }

  function loginError(answer: HttpAnswer, json: unknown): Error {
    const refusal = tokenRefusal.safeParse(json);
    if (refusal.success) {
      const words = `${refusal.data.error}: ${refusal.data.error_description}`;
      if (passingRefusal.test(words) || answer.status >= 500)
        return new Unavailable(`Salesforce cannot log in now (${words})`, delayOf(answer));
      return new Denied(`Salesforce refused the login (${words})`, {
        remedy:
          'check clientId and clientSecret, and that the connected app has the client credentials flow and a user',
      });
    }
    if (answer.status === 404 || (answer.status >= 300 && answer.status < 400))
      return new Misconfigured(`${settings.url} has no token endpoint (HTTP ${answer.status})`, {
        remedy: 'url must be the My Domain of the org',
      });
    if (answer.status === 401 || answer.status === 403)
      return new Denied(`Salesforce refused the login (HTTP ${answer.status})`);
    return new Unavailable(`Salesforce's token endpoint answered HTTP ${answer.status}: ${excerpt(answer.text)}`, {
      ...delayOf(answer),
    });
  }

  function delayOf(answer: HttpAnswer): { delayMs?: number } {
    const delayMs = retryAfterMs(answer.headers, clock.now());
    return delayMs === undefined ? {} : { delayMs };
  }

  /** What a refused request means. Codes and statuses: REST API Developer Guide, "Status Codes and Error Responses". */
  function refused(answer: HttpAnswer, json: unknown, what: string): Error {
    const errors = apiErrors.safeParse(json);
    const words = errors.success
      ? errors.data.map(({ errorCode, message }) => `${errorCode}: ${message}`).join('; ')
      : excerpt(answer.text);
    const said = `${what}: HTTP ${answer.status}${words ? `, ${words}` : ''}`;
    if (answer.status === 403 && errors.success && errors.data.some((e) => e.errorCode === 'REQUEST_LIMIT_EXCEEDED'))
      return new Unavailable(said, { delayMs: quotaDelayMs });
    if (answer.status === 401 || answer.status === 403) return new Denied(said);
    if (answer.status >= 500 || answer.status === 408 || answer.status === 429)
      return new Unavailable(said, delayOf(answer));
    return new Misconfigured(said, { remedy: 'check url, apiVersion, objects and fields of the target' });
  }

  return {
    async login() {
      await renew(null);
    },
    async call(method, resource, body) {
      const send = async (token: string): Promise<HttpAnswer> =>
        http.send({
          method,
          path: `/services/data/${settings.apiVersion}/${resource}`,
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
      const used = session ?? renew(null);
      let answer = await send(await used);
      if (answer.status === 401) answer = await send(await renew(used));
      const json = parseJson(answer.text);
      if (answer.status < 200 || answer.status > 299) throw refused(answer, json, `${method} ${resource}`);
      if (json === undefined)
        throw new Unavailable(
          `${method} ${resource}: the answer is not JSON: ${excerpt(answer.text)}`,
          delayOf(answer),
        );
      return { json, answer };
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The beginning of a text without markup, for messages. */
function excerpt(text: string): string {
  // before it is cut: half a secret would be known by nobody
  const plain = scrub(text)
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain;
}
