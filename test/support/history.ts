import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type {
  Config,
  FormatConfig,
  RemovalLimits,
  Role,
  ServiceConfig,
  SourceConfig,
  TargetConfig,
} from '../../src/configure/config.ts';
import { type AccountFacts, changeTypes, courseKey, type TargetConnector } from '../../src/connector/target.ts';
import { approveHeld, rejectHeld } from '../../src/operate/approve.ts';
import { type CourseEntry, publicEntry } from '../../src/reconcile/model.ts';
import type { Rosterd } from '../../src/run/rosterd.ts';
import { runOnce } from '../../src/run.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import type { Run, SourceState, Store } from '../../src/store/port.ts';
import { type MemoryRow, type MemorySettings, memoryColumns, memorySource } from './memory-source.ts';

/** A small site on a real store, whose sources say what a test tells them to and whose clock a test sets. */

/** An account with the courses it is enrolled in, sorted. */
export type Member = AccountFacts & { enrolments: string[] };

/** An outbox item without what differs between two runs of the same story. */
export interface Letter {
  type: string;
  account: string | null;
  course: string | null;
  body: string;
}

/** All that can be seen of a site. */
export interface View {
  members: Member[];
  courses: CourseEntry[];
  outbox: Letter[];
  states: Pick<SourceState, 'source' | 'current' | 'staging' | 'pending' | 'held'>[];
}

/** Departments and courses to sync. */
export interface SiteScope {
  departments: RegExp;
  courses: RegExp;
}

export interface SiteOptions {
  /** In the order of precedence. */
  sources: readonly string[];
  /** Those of the sources that only fill in. Their rows have id and email, and first and last name are attributes. */
  directories?: readonly string[];
  limits: RemovalLimits;
  emptyCourses?: 'keep' | 'archive';
  newCourses?: 'report' | 'provision';
  /** Of all sources but directories; left out: Unitu's list. */
  format?: FormatConfig;
  /** Left out: one target that takes every change. */
  targets?: readonly TargetConfig[];
}

/** Limits that hold nothing as long as something stands. */
export const noLimits: RemovalLimits = { percent: 100, atLeast: 1_000_000, window: { days: 7, percent: 100 } };

/** The service as a file has it that says nothing about it. */
export const usualService: ServiceConfig = {
  concurrency: 2,
  retry: { firstWaitMs: 60_000, longestWaitMs: 3_600_000, openAfter: 5 },
  stopWithinMs: 90_000,
  stuckAfterMs: 900_000,
};

/** A target that takes everything and is never opened. */
export const everything: TargetConnector = {
  kind: 'everything',
  direction: 'target',
  description: 'takes every change',
  settings: z.unknown(),
  address: (settings) => (settings as { url?: string }).url ?? 'nowhere',
  accepts: () => changeTypes,
  batchSize: () => 100,
  open: () => Promise.reject(new Error('nothing is delivered here')),
  probe: async () => [],
  preview: () => [],
};

const column = (name: string) => ({ columns: [name], join: '', constant: null, values: null });
const directoryFormat: FormatConfig = {
  kind: 'map',
  fields: {
    id: column('id'),
    email: column('email'),
    'attributes.phone': column('firstName'),
    'attributes.room': column('lastName'),
  },
};

/** Unitu's list with the kind in the place of the faculty, which is `F` of everybody: whatever is not `STU` is staff. */
export const kindFormat: FormatConfig & { kind: 'map' } = {
  kind: 'map',
  fields: {
    ...Object.fromEntries(memoryColumns.map((name) => [name, column(name)])),
    faculty: { columns: [], join: '', constant: 'F', values: null },
    kind: { columns: ['faculty'], join: '', constant: null, values: { STU: 'student' }, otherwise: 'staff' },
  },
};

const start = Date.UTC(2026, 0, 15, 2, 15, 0);

export class Site {
  readonly directory = mkdtempSync(join(tmpdir(), 'rosterd-site-'));
  readonly options: SiteOptions;
  readonly rosterd: Rosterd;
  /** The store itself, also while `rosterd.store` is one that crashes. */
  store: Store;
  /** Milliseconds of the site's clock. */
  time = start;

