import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { z } from 'zod';

/**
 * What every target stub shares: a server on loopback, a look at its state, and faults by rule. A stub keeps the
 * vendor's contract to the letter, so that a connector that passes here has a chance there.
 */

/** A rule that makes a stub misbehave. The first rule that fits a request, and still has uses left, acts. */
export const faultRule = z.strictObject({
  /** Regular expression over the path with its query. */
  path: z.string().default('.*'),
  method: z.string().optional(),
  /** How often the rule acts; left out: always. */
  count: z.number().int().positive().optional(),
  /** Share of fitting requests that it acts on, 0 to 1, spread evenly (no dice, so that tests repeat). */
  share: z.number().min(0).max(1).default(1),
  /** `before`: the request has no effect. `after`: it has its effect and the answer is lost or replaced. */
  when: z.enum(['before', 'after']).default('before'),
  delayMs: z.number().int().min(0).default(0),
  /** Cuts the connection instead of answering. */
  reset: z.boolean().default(false),
  status: z.number().int().optional(),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().default(''),
});
export type FaultRule = z.infer<typeof faultRule>;

/** Body of `POST /_stub/faults`: replaces all rules; an empty list ends all faults. */
export const faultsBody = z.strictObject({ rules: z.array(faultRule) });

/** A stub that runs. */
export interface Stub {
  kind: string;
  /** Base URL without a trailing slash. */
  url: string;
  /** The same object that `GET /_stub/state` shows. */
  state(): unknown;
  setFaults(rules: z.input<typeof faultRule>[]): void;
  close(): Promise<void>;
}

/** How a connector folder declares its stub: routes, and what a person sees of its state. */
export interface StubDeclaration {
  kind: string;
  /** Registers the vendor's routes on a fresh server and returns the view of the state. */
  routes(server: FastifyInstance): () => unknown;
}

/** Starts a stub on 127.0.0.1; port 0 takes a free one. */
export async function startStub(declaration: StubDeclaration, port = 0): Promise<Stub> {
  const server = Fastify({ bodyLimit: 256 * 1024 * 1024, forceCloseConnections: true });
  let rules: { rule: FaultRule; seen: number; acted: number }[] = [];

  const faultFor = (method: string, url: string, when: FaultRule['when']): FaultRule | undefined => {
    if (url.startsWith('/_stub/')) return undefined;
    for (const entry of rules) {
      const { rule } = entry;
      if (rule.when !== when || !new RegExp(rule.path).test(url)) continue;
      if (rule.method !== undefined && rule.method !== method) continue;
      if (rule.count !== undefined && entry.acted >= rule.count) continue;
      entry.seen += 1;
      if (Math.floor(entry.seen * rule.share) <= Math.floor((entry.seen - 1) * rule.share)) continue;
      entry.acted += 1;
      return rule;
    }
    return undefined;
  };

  // A request that a rule has answered already is no other rule's business.
  const faulted = new WeakSet<FastifyRequest>();
  server.addHook('preHandler', async (request, reply) => {
    const fault = faultFor(request.method, request.url, 'before');
    if (!fault) return;
    if (fault.status !== undefined) faulted.add(request);
    if (fault.delayMs) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    if (fault.reset) {
      reply.hijack();
      request.raw.socket.destroy();
    } else if (fault.status !== undefined) {
      await reply.code(fault.status).headers(fault.headers).send(fault.body);
    }
  });
  server.addHook('onSend', async (request, reply, payload) => {
    const fault = faulted.has(request) ? undefined : faultFor(request.method, request.url, 'after');
    if (!fault) return payload;
    if (fault.delayMs) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    if (fault.reset) {
      request.raw.socket.destroy();
      return payload;
    }
    if (fault.status === undefined) return payload;
    reply.code(fault.status).removeHeader('content-length').headers(fault.headers);
    return fault.body;
  });

  const view = declaration.routes(server);
  const setFaults = (input: z.input<typeof faultRule>[]): void => {
    rules = faultsBody.parse({ rules: input }).rules.map((rule) => ({ rule, seen: 0, acted: 0 }));
  };
  server.get('/_stub/state', async () => view());
  server.post('/_stub/faults', async (request, reply) => {
    const body = faultsBody.safeParse(request.body);
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    setFaults(body.data.rules);
    return { rules: rules.length };
  });
  await server.listen({ host: '127.0.0.1', port });
  const address = server.server.address() as AddressInfo;
  return {
    kind: declaration.kind,
    url: `http://127.0.0.1:${address.port}`,
    state: view,
    setFaults,
    close: () => server.close(),
  };
}
