import { chmodSync } from 'node:fs';
import { Readable } from 'node:stream';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { systemClock } from '../../base/clock.ts';
import { delayOf, kindOf, Misconfigured, messageOf, Unavailable } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Config } from '../../configure/config.ts';
import { endsWithin } from '../../schedule/bell.ts';
import { metricsContentType } from '../metrics.ts';
import type { Service } from '../service.ts';
import { type Asked, type Endpoint, type EndpointName, endpoints } from './api.ts';
import { checked } from './checked.ts';
import { errorJson, longestParam, NotFound, statusOf } from './errors.ts';
import { type Handlers, handlersOf } from './handlers.ts';
import { makeRoom, taken } from './socket.ts';
import { Stream } from './stream.ts';

/** How long what is in hand may take when the service has ended, and when to come back, in seconds. */
const patienceMs = 10_000;
const comeBack = 5;

/** A store that is away for less may be choosing another primary: whoever asks then waits, and is answered. */
const electionMs = 10_000;
/** These need no store to answer, or the runs that they begin wait for it by themselves. */
const storeless: ReadonlySet<EndpointName> = new Set([
  ...(['status', 'run', 'reload', 'metrics', 'logLevel', 'setLogLevel', 'openapi'] as const),
]);

/** The control socket, open. */
export interface Control {
  /** Waits for what is in hand, not for ever. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the socket. Throws `Misconfigured` when another daemon answers there, or it cannot be had. */
export async function openControl(config: Config, service: Service): Promise<Control> {
  const { socket } = config.control;
  await makeRoom(config);
  const inHand = new Set<Promise<unknown>>();
  const server = Fastify({
    ...{ forceCloseConnections: true, exposeHeadRoutes: false },
    routerOptions: { maxParamLength: longestParam },
    // of an address that it cannot read the library would tell in words of its own, and quote it
    frameworkErrors: (_, request, reply) =>
      answerError(new Misconfigured('the address cannot be read'), request, reply, service.log),
  });
  server.setErrorHandler((error, request, reply) => answerError(error, request, reply, service.log));
  server.setNotFoundHandler((request) => {
    throw new NotFound(`there is no ${request.method} ${request.url}`, { remedy: 'GET /v1/openapi.json says what is' });
  });
  // a POST without a body is one with all defaults
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, text === '' ? undefined : JSON.parse(text as string));
    } catch (cause) {
      done(new Misconfigured('the body is no JSON', { cause }));
    }
  });
  const handlers = handlersOf(service);
  for (const name of Object.keys(endpoints) as EndpointName[])
    route(server, name, handlers, inHand, storeless.has(name) ? () => {} : () => needStore(service));
  try {
    await server.listen({ path: socket });
    // the kernel asks for the right to write; until here nobody but us and root has it
    chmodSync(socket, 0o660);
  } catch (cause) {
    await server.close();
    // both have found nobody there; one was faster
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') throw taken(socket, cause);
    throw new Misconfigured(`cannot listen at ${socket}: ${(cause as Error).message}`, {
      remedy: 'give a control.socket in a directory that rosterd may write to',
      cause,
    });
  }
  service.log.info({ event: 'control.opened', file: socket }, `answering at ${socket}`);
  return {
    async settle() {
      await endsWithin(systemClock, patienceMs, Promise.allSettled([...inHand]), service.hasten);
    },
    async close() {
      await server.close();
    },
  };
}

/** Nobody waits a minute to be told what is known: that the store does not answer. Nothing has been begun by then. */
function needStore({ opened }: Service): void {
  const away = opened?.store.away;
  if (!away || systemClock.now().getTime() - away.since.getTime() < electionMs) return;
  throw new Unavailable(`the store is away since ${away.since.toISOString()}: ${away.error.message}`);
}

function route(
  server: FastifyInstance,
  name: EndpointName,
  handlers: Handlers,
  inHand: Set<Promise<unknown>>,
  ready: () => void,
): void {
  const endpoint: Endpoint = endpoints[name];
  server.route({
    method: endpoint.method,
    url: endpoint.path,
    handler: async (request, reply) => {
      const asked = {
        params: checked(endpoint.params, request.params, 'path'),
        query: checked(endpoint.query, request.query, 'query'),
        body: endpoint.body && checked(endpoint.body, request.body ?? {}, 'body'),
      };
      ready();
      const answering = (handlers[name] as (asked: unknown) => Promise<unknown>)(asked as Asked<typeof name>);
      const read = new Promise<void>((resolve) => reply.raw.once('close', resolve));
      // to the last line, and until it is on its way
      const over = answering.then((answer) => (answer instanceof Stream ? answer.ended : undefined)).then(() => read);
      inHand.add(over);
      void over.then(
        () => inHand.delete(over),
        () => inHand.delete(over),
      );
      return send(reply, endpoint, await answering);
    },
  });
}

function send(reply: FastifyReply, endpoint: Endpoint, answer: unknown): FastifyReply {
  reply.header('cache-control', 'no-store');
  if (answer instanceof Stream) {
    const lines = Readable.from(answer.lines());
    // whoever asked may leave; what was asked for goes on
    lines.on('error', () => {});
    return reply.type('application/x-ndjson').send(lines);
  }
  if (endpoint.answers[200]?.type === 'text') return reply.type(metricsContentType).send(answer);
  return reply.code(endpoint.answers[202] ? 202 : 200).send(answer);
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const kind = kindOf(error);
  // the library's own: a body that is too large or ended early
  const { statusCode } = error as { statusCode?: unknown };
  if (kind === 'Unexpected' && typeof statusCode === 'number' && statusCode < 500)
    return reply.code(400).send(errorJson(new Misconfigured(messageOf(error))));
  if (kind === 'Unavailable')
    reply.header('retry-after', Math.ceil((delayOf(error).delayMs ?? comeBack * 1000) / 1000));
  if (kind === 'Unexpected')
    log.error(
      { event: 'control.bug', err: error },
      `${request.method} ${request.routeOptions.url}: ${messageOf(error)}`,
    );
  return reply.code(statusOf(error)).send(errorJson(error));
}