  constructor(options: SiteOptions) {
    this.options = options;
    this.store = openEmbeddedStore(this.directory);
    const clock: Clock = {
      now: () => new Date(this.time),
      monotonic: () => this.time,
      wait: async (ms) => {
        this.time += ms;
      },
    };
    const { signal } = new AbortController();
    this.rosterd = {
      config: this.#config(options),
      store: this.store,
      work: { clock, log: silentLog, signal, abort: signal, progress() {} },
    };
  }

  #config({
    sources,
    directories = [],
    limits,
    emptyCourses = 'keep',
    newCourses = 'report',
    format = { kind: 'unitu' },
    targets,
  }: SiteOptions): Config {
    const any = { include: [/^.*$/], exclude: [] };
    return {
      file: join(this.directory, 'rosterd.yaml'),
      digest: 'f'.repeat(64),
      institution: 'example-university',
      stateDir: this.directory,
      store: { kind: 'embedded' },
      timezone: 'UTC',
      service: usualService,
      retention: { snapshots: 60, runs: 1000, sentItems: 200_000 },
      listen: null,
      integration: null,
      metrics: null,
      control: { socket: join(this.directory, 'control.sock') },
      roster: { departments: any, courses: any, newCourses, emptyCourses },
      sources: sources.map(
        (name): SourceConfig => ({
          name,
          connector: memorySource,
          enabled: true,
          dryRun: false,
          ...{ schedule: null, timezone: 'UTC', jitterMs: 0, freshnessMs: null },
          role: directories.includes(name) ? 'directory' : 'authoritative',
          limits,
          format: directories.includes(name) ? directoryFormat : format,
          settings: { answer: 'nothing new' } satisfies MemorySettings,
        }),
      ),
      targets: targets ?? [
        { name: 'log', connector: everything, enabled: true, rate: null, giveUpAfter: 50, settings: {} },
      ],
    };
  }

  setScope({ departments, courses }: SiteScope): void {
    const scope = {
      departments: { include: [departments], exclude: [] },
      courses: { include: [courses], exclude: [] },
    };
    this.rosterd.config = { ...this.rosterd.config, roster: { ...this.rosterd.config.roster, ...scope } };
  }

  /** As an edit of the file does; rows are read by the same map. */
  setRole(source: string, role: Role): void {
    const { config } = this.rosterd;
    const sources = config.sources.map((one) => (one.name === source ? { ...one, role } : one));
    this.rosterd.config = { ...config, sources };
  }

  /** One run; a second goes by before it. */
  run(source: string, answer: readonly MemoryRow[] | 'incomplete' | 'nothing new', dryRun = false): Promise<Run> {
    this.time += 1000;
    const found = this.rosterd.config.sources.find((one) => one.name === source)!;
    (found.settings as MemorySettings).answer = answer;
    return runOnce(this.rosterd, found, { trigger: 'test', dryRun });
  }

  /** The run that waits for a person, if one does. */
  async held(source: string): Promise<Run | null> {
    const { held } = await this.store.sources.get(source);
    return held === null ? null : this.store.runs.get(held);
  }

  approve(run: string, digest: string): Promise<Run> {
    return approveHeld(this.rosterd, run, digest);
  }

  reject(run: string): Promise<Run> {
    return rejectHeld(this.rosterd, run);
  }

  /** Closes the store and opens it again, as a new process would. */
  async restart(): Promise<void> {
    await this.store.close();
    this.store = openEmbeddedStore(this.directory);
    this.rosterd.store = this.store;
  }

  async look(): Promise<View> {
    const { roster, outbox, sources } = this.store;
    const enrolments = new Map<string, string[]>();
    for await (const one of roster.enrolments())
      enrolments.set(one.account, [...(enrolments.get(one.account) ?? []), courseKey(one)].sort());
    const members: Member[] = [];
    for await (const facts of roster.accounts())
      members.push({ ...facts, enrolments: enrolments.get(facts.account) ?? [] });
    const courses: CourseEntry[] = [];
    for await (const entry of roster.courses()) courses.push(publicEntry(entry));
    const items = await outbox.list({ limit: 100_000 });
    return {
      members,
      courses,
      outbox: items.map(({ type, delivery }) => ({
        type,
        account: delivery.account?.account ?? null,
        course: delivery.course && courseKey(delivery.course),
        body: JSON.stringify({ ...delivery, item: '' }),
      })),
      states: (await sources.all())
        .map(({ source, current, staging, pending, held }) => ({ source, current, staging, pending, held }))
        .filter((state) => state.current ?? state.staging ?? state.pending ?? state.held),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
