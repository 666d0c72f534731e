import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Campus, type CiAnswer } from './stub-campus.ts';
import { type Element, writeXml } from './xml.ts';

/** Body of `POST /_stub/mode`; keys left out stay as they are. */
export const modeBody = z.strictObject({
  /** PeopleTools: a component interface that refuses answers 200 with 8.58, 400 from 8.59 on. */
  tools: z.enum(['8.58', '8.59']).optional(),
  /** A system flagged as production tells no error texts. */
  production: z.boolean().optional(),
  /** The REST services are asynchronous: the answer says that a message came, not what became of it. */
  async: z.boolean().optional(),
  /** After how many reads a message is processed; null: never. */
  processAfter: z.int().min(0).nullable().optional(),
  /** OPRIDs and their passwords; an empty map: any OPRID with a password. */
  oprids: z.record(z.string(), z.string()).optional(),
  /** Bearer tokens that are known; an empty list: any. */
  tokens: z.array(z.string()).optional(),
  /** Operations that nobody has permission for, by the beginnings of their names. */
  forbidden: z.array(z.string()).optional(),
  /** Password of the requesting node; null: none is asked for. */
  nodePassword: z.string().nullable().optional(),
});
type Mode = Required<z.infer<typeof modeBody>>;

/** The node of the stub. */
export const node = 'PSFT_CS';

/** The broker behind all listening connectors: who may do what, and the queue of asynchronous messages. */
export class Broker {
  readonly campus = new Campus();
  readonly mode: Mode = {
    ...{ tools: '8.59', production: false, async: false, processAfter: 0 },
    ...{ oprids: {}, tokens: [], forbidden: [], nodePassword: null },
  };
  /** What became of messages that failed, as the Service Operations Monitor shows it. */
  readonly monitor: string[] = [];
  readonly #queue: { reads: number; operation: string; process: () => CiAnswer }[] = [];
  /** Messages that are not processed yet. */
  get pending(): number {
    return this.#queue.length;
  }

  /** Takes a message that is processed later, in the order of arrival. */
  take(operation: string, process: () => CiAnswer): void {
    this.#queue.push({ reads: 0, operation, process });
    this.#work();
  }

  /** Somebody read: time has passed for the messages. */
  read(): void {
    for (const entry of this.#queue) entry.reads += 1;
    this.#work();
  }

  #work(): void {
    const { processAfter } = this.mode;
    while (processAfter !== null && this.#queue[0] && this.#queue[0].reads >= processAfter) {
      const { operation, process } = this.#queue.shift()!;
      this.monitor.push(...process().map((error) => `${operation}: ${error.MessageText}`));
    }
  }

  /** True when an OPRID and its password, or a token, are known. */
  knows(login: { username: string; password: string } | { token: string }): boolean {
    const { oprids, tokens } = this.mode;
    if ('token' in login) return tokens.length === 0 || tokens.includes(login.token);
    if (Object.keys(oprids).length === 0) return login.username !== '' && login.password !== '';
    return Object.hasOwn(oprids, login.username) && oprids[login.username] === login.password;
  }

  /** True when somebody may call the operation. */
  permits(operation: string): boolean {
    return !this.mode.forbidden.some((name) => operation.startsWith(name));
  }

  /** True when the `Authorization` header is good. */
  admits({ headers }: FastifyRequest): boolean {
    const [, scheme, value] = /^(Basic|Bearer) (\S+)$/.exec(headers.authorization ?? '') ?? [];
    if (scheme === 'Bearer') return this.knows({ token: value! });
    const [, username, password] = /^([^:]+):(.+)$/.exec(Buffer.from(value ?? '', 'base64').toString('utf8')) ?? [];
    return username !== undefined && this.knows({ username, password: password! });
  }
}

/** A missing login, a wrong one, and an OPRID without permission are the same 401; its body is not known to be anything. */
export function unauthorized(reply: FastifyReply): FastifyReply {
  return reply.code(401).header('WWW-Authenticate', 'Basic realm="PeopleSoft"').send();
}

/** An error outside the operation's own checks: its text is told in development, withheld in production. */
export function unexpected(reply: FastifyReply, { mode }: Broker, text: string): FastifyReply {
  if (mode.production) return reply.code(500).send();
  return reply.code(500).type(xmlType).send(ibResponse(text));
}

/** Type of XML answers, as captured. */
export const xmlType = 'text/xml; charset=UTF-8';

/** The gateway's document, an error as captured (Integration Broker book, handlers/onerror); without one: `StatusCode` 0. */
export function ibResponse(error: string | null): string {
  const texts: Record<string, string> = {
    DefaultTitle: error === null ? 'Integration Broker Response Message' : 'Integration Broker Response',
    StatusCode: error === null ? '0' : '20',
    MessageSet: '158',
    MessageID: error === null ? '10000' : '10001',
    DefaultMessage: error ?? '',
    MessageParameters: '',
  };
  const fields = Object.entries(texts).map(([name, text]): Element => [name, text]);
  return writeXml(error === null ? ['IBResponse', fields] : ['IBResponse', fields, { type: 'error' }]);
}
