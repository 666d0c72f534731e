import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { StubDeclaration } from '../../src/connector/stub.ts';
import { Broker, modeBody, node, unauthorized, unexpected, xmlType } from './stub-broker.ts';
import { type CiAnswer, type ComponentName, components, propertiesOf } from './stub-campus.ts';
import { httpConnectorRoute, messageNames, takeMessage } from './stub-messages.ts';
import { soapRoutes } from './stub-soap.ts';
import { type Element, writeXml } from './xml.ts';

/**
 * A PeopleSoft web server on loopback: the REST listening connector with the services RSTR_PERSON and RSTR_ENRL, component
 * interfaces of these names by REST and by SOAP, rowset-based messages, and queries that read back; the HTTP listening
 * connector, which answers 200 whatever happens. `POST /_stub/mode` changes how it behaves.
 */
export const peoplesoftStub: StubDeclaration = {
  kind: 'peoplesoft',
  routes(server) {
    const broker = new Broker();
    const { campus, mode, monitor } = broker;
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
      httpConnectorRoute(vendor, broker);
      soapRoutes(vendor, broker);
      restRoutes(vendor, broker);
    });

    return () => ({
      persons: [...campus.persons.values()].sort(by(({ account }) => account)),
      enrolments: [...campus.enrolments.values()].sort(by(({ account, courseCode }) => `${account}/${courseCode}`)),
      effectiveDated: Object.fromEntries([...campus.rows].map(([account, rows]) => [account, [...rows.keys()].sort()])),
      effects: campus.effects.slice(-10_000),
      monitor: [...monitor].sort(),
      pending: broker.pending,
      requests,
    });
  },
};

type Call = FastifyRequest<{ Params: { node: string; account: string; course: string } }>;

function restRoutes(vendor: FastifyInstance, broker: Broker): void {
  const root = '/PSIGW/RESTListeningConnector/:node';
  const { campus, mode } = broker;

  vendor.register(async (rest) => {
    rest.addHook('preHandler', async (request, reply) => {
      if (!broker.admits(request)) return unauthorized(reply);
      if ((request.params as { node: string }).node !== node) return reply.code(404).send();
      const operation = /RESTListeningConnector\/[^/]+\/([^/?]+)/.exec(request.url)?.[1] ?? '';
      return broker.permits(operation) ? undefined : unauthorized(reply);
    });

    const refusal = (reply: FastifyReply, component: string, errors: CiAnswer): FastifyReply =>
      reply.code(mode.tools === '8.58' ? 200 : 400).send({ [component]: { notification: '0', errors } });

    const write = (
      component: string,
      request: FastifyRequest,
      reply: FastifyReply,
      apply: (body: unknown) => CiAnswer,
      isAsync = mode.async,
    ): FastifyReply => {
      let body: unknown;
      try {
        body = JSON.parse(String(request.body ?? ''));
      } catch {
        return unexpected(reply, broker, `${component}: the message is not JSON`);
      }
      if (isAsync) {
        broker.take(component, () => apply(body));
        return reply.code(202).send();
      }
      const errors = apply(body);
      if (errors.length > 0) return refusal(reply, component, errors);
      return reply.code(200).send({ [component]: { notification: '1' } });
    };

    for (const method of ['POST', 'PUT'] as const) {
      rest.route({
        method,
        url: `${root}/RSTR_PERSON.v1/:account`,
        handler: async (request: Call, reply) =>
          write('RSTR_PERSON', request, reply, (body) => campus.person(request.params.account, body)),
      });
      rest.route({
        method,
        url: `${root}/RSTR_ENRL.v1/:account/:course`,
        handler: async (request: Call, reply) =>
          write('RSTR_ENRL', request, reply, (body) =>
            campus.enrolment(request.params.account, request.params.course, body),
          ),
      });
    }
    rest.get(`${root}/RSTR_PERSON.v1`, async () => ({ RSTR_PERSON: { COUNT: campus.persons.size } }));
    rest.get(`${root}/RSTR_PERSON.v1/:account`, async (request: Call, reply) => {
      const person = campus.persons.get(request.params.account);
      return person ? { RSTR_PERSON: person } : reply.code(404).send();
    });

    // Component interfaces: always synchronous. The JSON of body and answer is the stub's own, the vendor's is not public.
    for (const component of Object.keys(components) as ComponentName[]) {
      const base = `${root}/CIRT_${component}_`;
      for (const [method, end, action] of [
        ['POST', 'C_POST', 'CREATE'],
        ['PUT', 'U_PUT', 'UPDATE'],
        ['PUT', 'UD_PUT', 'UPDATEDATA'],
      ] as const)
        for (const url of [`${base}${end}.v1`, `${base}${end}.v1/*`])
          rest.route({
            ...{ method, url },
            handler: async (request, reply) =>
              write(
                component,
                request,
                reply,
                (given) => campus.component(component, action, Object(given) as Record<string, unknown>),
                false,
              ),
          });
    }
    rest.get(`${root}/CIRT_RSTR_PERSON_G_GET.v1/:account`, async (request: Call, reply) => {
      broker.read();
      const person = campus.persons.get(request.params.account);
      if (person) return { Get__CompIntfc__RSTR_PERSONResponse: propertiesOf(person) };
      const text = 'No rows exist for the specified keys. {RSTR_PERSON} (91,50)';
      return refusal(reply, 'RSTR_PERSON', [
        { Type: 'Error', MessageSetNumber: 91, MessageNumber: 50, MessageText: text },
      ]);
    });

    for (const name of messageNames)
      rest.post(`${root}/${name}.v1`, async (request, reply) => {
        const wrong = takeMessage(name, String(request.body ?? ''), broker);
        return wrong === null ? reply.code(202).send() : unexpected(reply, broker, wrong);
      });

    queryRoute(rest, root, broker);
    // Anything else below the connector is an operation that is not there.
    rest.all(`${root}/*`, async (_request, reply) => reply.code(404).send());
  });
}

