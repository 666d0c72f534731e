import { z } from 'zod';
import { safeUrl, secret } from '../../src/connector/settings.ts';
import { type AcceptedType, accepted, defaultOperations, defaultProbe } from './operations.ts';
import { comparesState, operation, pathTemplate, regularExpression } from './shapes.ts';

const operationFor = (type: AcceptedType) =>
  operation.prefault(defaultOperations[type] as z.input<typeof operation>).describe(`the request for ${type}`);

const auth = z.union(
  [
    z.strictObject({
      username: z
        .string()
        .regex(/^[^:]+$/, 'an OPRID has no colon')
        .describe('OPRID for HTTP Basic'),
      password: secret.describe('its password, by reference'),
    }),
    z.strictObject({ bearer: secret.describe('OAuth 2 access token, by reference') }),
    z.strictObject({
      tokenUrl: z
        .url()
        .regex(safeUrl, 'must begin with https:// (plain http only on this machine)')
        .describe('token endpoint of the identity provider that PeopleSoft trusts'),
      clientId: z.string().min(1).describe('client, whose sub or email PeopleSoft maps to an OPRID'),
      clientSecret: secret.describe('its secret, by reference'),
      scope: z.string().min(1).optional().describe('scope of the token'),
      audience: z.string().min(1).optional().describe('audience of the token, where the provider asks for it'),
    }),
  ],
  {
    error:
      'auth is { username, password }, { bearer } or { tokenUrl, clientId, clientSecret }; the password, the token and the secret are { env: NAME } or { file: /path }',
  },
);

/** What an answer of this status says is never of the change. */
function neverSuccess(status: number): boolean {
  return (status >= 300 && status < 400) || [401, 403, 408, 429].includes(status);
}

const success = z.strictObject({
  status: z
    .array(
      z
        .int()
        .min(200)
        .max(499)
        .refine((status) => !neverSuccess(status), {
          error: 'is never success: a redirect, 401 and 403 are about who asks, 408 and 429 pass',
        }),
    )
    .min(1)
    .default([200, 201, 202, 204])
    .describe(
      'statuses that count as success, if the body names no error; 404 and 410, that somebody is gone already, only for account.disable and enrolment.remove',
    ),
  errorKeys: z
    .array(z.string())
    .default(['error', 'errors', 'fault'])
    .describe(
      'keys of a JSON answer, or elements of an XML one, that mean failure wherever they hold something (compared without case)',
    ),
  text: regularExpression
    .optional()
    .describe('regular expression for a plain text that means success; without it a text is taken for a login page'),
  denied: regularExpression
    .optional()
    .describe(
      'regular expression over the words of a refusal, or a page, that is about the login, and so ends the delivery at once',
    ),
});

const today = z.strictObject({
  timeZone: z
    .string()
    .default('UTC')
    .refine(isTimeZone, { error: 'not a time zone such as America/New_York' })
    .describe('where the day begins, such as America/New_York'),
  format: z
    .string()
    .default('yyyy-MM-dd')
    .refine((text) => ['yyyy', 'MM', 'dd'].every((part) => text.split(part).length === 2), {
      error: 'yyyy, MM and dd, each once',
    })
    .describe('a pattern of yyyy, MM and dd'),
});

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Changes that turn what is there already. */
const turning: ReadonlySet<string> = new Set([
  'account.enable',
  'account.disable',
  'enrolment.add',
  'enrolment.remove',
]);

/**
 * The keys of a `peoplesoft` target. There is no public roster API of PeopleSoft: node, operations, payload and the rule
 * for success are a site's own, so all of them are configuration.
 */
export const settings = z
  .strictObject({
    url: z
      .url()
      .regex(safeUrl, 'must begin with https:// (plain http only on this machine)')
      .describe('address of the web server, such as https://campus.example.edu'),
    gateway: z
      .string()
      .regex(/^(\/[\w.~-]+)*$/, 'a path such as /PSIGW')
      .default('/PSIGW')
      .describe('path of the integration gateway, in place of a leading /PSIGW in all paths'),
    node: z.string().min(1).default('PSFT_CS').describe('node of the Integration Broker, {node} in paths'),
    auth: auth.describe(
      'an OPRID for HTTP Basic, an OAuth 2 token, or a client of the identity provider that gives one',
    ),
    changes: z
      .array(z.enum(accepted))
      .min(1)
      .default([...accepted])
      .describe('change types that this target takes; others are never queued for it'),
    operations: z
      .strictObject({
        'account.create': operationFor('account.create'),
        'account.enable': operationFor('account.enable'),
        'account.update': operationFor('account.update'),
        'enrolment.add': operationFor('enrolment.add'),
        'enrolment.remove': operationFor('enrolment.remove'),
        'account.disable': operationFor('account.disable'),
      })
      .prefault({})
      .describe('request of each change type; one that is given replaces the default one whole'),
    success: success.prefault({}).describe('how an answer is told from a refusal'),
    silentAnswers: z
      .int()
      .min(1)
      .default(6)
      .describe(
        'answers of status 500 (or that nobody can read) to one item, after which it fails; others must fare better',
      ),
    today: today.prefault({}).describe('how {today} is written: an effective date, for example'),
    probe: pathTemplate
      .default(defaultProbe)
      .describe('path that `check --connect` reads by GET; it must change nothing'),
    batch: z.int().min(1).max(1000).default(50).describe('most items taken from the queue at once'),
    concurrency: z.int().min(1).max(32).default(4).describe('people written at the same time'),
  })
  .superRefine(({ auth: login, operations }, ctx) => {
    for (const [type, { confirm }] of Object.entries(operations))
      if (turning.has(type) && confirm?.lookFirst && !confirm.absent && !comparesState(confirm))
        ctx.addIssue({
          ...{ code: 'custom', path: ['operations', type, 'confirm', 'lookFirst'] },
          message: `is compares nothing that ${type} turns, so that whoever is known would always look as if it were done: add what says so, such as A.STATUS: A or A.STATUS: "{status}"`,
        });
    if ('username' in login) return;
    for (const [type, chosen] of Object.entries(operations)) {
      for (const [place, shape] of [
        [['operations', type], chosen],
        [['operations', type, 'confirm', 'read'], chosen.confirm?.read],
      ] as const)
        if (shape?.shape === 'ci-soap' && (shape.via === 'iscript' || shape.wsSecurity))
          ctx.addIssue({ code: 'custom', path: [...place], message: 'needs an OPRID: auth: { username, password }' });
    }
  });
export type PeoplesoftSettings = z.infer<typeof settings>;
