import { z } from 'zod';
import { duration, secret } from '../connector/settings.ts';
import { declaredFormats } from '../snapshot/formats/declared/index.ts';
import type { FormatConfig, ListenConfig, ServiceConfig, StoreConfig } from './config.ts';
import { cronProblem } from './cron.ts';
import { integrationSchema } from './integration.ts';
import { mapSchema } from './map.ts';
import { hint } from './nearest.ts';

/** What is fixed in the file, whatever connectors there are. Connectors bring the other keys of sources and targets. */

const flag = (fallback: boolean, text: string) => z.boolean().default(fallback).describe(text);

/** A regular expression over a whole name. Names are NFC, so the pattern has to be, too. */
const pattern = z
  .string()
  .transform((written, context) => {
    const text = written.normalize('NFC');
    try {
      // Alone first: `a)|(b` would close the group that is put around it below.
      new RegExp(text, 'iu');
      return new RegExp(`^(?:${text})$`, 'iu');
    } catch (error) {
      const reason = (error as Error).message
        .replace(/^Invalid regular expression: /, '')
        .replace(/^.*\/[a-z]*: /su, '');
      context.addIssue({ code: 'custom', message: `not a regular expression: ${reason}` });
      return z.NEVER;
    }
  })
  .describe('a regular expression that matches whole names, without case');

const scope = (what: string) =>
  z
    .strictObject({
      include: z.array(pattern).prefault(['.*']),
      exclude: z.array(pattern).default([]),
    })
    .prefault({})
    .describe(`which ${what} are provisioned; exclude wins over include`);

const percent = z.number().min(0).max(100);
const many = z.number().int().min(0);
const days = z.number().int().min(1).max(366);

/** Numbers of `guards.removals` as written: everything may be left out. */
const guards = z
  .strictObject({
    removals: z
      .strictObject({
        percent: percent.optional().describe('removals of one run, in per cent of what stood before'),
        atLeast: many.optional().describe('the per-cent limit of one run holds only over this many removals'),
        window: z
          .strictObject({ days: days.optional(), percent: percent.optional() })
          .optional()
          .describe('removals within so many days'),
      })
      .optional(),
  })
  .describe('limits on removals; disables, un-enrolments and changes between student and staff are counted apart');

export type WrittenGuards = z.output<typeof guards>;

