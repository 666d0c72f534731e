import { z } from 'zod';
import { previewed } from '../control/queue-api.ts';
import { type AskedOf, changeType, count, type Endpoint, json, name, none, page, time } from '../control/shapes.ts';

/**
 * What other systems may ask over HTTP, endpoint by endpoint. Requests are checked by these schemas, the contract files
 * are made of them, and a test holds every answer against those. A submission is an outbox item, and has its id.
 */

/** Where it all is, on the port of `listen`. */
export const prefix = '/api/v1/integration';

const submissionId = z.string().min(1).max(1000).describe('id of a submission, as the queue lists it');
const course = z.strictObject({ faculty: z.string(), department: z.string(), course: z.string() });
const statuses = ['not_queued', 'queued', 'processing', 'sent', 'failed', 'superseded'] as const;
const targetSystem = name
  .optional()
  .describe('where it is on its way to: name of the target, or its kind where only one target has that; else refused');

/** One change on its way to one target. */
export const queueItem = z
  .strictObject({
    submissionId,
    targetSystem: z.string().describe('name of the target'),
    targetKind: z.string().nullable().describe('what kind of system that is; null: no longer in the configuration'),
    status: z
      .enum(statuses)
      .describe('`not_queued`: waits for approval; `superseded`: another submission carries its state'),
    because: z
      .string()
      .nullable()
      .describe(
        'why it stands there, where no answer of the target says so. `not_queued`: `approval`; `processing`: `outside`, another system has it; `failed`: `discrepancy`, `type` (the target takes no such changes any more), or the submission whose failure it stands behind; `superseded`: the submission that carries its state, or the fill that took its place',
      ),
    type: changeType,
    run: z.string().describe('the run that planned it; approval names this run'),
    account: z.string().nullable().describe('account number of the person; null: it is about a course'),
    course: course.nullable(),
    attempts: count.describe('how often the target was asked since it was queued'),
    lastError: z
      .string()
      .nullable()
      .describe('what the target, or somebody in its place, said last, unless it was sent'),
    lastAnswerAt: time.nullable(),
  })
  .meta({ id: 'QueueItem', description: 'a change on its way to one target' });