const queryParameters = z.object({
  isconnectedquery: z.enum(['N', 'Y']),
  maxrows: z.coerce.number().int().positive(),
  prompt_uniquepromptname: z.literal('BIND1'),
  prompt_fieldvalue: z.string().min(1),
  json_resp: z.literal('true').optional(),
});

/** Two queries by account: RSTR_PERSON_CHECK and RSTR_ENRL_CHECK, as JSON or as rows of XML. */
function queryRoute(rest: FastifyInstance, root: string, broker: Broker): void {
  const { campus } = broker;
  type Row = Record<string, string | number | null>;
  const queries: Record<string, (account: string) => Row[]> = {
    RSTR_PERSON_CHECK: (account) => [campus.persons.get(account)].flatMap((one) => (one ? [propertiesOf(one)] : [])),
    RSTR_ENRL_CHECK: (account) =>
      [...campus.enrolments.values()]
        .filter((one) => one.account === account)
        .map((one) => ({ ACCOUNT: account, COURSE_CODE: one.courseCode, STATUS: one.status })),
  };
  rest.get<{ Params: { query: string; type: string } }>(
    `${root}/ExecuteQuery.v1/public/:query/:type/NONFILE`,
    async (request, reply) => {
      const parameters = queryParameters.safeParse(request.query);
      const { query, type } = request.params;
      const run = queries[query];
      if (!run || !parameters.success || !['JSON', 'XMLP'].includes(type))
        return unexpected(reply, broker, `${query}: no such query, or its prompts are wrong`);
      broker.read();
      const { prompt_fieldvalue: account, maxrows } = parameters.data;
      const rows = run(account)
        .slice(0, maxrows)
        .map((row) => Object.entries(row).map(([name, value]) => [`A.${name}`, value] as const));
      if (type === 'JSON')
        return {
          status: 'success',
          data: {
            query: {
              numrows: rows.length,
              // the equals sign is PeopleSoft's
              'queryname=': query,
              rows: rows.map((row, i) => ({ 'attr:rownumber': i + 1, ...Object.fromEntries(row) })),
            },
          },
        };
      const elements = rows.map(
        (row, i): Element => [
          'row',
          row.map(([name, value]): Element => [name, String(value ?? '')]),
          { rownumber: String(i + 1) },
        ],
      );
      return reply
        .type(xmlType)
        .send(writeXml(['query', elements, { numrows: String(rows.length), queryname: query }]));
    },
  );
}

function by<T>(key: (entry: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : 1);
}
