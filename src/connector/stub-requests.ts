import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** A request that a stub was sent, byte for byte. */
export interface StubRequest {
  /** From 1, in the order of arrival. */
  n: number;
  method: string;
  /** Path with its query. */
  url: string;
  headers: Record<string, string | string[] | undefined>;
  /** Length and SHA-256 (hex) of the body as it was sent. */
  bytes: number;
  sha256: string;
  /** The body, or the beginning of a long one: text where it is UTF-8, else base64. */
  body: string;
  encoding: 'utf8' | 'base64';
  /** Null while there is no answer, and for one that was never given. */
  status: number | null;
}

/** How many requests are remembered, and how much of each body. */
const mostRequests = 2_000;
const mostBody = 64 * 1024;

/** Remembers what the server is asked, the oldest is forgotten first. What asks about the stub itself does not count. */
export function recorder(server: FastifyInstance): StubRequest[] {
  const all: StubRequest[] = [];
  const entries = new WeakMap<FastifyRequest, StubRequest>();
  let arrived = 0;
  server.addHook('onRequest', async (request) => {
    if (request.url.startsWith('/_stub/')) return;
    arrived += 1;
    const { method, url, headers } = request;
    const entry: StubRequest = {
      ...{ n: arrived, method, url, headers: { ...headers } },
      ...{ bytes: 0, sha256: createHash('sha256').digest('hex'), body: '', encoding: 'utf8', status: null },
    };
    entries.set(request, entry);
    all.push(entry);
    if (all.length > mostRequests) all.shift();
  });
  server.addHook('preParsing', (request, _reply, payload, done) => {
    const entry = entries.get(request);
    if (!entry) return done(null, payload);
    const tap = new Tap(entry);
    payload.on('error', (error) => tap.destroy(error));
    return done(null, payload.pipe(tap));
  });
  server.addHook('onResponse', async (request, reply) => {
    const entry = entries.get(request);
    if (entry) entry.status = reply.statusCode;
  });
  return all;
}

/** Lets a body through and writes down what it was. */
class Tap extends Transform {
  /** What fastify compares with the length that was said. */
  receivedEncodedLength = 0;
  readonly #entry: StubRequest;
  readonly #hash = createHash('sha256');
  readonly #kept: Buffer[] = [];

  constructor(entry: StubRequest) {
    super();
    this.#entry = entry;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    if (this.receivedEncodedLength < mostBody)
      this.#kept.push(chunk.subarray(0, mostBody - this.receivedEncodedLength));
    this.receivedEncodedLength += chunk.length;
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const body = Buffer.concat(this.#kept);
    this.#entry.bytes = this.receivedEncodedLength;
    this.#entry.sha256 = this.#hash.digest('hex');
    try {
      this.#entry.body = new TextDecoder('utf-8', { fatal: true }).decode(body, { stream: true });
    } catch {
      this.#entry.body = body.toString('base64');
      this.#entry.encoding = 'base64';
    }
    done();
  }
}
