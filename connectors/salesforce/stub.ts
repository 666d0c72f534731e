import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { StubDeclaration } from '../../src/connector/stub.ts';
import { type ApiError, BadBody, fieldNamed, Org, objectNamed, type objects } from './stub-org.ts';

/** Body of `POST /_stub/lock`: the next writes of these external ids fail with UNABLE_TO_LOCK_ROW. */
const lockBody = z.strictObject({ externalIds: z.array(z.string()), times: z.int().min(0).default(1) });

const collection = z.object({
  allOrNone: z.boolean().default(false),
  records: z.array(z.looseObject({ attributes: z.object({ type: z.string() }).optional() })),
});

/** Requests of a day that the stub's org may make, as `Sforce-Limit-Info` shows it. */
const dailyLimit = 15_000;

/**
 * A Salesforce org on loopback: the token endpoint, collections upsert, upsert and reading of one record, and describe.
 * Beside the common `/_stub` routes: `POST /_stub/expire-tokens` ends all sessions, `POST /_stub/lock` locks rows.
 */
export const salesforceStub: StubDeclaration = {
  kind: 'salesforce',
  routes(server) {
    const org = new Org();
    const tokens = new Set<string>();
    let requests = 0;

    server.post('/_stub/expire-tokens', async () => {
      const expired = tokens.size;
      tokens.clear();
      return { expired };
    });
    server.post('/_stub/lock', async (request, reply) => {
      const body = lockBody.safeParse(request.body);
      if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
      org.lock(body.data.externalIds, body.data.times);
      return { locked: body.data.externalIds.length };
    });

    server.register(async (vendor) => {
      vendor.removeAllContentTypeParsers();
      vendor.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
      vendor.addHook('onRequest', async () => {
        requests += 1;
      });
      vendor.post('/services/oauth2/token', async (request, reply) => {
        const refusal = loginRefusal(request);
        if (refusal) return reply.code(400).send({ error: refusal[0], error_description: refusal[1] });
        const token = `00DStub!${randomBytes(24).toString('base64url')}`;
        tokens.add(token);
        return {
          access_token: token,
          signature: randomBytes(32).toString('base64'),
          token_format: 'opaque',
          scope: 'api',
          instance_url: `${request.protocol}://${request.host}`,
          id: 'https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA',
          token_type: 'Bearer',
          issued_at: String(Date.now()),
          api_instance_url: 'https://api.salesforce.com',
        };
      });
      vendor.register(async (api) => {
        api.addHook('preHandler', async (request, reply) => {
          const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
          if (!token || !tokens.has(token))
            return refuse(reply, 401, 'INVALID_SESSION_ID', 'Session expired or invalid');
          reply.header('Sforce-Limit-Info', `api-usage=${requests}/${dailyLimit}`);
          return undefined;
        });
        apiRoutes(api, org);
      });
    });

    return () => view(org, requests);
  },
};

type At = { Params: { version: string; object: string; field: string; value: string } };

