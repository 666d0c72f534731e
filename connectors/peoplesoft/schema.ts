import { z } from 'zod';
import { safeUrl, secret } from '../../src/connector/settings.ts';
import { type AcceptedType, defaultOperations, defaultProbe } from './operations.ts';
import { complaint, complaints } from './template.ts';

const pathTemplate = z
  .string()
  .regex(/^\//, 'a path begins with /')
  .superRefine((text, ctx) => {
    const message = complaint(text);
    if (message !== null) ctx.addIssue({ code: 'custom', message });
  });

const bodyTemplate = z.json().superRefine((template, ctx) => {
  for (const { path, message } of complaints(template)) ctx.addIssue({ code: 'custom', path, message });
});

const regularExpression = z.string().refine(
  (text) => {
    try {
      return Boolean(new RegExp(text));
    } catch {
      return false;
    }
  },
  { error: 'not a regular expression' },
);

const operation = z.strictObject({
  method: z.enum(['POST', 'PUT']).default('POST').describe('method of the request'),
  path: pathTemplate.describe('path below url, with {placeholders}; values are percent-encoded'),
  body: bodyTemplate.optional().describe('body, sent as JSON; texts hold {placeholders}; left out: no body'),
  already: regularExpression
    .optional()
    .describe('regular expression over the words of a refusal that means: this is so already; the item counts as sent'),
});
export type Operation = z.infer<typeof operation>;

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
  ],
  {
    error:
      'auth is { username, password } or { bearer }; the password and the token are { env: NAME } or { file: /path }',
  },
);

const success = z.strictObject({
  status: z
    .array(z.int().min(200).max(499))
    .min(1)
    .default([200, 201, 202, 204])
    .describe('statuses that count as success, if the body names no error'),
  errorKeys: z
    .array(z.string())
    .default(['error', 'errors', 'fault'])
    .describe('keys of a JSON answer that mean failure wherever they hold something (compared without case)'),
  text: regularExpression
    .optional()
    .describe('regular expression for a plain text that means success; without it a text is taken for a login page'),
});

/**
 * The keys of a `peoplesoft` target. There is no public roster API of PeopleSoft: node, operations, payload and the rule
 * for success are a site's own, so all of them are configuration.
 */
export const settings = z.strictObject({
  url: z
    .url()
    .regex(safeUrl, 'must begin with https:// (plain http only on this machine)')
    .describe('address of the web server, such as https://campus.example.edu'),
  node: z.string().min(1).default('PSFT_CS').describe('node of the Integration Broker, {node} in paths'),
  auth: auth.describe('{ username, password } for HTTP Basic with an OPRID, or { bearer } for an OAuth 2 token'),
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
  probe: pathTemplate
    .default(defaultProbe)
    .describe('path that `check --connect` reads by GET; it must change nothing'),
  batch: z.int().min(1).max(1000).default(50).describe('most items taken from the queue at once'),
  concurrency: z.int().min(1).max(32).default(4).describe('people written at the same time'),
});
export type PeoplesoftSettings = z.infer<typeof settings>;
