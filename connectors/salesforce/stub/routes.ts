import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Job, JobRefusal, type Jobs, jobView, resultsOf } from './jobs.ts';
import { describeObject, type Field, fieldNamed, objectNamed, objects, type SObject } from './objects.ts';
import { type ApiError, BadBody, type Org } from './org.ts';
import { runQuery } from './soql.ts';

/** The REST API of the stub, below `/services/data/vXX.0`. */

const collection = z.object({
  allOrNone: z.boolean().default(false),
  records: z.array(z.looseObject({ attributes: z.object({ type: z.string() }).optional() })),
});
const record = z.record(z.string(), z.unknown());

type At = { Params: { version: string; object: string; field: string; value: string } };

/** Registers the routes of the API. */
export function apiRoutes(api: FastifyInstance, org: Org, jobs: Jobs): void {
  const root = '/services/data/:version';
  collectionRoute(api, root, org);
  recordRoutes(api, root, org);
  jobRoutes(api, `${root}/jobs/ingest`, jobs);

  api.get<At>(`${root}/sobjects/:object/describe`, async (request, reply) => {
    const object = objectNamed(request.params.object);
    return object ? describeObject(object) : missing(reply);
  });
  api.get<At>(`${root}/sobjects`, async () => ({
    ...{ encoding: 'UTF-8', maxBatchSize: 200 },
    sobjects: objects.map(({ name, prefix }) => ({ name, keyPrefix: prefix, createable: true, updateable: true })),
  }));
  api.get<At>(`${root}/query`, async (request, reply) => {
    const answer = runQuery(org, String((request.query as { q?: string }).q ?? ''), request.params.version);
    return Array.isArray(answer) ? refuse(reply, 400, answer[0], answer[1]) : answer;
  });
}

function collectionRoute(api: FastifyInstance, root: string, org: Org): void {
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
    const types = new Set(records.map(({ attributes }) => attributes?.type.toLowerCase()));
    if (types.size > 1 || (records.length > 0 && !types.has(target.object.name.toLowerCase())))
      return refuse(reply, 400, 'INVALID_TYPE', `every record must be of type ${target.object.name}`);
    const allowSave = savesDuplicates(request);
    return guarded(reply, () => org.upsert(target.object, target.field, records, { allOrNone, allowSave }));
  });
}

function recordRoutes(api: FastifyInstance, root: string, org: Org): void {
  api.post<At>(`${root}/sobjects/:object`, async (request, reply) => {
    const object = objectNamed(request.params.object);
    const body = record.safeParse(parse(request));
    if (!object) return missing(reply);
    if (!body.success) return refuse(reply, 400, 'JSON_PARSER_ERROR', 'Unexpected character in the body');
    const outcome = org.write(object, body.data, undefined, { allowSave: savesDuplicates(request) });
    if (!outcome.success) return reply.code(400).send(outcome.errors.map(topLevel));
    return reply.code(201).send(outcome);
  });

  api.patch<At>(`${root}/sobjects/:object/:field/:value`, async (request, reply) => {
    const target = targetOf(request, 1);
    if (typeof target === 'string') return refuse(reply, 404, 'NOT_FOUND', target);
    const body = record.safeParse(parse(request));
    if (!body.success) return refuse(reply, 400, 'JSON_PARSER_ERROR', 'Unexpected character in the body');
    const { object, field, version } = target;
    const { value } = request.params;
    const stated = Object.keys(body.data).find((name) => name.toLowerCase() === field.name.toLowerCase());
    if (stated)
      return refuse(reply, 400, 'INVALID_FIELD', `The ${stated} field should not be specified in the sobject data.`);
    const found = org.find(object, field, value);
    if (found.length > 1)
      return reply
        .code(300)
        .send(found.map(({ Id }) => `/services/data/${request.params.version}/sobjects/${object.name}/${Id}`));
    const updateOnly = (request.query as Record<string, string>)['updateOnly'] === 'true';
    if (updateOnly && !found.length) return missing(reply);
    return guarded(reply, () => {
      const [outcome] = org.upsert(object, field, [{ ...body.data, [field.name]: value }], {
        allowSave: savesDuplicates(request),
      });
      if (!outcome!.success) return reply.code(400).send(outcome!.errors.map(topLevel));
      // Older versions say of an update that there is nothing to say.
      if (!outcome!.created && version < 46) return reply.code(204).send();
      return reply.code(outcome!.created ? 201 : 200).send(outcome);
    });
  });

  api.get<At>(`${root}/sobjects/:object/:field/:value`, async (request, reply) => {
    const target = targetOf(request, 1);
    if (typeof target === 'string') return refuse(reply, 404, 'NOT_FOUND', target);
    const [row] = org.find(target.object, target.field, request.params.value);
    return row ? { attributes: { type: target.object.name }, ...row } : missing(reply);
  });
}

