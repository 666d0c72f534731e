import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { StubDeclaration } from '../../src/connector/stub.ts';
import { Campus, type CiAnswer } from './stub-campus.ts';

/** Body of `POST /_stub/mode`; keys left out stay as they are. */
const modeBody = z.strictObject({
  /** PeopleTools: a component interface that refuses answers 200 with 8.58, 400 from 8.59 on. */
  tools: z.enum(['8.58', '8.59']).optional(),
  /** A system flagged as production tells no error texts. */
  production: z.boolean().optional(),
  /** Asynchronous operations: the answer says that a message came, not what became of it. */
  async: z.boolean().optional(),
});
type Mode = Required<z.infer<typeof modeBody>>;

const node = 'PSFT_CS';

/**
 * A PeopleSoft web server on loopback: the REST listening connector with the services RSTR_PERSON and RSTR_ENRL, and the
 * HTTP listening connector, which answers 200 whatever happens. `POST /_stub/mode` changes how errors are answered.
 */
export const peoplesoftStub: StubDeclaration = {
  kind: 'peoplesoft',
  routes(server) {
    const campus = new Campus();
    const mode: Mode = { tools: '8.59', production: false, async: false };
    const monitor: string[] = [];
    let requests = 0;

    server.post('/_stub/mode', async (request, reply) => {
      const body = modeBody.safeParse(request.body);
      if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
      return Object.assign(mode, body.data);
    });

    server.register(async (vendor) => {
      vendor.removeAllContentTypeParsers();
      vendor.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
      vendor.addHook('onRequest', async (_request, reply) => {
        requests += 1;
        reply.header('transactionid', randomUUID());
      });
      vendor.post('/PSIGW/HttpListeningConnector', async (request, reply) => {
        const operation = request.headers['operationname'];
        const text = operation
          ? `No active routing was found for operation ${operation}.`
          : 'OperationName is missing.';
        return reply.type('text/xml; charset=UTF-8').send(ibResponse(text));
      });
      restRoutes(vendor, campus, mode, monitor);
    });

    return () => ({
      persons: [...campus.persons.values()].sort(by(({ account }) => account)),
      enrolments: [...campus.enrolments.values()].sort(by(({ account, courseCode }) => `${account}/${courseCode}`)),
      monitor: [...monitor].sort(),
      requests,
    });
  },
};

type Operation = { Params: { node: string; account: string; course: string } };

function restRoutes(vendor: FastifyInstance, campus: Campus, mode: Mode, monitor: string[]): void {
  const root = '/PSIGW/RESTListeningConnector/:node';

  vendor.register(async (rest) => {
    rest.addHook('preHandler', async (request, reply) => {
      if (!isLoggedIn(request)) return reply.code(401).header('WWW-Authenticate', 'Basic realm="PeopleSoft"').send();
      if ((request.params as { node: string }).node !== node) return reply.code(404).send();
      return undefined;
    });

    const write = (
      component: string,
      request: FastifyRequest<Operation>,
      reply: FastifyReply,
      apply: (body: unknown) => CiAnswer,
    ): FastifyReply => {
      let body: unknown;
      try {
        body = JSON.parse(String(request.body ?? ''));
      } catch {
        return unexpected(reply, mode, `${component}: the message is not JSON`);
      }
      const errors = apply(body);
      if (mode.async) {
        // Only the Service Operations Monitor shows what became of the message.
        monitor.push(...errors.map((error) => `${component}: ${error.MessageText}`));
        return reply.code(202).send();
      }
      if (errors.length === 0) return reply.code(200).send({ [component]: { notification: '1' } });
      return reply.code(mode.tools === '8.58' ? 200 : 400).send({ [component]: { notification: '0', errors } });
    };

    for (const method of ['POST', 'PUT'] as const) {
      rest.route<Operation>({
        method,
        url: `${root}/RSTR_PERSON.v1/:account`,
        handler: async (request, reply) =>
          write('RSTR_PERSON', request, reply, (body) => campus.person(request.params.account, body)),
      });
      rest.route<Operation>({
        method,
        url: `${root}/RSTR_ENRL.v1/:account/:course`,
        handler: async (request, reply) =>
          write('RSTR_ENRL', request, reply, (body) =>
            campus.enrolment(request.params.account, request.params.course, body),
          ),
      });
    }
    rest.get<Operation>(`${root}/RSTR_PERSON.v1`, async () => ({ RSTR_PERSON: { COUNT: campus.persons.size } }));
    rest.get<Operation>(`${root}/RSTR_PERSON.v1/:account`, async (request, reply) => {
      const person = campus.persons.get(request.params.account);
      return person ? { RSTR_PERSON: person } : reply.code(404).send();
    });
    // Anything else below the connector is an operation that is not there.
    rest.all(`${root}/*`, async (_request, reply) => reply.code(404).send());
  });
}

/** An error outside the operation's own checks: its text is told in development, withheld in production. */
function unexpected(reply: FastifyReply, mode: Mode, text: string): FastifyReply {
  if (mode.production) return reply.code(500).send();
  return reply.code(500).type('text/xml; charset=UTF-8').send(ibResponse(text));
}

/** Any OPRID with a password, or any bearer token, will do. */
function isLoggedIn({ headers }: FastifyRequest): boolean {
  const [, scheme, value] = /^(Basic|Bearer) (\S+)$/.exec(headers.authorization ?? '') ?? [];
  if (scheme === 'Bearer') return true;
  return scheme === 'Basic' && /^[^:]+:.+$/.test(Buffer.from(value!, 'base64').toString('utf8'));
}

/** The gateway's error document, as captured (Integration Broker book, handlers/onerror). */
function ibResponse(text: string): string {
  const safe = text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<?xml version="1.0"?>
<IBResponse type="error">
  <DefaultTitle>Integration Broker Response</DefaultTitle>
  <StatusCode>20</StatusCode>
  <MessageSet>158</MessageSet>
  <MessageID>10001</MessageID>
  <DefaultMessage>${safe}</DefaultMessage>
  <MessageParameters></MessageParameters>
</IBResponse>
`;
}

function by<T>(key: (entry: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : 1);
}