const account = z
  .strictObject({
    account: z.string(),
    id: z.string().nullable(),
    alias: z.string().optional(),
    email: z.string(),
    firstName: z.string(),
    lastName: z.string(),
    kind: z.enum(['student', 'staff']),
    year: z.int().nullable(),
    status: z.enum(['active', 'disabled']),
    attributes: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Account', description: 'a person as they stand after the change' });

/** What would be sent of one change. */
export const envelope = z
  .strictObject({
    institution: z.string(),
    item: queueItem,
    delivery: z
      .strictObject({
        type: changeType,
        account: account.nullable(),
        course: course.nullable(),
        changed: z.array(z.string()).describe('fields that an update changes'),
        before: account
          .partial()
          .extend({ alias: z.string().nullish() })
          .nullable()
          .describe('their values before, where they were known'),
        enrolments: z.array(course).optional().describe('taken along where the kind of the person changes'),
        emailConfirmed: z.boolean(),
      })
      .describe('the change in the words of rosterd'),
    requests: z.array(previewed).describe('the very requests, alone in their batch'),
  })
  .meta({ id: 'Envelope', description: 'what would be sent of one submission, byte for byte' });

const succeeded = <S extends z.ZodRawShape>(shape: S) => z.strictObject({ success: z.literal(true), ...shape });
const moved = succeeded({
  data: queueItem,
  changed: z.boolean().describe('false: it stood there already, and nothing was done'),
  message: z.string(),
});

/** Every endpoint by its name, which is the operation's id. */
export const endpoints = {
  root: {
    ...{ method: 'GET', path: prefix, summary: 'Whether key and secret are right, and how rosterd is' },
    ...{ params: none, query: none, body: null },
    answers: json(
      'they are right',
      succeeded({
        message: z.literal('Integration API'),
        tenantId: z.string(),
        key: z.string(),
        may: z.array(z.enum(['read', 'write'])),
        version: z.string(),
        health: z.strictObject({
          state: z.string().describe('of the service; `running` when all is well'),
          healthy: z.boolean().describe('false: something makes no progress'),
        }),
      }),
    ),
  },
  list: {
    ...{ method: 'GET', path: `${prefix}/sync/queue`, summary: 'Submissions, in the order of queueing' },
    ...{ params: none, body: null },
    query: z.strictObject({
      status: z
        .enum(['all', ...statuses])
        .default('all')
        .describe('only those that stand there; `all` ends with those that wait for approval'),
      limit: page(500, 100),
      after: z.string().min(1).max(1000).optional().describe('`next` of the page before'),
    }),
    answers: json(
      'a page',
      succeeded({
        data: z.array(queueItem),
        next: z.string().nullable().describe('`after` of the next page; null: this was the last'),
      }),
    ),
  },
  payload: {
    ...{ method: 'GET', path: `${prefix}/sync/payload/:submissionId`, summary: 'What would be sent; nothing is sent' },
    ...{ params: z.strictObject({ submissionId }), query: none, body: null },
    answers: json('the envelope', succeeded({ data: envelope })),
  },
  replay: {
    ...{ method: 'POST', path: `${prefix}/sync/replay`, summary: 'Queues a failed or sent submission again' },
    ...{ params: none, query: none, body: z.strictObject({ submissionId, targetSystem }) },
    answers: json('it is queued', moved),
  },
  ack: {
    ...{ method: 'POST', path: `${prefix}/sync/ack`, summary: 'An answer in place of the target’s' },
    ...{ params: none, query: none },
    body: z.discriminatedUnion('status', [
      z.strictObject({ submissionId, targetSystem, status: z.enum(['processing', 'sent']) }),
      z.strictObject({
        ...{ submissionId, targetSystem, status: z.literal('failed') },
        lastError: z.string().trim().min(1).max(10_000).describe('why it failed, in the words of the target'),
      }),
    ]),
    answers: json('it stands there', moved),
  },
  openapi: {
    ...{
      method: 'GET',
      path: `${prefix}/openapi.json`,
      summary: 'This document',
      params: none,
      query: none,
      body: null,
    },
    answers: json('OpenAPI 3.1', z.looseObject({ openapi: z.string() })),
  },
} as const satisfies Record<string, Endpoint>;

/** The name of an endpoint. */
export type EndpointName = keyof typeof endpoints;

/** What a handler is handed: everything checked, defaults filled in. */
export type Asked<N extends EndpointName> = AskedOf<(typeof endpoints)[N]>;

/** What an endpoint answers when all went well. */
export type Answer<N extends EndpointName> = z.output<(typeof endpoints)[N]['answers'][200]['schema']>;

/** The error answers that every endpoint may give, by status. */
export const errorAnswers = {
  400: 'the request has to be corrected',
  401: 'key and secret do not belong together; which of the two was wrong is not said',
  403: 'this key may only read',
  404: 'there is no such thing',
  409: 'not as things stand',
  413: 'the body is too large',
  415: 'the body is no JSON in UTF-8',
  429: 'too many requests of this key, `Retry-After` says when',
  500: 'a fault of rosterd; the log has it',
  503: 'not now, `Retry-After` says when',
} as const;

/** The body of each of them. */
export const errorBody = z
  .strictObject({
    success: z.literal(false),
    error: z.strictObject({
      kind: z.enum(['Misconfigured', 'Denied', 'Unavailable', 'Incomplete', 'Rejected', 'Unexpected']),
      message: z.string(),
      remedy: z.string().nullable().describe('what a person can do; null where none is known'),
    }),
  })
  .meta({ id: 'Error', description: 'why it was refused' });