const schedule = z
  .string()
  .superRefine((text, context) => {
    const problem = cronProblem(text);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .nullable()
  .default(null)
  .describe('cron of five fields: minute, hour, day of month, month, day of week; without one: only on demand');

/** A place on Earth, by its name in the IANA database. Offsets are refused: they know nothing of summer time. */
const timezone = z
  .string()
  .superRefine((name, context) => {
    if (/^[A-Za-z]/.test(name) && isTimezone(name)) return;
    const near = hint(name, Intl.supportedValuesOf('timeZone'), 'time zone')?.replace(/; known here: .*/s, '');
    context.addIssue({ code: 'custom', message: `no time zone is called ${JSON.stringify(name)}; ${near}` });
  })
  .describe('an IANA time zone, such as Europe/Berlin');

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** A path, of which the system takes the part before a NUL only. */
const place = z
  .string()
  .min(1)
  .refine((path) => !path.includes('\0'), 'a path has no NUL in it');

/** A duration between two others. */
const between = (least: string, most: string) => {
  const [from, to] = [duration.parse(least), duration.parse(most)];
  return duration.refine((ms) => ms >= from && ms <= to, `${least} to ${most}`);
};

/** How the daemon works: numbers of the service as a whole. */
const service = z
  .strictObject({
    concurrency: z.number().int().min(1).max(64).default(2).describe('sources that run at once; targets go beside'),
    retry: z
      .strictObject({
        first: between('1s', '1d').prefault('1m').describe('wait after a failed run; doubles with each failure'),
        longest: between('1s', '1d')
          .prefault('1h')
          .describe('the longest such wait, and how long nothing is tried when too many runs failed'),
        openAfter: z.number().int().min(1).max(1_000).default(5).describe('so many failed runs in a row are too many'),
      })
      .refine(({ first, longest }) => first <= longest, { path: ['first'], error: 'longer than longest' })
      .prefault({})
      .describe('what follows a failed run or delivery'),
    stopWithin: between('1s', '1h')
      .prefault('90s')
      .describe('a stop waits so long for the batches in hand; what is not done by then is cut, and found again'),
    stuckAfter: between('1m', '1d')
      .prefault('15m')
      .describe('a run that shows no progress for so long is stuck: the watchdog is not fed any more'),
  })
  .transform(
    ({ concurrency, retry, stopWithin, stuckAfter }): ServiceConfig => ({
      concurrency,
      retry: { firstWaitMs: retry.first, longestWaitMs: retry.longest, openAfter: retry.openAfter },
      stopWithinMs: stopWithin,
      stuckAfterMs: stuckAfter,
    }),
  )
  .prefault({})
  .describe('how the daemon works');

const declared = declaredFormats.map(({ name, description, options, declare }) => {
  const made = (written: unknown): FormatConfig => ({ kind: 'declared', name, ...declare(written) });
  return {
    plain: z
      .literal(name)
      .transform(() => made(options.parse({})))
      .describe(description),
    withOptions: z.strictObject({ [name]: options.transform(made) }).transform((written) => written[name]!),
  };
});

const format = z
  .union([
    z.literal('unitu').transform((): FormatConfig => ({ kind: 'unitu' })),
    ...declared.map(({ plain }) => plain),
    z.strictObject({ map: mapSchema }).transform(({ map }): FormatConfig => ({ kind: 'map', fields: map })),
    ...declared.map(({ withOptions }) => withOptions),
  ])
  .describe('how rows become records: a named format, one with its options ({ NAME: { … } }), or a map');

/** Keys of every source. */
export const sourceSchema = z.strictObject({
  kind: z.string(),
  enabled: flag(true, 'false: never runs'),
  dryRun: flag(false, 'true: runs end with a plan, nothing is applied'),
  schedule,
  timezone: timezone
    .optional()
    .describe('time zone of this schedule, such as Europe/Berlin; default: that of the file'),
  jitter: duration
    .optional()
    .describe('each scheduled time is put off by a part of this, another one each time; default: 0s, not at all'),
  freshness: duration
    .refine((ms) => ms <= 36_500 * 86_400_000, 'at most 36500d')
    .optional()
    .describe('data older than this is told as stale; default: two intervals of the schedule'),
  role: z
    .enum(['authoritative', 'directory'])
    .default('authoritative')
    .describe('authoritative sources say who exists; directory sources only fill in what they know about people'),
  guards: guards.optional(),
  format: format.optional(),
  map: mapSchema.transform((fields): FormatConfig => ({ kind: 'map', fields })).optional(),
});

/** Keys of every target. */
export const targetSchema = z.strictObject({
  kind: z.string(),
  enabled: flag(true, 'false: nothing is sent; changes wait in the queue'),
  rate: z
    .strictObject({
      requests: z.number().int().positive(),
      per: duration.refine((ms) => ms > 0, 'is longer than nothing').prefault('1s'),
    })
    .transform(({ requests, per }) => ({ requests, perMs: per }))
    .optional()
    .describe('how many requests may begin in what time; default: as many as the target takes'),
  giveUpAfter: z
    .number()
    .int()
    .positive()
    .default(50)
    .describe(
      'an item that the target has put off so many times has failed; times when it took nothing at all do not count',
    ),
});

/** Where the database is. One with a password in it comes by reference, like every secret. */
const mongoUri = z
  .union(
    [
      z
        .string()
        .regex(/^mongodb(\+srv)?:\/\/[^/?\s]+/, 'a connection string: mongodb://HOST:PORT or mongodb+srv://HOST')
        .refine((uri) => !/^[^/]*\/\/[^@/?]*:[^@/?]*@/.test(uri), {
          error: 'a password is never written here: uri: { env: NAME } or { file: /path }, or password beside it',
        }),
      secret,
    ],
    { error: 'a connection string, or { env: NAME } or { file: /path } that holds one' },
  )
  .describe(
    'mongodb://HOST:PORT[,HOST:PORT…][/?replicaSet=NAME], or a reference to it: { env: NAME }, { file: /path }',
  );

const mongodb = z
  .strictObject({
    kind: z.literal('mongodb'),
    uri: mongoUri,
    database: z
      .string()
      .regex(/^[^/\\. "$*<>:|?]{1,63}$/, 'the name of a database: 1 to 63 characters, none of / \\ . " $ * < > : | ?')
      .default('rosterd')
      .describe('a database of its own; one for each institution'),
    username: z.string().min(1).optional().describe('the user, where the URI does not name one'),
    password: secret.optional(),
    authSource: z.string().min(1).optional().describe('the database that the user is in; default: admin'),
    authMechanism: z.enum(['SCRAM-SHA-256', 'SCRAM-SHA-1', 'MONGODB-X509']).optional(),
    tls: z
      .strictObject({
        ca: z.string().min(1).optional().describe('file with the certificates to trust, PEM; default: the system’s'),
        certificateKey: z.string().min(1).optional().describe('file with our certificate and key, PEM'),
      })
      .optional()
      .describe('connect by TLS'),
    lease: duration
      .refine((ms) => ms >= 1_000 && ms <= 600_000, '1s to 10m')
      .prefault('15s')
      .describe('a rosterd that gives no sign of life for so long is taken over from'),
    timeout: duration
      .refine((ms) => ms >= 1_000 && ms <= 600_000, '1s to 10m')
      .prefault('30s')
      .describe('the longest wait for one answer of the database'),
  })
  .superRefine((written, context) => {
    if (written.password && !written.username)
      context.addIssue({ code: 'custom', path: ['password'], message: 'a password needs a username beside it' });
    if (written.authMechanism === 'MONGODB-X509' && !written.tls?.certificateKey)
      context.addIssue({
        code: 'custom',
        path: ['authMechanism'],
        message: 'MONGODB-X509 needs tls.certificateKey',
      });
  })
  .transform(
    ({ kind, username, password, authSource, authMechanism, tls, lease, timeout, ...rest }): StoreConfig => ({
      ...{ kind, ...rest, username: username ?? null, password: password ?? null },
      ...{ authSource: authSource ?? null, authMechanism: authMechanism ?? null, leaseMs: lease, timeoutMs: timeout },
      tls: tls ? { ca: tls.ca ?? null, certificateKey: tls.certificateKey ?? null } : null,
    }),
  );

/** True for an address that only this machine reaches. */
const isLoopback = (address: string): boolean => /^(localhost|::1|127(\.\d{1,3}){3})$/.test(address);

/** Where the daemon listens for pushes. */
const listen = z
  .strictObject({
    address: z.string().min(1).default('127.0.0.1').describe('the address to listen on; one of this machine'),
    port: z.number().int().min(1).max(65_535).default(8480),
    tls: z
      .strictObject({
        certificate: z.string().min(1).describe('file with our certificate and those above it, PEM'),
        key: z.string().min(1).describe('file with its private key, PEM'),
      })
      .optional()
      .describe('serve by TLS'),
    behindProxy: flag(false, 'true: a proxy in front of us does the TLS, and says who is behind it'),
    timeout: between('1s', '1d')
      .prefault('15m')
      .describe('a push that takes longer is ended, and leaves nothing: its sender may have gone'),
  })
  .superRefine(({ address, tls, behindProxy }, context) => {
    if (!isLoopback(address) && !tls && !behindProxy)
      context.addIssue({
        code: 'custom',
        path: ['address'],
        message: 'keys and people would cross the network in the clear: add tls, or behindProxy: true, or 127.0.0.1',
      });
  })
  .transform(({ tls, timeout, ...rest }): ListenConfig => ({ ...rest, tls: tls ?? null, timeoutMs: timeout }))
  .describe('where the daemon listens for pushes; left out: nowhere');

/** Names of sources and targets: they occur in commands, log fields and file names. */
export const namePattern = /^[a-z0-9][a-z0-9-]*$/;

/** The top of the file. Sources and targets are read entry by entry, by the schema of their kind. */
export const fileSchema = z.strictObject({
  version: z.literal(1).describe('the version of this format'),
  institution: z.string().trim().min(1).max(200).describe('the institution, as targets and logs shall name it'),
  stateDir: place.default('/var/lib/rosterd').describe('a directory that rosterd keeps its state in'),
  timezone: timezone.optional().describe('time zone of all schedules, such as Europe/Berlin; default: the machine’s'),
  service,
  store: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('embedded') }).transform((store): StoreConfig => store),
      mongodb,
    ])
    .prefault({ kind: 'embedded' })
    .describe('where rosterd keeps what it knows: a file in stateDir, or a MongoDB that several daemons can share'),
  control: z
    .strictObject({
      socket: place.optional().describe('path of the local socket; default: control.sock in stateDir'),
    })
    .default({}),
  listen: listen.optional(),
  integration: integrationSchema.optional(),
  metrics: z
    .strictObject({
      address: z.string().min(1).default('127.0.0.1').describe('the address to listen on; one of this machine'),
      port: z.number().int().min(1).max(65_535).default(9464),
    })
    .optional()
    .describe('where Prometheus fetches /metrics, without any key; left out: at the control socket only'),
  roster: z
    .strictObject({
      departments: scope('departments'),
      courses: scope('courses'),
      newCourses: z
        .enum(['report', 'provision'])
        .default('report')
        .describe('provision: a new course in a known department is provisioned, with its people'),
      emptyCourses: z
        .enum(['keep', 'archive'])
        .default('keep')
        .describe('archive: a course without people is archived'),
    })
    .prefault({}),
  guards: guards.optional(),
  retention: z
    .strictObject({
      snapshots: z.number().int().min(2).max(100_000).default(60).describe('snapshots kept of each source'),
      runs: z
        .number()
        .int()
        .min(10)
        .max(1_000_000)
        .default(1_000)
        .describe('runs kept of each source, with their plans'),
      sentItems: z
        .number()
        .int()
        .min(0)
        .max(100_000_000)
        .default(200_000)
        .describe('delivered items kept of each target; what is not delivered is always kept'),
    })
    .prefault({})
    .describe('how much history is kept; nothing that waits or may still count is ever removed'),
  sources: z.record(z.string(), z.unknown()).describe('name → source, in the order of precedence'),
  targets: z.record(z.string(), z.unknown()).default({}).describe('name → target'),
});

export type WrittenFile = z.output<typeof fileSchema>;