type OfJob = { Params: { version: string; id: string; set: string } };

function jobRoutes(api: FastifyInstance, root: string, jobs: Jobs): void {
  const answered = async <T>(reply: FastifyReply, act: () => T): Promise<T | FastifyReply> => {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof JobRefusal)) throw error;
      return refuse(reply, error.status, error.errorCode, error.message);
    }
  };
  const isJson = (request: FastifyRequest): boolean =>
    /^application\/json\b/.test(request.headers['content-type'] ?? '');
  const view = (job: Job): object => jobView(job);

  api.post<OfJob>(root, (request, reply) =>
    answered(reply, () => {
      if (!isJson(request))
        throw new JobRefusal(501, 'NOT_IMPLEMENTED', 'the stub takes a job as application/json, not in parts');
      return view(jobs.create(parse(request), request.params.version));
    }),
  );
  api.get<OfJob>(root, async (request) => {
    const from = Number((request.query as { queryLocator?: string }).queryLocator ?? 0);
    const { page } = jobs.behaviour;
    const all = jobs.all();
    const more = all.length > from + page;
    const { version } = request.params;
    return {
      done: !more,
      records: all.slice(from, from + page).map(view),
      nextRecordsUrl: more ? `/services/data/${version}/jobs/ingest?queryLocator=${from + page}` : null,
    };
  });
  api.put<OfJob>(`${root}/:id/batches`, (request, reply) =>
    answered(reply, () => {
      if (!/^text\/csv\b/.test(request.headers['content-type'] ?? ''))
        throw new JobRefusal(400, 'INVALIDCONTENTTYPE', 'the content of a job is text/csv');
      jobs.upload(request.params.id, String(request.body ?? ''));
      return reply.code(201).send();
    }),
  );
  api.patch<OfJob>(`${root}/:id`, (request, reply) =>
    answered(reply, () => view(jobs.turn(request.params.id, (parse(request) as { state: string }).state))),
  );
  api.get<OfJob>(`${root}/:id`, (request, reply) => answered(reply, () => jobView(jobs.look(request.params.id), true)));
  api.delete<OfJob>(`${root}/:id`, (request, reply) =>
    answered(reply, () => {
      jobs.drop(request.params.id);
      return reply.code(204).send();
    }),
  );
  api.get<OfJob>(`${root}/:id/:set`, (request, reply) =>
    answered(reply, () => {
      const text = resultsOf(jobs.get(request.params.id), request.params.set);
      return reply.header('content-type', 'text/csv').send(text);
    }),
  );
}

interface Target {
  object: SObject;
  field: Field;
  version: number;
}

/** The object and external id field that a path names, or the message of the 404. */
function targetOf(request: FastifyRequest<At>, oldest: number): Target | string {
  const { version: named, object: objectName, field: fieldName } = request.params;
  const object = objectNamed(objectName);
  const version = /^v\d+\.0$/.test(named) ? Number.parseInt(named.slice(1), 10) : 0;
  if (!object || version < oldest) return 'The requested resource does not exist';
  const field = fieldNamed(object, fieldName);
  if (!field?.externalId) return `Provided external ID field does not exist or is not accessible: ${fieldName}`;
  return { object, field, version };
}

function savesDuplicates(request: FastifyRequest): boolean {
  return /\ballowSave=true\b/i.test(String(request.headers['sforce-duplicate-rule-header'] ?? ''));
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

/** A refusal in the shape of the API's errors. */
export function refuse(reply: FastifyReply, status: number, errorCode: string, message: string): FastifyReply {
  return reply.code(status).send([{ message, errorCode }]);
}

const missing = (reply: FastifyReply): FastifyReply =>
  refuse(reply, 404, 'NOT_FOUND', 'The requested resource does not exist');

/** Top-level errors say `errorCode` where results say `statusCode`. */
function topLevel({ statusCode, ...error }: ApiError): object {
  return { ...error, errorCode: statusCode };
}
