import { z } from 'zod';
import { logLevels } from '../../base/log.ts';
import type { Run } from '../../store/port.ts';
import { queueEndpoints } from './queue-api.ts';
import { type AskedOf, count, type Endpoint, json, name, none, origin, page, planType, time } from './shapes.ts';
import { snapshotEndpoints } from './snapshot-api.ts';

export type { Endpoint } from './shapes.ts';

/**
 * What the socket answers, endpoint by endpoint. Requests are checked by these schemas, the OpenAPI document is made of
 * them, and a test holds every answer against it.
 */

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'the 64 hexadecimal digits of a digest');
/** Kinds of errors: the five of rosterd, and a fault of rosterd itself. */
const errorKind = z.enum(['Misconfigured', 'Denied', 'Unavailable', 'Incomplete', 'Rejected', 'Unexpected']);

const errorBody = z
  .strictObject({
    error: z.strictObject({
      kind: errorKind,
      message: z.string(),
      remedy: z.string().nullable().describe('what a person can do; null where none is known'),
    }),
  })
  .meta({ id: 'Error', description: 'why it was refused' });

const failure = z.strictObject({
  kind: z
    .string()
    .describe('as in the log; `Waiting`, of a delivery: single people wait, the target takes what others have'),
  message: z.string(),
  delayMs: count
    .optional()
    .describe('how long the other side asked to be left alone; of `Waiting`: when somebody who waits is tried again'),
});

const rowProblem = z.strictObject({
  file: z.string(),
  line: count,
  column: z.string().nullable(),
  reason: z.string(),
});

const run = z
  .strictObject({
    run: z.string(),
    source: z.string(),
    trigger: z.string(),
    dryRun: z.boolean(),
    status: z.enum(['running', 'applied', 'planned', 'unchanged', 'held', 'failed', 'skipped']),
    startedAt: time,
    endedAt: time.nullable(),
    durationMs: count.nullable(),
    snapshot: z.strictObject({ id: z.string().nullable(), complete: z.boolean(), records: count, quarantined: count }),
    quarantine: z.array(rowProblem).describe('the first 100 rows in quarantine'),
    remarks: z.strictObject({ count, first: z.array(rowProblem) }).optional(),
    plan: z.string().nullable(),
    digest: z.string().nullable(),
    changes: z.partialRecord(planType, count),
    guards: z.array(
      z.strictObject({
        guard: z.string(),
        measured: z.number(),
        limit: z.number(),
        held: z.boolean(),
        text: z.string(),
      }),
    ),
    heldTypes: z.array(planType).describe('changes of these types wait for a person'),
    conflicts: count,
    blocked: count,
    courses: z.strictObject({ new: z.array(z.string()), vanished: z.array(z.string()) }),
    decision: z.strictObject({ verdict: z.enum(['approved', 'rejected']), at: time }).nullable(),
    error: failure.nullable(),
  })
  .meta({ id: 'Run', description: 'one run of one source' }) satisfies z.ZodType<Run>;

const failures = {
  failures: count.describe('in a row, up to now'),
  notBefore: time.nullable().describe('nothing runs by itself before'),
  retryAt: time.nullable().describe('when a run comes by itself, whatever the schedule says'),
  failure: failure.nullable().describe('what failed last'),
};

const turn = { trigger: z.string(), dryRun: z.boolean(), since: time };

const lane = {
  name: z.string(),
  enabled: z.boolean(),
  breaker: z.strictObject({ state: z.enum(['closed', 'open', 'half-open']), ...failures }),
  next: time.nullable().describe('when something comes by itself next'),
  running: z.strictObject(turn).nullable(),
  waiting: z.array(z.strictObject({ ...turn, joined: count })),
};

const freshness = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('unknown').describe('the store could not be asked yet') }),
  z.strictObject({ state: z.literal('never') }),
  z.strictObject({
    state: z.enum(['fresh', 'stale']),
    at: time,
    ageMs: z.number().min(0),
    staleAt: time.nullable(),
  }),
]);

const outboxCounts = z
  .strictObject({ queued: count, processing: count, sent: count, failed: count })
  .meta({ id: 'OutboxCounts', description: 'items of a target by where they stand' });

const lastRun = z.strictObject({ run: z.string(), status: z.string(), startedAt: time, durationMs: count.nullable() });

/** What the store alone knows is null while it is not there. */
const store = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('unopened').describe('the service has not opened it, see `service`') }),
  z.strictObject({ state: z.literal('answers') }),
  z.strictObject({
    state: z.literal('away').describe('it does not answer, and what only it knows is null'),
    since: time.describe('when this was noticed first'),
    error: failure.describe('why'),
  }),
]);

