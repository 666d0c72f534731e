import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { StubDeclaration } from '../../src/connector/stub.ts';
import { bulkBody, Jobs } from './stub/jobs.ts';
import { Org } from './stub/org.ts';
import { apiRoutes, refuse } from './stub/routes.ts';
import { appBody, Sessions, stubUser } from './stub/sessions.ts';
import { viewOf } from './stub/view.ts';

/** Body of `POST /_stub/lock`: the next writes of these external ids fail with UNABLE_TO_LOCK_ROW. */
const lockBody = z.strictObject({
  externalIds: z.array(z.string()),
  times: z.int().min(0).default(1),
  /** It is a trigger that meets the lock: the error is the trigger's, and has the lock in its words. */
  inTrigger: z.boolean().default(false),
});
/** Body of `POST /_stub/limits`: requests of the day that are used, and that there are. */
const limitsBody = z.strictObject({ used: z.int().min(0).default(0), limit: z.int().min(1).default(15_000) });
/** Body of `POST /_stub/rules`: whether the org has a duplicate rule for contacts. */
const rulesBody = z.strictObject({ duplicates: z.boolean() });

/**
 * A Salesforce org on loopback: both logins, describe, records, collections upsert, query, and Bulk API 2.0 ingest jobs.
 * Beside the common `/_stub` routes: `expire-tokens` ends all sessions, `lock` locks rows, `limits` sets the day's
 * requests, `apps` registers an app for JWT, `bulk` says how jobs behave, `rules` switches a duplicate rule on.
 */
export const salesforceStub: StubDeclaration = {
  kind: 'salesforce',
  routes(server) {
    const org = new Org();
    const sessions = new Sessions();
    const jobs = new Jobs(org);
    const day = { used: 0, limit: 15_000 };
    let requests = 0;

    server.post('/_stub/expire-tokens', async () => ({ expired: sessions.expire() }));
    control(server, 'lock', lockBody, ({ externalIds, ...lock }) => org.lock(externalIds, lock));
    control(server, 'limits', limitsBody, (limits) => Object.assign(day, limits));
    control(server, 'apps', appBody, (app) => sessions.register(app));
    control(server, 'bulk', bulkBody, (behaviour) => Object.assign(jobs, { behaviour }));
    control(server, 'rules', rulesBody, ({ duplicates }) => Object.assign(org, { duplicateRule: duplicates }));

    server.register(async (vendor) => {
      vendor.removeAllContentTypeParsers();
      vendor.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
      vendor.addHook('onRequest', async () => {
        requests += 1;
      });
      vendor.post('/services/oauth2/token', async (request, reply) => login(sessions, request, reply));
      vendor.register(async (api) => {
        api.addHook('onRequest', async (_request, reply) => {
          reply.header('Sforce-Limit-Info', `api-usage=${Math.min(day.used + 1, day.limit)}/${day.limit}`);
        });
        api.addHook('preHandler', async (request, reply) => {
          const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
          if (!sessions.has(token)) return refuse(reply, 401, 'INVALID_SESSION_ID', 'Session expired or invalid');
          if (day.used >= day.limit)
            return refuse(reply, 403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.');
          day.used += 1;
          jobs.pass();
          return undefined;
        });
        apiRoutes(api, org, jobs);
        api.all('/services/*', async (request, reply) =>
          refuse(reply, 501, 'NOT_IMPLEMENTED', `the stub does not know ${request.method} ${request.url}`),
        );
      });
    });

    return () => ({ ...viewOf(org, jobs), requests });
  },
};

/** A route that changes how the stub behaves. */
function control<T extends z.ZodType>(
  server: FastifyInstance,
  name: string,
  schema: T,
  act: (body: z.output<T>) => unknown,
): void {
  server.post(`/_stub/${name}`, async (request, reply) => {
    const body = schema.safeParse(request.body);
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    act(body.data);
    return body.data;
  });
}

function login(sessions: Sessions, request: FastifyRequest, reply: FastifyReply): FastifyReply | object {
  const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
  const opened = sessions.open(form, request.headers.authorization);
  if (Array.isArray(opened)) return reply.code(400).send({ error: opened[0], error_description: opened[1] });
  return {
    access_token: opened.token,
    signature: randomBytes(32).toString('base64'),
    token_format: 'opaque',
    scope: 'api',
    instance_url: `${request.protocol}://${request.host}`,
    id: `https://login.salesforce.com/id/00D000000000001EAA/${stubUser}`,
    token_type: 'Bearer',
    issued_at: String(Date.now()),
    api_instance_url: 'https://api.salesforce.com',
  };
}
