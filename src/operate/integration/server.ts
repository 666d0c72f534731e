import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Denied, delayOf, kindOf, Misconfigured, messageOf, Unavailable } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { IntegrationKey } from '../../configure/config.ts';
import { type Annex, unreadable } from '../../pull/listen.ts';
import { checked } from '../control/checked.ts';
import { errorJson, NotFound, statusOf } from '../control/errors.ts';
import type { Endpoint } from '../control/shapes.ts';
import { admit, headerNames } from './admit.ts';
import { type EndpointName, endpoints, prefix } from './api.ts';
import { type Handlers, type Host, handlersOf } from './handlers.ts';

/** Nothing that may be asked is near as long. */
const longestBody = 64 * 1024;
/** When to come back, in seconds, where nothing better is known. */
const comeBack = 5;

/** The integration API, for the port that pushes come in at. Keys are those of the configuration in force. */
export function integrationAnnex(host: Host): Annex {
  const { log } = host.rosterd.work;
  const refused = (key: string | null, status: number): void =>
    log.warn({ event: 'integration.refused', key, status }, `${key ?? 'integration'}: refused with ${status}`);
  return {
    prefix,
    // the library puts the prefix in front of each path
    plugin: async (server, admitted) => {
      const callers = new WeakMap<FastifyRequest, IntegrationKey>();
      refusals(server, log, callers, refused);
      guard(server, host, callers, admitted);
      server.removeAllContentTypeParsers();
      server.addContentTypeParser(
        'application/json',
        { parseAs: 'buffer', bodyLimit: longestBody },
        (_request, bytes, done) => {
          try {
            done(null, JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes as Buffer)));
          } catch {
            // what the parser says quotes the body
            done(new Misconfigured('the body is no JSON in UTF-8'));
          }
        },
      );
      const handlers = handlersOf(host);
      for (const name of Object.keys(endpoints) as EndpointName[]) route(server, name, handlers, callers);
    },
    unreadable(reply) {
      refused(null, 400);
      refuse(reply, 400, new Misconfigured(unreadable));
    },
  };
}

/** How everything is refused, and told: with the key's name where it is known, and with nothing that was sent. */
function refusals(
  server: FastifyInstance,
  log: Log,
  callers: WeakMap<FastifyRequest, IntegrationKey>,
  refused: (key: string | null, status: number) => void,
): void {
  server.addHook('onResponse', async (request, { statusCode: status }) => {
    if (status >= 400) refused(callers.get(request)?.key ?? null, status);
  });
  server.setErrorHandler((error, _, reply) => {
    const kind = kindOf(error);
    // the library's own: a body that is too large, of another type, or ended early
    const { statusCode } = error as { statusCode?: unknown };
    if (kind === 'Unexpected' && typeof statusCode === 'number' && statusCode < 500)
      return refuse(reply, statusCode, new Misconfigured(messageOf(error)));
    if (kind === 'Unavailable')
      reply.header('retry-after', Math.ceil((delayOf(error).delayMs ?? comeBack * 1000) / 1000));
    if (kind === 'Unexpected')
      log.error({ event: 'integration.bug', err: error }, `unexpected error: ${messageOf(error)}`);
    return refuse(reply, statusOf(error), error);
  });
  server.setNotFoundHandler(async ({ method }) => {
    throw new NotFound(`there is nothing of that address that takes ${method}`, {
      remedy: `GET ${prefix}/openapi.json says what is`,
    });
  });
}

function refuse(reply: FastifyReply, status: number, error: unknown): FastifyReply {
  return reply.code(status).send({ success: false, ...errorJson(error) });
}

const noKey = new Denied('a valid key and its secret are needed', {
  remedy: `in the headers ${headerNames.map(({ key, secret }) => `${key} and ${secret}`).join(', or ')}; not both kinds`,
});

/** The first of all: nothing is read of somebody without a key, and nobody without one learns what there is. */
function guard(
  server: FastifyInstance,
  host: Host,
  callers: WeakMap<FastifyRequest, IntegrationKey>,
  admitted: (reply: FastifyReply) => void,
): void {
  const limits = new WeakMap<IntegrationKey, ReturnType<FastifyInstance['createRateLimit']>>();
  const limitOf = (caller: IntegrationKey): ReturnType<FastifyInstance['createRateLimit']> => {
    const { requests: max, perMs: timeWindow } = caller.rate;
    const limit = limits.get(caller) ?? server.createRateLimit({ max, timeWindow, keyGenerator: () => caller.key });
    limits.set(caller, limit);
    return limit;
  };
  server.addHook('onRequest', async (request, reply) => {
    const { integration } = host.rosterd.config;
    if (!integration) return refuse(reply, 404, new NotFound('there is nothing here'));
    const caller = admit(integration.keys, request.headers);
    if (!caller) return refuse(reply.header('www-authenticate', 'ApiKey realm="rosterd"'), 401, noKey);
    callers.set(request, caller);
    const rate = await limitOf(caller)(request);
    if (!rate.isAllowed && rate.isExceeded) {
      const why = new Unavailable(`more than ${rate.max} requests within ${rate.timeWindow / 1000} s`);
      return refuse(reply.header('retry-after', rate.ttlInSeconds), 429, why);
    }
    admitted(reply);
    return undefined;
  });
}

function route(
  server: FastifyInstance,
  name: EndpointName,
  handlers: Handlers,
  callers: WeakMap<FastifyRequest, IntegrationKey>,
): void {
  const endpoint: Endpoint = endpoints[name];
  server.route({
    method: endpoint.method,
    url: endpoint.path.slice(prefix.length),
    // before the body is read
    preParsing: async (request) => {
      if (endpoint.method !== 'GET' && !callers.get(request)!.may.includes('write'))
        throw new Denied('this key may only read', { remedy: 'may: [read, write] in the configuration of rosterd' });
    },
    handler: async (request) => {
      const asked = {
        params: checked(endpoint.params, request.params, 'path'),
        query: checked(endpoint.query, request.query, 'query'),
        body: endpoint.body && checked(endpoint.body, request.body, 'body'),
      };
      return (handlers[name] as (asked: unknown, caller: IntegrationKey) => Promise<unknown>)(
        asked,
        callers.get(request)!,
      );
    },
  });
}
