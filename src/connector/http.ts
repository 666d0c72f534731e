import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { Denied, Misconfigured, Unavailable } from '../base/errors.ts';

/** One request. `path` is joined to the base URL; an absolute URL is used only when it has the base's origin. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  /** Bytes, or a file that is read while it is sent. */
  body?: string | Uint8Array | { file: string };
  /** A file that the body of a 2xx answer is written to, whatever its size; `text` is empty then. */
  into?: string;
  /** Called when all of the body has gone; `answer` resolves when the answer begins, and rejects where there is none. */
  gone?: (answer: Promise<unknown>) => void;
}

/** A whole answer. Header names are lower case; a repeated header's values are joined by ", ". */
export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** A client bound to one base URL, an abort signal and time-outs. It never follows a redirect and never retries. */
export interface Http {
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

const trustErrors = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** Largest answer that is read into memory, in bytes; a bigger one is an error, not a crash. */
const largestAnswer = 64 * 1024 * 1024;

/** How a server is reached. */
export interface Route {
  /** Longest wait for a connection's next sign of life, in milliseconds. */
  timeoutMs: number;
  /** A file of certificates, PEM, that are trusted beside the machine's own. */
  ca?: string | undefined;
  /** A proxy that every request goes through; `env`: the one that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name. */
  proxy?: 'env' | { uri: string; token?: string } | undefined;
}

/** What requests are sent by. */
export interface Sender {
  request(
    url: URL,
    options: Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'body' | 'signal'>,
  ): Promise<Dispatcher.ResponseData>;
  close(): Promise<void>;
}

/** Opens what requests are sent by. Nothing is connected yet. Throws `Misconfigured` when the certificates cannot be read. */
export function openSender({ timeoutMs, ca, proxy }: Route): Sender {
  const tls = ca === undefined ? {} : { ca: [...getCACertificates('default'), readCa(ca)] };
  const options = {
    connect: { timeout: 10_000, ...tls },
    requestTls: tls,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  };
  // The library is read with the first request: most commands send none, and it is a fifth of their memory.
  const open = async () => {
    const { Agent, EnvHttpProxyAgent, ProxyAgent, request } = await import('undici');
    if (proxy === undefined) return { request, dispatcher: new Agent(options) };
    const dispatcher = proxy === 'env' ? new EnvHttpProxyAgent(options) : new ProxyAgent({ ...options, ...proxy });
    return { request, dispatcher };
  };
  let opened: ReturnType<typeof open> | null = null;
  return {
    async request(url, sent) {
      opened ??= open();
      const { request, dispatcher } = await opened;
      return request(url, { ...sent, dispatcher });
    },
    async close() {
      if (opened) await (await opened).dispatcher.destroy();
    },
  };
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Misconfigured(`the certificates in ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** What a request that got no answer, or lost it half-way, means. `origin` is all of the address that may be shown. */
export function networkError(cause: unknown, origin: string): Denied | Unavailable {
  if (cause instanceof Denied || cause instanceof Unavailable) return cause;
  const code = (cause as { code?: string }).code ?? '';
  const text = (cause as Error).message || code;
  if (trustErrors.has(code)) return new Denied(`${origin}: its certificate is not trusted (${text})`, { cause });
  if (/^Proxy response \(407\)/.test(text))
    return new Denied(`${origin}: the proxy wants a login (${text})`, { cause });
  return new Unavailable(`${origin}: ${text}`, { cause });
}

/** Header names in lower case, each with one value. */
export function flatHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  return flat;
}

/**
 * Opens a client. Network failures become `Unavailable` (nothing is known about the effect: callers repeat, because
 * every item is a state to reach), failures of trust become `Denied`. Any HTTP status is an answer, not an error.
 */
export function openHttp(
  baseUrl: string,
  signal: AbortSignal,
  timeoutMs = 60_000,
  route: Omit<Route, 'timeoutMs'> = {},
): Http {
  const sender = openSender({ ...route, timeoutMs });
  const base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  return {
    async send({ method, path, headers, body, into, gone }) {
      const url = /^https?:/i.test(path) ? new URL(path) : new URL(path.replace(/^\//, ''), base);
      if (url.origin !== base.origin)
        throw new Denied(`refused to send to ${url.origin}: the configured address is ${base.origin}`);
      try {
        const sent = await bodyOf(body);
        const begun = sender.request(url, {
          ...{ method, signal, body: sent.body },
          headers: { ...headers, ...sent.headers },
        });
        if (gone) {
          if (sent.body instanceof Readable) sent.body.once('end', () => gone(begun));
          else gone(begun);
        }
        const answer = await begun;
        const good = answer.statusCode >= 200 && answer.statusCode < 300;
        let text = '';
        if (into !== undefined && good) await pipeline(answer.body, createWriteStream(into));
        else text = await readBounded(answer, url);
        return { status: answer.statusCode, headers: flatHeaders(answer.headers), text };
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        throw networkError(cause, url.origin);
      }
    },
    close: () => sender.close(),
  };
}

/** A file goes with its length: many servers refuse bodies of unknown length. */
async function bodyOf(
  body: HttpRequest['body'],
): Promise<{ body: string | Uint8Array | Readable | null; headers: Record<string, string> }> {
  if (body === undefined) return { body: null, headers: {} };
  if (typeof body === 'string' || body instanceof Uint8Array) return { body, headers: {} };
  const { size } = await stat(body.file);
  return { body: createReadStream(body.file), headers: { 'content-length': String(size) } };
}

function readBounded({ body }: Dispatcher.ResponseData, url: URL): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    // Events, because an iterator takes as long as all the rest of a small answer.
    body.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > largestAnswer)
        body.destroy(new Unavailable(`${url.origin}: the answer is larger than ${largestAnswer} bytes`));
    });
    body.on('error', reject);
    body.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    body.on('close', () => reject(new Unavailable(`${url.origin}: the answer ended early`)));
  });
}

/** The three forms of a date in a header (RFC 9110 §5.6.7); `Date.parse` takes far more for one, -1 and 1.5 as well. */
const httpDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/;

/** `Retry-After` in milliseconds: seconds or an HTTP date (RFC 9110 §10.2.3); undefined when absent or unreadable. */
export function retryAfterMs(headers: Record<string, string>, now: Date): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  if (!httpDate.test(value)) return undefined;
  // the oldest form names no zone and means this one
  const date = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
