import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Unavailable } from '../base/errors.ts';
import { recorder, type StubRequest } from './stub-requests.ts';

/**
 * What every target stub shares: a server on loopback, a look at its state, what it was asked, and faults by rule. A stub
 * keeps the vendor's contract to the letter, so that a connector that passes here has a chance there.
 */

const faultKinds = ['status', 'delay', 'reset', 'drip', 'body', 'partial'] as const;

/** A rule that makes a stub misbehave. The first rule that fits a request, and still has uses left, acts. */
export const faultRule = z
  .strictObject({
    /** Regular expression over the path with its query. */
    path: z.string().default('.*'),
    method: z.string().optional(),
    /** How often the rule acts; left out: always. */
    count: z.number().int().positive().optional(),
    /** Share of fitting requests that it acts on, 0 to 1, spread evenly (no dice, so that tests repeat). */
    share: z.number().min(0).max(1).default(1),
    /**
     * What it does: another answer (`status`), only a wait (`delay`), a cut connection (`reset`), the answer in pieces with
     * a wait after each (`drip`), another body under the answer's own status (`body`), half of the answer and then a cut
     * (`partial`). Left out: what the other keys say.
     */
    kind: z.enum(faultKinds).optional(),
    /** `before`: the request has no effect. `after`: it has its effect and the answer is lost or replaced. */
    when: z.enum(['before', 'after']).optional(),
    /** Wait before it acts, or after each piece of a `drip`. */
    delayMs: z.number().int().min(0).default(0),
    reset: z.boolean().optional(),
    status: z.number().int().optional(),
    headers: z.record(z.string(), z.string()).default({}),
    body: z.string().default(''),
    /** Bytes of a piece of a `drip`. */
    bytes: z.number().int().positive().default(1),
  })
  .transform(({ kind, when, reset, ...rest }, context) => {
    const said = reset ? 'reset' : rest.status === undefined ? 'delay' : 'status';
    const is = kind ?? said;
    const answers = is === 'drip' || is === 'body' || is === 'partial';
    if (is === 'status' && rest.status === undefined)
      context.addIssue({ code: 'custom', path: ['status'], message: 'kind: status needs a status' });
    if (answers && when === 'before')
      context.addIssue({
        code: 'custom',
        path: ['when'],
        message: `kind: ${is} is about an answer, so it comes after`,
      });
    return { ...rest, kind: is, when: when ?? (answers ? ('after' as const) : ('before' as const)) };
  });
/** A rule with its defaults worked in. */
export type FaultRule = z.output<typeof faultRule>;
/** A rule as it is written. */
export type WrittenFault = z.input<typeof faultRule>;

/** Body of `POST /_stub/faults`: replaces all rules; an empty list ends all faults. */
export const faultsBody = z.strictObject({ rules: z.array(faultRule) });

/** A stub that runs. */
export interface Stub {
  kind: string;
  /** Base URL without a trailing slash. */
  url: string;
  /** The same object that `GET /_stub/state` shows. */
  state(): unknown;
  /** The last requests, as `GET /_stub/requests` shows them. */
  requests(): readonly StubRequest[];
  setFaults(rules: WrittenFault[]): void;
  close(): Promise<void>;
}

/** How a connector folder declares its stub: routes, and what a person sees of its state. */
export interface StubDeclaration {
  kind: string;
  /** Registers the vendor's routes on a fresh server and returns the view of the state. */
  routes(server: FastifyInstance): () => unknown;
}

/** Rules with what they have done so far. */
class Faults {
  #rules: { rule: FaultRule; seen: number; acted: number }[] = [];

  set(written: WrittenFault[]): number {
    this.#rules = faultsBody.parse({ rules: written }).rules.map((rule) => ({ rule, seen: 0, acted: 0 }));
    return this.#rules.length;
  }

