import { z } from 'zod';
import type { Clock } from '../../src/base/clock.ts';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { parsedJson } from '../../src/base/json.ts';
import { excerpt } from '../../src/base/redact.ts';
import type { Secret } from '../../src/base/secret.ts';
import { type Http, type HttpAnswer, type HttpRequest, retryAfterMs } from '../../src/connector/http.ts';

/** Canvas behind a token: every answer is either of the wanted shape or an error named by what happens next. */
export interface CanvasApi {
  call<T>(wanted: z.ZodType<T>, request: HttpRequest): Promise<T>;
  /** A request whose answer is a bare `ok`, or any JSON; false: what it is about is not there. */
  tell(request: HttpRequest): Promise<boolean>;
  /** All pages of a list: follows `rel="next"` as it is given and never builds a page address (Canvas pagination). */
  pages<T>(wanted: z.ZodType<T>, path: string): AsyncGenerator<T>;
}

/** What the API needs of a target's settings and context. */
export interface ApiParts {
  http: Http;
  token: Secret;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * A request is charged 50 units beforehand, of a bucket that 10 units a second flow back into (canvas-lms
 * request_throttle.rb): with less than that left, waiting is better than being refused.
 */
const spare = 60;
const refillPerSecond = 10;

/** Whatever is JSON. */
const anything = z.unknown().refine((value) => value !== undefined);

/** The calls of one account, with its token on each; a refusal becomes the error that says what happens next. */
export function openApi({ http, token, clock, signal }: ApiParts): CanvasApi {
  // Read once beforehand: from now on no text of anybody shows it.
  token.reveal();
  let left = Number.POSITIVE_INFINITY;
  const send = async (request: HttpRequest, mayBeMissing = false): Promise<HttpAnswer> => {
    if (left < spare) await clock.wait(Math.ceil(((spare - left) / refillPerSecond) * 1000), signal);
    // The token is read for each request: a rotated secret file needs no restart.
    const headers = { accept: 'application/json', authorization: `Bearer ${token.reveal()}`, ...request.headers };
    const answer = await http.send({ ...request, headers });
    left = Number.parseFloat(answer.headers['x-rate-limit-remaining'] ?? 'Infinity');
    if (!(mayBeMissing && answer.status === 404)) refuse(answer, request, clock.now());
    return answer;
  };
  return {
    call: async (wanted, request) => read(wanted, await send(request), request),
    async tell(request) {
      const answer = await send(request, true);
      if (answer.status === 404) return false;
      if (answer.text.trim() !== 'ok') read(anything, answer, request);
      return true;
    },
    async *pages(wanted, first) {
      const seen = new Set<string>();
      for (let path: string | undefined = first; path !== undefined; ) {
        if (seen.has(path)) throw new Unavailable(`Canvas names the page ${path} as its own next page`);
        seen.add(path);
        const request = { method: 'GET', path } as const;
        const answer = await send(request);
        yield read(wanted, answer, request);
        path = nextPage(answer.headers['link']);
      }
    },
  };
}

/** The address of `rel="next"` in a `Link` header (RFC 8288); undefined on the last page. */
export function nextPage(link: string | undefined): string | undefined {
  for (const [, address, parameters] of (link ?? '').matchAll(/<([^>]*)>([^<]*)/g))
    if (/;\s*rel="?next"?\s*(?:[;,]|$)/i.test(parameters!)) return address;
  return undefined;
}

/**
 * Throws for every answer that is no success. A throttled request is 429, or 403 with plain text that says so; a 403
 * without these words is a missing permission (canvas-lms request_throttle.rb and its documentation disagree on the
 * status, so both count).
 */
function refuse(answer: HttpAnswer, request: HttpRequest, now: Date): void {
  const { status } = answer;
  if (status >= 200 && status < 300) return;
  const said = `${request.method} ${request.path.split('?')[0]}: ${status} ${words(answer.text)}`.trimEnd();
  if (status === 429 || (status === 403 && answer.text.includes('Rate Limit Exceeded')))
    throw new Unavailable(`Canvas throttles: ${said}`, delay(answer, now));
  if (status === 401 || status === 403)
    throw new Denied(`Canvas refused: ${said}`, { remedy: 'check the token and its permission to manage SIS data' });
  if (status === 408 || status >= 500) throw new Unavailable(`Canvas is not available: ${said}`, delay(answer, now));
  if (status >= 300 && status < 400)
    throw new Misconfigured(`Canvas points elsewhere: ${said}`, {
      remedy: `set url to where it points (${answer.headers['location'] ?? 'it does not say where'})`,
    });
  if (status === 413) throw new Misconfigured(`the import is too large: ${said}`, { remedy: 'set a smaller batch' });
  throw new Misconfigured(`Canvas does not accept this: ${said}`, { remedy: 'check url and account' });
}

function delay(answer: HttpAnswer, now: Date): { delayMs?: number } {
  const delayMs = retryAfterMs(answer.headers, now);
  return delayMs === undefined ? {} : { delayMs };
}

/** A body that is no JSON of the wanted shape comes from a proxy or a maintenance page, not from the API. */
function read<T>(wanted: z.ZodType<T>, answer: HttpAnswer, request: HttpRequest): T {
  const parsed = wanted.safeParse(parsedJson(answer.text));
  if (parsed.success) return parsed.data;
  const what = `${request.method} ${request.path.split('?')[0]}`;
  throw new Unavailable(`${what}: the answer is not what Canvas sends: ${words(answer.text)}`);
}

/** Canvas words its errors in several shapes: `errors` of texts or objects, `message`, `error_message`, `error`. */
function words(text: string): string {
  const body = parsedJson(text) as Record<string, unknown> | null | undefined;
  const listed = Array.isArray(body?.['errors']) ? body['errors'] : [body?.['error_message'], body?.['message']];
  const found = [...listed, body?.['error']]
    .map((entry) => (typeof entry === 'string' ? entry : (entry as { message?: unknown } | null | undefined)?.message))
    .filter((entry) => typeof entry === 'string');
  const said = found.length > 0 ? found.join('; ') : text;
  return excerpt(said, 300);
}
