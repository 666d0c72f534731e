import { readFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import multipart from '@fastify/multipart';
import rateLimit from '@fastify/rate-limit';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import { Misconfigured, messageOf, Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { scrub } from '../base/redact.ts';
import type { Config, ListenConfig, SourceConfig } from '../configure/config.ts';
import { type Inbox, type Push, Refused } from '../connector/inbox.ts';
import { newRunId } from '../run/record.ts';
import { formatOf } from '../snapshot/formats/index.ts';
import { jsonOf, tableOf } from './bodies.ts';
import { judgeOf } from './judge.ts';
import { inboxOf } from './pull.ts';

/**
 * Where pushes come in:
 *
 *     POST /api/v1/sources/NAME/students   a JSON list
 *     POST /api/v1/sources/NAME/upload     a table, text/csv or multipart/form-data with one file
 *
 * Who shows no key that some source knows is told nothing, not even which sources there are. An answer of 202 means that
 * the push is on the disk; everything that is refused says why, and has had no effect.
 */

/** A listener that runs. */
export interface Listener {
  /** Base URL without a trailing slash. */
  url: string;
  /** Takes up the push sources of another configuration; where it listens stays. */
  arrange(config: Config): Promise<void>;
  /** From now on every new request is told to come back later; those in hand go on. */
  stop(): void;
  /** Waits for the pushes in hand, `patienceMs` or until `abort` at most, and gives back the port. */
  close(patienceMs: number, abort: AbortSignal): Promise<void>;
}

/** What the listener works with. */
export interface ListenWork {
  clock: Clock;
  log: Log;
  /** A push of this source is on the disk, or came again: it may be over. */
  received(source: SourceConfig): void;
}

/** Something else that is answered at the same port. */
export interface Annex {
  /** Where its paths begin. */
  prefix: string;
  /**
   * Its routes, on a server of its own but for the answers while rosterd starts or stops. It tells by itself what it
   * refuses. `admitted`: a request whose answer the end waits for.
   */
  plugin(server: FastifyInstance, admitted: (reply: FastifyReply) => void): Promise<void>;
  /** Answers a request below the prefix whose address cannot be read; the library asks nobody else about it. */
  unreadable(reply: FastifyReply): void;
}

interface Door {
  source: SourceConfig;
  inbox: Inbox;
}

/** The sources that are pushed, as the configuration in force has them. */
interface Doors {
  now: Door[];
}

function doorsOf({ sources, stateDir }: Config): Door[] {
  return sources.flatMap((source) => {
    const inbox = inboxOf(stateDir, source);
    return inbox ? { source, inbox } : [];
  });
}

/** How long a handshake, and the head of a request, may take at most; also how often it is looked who is late. */
const headMs = 30_000;
const stopping = 'rosterd is stopping';
/** What is said of an address that is badly encoded or far too long. */
export const unreadable = 'the address cannot be read';
/** When to come back, in seconds, where nothing better is known. */
const comeBack = 30;

/** Opens the port. Throws `Misconfigured` when it cannot be had. */
export async function openListener(
  config: Config,
  listen: ListenConfig,
  work: ListenWork,
  annex: Annex | null = null,
): Promise<Listener> {
  const doors: Doors = { now: doorsOf(config) };
  // the library's types are one for each kind of server, its options are not
  const server = Fastify({
    https: listen.tls && { ...tlsOf(listen.tls), ...patienceOf(listen) },
    http: patienceOf(listen),
    trustProxy: listen.behindProxy,
    requestTimeout: listen.timeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    // ids of items are longer than what the library takes for a part of a path
    routerOptions: { maxParamLength: 2000 },
    frameworkErrors: (_: Error, request: FastifyRequest, reply: FastifyReply) => {
      reply.header('cache-control', 'no-store').header('connection', 'close').code(400);
      request.raw.resume();
      if (annex && request.raw.url?.startsWith(annex.prefix)) return annex.unreadable(reply);
      refused(null, request.method, 400);
      reply.send({ error: unreadable });
    },
  } as object) as unknown as FastifyInstance;
  let away: string | null = 'rosterd is starting';
  const inHand = new Set<Promise<unknown>>();
  const admitted = (reply: FastifyReply): void => {
    const answered = new Promise<void>((resolve) => reply.raw.once('close', resolve));
    inHand.add(answered);
    void answered.then(() => inHand.delete(answered));
  };
  server.addHook('onRequest', async (_, reply) => {
    if (away !== null) throw new Unavailable(away, { delayMs: comeBack * 1000 });
    reply.header('cache-control', 'no-store');
  });
  server.addHook('onSend', async (request, reply) => {
    if (request.raw.complete) return;
    // what is left of a refused body is let through while the answer is on its way; the connection is not used again
    reply.header('connection', 'close');
    request.raw.resume();
  });
  const refused = (named: string | null, method: string, status: number): void => {
    // a stranger may ask for any name, and writes nothing into the log by it
    const source = doors.now.find((door) => door.source.name === named)?.source.name ?? null;
    // the reason may quote the body; whoever sent it got it, the log does not
    work.log.warn({ event: 'push.refused', source, status }, `${source ?? method}: refused with ${status}`);
  };
  server.addHook('onResponse', async (request, { statusCode: status }) => {
    if (status < 400 || (annex && request.url.startsWith(annex.prefix))) return;
    refused((request as Request).params?.name ?? null, request.method, status);
  });
  server.setErrorHandler((error, _, reply) => answerError(error, reply, work.log));
  server.setNotFoundHandler(async (_, reply) => reply.code(404).send({ error: 'there is nothing here' }));
  // bodies are read by whoever takes them, as they come in
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  await server.register(multipart, { limits: { fileSize: Number.POSITIVE_INFINITY } });
  await server.register(rateLimit, { global: false });
  await server.register(async (api) => pushRoutes(api, doors, work, admitted), { prefix: '/api/v1/sources' });
  if (annex) await server.register(async (api) => annex.plugin(api, admitted), { prefix: annex.prefix });
  try {
    await server.listen({ host: listen.address, port: listen.port });
  } catch (cause) {
    await server.close();
    throw new Misconfigured(`cannot listen on ${listen.address} port ${listen.port}: ${(cause as Error).message}`, {
      remedy: 'is another daemon running? else change listen',
      cause,
    });
  }
  // only now: another daemon at this port is not robbed of what it is receiving
  for (const { inbox } of doors.now) await inbox.tidy();
  away = null;
  const { address, port, family } = server.server.address() as AddressInfo;
  return {
    url: `${listen.tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async arrange(next) {
      const known = new Set(doors.now.map(({ source }) => source.name));
      const found = doorsOf(next);
      for (const { source, inbox } of found) if (!known.has(source.name)) await inbox.tidy();
      doors.now = found;
    },
    stop() {
      away = stopping;
    },
    async close(patienceMs, abort) {
      away = stopping;
      // the port stays open meanwhile: a sender is better told to come back than refused a connection
      const answered = new AbortController();
      const patience = work.clock.wait(patienceMs, AbortSignal.any([abort, answered.signal])).catch(() => {});
      await Promise.race([patience, Promise.all(inHand)]);
      answered.abort();
      const closed = server.close();
      server.server.closeAllConnections();
      await closed;
    },
  };
}

/** For Node: it looks who is late from time to time, and thinks of what is late only then. */
function patienceOf({ timeoutMs }: ListenConfig): ServerOptions {
  const shortest = Math.min(headMs, timeoutMs);
  return { headersTimeout: shortest, connectionsCheckingInterval: shortest, handshakeTimeout: shortest };
}

function tlsOf(tls: NonNullable<ListenConfig['tls']>): ServerOptions {
  const read = (file: string, what: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new Misconfigured(`the ${what} of listen.tls cannot be read: ${(cause as Error).message}`, { cause });
    }
  };
  return {
    cert: read(tls.certificate, 'certificate'),
    key: read(tls.key, 'key'),
    minVersion: 'TLSv1.2',
  };
}

type Request = FastifyRequest<{ Params: { name: string } }>;

function pushRoutes(
  server: FastifyInstance,
  doors: Doors,
  work: ListenWork,
  admitted: (reply: FastifyReply) => void,
): void {
  const opened = new WeakMap<FastifyRequest, Door>();
  // the first of all: nothing is read of somebody without a key
  server.addHook('onRequest', async (request, reply) => {
    const key = keyOf(request);
    const open = doors.now.filter(({ inbox }) => inbox.admits(key));
    if (!open.length) return reply.code(401).header('www-authenticate', 'Bearer').send(noKey);
    const door = open.find(({ source }) => source.name === (request as Request).params.name);
    if (!door) return reply.code(404).send({ error: 'this key pushes to no source of that name' });
    opened.set(request, door);
    admitted(reply);
    return undefined;
  });
  for (const [path, take] of [
    ['students', jsonOf],
    ['upload', tableOf],
  ] as const) {
    const url = `/:name/${path}`;
    const limitOf = new WeakMap<Door, ReturnType<FastifyInstance['createRateLimit']>>();
    const limited = (door: Door): ReturnType<FastifyInstance['createRateLimit']> => {
      const { pushes, perMs } = door.inbox.rate;
      const limit =
        limitOf.get(door) ??
        server.createRateLimit({ max: pushes, timeWindow: perMs, keyGenerator: () => `${path} ${door.source.name}` });
      limitOf.set(door, limit);
      return limit;
    };
    server.post(url, async (request, reply) => {
      const door = opened.get(request)!;
      const { source } = door;
      if (!source.enabled) throw new Refused(409, `the source ${source.name} is disabled`, 'set enabled: true');
      const rate = await limited(door)(request);
      if (!rate.isAllowed && rate.isExceeded)
        return reply
          .code(429)
          .header('retry-after', rate.ttlInSeconds)
          .send({ error: `more than ${rate.max} pushes within ${rate.timeWindow / 1000} s` });
      const run = newRunId(source.name, work.clock);
      const push = { run, answer: answerOf(request), idempotencyKey: idempotencyKeyOf(request), ...take(request) };
      return receive(door, push, reply, work);
    });
    server.route({
      method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url,
      handler: async (_, reply) =>
        reply.code(405).header('allow', 'POST').send({ error: 'only POST is answered here' }),
    });
  }
}

const noKey = { error: 'a valid key is needed, as the header API_KEY or Authorization: Bearer' };

async function receive(
  { source, inbox }: Door,
  push: Push,
  reply: FastifyReply,
  work: ListenWork,
): Promise<FastifyReply> {
  const format = formatOf(source.format, source.role);
  const { receipt, repeated } = await inbox.receive(push, {
    columns: format.columns,
    judge: (columns, lacking) => judgeOf(format, columns, lacking),
    clock: work.clock,
  });
  const { run, answer, accepted, refused } = receipt;
  work.log.info(
    { event: 'push.received', source: source.name, run, answer, accepted, refused, repeated },
    `${source.name}: ${answer} of ${accepted} records received${refused ? `, ${refused} more refused` : ''}`,
  );
  // also of a repeat: whoever was told of the first may not have come to it, and looks what waits
  work.received(source);
  return reply.code(202).send({ ...receipt, repeated });
}

/** What was shown as a key; empty when nothing was. */
function keyOf({ headers }: FastifyRequest): string {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const header = headers['api_key'];
  return (typeof header === 'string' ? header : bearer) ?? '';
}

/** A typing error here would make a list of few changes the whole truth, so nothing unknown is passed over. */
function answerOf({ query, headers }: FastifyRequest): Push['answer'] {
  const { answer: asked, ...others } = query as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new Refused(400, `unknown parameter ${unknown}`, 'answer is the only one');
  const header = headers['rosterd-answer'];
  if (asked !== undefined && header !== undefined && asked !== header)
    throw new Refused(400, 'the parameter answer and the header Rosterd-Answer say different things');
  const said = asked ?? header ?? null;
  if (said !== null && said !== 'snapshot' && said !== 'delta')
    throw new Refused(400, 'answer is snapshot or delta', 'snapshot: everybody; delta: only those who changed');
  return said;
}

function idempotencyKeyOf({ headers }: FastifyRequest): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw new Refused(400, 'an Idempotency-Key has 1 to 255 visible ASCII characters');
  return key;
}

function answerError(error: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const { status, body, delayMs } = answerTo(error);
  if (delayMs !== undefined) reply.header('retry-after', Math.ceil(delayMs / 1000));
  if (status === 500) log.error({ event: 'push.bug', err: error }, `unexpected error: ${messageOf(error)}`);
  return reply.code(status).send(body);
}

/** Of the disk, of a quota, of open files: all pass by themselves or by somebody who looks after the machine. */
const noRoom = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE']);

interface ErrorAnswer {
  status: number;
  body: { error: string; remedy?: string; records?: unknown };
  delayMs?: number;
}

function answerTo(error: unknown): ErrorAnswer {
  if (error instanceof Refused) {
    const { status, message, remedy, records } = error;
    const more = { ...(remedy === undefined ? {} : { remedy }), ...(records.length ? { records } : {}) };
    // it may quote a header or a parameter, and whoever keeps answers keeps no people by it
    return { status, body: { error: scrub(message), ...more } };
  }
  if (error instanceof Unavailable)
    return { status: 503, body: { error: error.message }, delayMs: error.delayMs ?? comeBack * 1000 };
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (typeof code === 'string' && noRoom.has(code))
    return { status: 503, body: { error: 'there is no room for it now' }, delayMs: comeBack * 1000 };
  // the library's own: a form that is none, a body that ended early
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return { status: statusCode, body: { error: (error as Error).message } };
  return { status: 500, body: { error: 'something went wrong here; nothing was taken' } };
}