function apiRoutes(api: FastifyInstance, org: Org): void {
  const root = '/services/data/:version';

  api.patch<At>(`${root}/composite/sobjects/:object/:field`, async (request, reply) => {
    // Collections upsert came with version 46.0.
    const target = targetOf(request, 46);
    if (typeof target === 'string') return refuse(reply, 404, 'NOT_FOUND', target);
    const body = collection.safeParse(parse(request));
    if (!body.success) return refuse(reply, 400, 'JSON_PARSER_ERROR', z.prettifyError(body.error).split('\n')[0]!);
    const { records, allOrNone } = body.data;
    if (records.length > 200)
      return refuse(
        reply,
        400,
        'EXCEEDED_MAX_SIZE_REQUEST',
        'record limit reached. cannot submit more than 200 records',
      );
    const types = new Set(records.map((record) => record.attributes?.type.toLowerCase()));
    if (types.size > 1 || (records.length > 0 && !types.has(target.object.name.toLowerCase())))
      return refuse(reply, 400, 'INVALID_TYPE', `every record must be of type ${target.object.name}`);
    return guarded(reply, () => org.upsert(target.object, target.field, records, allOrNone));
  });

  api.patch<At>(`${root}/sobjects/:object/:field/:value`, async (request, reply) => {
    const target = targetOf(request, 1);
    if (typeof target === 'string') return refuse(reply, 404, 'NOT_FOUND', target);
    const body = z.record(z.string(), z.unknown()).safeParse(parse(request));
    if (!body.success) return refuse(reply, 400, 'JSON_PARSER_ERROR', 'Unexpected character in the body');
    const stated = Object.keys(body.data).find((name) => name.toLowerCase() === target.field.name.toLowerCase());
    if (stated)
      return refuse(reply, 400, 'INVALID_FIELD', `The ${stated} field should not be specified in the sobject data.`);
    const updateOnly = (request.query as Record<string, string>)['updateOnly'] === 'true';
    if (updateOnly && !org.find(target.object.name, request.params.value))
      return refuse(reply, 404, 'NOT_FOUND', 'The requested resource does not exist');
    return guarded(reply, () => {
      const record = { ...body.data, [target.field.name]: request.params.value };
      const [outcome] = org.upsert(target.object, target.field, [record], false);
      if (!outcome!.success) return reply.code(400).send(outcome!.errors.map(topLevel));
      return reply.code(outcome!.created ? 201 : 200).send(outcome);
    });
  });

  api.get<At>(`${root}/sobjects/:object/:field/:value`, async (request, reply) => {
    const target = targetOf(request, 1);
    if (typeof target === 'string') return refuse(reply, 404, 'NOT_FOUND', target);
    const row = org.find(target.object.name, request.params.value);
    if (!row) return refuse(reply, 404, 'NOT_FOUND', 'The requested resource does not exist');
    return { attributes: { type: target.object.name }, ...row };
  });

  api.get<At>(`${root}/sobjects/:object/describe`, async (request, reply) => {
    const object = objectNamed(request.params.object);
    if (!object) return refuse(reply, 404, 'NOT_FOUND', 'The requested resource does not exist');
    const fields = object.fields.map(({ name, type, length, externalId = false, relationshipName, referenceTo }) => ({
      name,
      type,
      length,
      externalId,
      unique: externalId,
      createable: true,
      updateable: true,
      relationshipName: relationshipName ?? null,
      referenceTo: referenceTo ? [referenceTo] : [],
    }));
    return { name: object.name, createable: true, updateable: true, fields };
  });
}

type Target = {
  object: (typeof objects)[number];
  field: NonNullable<ReturnType<typeof fieldNamed>>;
};

/** The object and external id field that a path names, or the message of the 404. */
function targetOf(request: FastifyRequest<At>, oldest: number): Target | string {
  const { version, object: objectName, field: fieldName } = request.params;
  const object = objectNamed(objectName);
  if (!object || !/^v\d+\.0$/.test(version) || Number.parseInt(version.slice(1), 10) < oldest)
    return 'The requested resource does not exist';
  const field = fieldNamed(object, fieldName);
  if (!field?.externalId) return `Provided external ID field does not exist or is not accessible: ${fieldName}`;
  return { object, field };
}

/** Why a login is refused, as error and description; null when it is not. Any pair of id and secret will do. */
function loginRefusal(request: FastifyRequest): [string, string] | null {
  const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
  if (form.get('grant_type') !== 'client_credentials') return ['unsupported_grant_type', 'grant type not supported'];
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const pair = basic === undefined ? [] : Buffer.from(basic, 'base64').toString('utf8').split(':');
  if (!(form.get('client_id') || pair[0])) return ['invalid_client_id', 'client identifier invalid'];
  if (!(form.get('client_secret') || pair[1])) return ['invalid_client', 'invalid client credentials'];
  return null;
}

function parse(request: FastifyRequest): unknown {
  try {
    return JSON.parse(String(request.body ?? ''));
  } catch {
    return undefined;
  }
}

/** Runs a write; a value of a wrong JSON type refuses the whole request. */
function guarded<T>(reply: FastifyReply, write: () => T): T | FastifyReply {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof BadBody)) throw error;
    return refuse(reply, 400, 'JSON_PARSER_ERROR', error.message);
  }
}

function refuse(reply: FastifyReply, status: number, errorCode: string, message: string): FastifyReply {
  return reply.code(status).send([{ message, errorCode }]);
}

/** Top-level errors say `errorCode` where results say `statusCode`. */
function topLevel({ statusCode, message, fields }: ApiError): object {
  return { message, errorCode: statusCode, fields };
}

/** What a person sees of the org: no ids of its own, in the order of the external ids, so that two runs compare. */
function view(org: Org, requests: number): unknown {
  const accounts = new Map(org.rows('Contact').map((row) => [row.Id, row['Rosterd_Account__c']]));
  const shown = (object: string, key: string): object[] =>
    org
      .rows(object)
      .sort((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1))
      .map(({ Id: _, Rosterd_Contact__c: parent, ...fields }) =>
        object === 'Contact' ? fields : { ...fields, Rosterd_Contact__r: accounts.get(String(parent)) ?? null },
      );
  return {
    contacts: shown('Contact', 'Rosterd_Account__c'),
    enrolments: shown('Rosterd_Enrolment__c', 'Rosterd_Key__c'),
    requests,
  };
}
