import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { StubDeclaration } from '../../src/connector/stub.ts';
import { hasEnded, type ImportQueue, openQueue, type StubImport } from './stub/imports.ts';
import { readBody } from './stub/request.ts';
import { rosterView } from './stub/roster.ts';
import { sessionRoute, signInRoute } from './stub/sessions.ts';
import { Bucket, throttleBody } from './stub/throttle.ts';
import { errorsJson, importJson, page } from './stub/wire.ts';

/** A stand-in for one Canvas root account with SIS imports (Canvas SIS Imports API; canvas-lms controllers). */
export const canvasStub: StubDeclaration = {
  kind: 'canvas',
  routes(server) {
    const queue = openQueue();
    const bucket = new Bucket();
    let requests = 0;
    server.post('/_stub/throttle', async (request, reply) => {
      const body = throttleBody.safeParse(request.body);
      if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
      bucket.set(body.data);
      return body.data;
    });
    signInRoute(server, queue.roster);
    server.register(async (api) => {
      api.addHook('onRequest', async () => {
        requests += 1;
      });
      api.addHook('preHandler', async (_request, reply) => throttle(bucket, reply));
      api.addHook('preHandler', authorize);
      sessionRoute(api, queue.roster);
      api.register(async (ofAccount) => {
        ofAccount.addHook('preHandler', rootAccountOnly);
        ofAccount.removeAllContentTypeParsers();
        ofAccount.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
        accountRoute(ofAccount);
        importRoutes(ofAccount, queue);
        errorRoutes(ofAccount, queue);
      });
    });
    return () => ({
      ...rosterView(queue.roster),
      imports: queue.imports.map(({ id, state, counts, options, comparedWith }) => ({
        ...{ id, workflow_state: state, counts },
        ...{ remaster: options.remaster, compared_with: comparedWith },
      })),
      requests,
    });
  },
};

const missing = { errors: [{ message: 'The specified resource does not exist.' }] };

/** A throttled request is refused in plain text and shows no cost; any other one shows it, and what is left. */
async function throttle(bucket: Bucket, reply: FastifyReply): Promise<void> {
  const status = bucket.enter();
  if (status !== null) {
    reply.header('x-rate-limit-remaining', '0.0').type('text/plain; charset=utf-8');
    await reply.code(status).send(`${status} Forbidden (Rate Limit Exceeded)\n`);
    return;
  }
  const { cost, left } = bucket.leave();
  reply.headers({ 'x-request-cost': String(cost), 'x-rate-limit-remaining': String(left) });
}

/** Any token is good. */
async function authorize(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!/^Bearer \S+/.test(request.headers.authorization ?? '')) {
    reply.header('www-authenticate', 'Bearer realm="canvas-lms"');
    await reply.code(401).send({ errors: [{ message: 'Invalid access token.' }] });
    return;
  }
}

const rootAccounts = new Set(['1', 'self']);
const subAccount = '2';

/** Account 1 is the root, account 2 is below it, and there are no others. */
async function rootAccountOnly(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { account } = request.params as { account: string };
  if (rootAccounts.has(account)) return;
  if (account !== subAccount) await reply.code(404).send(missing);
  else if (/\/sis_import/.test(request.url))
    await reply.code(400).send({ errors: ['SIS imports can only be executed on root accounts'] });
}

function accountRoute(api: FastifyInstance): void {
  api.get<{ Params: { account: string } }>('/api/v1/accounts/:account', async ({ params }) =>
    params.account === subAccount
      ? { id: 2, name: 'Continuing Education', parent_account_id: 1, root_account_id: 1, workflow_state: 'active' }
      : { id: 1, name: 'Example University', parent_account_id: null, root_account_id: null, workflow_state: 'active' },
  );
}

const base = '/api/v1/accounts/:account/sis_imports';
type One = { Params: { id: string } };

/** Finds an import by the id in the path. */
function find(queue: ImportQueue, id: string): StubImport | undefined {
  return queue.imports.find((candidate) => String(candidate.id) === id);
}

function importRoutes(api: FastifyInstance, queue: ImportQueue): void {
  for (const path of [base, `${base}.json`])
    api.post(path, async (request, reply) => {
      const upload = await readBody(request, queue.roster.terms);
      if ('refusal' in upload) return reply.code(upload.status).send(upload.refusal);
      return importJson(queue.add(upload));
    });
  api.get(base, async (request, reply) => {
    const address = addressOf(request);
    const states = address.searchParams.getAll('workflow_state[]');
    const since = address.searchParams.get('created_since') ?? '';
    const before = address.searchParams.get('created_before') ?? '9999';
    const listed = queue.imports
      .filter(({ state }) => states.length === 0 || states.includes(state))
      .filter(({ createdAt }) => createdAt >= since && createdAt <= before)
      .reverse();
    const { part, link } = page(listed, address);
    reply.header('link', link);
    return { sis_imports: part.map(importJson) };
  });
  api.get(`${base}/importing`, async () => ({
    sis_imports: queue.imports.filter(({ state }) => state === 'importing').map(importJson),
  }));
  api.get<One>(`${base}/:id`, async ({ params }, reply) => {
    const found = find(queue, params.id);
    if (!found) return reply.code(404).send(missing);
    if (!hasEnded(found)) queue.advance();
    return importJson(found);
  });
  api.put<One>(`${base}/:id/abort`, async ({ params }, reply) => {
    const found = find(queue, params.id);
    if (!found || hasEnded(found)) return reply.code(404).send(missing);
    queue.abort(found);
    return importJson(found);
  });
  api.put(`${base}/abort_all_pending`, async () => {
    for (const pending of queue.imports.filter(({ state }) => state === 'created')) queue.abort(pending);
    return { aborted: true };
  });
  api.put(`${base}/:id/restore_states`, async (_request, reply) =>
    reply.code(501).send({ errors: [{ message: 'this stub does not restore states' }] }),
  );
}

function errorRoutes(api: FastifyInstance, queue: ImportQueue): void {
  const send = (imports: readonly StubImport[], request: FastifyRequest, reply: FastifyReply) => {
    const address = addressOf(request);
    const failuresOnly = address.searchParams.get('failure') === 'true';
    const { part, link } = page(
      imports.flatMap((found) => errorsJson(found, failuresOnly)),
      address,
    );
    return reply.header('link', link).send({ sis_import_errors: part });
  };
  // The documented path and the one in the documentation's example.
  for (const path of ['errors', 'sis_import_errors'])
    api.get<One>(`${base}/:id/${path}`, async (request, reply) => {
      const found = find(queue, request.params.id);
      return found ? send([found], request, reply) : reply.code(404).send(missing);
    });
  api.get('/api/v1/accounts/:account/sis_import_errors', async (request, reply) =>
    send(queue.imports.toReversed(), request, reply),
  );
}

function addressOf(request: FastifyRequest): URL {
  return new URL(request.url, `http://${request.headers.host}`);
}
