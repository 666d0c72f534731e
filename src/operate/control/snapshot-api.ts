import { z } from 'zod';
import { count, type Endpoint, json, name, none, origin, page, time } from './shapes.ts';

/** What the socket answers about snapshots, and about who is as they are because of them; see `api.ts`. */

const snapshot = z
  .strictObject({
    snapshot: z.string(),
    source: z.string(),
    run: z.string().describe('the run that took it'),
    at: time,
    inForce: z.boolean().describe('true: what the roster goes by now'),
    parts: z
      .array(z.strictObject({ name: z.string(), bytes: count, sha256: z.string(), modified: time.nullable() }))
      .describe('the files or queries that it was read from'),
    records: count,
    quarantined: count,
    added: count.describe('rows that the one before had not'),
    gone: count.describe('rows that only the one before had'),
  })
  .meta({ id: 'Snapshot', description: 'all rows of a source at one moment' });

const seenRow = z.strictObject({
  file: z.string(),
  line: count,
  record: z
    .strictObject({
      ...{ number: z.string().nullable(), id: z.string().nullable(), alias: z.string().optional(), email: z.string() },
      ...{ firstName: z.string(), lastName: z.string(), kind: z.enum(['student', 'staff']), year: count.nullable() },
      ...{ faculty: z.string(), department: z.string(), course: z.string() },
      attributes: z.record(z.string(), z.string()),
      provision: z.literal(false).optional().describe('the row is no reason for an account'),
    })
    .nullable()
    .describe('null: it could not be read'),
  reason: z.string().nullable().describe('why there is no record'),
});

const comparison = z
  .strictObject({
    from: snapshot,
    to: snapshot,
    added: count.describe('rows that only `to` has'),
    gone: count.describe('rows that only `from` has'),
    differences: z.array(
      z.strictObject({
        what: z
          .enum(['added', 'gone', 'changed', 'rewritten'])
          .describe('`rewritten`: other bytes, or read under other rules, that say the same'),
        person: z.string().nullable().describe('what they are known by; null: nobody can tell'),
        from: seenRow.nullable(),
        to: seenRow.nullable(),
        fields: z.array(z.string()).describe('what differs in a changed row'),
      }),
    ),
    next: count.nullable().describe('`begin` of the next page; null: this was the last'),
  })
  .meta({ id: 'Comparison', description: 'a page of what two snapshots differ in, by person' });

const explainedItem = z.looseObject({
  target: z.string(),
  item: z.string(),
  status: z.string(),
  answer: z.string().nullable().describe('the target’s own words'),
});

const explanation = z
  .strictObject({
    who: z.string(),
    accounts: z.array(z.looseObject({ account: z.string(), email: z.string(), source: z.string() })),
    course: z
      .looseObject({ status: z.string(), enrolled: count, rows: z.boolean() })
      .nullable()
      .describe('null: it was not a course that was asked for'),
    rows: z
      .array(z.looseObject({ source: z.string(), state: z.enum(['now', 'gone']), origin }))
      .describe('of all sources; `gone`: in the snapshot before the one in force, and no longer'),
    open: z
      .array(z.looseObject({ source: z.string(), kind: z.string(), reason: z.string(), text: z.string() }))
      .describe('what is in the way of changes now'),
    history: z
      .array(
        z.looseObject({
          ...{
            run: z.string(),
            source: z.string(),
            at: time,
            type: z.string(),
            rule: z.string(),
            rows: z.array(origin),
          },
          became: z.enum(['applied', 'waits', 'replaced', 'rejected', 'planned', 'other']),
          targets: z.array(explainedItem),
        }),
      )
      .describe('changes, newest first'),
    more: z.boolean().describe('true: there are older changes'),
    items: z.array(explainedItem).describe('what the queue has besides'),
  })
  .meta({ id: 'Explanation', description: 'why a person or a course is as it is' });

/** A page of what two snapshots differ in. */
export type ComparisonBody = z.output<typeof comparison>;

/** Every endpoint by its name. */
export const snapshotEndpoints = {
  explain: {
    ...{ method: 'GET', path: '/v1/explain', summary: 'Why a person or a course is as it is' },
    ...{ params: none, body: null },
    query: z.strictObject({
      who: z
        .string()
        .min(1)
        .max(1000)
        .describe('an account number, an id, an e-mail, or "Faculty / Department / Course"'),
      limit: page(1000, 50),
    }),
    answers: json('all that is known', explanation),
  },
  snapshots: {
    ...{ method: 'GET', path: '/v1/snapshots', summary: 'Snapshots that are kept, newest first' },
    ...{ params: none, body: null },
    query: z.strictObject({
      source: name.optional(),
      skip: z.coerce.number().int().min(0).default(0).describe('passes over the newest ones'),
      limit: page(500, 20),
    }),
    answers: json('snapshots', z.strictObject({ snapshots: z.array(snapshot) })),
  },
  compare: {
    ...{ method: 'GET', path: '/v1/snapshots/:from/compare/:to', summary: 'What two snapshots of a source differ in' },
    params: z.strictObject({ from: name.describe('id of a snapshot'), to: name.describe('id of another') }),
    ...{ body: null },
    query: z.strictObject({
      begin: z.coerce.number().int().min(0).default(0).describe('`next` of the page before'),
      limit: page(10_000, 500),
    }),
    answers: json('a page', comparison),
  },
} as const satisfies Record<string, Endpoint>;