  for(method: string, url: string, when: FaultRule['when']): FaultRule | undefined {
    if (url.startsWith('/_stub/')) return undefined;
    for (const entry of this.#rules) {
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
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a stub on 127.0.0.1; port 0 takes a free one. */
export async function startStub(declaration: StubDeclaration, port = 0): Promise<Stub> {
  const server = Fastify({ bodyLimit: 256 * 1024 * 1024, forceCloseConnections: true });
  const faults = new Faults();
  const requests = recorder(server);

  // A request that a rule has answered already is no other rule's business.
  const faulted = new WeakSet<FastifyRequest>();
  server.addHook('preHandler', async (request, reply) => {
    const fault = faults.for(request.method, request.url, 'before');
    if (!fault) return;
    if (fault.kind === 'status') faulted.add(request);
    if (fault.delayMs) await pause(fault.delayMs);
    if (fault.kind === 'reset') {
      reply.hijack();
      request.raw.socket.destroy();
    } else if (fault.kind === 'status') {
      await reply.code(fault.status!).headers(fault.headers).send(fault.body);
    }
  });
  server.addHook('onSend', async (request, reply, payload) => {
    const fault = faulted.has(request) ? undefined : faults.for(request.method, request.url, 'after');
    if (!fault) return payload;
    if (fault.delayMs && fault.kind !== 'drip') await pause(fault.delayMs);
    if (fault.kind === 'reset') {
      request.raw.socket.destroy();
      return payload;
    }
    if (fault.kind === 'status' || fault.kind === 'body') {
      reply.removeHeader('content-length').headers(fault.headers);
      if (fault.status !== undefined) reply.code(fault.status);
      return fault.body;
    }
    if (fault.kind === 'delay') return payload;
    const bytes = await bytesOf(payload);
    reply.header('content-length', String(bytes.length));
    const socket = request.raw.socket;
    return Readable.from(
      fault.kind === 'drip'
        ? dripping(bytes, fault)
        : half(bytes, () => {
            socket.destroy();
          }),
    );
  });

  const view = declaration.routes(server);
  server.get('/_stub/state', async () => view());
  server.get('/_stub/requests', async (request, reply) => {
    const query = requestsQuery.safeParse(request.query);
    if (!query.success) return reply.code(400).send({ error: z.prettifyError(query.error) });
    const { path, limit } = query.data;
    const fitting = requests.filter(({ url }) => new RegExp(path).test(url));
    return { requests: fitting.slice(-limit) };
  });
  server.post('/_stub/faults', async (request, reply) => {
    const body = z.strictObject({ rules: z.array(z.unknown()) }).safeParse(request.body);
    const rules = body.success ? faultsBody.safeParse(body.data) : body;
    if (!rules.success) return reply.code(400).send({ error: z.prettifyError(rules.error) });
    return { rules: faults.set(body.data!.rules as WrittenFault[]) };
  });
  try {
    await server.listen({ host: '127.0.0.1', port });
  } catch (cause) {
    await server.close();
    // in words of ours: those of a stranger are shown without their numbers
    throw new Unavailable(`the ${declaration.kind} stub cannot listen on 127.0.0.1 port ${port}: ${reasonOf(cause)}`, {
      remedy: `give another --${declaration.kind}-port, or none for a free one`,
      cause,
    });
  }
  const address = server.server.address() as AddressInfo;
  return {
    kind: declaration.kind,
    url: `http://127.0.0.1:${address.port}`,
    state: view,
    requests: () => requests,
    setFaults: (rules) => void faults.set(rules),
    close: () => server.close(),
  };
}

function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return { EADDRINUSE: 'it is taken', EACCES: 'this user may not' }[code] ?? message;
}

/** Query of `GET /_stub/requests`: a regular expression over path and query, and how many of the last. */
const requestsQuery = z.strictObject({
  path: z.string().default('.*'),
  limit: z.coerce.number().int().positive().default(100),
});

async function bytesOf(payload: unknown): Promise<Buffer> {
  if (payload === null || payload === undefined) return Buffer.alloc(0);
  if (typeof payload === 'string') return Buffer.from(payload);
  if (payload instanceof Uint8Array) return Buffer.from(payload);
  return Buffer.concat(await (payload as Readable).toArray());
}

async function* dripping(bytes: Buffer, { bytes: piece, delayMs }: FaultRule): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece) {
    yield bytes.subarray(at, at + piece);
    await pause(delayMs);
  }
}

async function* half(bytes: Buffer, cut: () => void): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, Math.floor(bytes.length / 2));
  // let it get to the other side first: the cut is meant for the middle of the answer
  await pause(20);
  cut();
}
