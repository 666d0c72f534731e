import { z } from 'zod';
import { oneRosterSettings } from '../../src/connector/oneroster/settings.ts';
import { duration, safeUrl, secret, size } from '../../src/connector/settings.ts';
import { parsePath } from './path.ts';

/** Settings of an HTTP source: what is written, and what the code uses; and the few answers that are read by shape. */

const text = (what: string) => z.string().min(1).describe(what);
const path = (what: string) =>
  z
    .string()
    .transform(parsePath)
    .describe(`${what}: names with dots between them, data.students; '' is the answer itself`);
const parameter = (name: string, what: string) => text(`name of the query parameter for ${what}`).default(name);
const count = z.number().int().positive();

const url = (what: string) =>
  z
    .string()
    .regex(safeUrl, 'must begin with https:// (plain http only on this machine)')
    .refine((written) => URL.canParse(written), 'is no URL')
    .refine((written) => !/^[^/]*\/\/[^/]*@/.test(written), 'no login in an address: use auth')
    .refine((written) => !written.includes('#'), 'has a fragment, which is never sent')
    .describe(what);

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is no name of a header')
  .refine(
    (name) => !/^(host|connection|content-length|transfer-encoding|accept-encoding|if-.*|range)$/i.test(name),
    'is a header that rosterd sets itself',
  );
const plainOrSecret = z.union([z.string(), z.number().transform(String), z.boolean().transform(String), secret]);

const auth = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('header'),
      name: headerName.default('X-API-Key').describe('name of the header that takes the key'),
      value: secret,
    }),
    z.strictObject({
      kind: z.literal('basic'),
      username: text('who logs in').refine((name) => !name.includes(':'), 'a colon ends the name'),
      password: secret,
    }),
    z.strictObject({ kind: z.literal('bearer'), token: secret }),
    z.strictObject({
      kind: z.literal('oauth2'),
      tokenUrl: url('the token endpoint; client credentials (RFC 6749 §4.4)'),
      clientId: text('id of the client'),
      clientSecret: secret,
      scope: text('scopes to ask for, with spaces between them').optional(),
      audience: text('who the token is for, where the server wants to know').optional(),
      send: z.enum(['header', 'body']).default('header').describe('where the client shows id and secret'),
    }),
    z.strictObject({
      kind: z.literal('oauth1'),
      key: text('key of the consumer'),
      secret,
      signature: z.enum(['HMAC-SHA1', 'HMAC-SHA256']).default('HMAC-SHA1').describe('how requests are signed'),
    }),
  ])
  .describe('how requests are let in');

export type AuthSettings = z.output<typeof auth>;

const pageSize = count.max(100_000).describe('records to ask for on a page');

const paging = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({ kind: z.literal('link'), size: pageSize.optional(), limit: parameter('limit', 'the page size') }),
    z.strictObject({
      kind: z.literal('offset'),
      size: pageSize.default(500),
      offset: parameter('offset', 'the offset'),
      limit: parameter('limit', 'the page size'),
      first: z.number().int().min(0).default(0).describe('offset of the first record'),
    }),
    z.strictObject({
      kind: z.literal('page'),
      size: pageSize.default(500),
      page: parameter('page', 'the number of the page'),
      limit: parameter('per_page', 'the page size'),
      first: z.number().int().min(0).default(1).describe('number of the first page'),
    }),
    z.strictObject({
      kind: z.literal('cursor'),
      size: pageSize.optional(),
      limit: parameter('limit', 'the page size'),
      next: path('where the answer has its next cursor or the URL of its next page'),
      parameter: text('query parameter that takes the cursor; left out: next is a URL').optional(),
    }),
  ])
  .describe('how the answer is cut into pages');

export type Paging = z.output<typeof paging>;

const total = z
  .union([
    z.strictObject({ path: path('where the answer says how many records there are') }),
    z.strictObject({ header: text('the header that says how many records there are: X-Total-Count') }),
  ])
  .describe('where the server says how many records there are on all pages');

export type Total = z.output<typeof total>;

