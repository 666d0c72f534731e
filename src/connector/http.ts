import { Agent, type Dispatcher, request } from 'undici';
import { Denied, Unavailable } from '../base/errors.ts';

/** One request. `path` is joined to the base URL; an absolute URL is used only when it has the base's origin. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
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

/**
 * Opens a client. Network failures become `Unavailable` (nothing is known about the effect: callers repeat, because
 * every item is a state to reach), failures of trust become `Denied`. Any HTTP status is an answer, not an error.
 */
export function openHttp(baseUrl: string, signal: AbortSignal, timeoutMs = 60_000): Http {
  const agent = new Agent({ connect: { timeout: 10_000 }, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  const base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  return {
    async send({ method, path, headers, body }) {
      const url = /^https?:/i.test(path) ? new URL(path) : new URL(path.replace(/^\//, ''), base);
      if (url.origin !== base.origin)
        throw new Denied(`refused to send to ${url.origin}: the configured address is ${base.origin}`);
      let answer: Dispatcher.ResponseData;
      try {
        answer = await request(url, { method, headers: headers ?? {}, body: body ?? null, dispatcher: agent, signal });
        const text = await readBounded(answer, url);
        const flat: Record<string, string> = {};
        for (const [name, value] of Object.entries(answer.headers))
          if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
        return { status: answer.statusCode, headers: flat, text };
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        if (cause instanceof Unavailable) throw cause;
        const code = (cause as { code?: string }).code ?? '';
        if (trustErrors.has(code))
          throw new Denied(`${url.origin}: its certificate is not trusted (${(cause as Error).message})`, { cause });
        throw new Unavailable(`${url.origin}: ${(cause as Error).message || code}`, { cause });
      }
    },
    close: () => agent.destroy(),
  };
}

async function readBounded(answer: Dispatcher.ResponseData, url: URL): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += (chunk as Buffer).length;
    if (size > largestAnswer) throw new Unavailable(`${url.origin}: the answer is larger than ${largestAnswer} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `Retry-After` in milliseconds: seconds or an HTTP date (RFC 9110 §10.2.3); undefined when absent or unreadable. */
export function retryAfterMs(headers: Record<string, string>, now: Date): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
