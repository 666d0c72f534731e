import { z } from 'zod';
import type { OutboxItem } from '../../store/port.ts';
import { changeType, count, type Endpoint, json, name, none, page, time } from './shapes.ts';

/** What the socket answers about changes on their way. */

const itemStatus = z.enum(['queued', 'processing', 'sent', 'failed', 'superseded']);

const item = z
  .looseObject({
    item: z.string(),
    target: z.string(),
    plan: z.string(),
    type: changeType,
    seq: count.describe('place in the order of queueing'),
    person: z.string().describe('an account number, or `course` and its names'),
    status: itemStatus,
    attempts: count,
    answer: z.string().nullable().describe('the target’s own words'),
    because: z
      .string()
      .nullable()
      .describe(
        '`superseded`: the item that carries its state, or the fill that took its place; `failed`: `discrepancy`, `type` (the target takes no such changes any more), or the item it stands behind; `processing`: `outside`',
      ),
    trail: z
      .array(z.strictObject({ at: time, outcome: z.enum(['sent', 'failed', 'retry']), answer: z.string().nullable() }))
      .describe('the last answers, oldest first'),
  })
  .meta({ id: 'QueueItem', description: 'a change on its way to one target' }) satisfies z.ZodType<
  Omit<OutboxItem, 'delivery'>
>;

/** A request as it would be sent; see `PreviewJson`. */
export const previewed = z
  .strictObject({
    target: z.string(),
    method: z.string(),
    url: z.string().describe('what is known only on the way stands in braces'),
    headers: z.record(z.string(), z.string()).describe('secrets are `{secret}`'),
    body: z.string().nullable().describe('text, or base64 where it is no UTF-8'),
    encoding: z.enum(['utf8', 'base64']),
    bytes: count.describe('length of the body as it is sent'),
    files: z.record(z.string(), z.string()).nullable().describe('what a packed body holds'),
    items: z.array(z.string()).describe('the items that it carries'),
  })
  .meta({ id: 'PreviewedRequest', description: 'a request as it would be sent' });

const replayed = z
  .strictObject({
    replayed: z.array(z.string()),
    superseded: z
      .array(z.strictObject({ item: z.string(), because: z.string() }))
      .describe('a newer item has their state'),
    left: z.array(z.strictObject({ item: z.string(), why: z.string() })).describe('as they were'),
  })
  .meta({ id: 'Replayed', description: 'what became of a replay' });

const discrepancy = z
  .strictObject({
    account: z.string(),
    source: z.string(),
    reason: z.string(),
    text: z.string(),
    digest: z.string(),
    reviewed: z.strictObject({ at: time, note: z.string().nullable() }).nullable(),
  })
  .meta({ id: 'Discrepancy', description: 'somebody of whom the sources say things that cannot all be true' });

const itemParams = z.strictObject({ item: z.string().min(1).max(1000).describe('id of the item') });
const targetParams = z.strictObject({ target: name.describe('name of the target') });

const deliver = z.boolean().default(true).describe('false: they stay in the queue until the next delivery');

const paused = json('whether that was anything new', z.strictObject({ target: z.string(), changed: z.boolean() }));

const filled = json(
  'how many items',
  z.strictObject({
    target: z.string(),
    queued: count,
    remastered: z.boolean().describe('the target has applied the whole roster anew'),
  }),
);