const status = z
  .strictObject({
    service: z.strictObject({
      state: z.enum(['starting', 'connecting', 'running', 'stopping', 'stopped', 'failed']),
      reason: z.string().nullable().describe('why it stops, or has failed'),
      since: time,
      pid: z.int(),
      version: z.string(),
      config: z.string().describe('path of the configuration'),
      configDigest: digest.describe('SHA-256 of that file and of the lists that it names, as they were loaded last'),
      reloadRefused: z
        .strictObject({ at: time, reason: z.string() })
        .nullable()
        .describe(
          'the last reload was refused, what was loaded before is in force; null: it was not, or there was none',
        ),
      healthy: z.boolean().describe('false: something makes no progress, and the watchdog is not fed'),
    }),
    store,
    atWork: z.array(z.strictObject({ who: z.string(), text: z.string(), quietMs: z.number() })),
    sources: z.array(
      z.strictObject({
        ...lane,
        schedule: z.string().nullable(),
        timezone: z.string(),
        freshness,
        lastRun: lastRun.nullable().describe('null: none yet, or not known while the store does not answer'),
        held: z
          .string()
          .nullable()
          .describe('the run that waits for a person; null: none, or not known while the store does not answer'),
      }),
    ),
    targets: z.array(
      z.strictObject({
        ...lane,
        queue: outboxCounts.nullable().describe('null: not known while the store does not answer'),
        paused: z
          .strictObject({ at: time, reason: z.string().nullable() })
          .nullable()
          .describe('a person has stopped it; null: nobody has, or not known while the store does not answer'),
        moved: z
          .strictObject({ from: z.string(), to: z.string() })
          .nullable()
          .describe(
            'it points to another platform than the one that has what was sent, and gets nothing; null as above',
          ),
      }),
    ),
  })
  .meta({ id: 'Status', description: 'where everything stands' });

const rows = z.array(origin);

const change = z
  .looseObject({
    type: planType,
    account: z.looseObject({ account: z.string(), email: z.string() }).nullable(),
    course: z.looseObject({ course: z.string() }).nullable(),
    before: z.looseObject({}).nullable(),
    after: z.looseObject({}).nullable(),
    rule: z.string(),
    rows,
    held: z.boolean().describe('true: waits for a person'),
  })
  .meta({ id: 'Change', description: 'one change of a plan, with the rows behind it' });

const plan = z
  .strictObject({
    run: z.string(),
    digest: z.string().nullable().describe('null: no plan was made'),
    changes: z.array(change),
    notes: z
      .array(
        z.strictObject({
          kind: z.enum(['conflict', 'blocked', 'ambiguous']),
          reason: z.string(),
          text: z.string(),
          account: z.string().nullable(),
          rows,
        }),
      )
      .describe('with the first page only'),
    next: z.string().nullable().describe('`after` of the next page; null: this was the last'),
  })
  .meta({ id: 'PlanPage', description: 'a page of the plan of a run, in the order of the plan' });

const delivery = z.strictObject({
  target: z.string(),
  sent: count,
  failed: count,
  paused: z.boolean().describe('a person has stopped it; what is queued waits'),
  error: failure.nullable().describe('why it stopped before the queue was empty'),
});

const exitStatus = z
  .union([z.literal(0), z.literal(1), z.literal(3)])
  .describe('0 done, 1 failed, 3 something is held');

/** One line of a run that is waited for. */
export const runLine = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('accepted'), sources: z.array(z.string()) }),
    z.strictObject({ type: z.literal('progress'), who: z.string(), text: z.string() }),
    z.strictObject({ type: z.literal('run'), run }),
    z.strictObject({ type: z.literal('failed'), who: z.string(), ...errorBody.shape }),
    z.strictObject({ type: z.literal('delivery'), delivery }),
    z.strictObject({
      type: z.literal('end'),
      exit: exitStatus,
      busy: z.array(z.string()).describe('sources that no run came to be of'),
      outbox: z.record(z.string(), outboxCounts),
    }),
  ])
  .meta({ id: 'RunLine', description: 'what happens, as it happens; `end` is the last' });

const difference = z.strictObject({ path: z.string(), what: z.enum(['added', 'removed', 'changed']) });

const reload = z
  .strictObject({
    live: z.array(difference).describe('in force now'),
    restart: z.array(difference).describe('not before a restart; the old value holds'),
  })
  .meta({ id: 'Reload', description: 'what a reload changed' });

const logLevel = z.strictObject({ level: z.enum(logLevels) }).meta({ id: 'LogLevel' });

const runParams = z.strictObject({ run: name.describe('id of the run') });