const connection = {
  url: url('the address; with a preset the base, under which users, classes and so on lie'),
  auth: auth.optional(),
  headers: z.record(headerName, plainOrSecret).default({}).describe('further headers of every request'),
  query: z.record(z.string().min(1), plainOrSecret).default({}).describe('further query parameters of every request'),
  timeout: duration.prefault('60s').describe('longest silence of the server'),
  answerTimeout: duration.prefault('15m').describe('longest time for one answer'),
  maxSize: size.prefault('2GB').describe('a larger answer (all pages, unpacked) is refused'),
  rate: z.number().positive().max(10_000).optional().describe('requests per second at most; left out: no limit'),
  ca: text('file of certificates (PEM) to trust beside the ones of the machine').optional(),
  proxy: z
    .union([
      z.literal('env'),
      z.strictObject({
        url: z.string().regex(/^https?:\/\/[^/@]+\/?$/, 'http://host:port'),
        username: text('login at the proxy').optional(),
        password: secret.optional(),
      }),
    ])
    .optional()
    .describe('env: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say; or { url: … }; left out: no proxy'),
};

const connectionSchema = z.strictObject(connection);
/** What a client needs. */
export type ConnectionSettings = z.output<typeof connectionSchema>;

/** The keys of `kind: sis-http`, beside the common ones of every source. */
export const settings = z
  .strictObject({
    ...connection,
    preset: z.enum(['oneroster-1.1', 'oneroster-1.2']).optional().describe('a known API: its paging and its records'),
    records: path('where the list of records is').optional(),
    key: path('what a record is told from others by').optional(),
    each: path('a list inside the record: one row for each of its elements').optional(),
    paging: paging.optional(),
    total: total.optional(),
    verify: z
      .enum(['first', 'overlap', 'off'])
      .optional()
      .describe(
        'how it is proved that nothing moved between pages: the first page again at the end, or also pages that overlap by one record; default: overlap with offset, else first',
      ),
    concurrency: count.max(16).default(1).describe('pages in flight, where offset or page and a total tell them'),
    maxRecords: count.default(5_000_000).describe('more records in one pull are refused'),
    contentType: text('media type that the server gives its JSON, where it is another one').optional(),
    ...oneRosterSettings,
    pageSize: pageSize.optional().describe('oneroster: records to ask for on a page; default: 1000'),
    delta: z
      .enum(['on', 'off'])
      .optional()
      .describe('oneroster: on asks between whole pulls for what changed since the last one; default: off'),
    full: duration.optional().describe('oneroster with delta: a whole pull at least so often; default: 1d'),
  })
  .superRefine((value, context) => {
    const issue = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (value.preset !== undefined) {
      for (const key of ['records', 'key', 'each', 'paging', 'total'] as const)
        if (value[key] !== undefined) issue(key, `is given by preset: ${value.preset}`);
      if (value.preset === 'oneroster-1.2' && value.auth?.kind === 'oauth1')
        issue('auth', 'OneRoster 1.2 has OAuth 2 client credentials only');
    } else {
      if (value.records === undefined) issue('records', "says where the list is: data.students, or '' for the answer");
      for (const key of ['pageSize', 'disabledUsers', 'enrolments', 'delta', 'full'] as const)
        if (value[key] !== undefined) issue(key, 'needs preset: oneroster-1.1 or oneroster-1.2');
    }
    if (value.full !== undefined && value.delta !== 'on') issue('full', 'needs delta: on');
    if (value.verify === 'overlap' && value.preset === undefined && value.paging?.kind !== 'offset')
      issue('verify', 'overlap needs paging: { kind: offset }');
    if (
      typeof value.proxy === 'object' &&
      (value.proxy.username === undefined) !== (value.proxy.password === undefined)
    )
      issue('proxy', 'username and password belong together');
  });

export type SisHttpSettings = z.output<typeof settings>;

/** What a token endpoint answers (RFC 6749 §5.1). Some say the lifetime as text. */
export const tokenAnswer = z.object({
  access_token: z.string().min(1),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.coerce.number().positive().optional(),
});
