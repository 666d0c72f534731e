import type { Secret } from '../base/secret.ts';
import type { ColumnExpectation, SourceConnector } from '../connector/source.ts';
import type { TargetConnector } from '../connector/target.ts';

/**
 * The configuration as the code uses it: durations are milliseconds, patterns are compiled, defaults are in. What is
 * written in YAML is another type, behind `load.ts`, and never leaves that folder.
 */
export interface Config {
  /** Absolute path of the YAML file. */
  file: string;
  /** SHA-256 of its bytes and of the lists that it names, in hex: tells whether somebody else has loaded the same. */
  digest: string;
  institution: string;
  /** Absolute. Relative paths in the file are relative to the working directory, as in a shell. */
  stateDir: string;
  store: StoreConfig;
  control: { socket: string };
  /** Where pushes are listened for; null: nowhere. */
  listen: ListenConfig | null;
  /** Who may call the integration API, where `listen` is; null: nobody. */
  integration: { keys: readonly IntegrationKey[] } | null;
  /** Where metrics can be fetched over TCP, as well as at the socket; null: nowhere. */
  metrics: { address: string; port: number } | null;
  /** IANA; of schedules that have none of their own. */
  timezone: string;
  service: ServiceConfig;
  /** How much history is kept: of each source, and delivered items of each target. */
  retention: { snapshots: number; runs: number; sentItems: number };
  roster: Scope & { newCourses: 'report' | 'provision'; emptyCourses: 'keep' | 'archive' };
  /** In the order of the file, which is the precedence of their attributes. */
  sources: readonly SourceConfig[];
  targets: readonly TargetConfig[];
}

/** How the daemon works. */
export interface ServiceConfig {
  /** Sources that run at once; targets are delivered to beside them. */
  concurrency: number;
  /** After failed runs and deliveries. The first wait doubles up to the longest; after `openAfter` in a row see `breaker.ts`. */
  retry: { firstWaitMs: number; longestWaitMs: number; openAfter: number };
  /** A stop waits so long before it cuts. */
  stopWithinMs: number;
  /** A run without progress for so long counts as stuck. */
  stuckAfterMs: number;
}

/** Where rosterd keeps what it knows: one file in `stateDir`, or a database. Times in milliseconds. */
export type StoreConfig =
  | { kind: 'embedded' }
  | {
      kind: 'mongodb';
      /** A connection string without a password, or a reference to one that may have it. */
      uri: string | Secret;
      database: string;
      username: string | null;
      password: Secret | null;
      /** Database of the user; null: the URI's, else `admin`. */
      authSource: string | null;
      authMechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-1' | 'MONGODB-X509' | null;
      /** Files in PEM; null: no TLS unless the URI asks for it. */
      tls: { ca: string | null; certificateKey: string | null } | null;
      /** A holder of a lock that gives no sign of life for so long loses it. */
      leaseMs: number;
      /** Longest wait for one answer of the server. */
      timeoutMs: number;
    };

/** A TCP port of ours. */
export interface ListenConfig {
  address: string;
  port: number;
  /** Files in PEM; null: no TLS. */
  tls: { certificate: string; key: string } | null;
  /** A proxy in front of us says who is behind it. */
  behindProxy: boolean;
  /** How long a whole request may take. */
  timeoutMs: number;
}

/** A caller of the integration API. */
export interface IntegrationKey {
  /** The name that it calls itself by; no secret. */
  key: string;
  /** Hashes of its secret; several while one is being replaced. */
  sha256: readonly string[];
  tenant: string;
  may: readonly ('read' | 'write')[];
  rate: { requests: number; perMs: number };
}

/** Which departments and courses are in scope; the patterns match whole names, without case. */
export interface Scope {
  departments: { include: readonly RegExp[]; exclude: readonly RegExp[] };
  courses: { include: readonly RegExp[]; exclude: readonly RegExp[] };
}

/** Limits on removals; disables, un-enrolments and changes of kind are counted apart. Per cent of what stood before. */
export interface RemovalLimits {
  percent: number;
  /** The per-cent limit at once holds only when more than this many go. */
  atLeast: number;
  window: { days: number; percent: number };
}