/** Every endpoint by its name, which is the operation's id. */
export const endpoints = {
  status: {
    ...{ method: 'GET', path: '/v1/status', summary: 'The service, its sources and its targets' },
    ...{ params: none, query: none, body: null, answers: json('where everything stands', status) },
  },
  run: {
    ...{ method: 'POST', path: '/v1/run', summary: 'Runs sources now' },
    ...{ params: none, query: none },
    body: z.strictObject({
      sources: z.array(name).default([]).describe('names; none: every enabled source'),
      dryRun: z.boolean().default(false).describe('work out the plan, change nothing'),
      wait: z.boolean().default(false).describe('true: the answer is a stream that ends with the runs and deliveries'),
    }),
    answers: {
      200: { description: 'what happens, line by line (with `wait`)', type: 'ndjson', schema: runLine },
      202: {
        description: 'the runs are on, or wait for their turn (without `wait`)',
        type: 'json',
        schema: z.strictObject({ accepted: z.array(z.string()) }),
      },
    },
  },
  runs: {
    ...{ method: 'GET', path: '/v1/runs', summary: 'Runs, newest first', params: none, body: null },
    query: z.strictObject({
      source: name.optional().describe('only runs of this source'),
      limit: page(1000, 20),
      skip: z.coerce.number().int().min(0).default(0).describe('passes over the newest'),
    }),
    answers: json(
      'runs',
      z.strictObject({
        runs: z.array(run),
        waiting: z
          .array(z.string())
          .describe('runs of any source that wait for a person; another `held` one was replaced'),
      }),
    ),
  },
  show: {
    ...{ method: 'GET', path: '/v1/runs/:run', summary: 'One run', params: runParams, query: none, body: null },
    answers: json('the run', run),
  },
  plan: {
    ...{ method: 'GET', path: '/v1/runs/:run/plan', summary: 'The plan of a run, page by page' },
    ...{ params: runParams, body: null },
    query: z.strictObject({
      after: z.string().max(2000).optional().describe('`next` of the page before'),
      limit: page(1000, 500),
    }),
    answers: json('a page', plan),
  },
  approve: {
    ...{ method: 'POST', path: '/v1/runs/:run/approve', summary: 'Applies what a run holds back: exactly that plan' },
    ...{ params: runParams, query: none },
    body: z.strictObject({
      digest: digest.describe('of the plan that was looked at'),
      deliver: z.boolean().default(true).describe('false: the changes stay in the queue until the next delivery'),
    }),
    answers: json(
      'the run, with the decision; a newer one than was named when that holds back the same plan',
      z.strictObject({ run, deliveries: z.array(delivery) }),
    ),
  },
  reject: {
    ...{ method: 'POST', path: '/v1/runs/:run/reject', summary: 'Puts away what a run holds back' },
    ...{ params: runParams, query: none, body: null },
    answers: json('the run, with the decision', z.strictObject({ run })),
  },
  ...snapshotEndpoints,
  ...queueEndpoints,
  reload: {
    ...{ method: 'POST', path: '/v1/reload', summary: 'Reads the configuration again' },
    ...{ params: none, query: none, body: null, answers: json('what differs', reload) },
  },
  metrics: {
    ...{ method: 'GET', path: '/v1/metrics', summary: 'Metrics for Prometheus', params: none, query: none, body: null },
    answers: { 200: { description: 'text format 0.0.4', type: 'text', schema: z.string() } },
  },
  logLevel: {
    ...{ method: 'GET', path: '/v1/log-level', summary: 'The least that is logged', params: none, query: none },
    ...{ body: null, answers: json('the level', logLevel) },
  },
  setLogLevel: {
    ...{ method: 'PUT', path: '/v1/log-level', summary: 'Sets the least that is logged, until the next start' },
    ...{ params: none, query: none, body: logLevel, answers: json('the level', logLevel) },
  },
  openapi: {
    ...{ method: 'GET', path: '/v1/openapi.json', summary: 'This document', params: none, query: none, body: null },
    answers: json('OpenAPI 3.1', z.looseObject({ openapi: z.string() })),
  },
} as const satisfies Record<string, Endpoint>;

/** The name of an endpoint. */
export type EndpointName = keyof typeof endpoints;

/** What a handler is handed: everything checked, defaults filled in. */
export type Asked<N extends EndpointName> = AskedOf<(typeof endpoints)[N]>;

/** The error answers that every endpoint may give, by status. */
export const errorAnswers = {
  400: 'the request, or the configuration, has to be corrected',
  404: 'there is no such thing',
  409: 'not as things stand: the plan is out of date, the answer of the source was not whole',
  403: 'somebody else refused us: credentials or trust',
  500: 'a fault of rosterd; the log has it',
  503: 'not now, `Retry-After` says when',
} as const;

export { errorBody };
/** What an endpoint answers when all went well. */
export type Answer<N extends EndpointName> = z.output<(typeof endpoints)[N]['answers'][200]['schema']>;

/** What an endpoint may be asked with; what has a default may be left out. */
export interface Asking<N extends EndpointName> {
  params?: z.input<(typeof endpoints)[N]['params']>;
  query?: Record<string, string | number | undefined>;
  body?: (typeof endpoints)[N]['body'] extends z.ZodType ? z.input<(typeof endpoints)[N]['body']> : never;
}

export type RunLine = z.output<typeof runLine>;
export type StatusBody = z.output<typeof status>;
export type ReloadBody = z.output<typeof reload>;
export type PlanBody = z.output<typeof plan>;
