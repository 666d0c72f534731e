import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { Denied, Incomplete, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { flatHeaders, networkError, openSender, retryAfterMs } from '../../src/connector/http.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { openAuth } from './auth.ts';
import type { ConnectionSettings } from './schema.ts';
import { wordsOf } from './words.ts';

/**
 * GET requests to one origin. Redirects are followed inside it, bodies are unpacked, streamed and bounded.
 *
 * One thing is waited for here and not left to whoever retries the pull: a server that says 429 or 503. Page 700 of 900
 * must not begin anew because the server wants a pause. So each request waits up to five times, at most a minute each,
 * as `Retry-After` says; a longer wait, or a sixth one, is `Unavailable` with that delay.
 */

const mostWaits = 5;
const longestWaitMs = 60_000;
const mostRedirects = 5;
/** So much of an error's body is read. */
const errorBytes = 64 * 1024;

/** An answer with status 200, its body still to come; or 304, without one. */
export interface Got {
  status: 200 | 304;
  /** Where it came from in the end, behind redirects: what links in it are relative to. */
  url: URL;
  /** Without its query: fit for messages and part names. */
  name: string;
  headers: Record<string, string>;
  body: AsyncIterable<Buffer>;
}

/** A client bound to one origin, an abort signal and limits. */
export interface Client {
  /** `first`: nothing of this address has been read before, so a refusal is the configuration's. */
  get(url: URL, options?: { headers?: Record<string, string>; first?: boolean }): Promise<Got>;
  /** The address that a link leads to; throws `Denied` when that is another origin. */
  follow(from: URL, to: string): URL;
  /** Bytes of all bodies, unpacked. */
  readonly bytes: number;
  close(): Promise<void>;
}

/** An address without query and fragment. Either may hold a key. */
export const nameOf = (url: URL): string => `${url.origin}${url.pathname}`;

/** Values of the configuration, secrets among them, as they are sent. */
export const plain = (values: ConnectionSettings['query']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? value : value.reveal()]),
  );

const lowered = (values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]));