/** Endpoints of the queue, of pauses and of discrepancies. */
export const queueEndpoints = {
  queue: {
    ...{ method: 'GET', path: '/v1/queue', summary: 'Changes on their way, in the order of queueing' },
    ...{ params: none, body: null },
    query: z.strictObject({
      target: name.optional(),
      status: itemStatus.optional(),
      plan: name.optional().describe('only items of this run'),
      person: z.string().max(1000).optional().describe('only items about this account'),
      after: z.coerce.number().int().min(0).default(0).describe('`next` of the page before'),
      limit: page(1000, 100),
    }),
    answers: json(
      'a page',
      z.strictObject({
        items: z.array(item),
        next: count.nullable().describe('`after` of the next page; null: this was the last'),
      }),
    ),
  },
  item: {
    ...{ method: 'GET', path: '/v1/queue/:item', summary: 'One item, with what is delivered and every answer' },
    ...{ params: itemParams, query: none, body: null, answers: json('the item', item) },
  },
  preview: {
    ...{ method: 'POST', path: '/v1/queue/preview', summary: 'What would be sent, byte for byte; nothing is sent' },
    ...{ params: none, query: none },
    body: z.strictObject({
      items: z.array(z.string()).max(10_000).optional().describe('these items, as one batch for each target'),
      target: name.optional().describe('the next batch of this target'),
    }),
    answers: json('the requests', z.strictObject({ requests: z.array(previewed) })),
  },
  replay: {
    ...{ method: 'POST', path: '/v1/queue/replay', summary: 'Queues failed items again, and sent ones that are named' },
    ...{ params: none, query: none },
    body: z.strictObject({
      items: z.array(z.string()).max(10_000).optional().describe('these; left out: failed ones'),
      person: z.string().max(1000).optional().describe('only of this account'),
      run: name.optional().describe('only of this run'),
      target: name.optional().describe('only to this target'),
      deliver,
    }),
    answers: json('what became of them', replayed),
  },
  ack: {
    ...{ method: 'POST', path: '/v1/queue/ack', summary: 'An answer in place of a target’s' },
    ...{ params: none, query: none },
    body: z.strictObject({
      item: z.string().min(1).max(1000),
      status: z.enum(['processing', 'sent', 'failed']).describe('`processing`: another system has it in hand'),
      answer: z.string().max(10_000).nullable().default(null).describe('the target’s words; a failure needs them'),
      target: name.optional().describe('refused when the item is on its way elsewhere'),
    }),
    answers: json('the item', item),
  },
  pause: {
    ...{
      method: 'POST',
      path: '/v1/targets/:target/pause',
      summary: 'Sends nothing to a target after the batch in hand',
    },
    ...{ params: targetParams, query: none },
    body: z.strictObject({ reason: z.string().max(1000).nullable().default(null) }),
    answers: paused,
  },
  resume: {
    ...{ method: 'POST', path: '/v1/targets/:target/resume', summary: 'Goes on sending to a target' },
    ...{ params: targetParams, query: none, body: null, answers: paused },
  },
  fill: {
    ...{ method: 'POST', path: '/v1/targets/:target/fill', summary: 'Queues the whole roster for a target' },
    ...{ params: targetParams, query: none, body: z.strictObject({ deliver }), answers: filled },
  },
  moved: {
    ...{
      method: 'POST',
      path: '/v1/targets/:target/moved',
      summary: 'Says what a target is that points elsewhere than to what has what was sent',
    },
    ...{ params: targetParams, query: none, answers: filled },
    body: z.strictObject({
      platform: z
        .enum(['same', 'new'])
        .describe('`same`: under a new address; `new`: another one, it gets the whole roster in place of what waits'),
      deliver,
    }),
  },
  discrepancies: {
    ...{ method: 'GET', path: '/v1/discrepancies', summary: 'People whose items are held back, and why' },
    ...{ params: none, query: none, body: null },
    answers: json('all that are open', z.strictObject({ discrepancies: z.array(discrepancy) })),
  },
  review: {
    ...{ method: 'POST', path: '/v1/discrepancies/review', summary: 'Lets the items of a person pass all the same' },
    ...{ params: none, query: none },
    body: z.strictObject({
      account: name,
      discrepancy: name.optional().describe('this one, by its digest; left out: all of the person'),
      note: z.string().max(1000).nullable().default(null),
    }),
    answers: json('those that pass', z.strictObject({ discrepancies: z.array(discrepancy) })),
  },
} as const satisfies Record<string, Endpoint>;