/** One source, compiled: every value proved, every default filled in. */
export interface SourceConfig {
  name: string;
  connector: SourceConnector;
  enabled: boolean;
  dryRun: boolean;
  /** Cron, five fields; null: only on demand. */
  schedule: string | null;
  /** IANA; what the hours of the schedule mean. */
  timezone: string;
  /** Each scheduled time is put off by a part of this, see `calendar.ts`; shorter than the time between two of them. */
  jitterMs: number;
  /** Older data is stale; null: what the schedule allows. */
  freshnessMs: number | null;
  role: Role;
  limits: RemovalLimits;
  format: FormatConfig;
  /** The connector's own settings, proved by its schema. */
  settings: unknown;
}

/** `authoritative` sources say who exists; `directory` sources only fill in what they know about people. */
export type Role = 'authoritative' | 'directory';

/** How rows become records: a named format of the house, or a map of canonical field to column. */
export type FormatConfig = { kind: 'unitu' } | { kind: 'map'; fields: FieldMap } | DeclaredFormat;

/** A named format with its options worked in: which columns there are, and what becomes of them. */
export interface DeclaredFormat {
  kind: 'declared';
  name: string;
  columns: ColumnExpectation;
  fields: FieldMap;
  /** True: columns that nothing maps become attributes under their own names. */
  rest: boolean;
}

/** Canonical field (`email`, `firstName`, …, or `attributes.NAME`) → where its value comes from. */
export type FieldMap = Readonly<Record<string, FieldSource>>;

/** Where the value of one canonical field comes from. */
export interface FieldSource {
  /** Columns whose values are joined by `join`; empty for a constant. */
  columns: readonly string[];
  join: string;
  /** Of several columns the first that is not blank counts, and nothing is joined. */
  first?: true;
  constant: string | null;
  /** Value → canonical value (exact but for white space, see `anyCase`); null when values are taken as they are. */
  values: Readonly<Record<string, string | null>> | null;
  /** What values that `values` does not list become, blank ones too; left out: they are taken as they are. */
  otherwise?: string;
  /** `values`, and the list of what is allowed, are the same in any letter case; what is taken is spelled as the list is. */
  anyCase?: true;
  /** Of an attribute: the cell is an object, whose names become attributes under this one (`NAME.…`). */
  object?: true;
  /** Blank is refused. */
  required?: true;
  /** Of the e-mail alone: what to do about a blank one, in the words of who writes the feed. */
  blank?: string;
  /** Of the course alone: a row without one is a person without a course, instead of unreadable. */
  optional?: true;
  /** What the value looks like; blank ones are not asked. */
  form?: Form;
  /** How several values in one cell are read; left out: attributes take all, other fields refuse the row. */
  list?: ListRule;
}

/**
 * A pattern that a whole value must match (`must`: else the row is refused, and `says` what is wrong), or that tells which
 * values are taken (`only`, `except`: others count as blank).
 */
export interface Form {
  pattern: string;
  mode: 'must' | 'only' | 'except';
  says: string;
}

/** What is done with several values in one cell. */
export interface ListRule {
  /** What stands between values in a text; null: only lists of the source's own (LDAP, JSON). */
  split: string | null;
  /** `one`: a second value is refused; `all`: joined by a bar, repeats once. */
  pick: 'one' | 'first' | 'all';
  /** The only values there may be; null: any. */
  allowed: readonly string[] | null;
  /** A value that is not allowed quarantines the row, or is taken and remarked. */
  unknown: 'refuse' | 'remark';
  /** What a value is called in a reason, where the field goes by another name than what people wrote. */
  called?: string;
}

/** One target, compiled. */
export interface TargetConfig {
  name: string;
  connector: TargetConnector;
  enabled: boolean;
  /** No more requests than these are begun in a span of time, in milliseconds; null: no limit of ours. */
  rate: { requests: number; perMs: number } | null;
  /** Attempts at one item after which it is failed. */
  giveUpAfter: number;
  settings: unknown;
}

/** The connectors that a configuration may name; handed in, so that only the composition knows the registry. */
export interface Registry {
  sources: readonly SourceConnector[];
  targets: readonly TargetConnector[];
}