/** Opens a client; nothing is connected yet. */
export function openClient(settings: ConnectionSettings, context: SourceContext): Client {
  const { clock, signal } = context;
  const { proxy } = settings;
  const route = {
    timeoutMs: settings.timeout,
    ca: settings.ca,
    proxy:
      typeof proxy === 'object'
        ? {
            uri: proxy.url,
            ...(proxy.password && {
              token: `Basic ${Buffer.from(`${proxy.username}:${proxy.password.reveal()}`).toString('base64')}`,
            }),
          }
        : proxy,
  };
  const sender = openSender(route);
  const auth = openAuth(settings.auth, { clock, signal, route });
  const base = new URL(settings.url);
  let bytes = 0;
  let free = clock.monotonic();

  /** Requests begin at least so far apart, however many are in flight. */
  async function turn(): Promise<void> {
    if (settings.rate === undefined) return;
    const now = clock.monotonic();
    const begins = Math.max(now, free);
    free = begins + 1000 / settings.rate;
    if (begins > now) await clock.wait(begins - now, signal);
  }

  function follow(from: URL, to: string): URL {
    const url = URL.parse(to, from.href);
    if (url === null) throw new Incomplete(`${nameOf(from)} leads on to something that is no address`);
    if (url.origin !== base.origin)
      throw new Denied(`refused to follow ${nameOf(from)} to ${url.origin}: the configured address is ${base.origin}`, {
        remedy: 'if that is the same server, have it say its own address as url does',
      });
    return url;
  }

  async function send(url: URL, headers: Record<string, string>): Promise<Dispatcher.ResponseData> {
    signal.throwIfAborted();
    await turn();
    try {
      return await sender.request(url, { method: 'GET', headers, signal });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw networkError(cause, url.origin);
    }
  }

  async function errorWords(answer: Dispatcher.ResponseData): Promise<string> {
    const chunks: Buffer[] = [];
    const began = clock.monotonic();
    let size = 0;
    try {
      for await (const chunk of unpacked(answer, flatHeaders(answer.headers))) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > errorBytes || clock.monotonic() - began > settings.timeout) break;
      }
    } catch {
      // what is missing of an error's body is no error of its own
    }
    const words = wordsOf(Buffer.concat(chunks).subarray(0, errorBytes).toString('utf8'));
    return words ? `: ${words}` : '';
  }

  async function* bodyOf(answer: Dispatcher.ResponseData, headers: Record<string, string>, name: string) {
    const began = clock.monotonic();
    try {
      for await (const chunk of unpacked(answer, headers)) {
        bytes += chunk.length;
        if (bytes > settings.maxSize)
          throw new Incomplete(`${name}: the answer is larger than maxSize allows (${settings.maxSize} bytes)`, {
            remedy: 'raise maxSize when there is really so much',
          });
        // a server that drips never runs into the time-out for silence
        if (clock.monotonic() - began > settings.answerTimeout)
          throw new Unavailable(
            `${name}: the answer took longer than answerTimeout (${settings.answerTimeout / 1000} s)`,
          );
        yield chunk;
      }
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      if (cause instanceof Incomplete) throw cause;
      if (/^(Z_|ERR__|ERR_BROTLI|ERR_PADDING)/.test((cause as { code?: string }).code ?? ''))
        throw new Incomplete(`${name}: the answer cannot be unpacked (${(cause as Error).message})`, { cause });
      throw networkError(cause, new URL(name).origin);
    }
  }

  async function get(start: URL, { headers: more = {}, first = false } = {}): Promise<Got> {
    let url = start;
    let redirects = 0;
    let renewed = false;
    for (let waits = 0; ; ) {
      const login = await auth.headers(url);
      const answer = await send(url, {
        accept: 'application/json',
        'accept-encoding': 'gzip, br, deflate',
        ...lowered(plain(settings.headers)),
        ...more,
        ...login,
      });
      const headers = flatHeaders(answer.headers);
      const status = answer.statusCode;
      const name = nameOf(url);
      if (status === 200) return { status, url, name, headers, body: bodyOf(answer, headers, name) };
      if (status === 304 && ('if-none-match' in more || 'if-modified-since' in more)) {
        await answer.body.dump();
        return { status, url, name, headers, body: (async function* () {})() };
      }
      if ([301, 302, 303, 307, 308].includes(status) && headers['location'] !== undefined) {
        await answer.body.dump();
        url = follow(url, headers['location']);
        redirects += 1;
        if (redirects > mostRedirects)
          throw new Misconfigured(`${nameOf(start)} redirects more than ${mostRedirects} times`);
        continue;
      }
      const said = `${name} answered ${status}${await errorWords(answer)}`;
      if (status === 401 && !renewed && auth.renew(login)) {
        renewed = true;
        continue;
      }
      if (status === 429 || status === 503) {
        const delayMs = retryAfterMs(headers, clock.now());
        const wait = Math.max(delayMs ?? 0, 1000 * 2 ** waits);
        waits += 1;
        if (waits > mostWaits || wait > longestWaitMs)
          throw new Unavailable(said, delayMs === undefined ? {} : { delayMs });
        context.progress(`${name} asks to wait ${Math.ceil(wait / 1000)} s`);
        await clock.wait(wait, signal);
        continue;
      }
      throw refusal(status, said, first);
    }
  }

  return {
    get,
    follow,
    get bytes() {
      return bytes;
    },
    async close() {
      await auth.close();
      await sender.close();
    },
  };
}

function refusal(status: number, said: string, first: boolean): Error {
  if (status === 401 || status === 403) return new Denied(said, { remedy: 'check auth, and what this login may read' });
  if (status >= 500 || status === 408 || status === 425) return new Unavailable(said);
  if (status >= 400 && first) return new Misconfigured(said, { remedy: 'check url, query and paging' });
  return new Incomplete(said, { remedy: 'only status 200 is a whole answer' });
}

/** The body as it was before it was packed for the way. */
function unpacked(answer: Dispatcher.ResponseData, headers: Record<string, string>): AsyncIterable<Buffer> {
  const packing = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const through = (way: NodeJS.ReadWriteStream): Readable =>
    pipeline(answer.body, way, () => {}) as unknown as Readable;
  switch (packing) {
    case 'identity':
    case '':
      return answer.body;
    case 'gzip':
    case 'x-gzip':
      return through(createGunzip());
    case 'br':
      return through(createBrotliDecompress());
    case 'deflate':
      return through(createInflate());
    default:
      answer.body.on('error', () => {}).destroy();
      throw new Incomplete(`the answer is packed as ${JSON.stringify(packing)}, which nobody asked for`);
  }
}
