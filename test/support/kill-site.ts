import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stub } from '../../src/connector/stub.ts';
import { startStubs } from '../../src/daemon.ts';
import type { Run, SourceState, Store } from '../../src/store/port.ts';
import { embedded, type Keep, type Keeping } from './kill-keeping.ts';

/** An installation of rosterd with three stub targets, worked by the command line in processes that can be killed. */

const root = join(import.meta.dirname, '../..');
export const sourceName = 'sis-students';

export interface Site {
  directory: string;
  stateDir: string;
  keeping: Keeping;
  /** Names of the sources. */
  sources: readonly string[];
  /** Guards wide open, and guards that hold every removal. */
  config: { open: string; strict: string };
  stubs: Stub[];
  /** A configuration for another machine: the same but for a `stateDir` of its own. */
  another(name: string): string;
  close(): Promise<void>;
}

/** Makes a site below `base` whose sources read drops, each from its folder. */
export async function makeSite(
  base: string,
  name: string,
  drops: string | Readonly<Record<string, string>>,
  keep: Keep = embedded,
): Promise<Site> {
  const directory = join(base, name);
  const stateDir = join(directory, 'var');
  mkdirSync(stateDir, { recursive: true });
  const sources = typeof drops === 'string' ? { [sourceName]: drops } : drops;
  const stubs = await startStubs({});
  const keeping = await keep(stateDir);
  const write = (file: string, percent: number, dir = stateDir): string => {
    const path = join(directory, file);
    writeFileSync(path, configuration(dir, keeping.yaml, sources, stubs, percent));
    return path;
  };
  return {
    ...{ directory, stateDir, keeping, stubs },
    sources: Object.keys(sources),
    config: { open: write('open.yaml', 100), strict: write('strict.yaml', 0) },
    another: (machine) => write(`${machine}.yaml`, 100, join(directory, machine)),
    async close() {
      await Promise.all([...stubs.map((stub) => stub.close()), keeping.close()]);
    },
  };
}

function configuration(
  stateDir: string,
  store: string,
  sources: Readonly<Record<string, string>>,
  stubs: readonly Stub[],
  percent: number,
): string {
  const url = (kind: string): string => stubs.find((stub) => stub.kind === kind)!.url;
  const drops = Object.entries(sources).map(
    ([name, from]) =>
      `  ${name}: { kind: csv-drop, from: 'file://${from}', files: '*.csv', settle: 0s, format: unitu }`,
  );
  return `version: 1
institution: example-university
stateDir: ${stateDir}
store: ${store}
roster:
  departments: { exclude: ['Alumni Office'] }
  newCourses: provision
  emptyCourses: archive
guards: { removals: { percent: ${percent}, atLeast: 0, window: { percent: 100 } } }
sources:
${drops.join('\n')}
targets:
  canvas: { kind: canvas, url: '${url('canvas')}', token: { env: SECRET }, pollEvery: 20ms, batch: 60 }
  salesforce:
    { kind: salesforce, url: '${url('salesforce')}', clientId: c, clientSecret: { env: SECRET }, batch: 25, concurrency: 1 }
  peoplesoft:
    kind: peoplesoft
    url: ${url('peoplesoft')}
    auth: { username: R, password: { env: SECRET } }
    batch: 20
`;
}

/** When to kill: so long after the start, with so many writes to the database, or so long after the run's end is told. */
export type Kill = { at: 'time'; ms: number } | { at: 'write'; count: number } | { at: 'told'; ms: number };

export interface Ended {
  killed: boolean;
  status: number | null;
  out: string;
  err: string;
  /** Milliseconds from start to end, and from the log line of the run's end to the end. */
  ms: number;
  toldMs: number;
  /** Writes to the database that were noticed. */
  writes: number;
}

/** A command that is running. */
export interface Running {
  ended: Promise<Ended>;
  signal(name: NodeJS.Signals): void;
}

/** Starts `rosterd …` in a process of its own. */
export function start(
  site: Site,
  args: readonly string[],
  kill: Kill | null = null,
  environment: Readonly<Record<string, string>> = {},
): Running {
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], {
    cwd: root,
    // Compiled once and kept: a hundred starts are most of this test's time.
    env: { ...process.env, SECRET: 'stub', NODE_COMPILE_CACHE: join(site.directory, '..', 'compiled'), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const shoot = (): boolean => child.kill('SIGKILL');
  let [out, err, writes, told] = ['', '', 0, 0];
  const lookAway = site.keeping.watch(() => {
    writes += 1;
    if (kill?.at === 'write' && writes >= kill.count) shoot();
  });
  const timers: NodeJS.Timeout[] = [];
  if (kill?.at === 'time') timers.push(setTimeout(shoot, kill.ms));
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
    if (told || !/"event":"run\.(applied|unchanged|held)"/.test(err)) return;
    told = performance.now();
    if (kill?.at === 'told') timers.push(setTimeout(shoot, kill.ms));
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      lookAway();
      for (const timer of timers) clearTimeout(timer);
      const now = performance.now();
      const toldMs = told ? now - told : 0;
      resolve({ killed: signal === 'SIGKILL', status, out, err, ms: now - began, toldMs, writes });
    });
  });
  return { ended, signal: (name) => void child.kill(name) };
}

/** What a dead process left. */
export interface Remains {
  state: SourceState;
  newest: Run | null;
  /** Items that are not delivered yet. */
  waiting: number;
}

/** Looks in a way that the next process finds exactly what the dead one left. */
export async function remains(site: Site): Promise<Remains> {
  const store = await site.keeping.peek();
  try {
    const counts = Object.values(await store.outbox.counts());
    return {
      state: await store.sources.get(site.sources[0]!),
      newest: (await store.runs.list({ limit: 1 }))[0] ?? null,
      waiting: counts.reduce((sum, { queued, processing }) => sum + queued + processing, 0),
    };
  } finally {
    await store.close();
  }
}

/** Where a kill landed. */
export const phases = ['start', 'pull', 'staging', 'apply', 'delivery', 'end'] as const;
export type Phase = (typeof phases)[number];

/** Tells the phase by what the process left, and what was there when it started. */
export function phaseOf(before: Remains, after: Remains, writes: number): Phase {
  const { state, newest, waiting } = after;
  if (writes === 0) return 'start';
  if (state.applying) return 'apply';
  const ownRun = newest?.run !== before.newest?.run;
  const approved = before.state.held !== null && state.held === null;
  if (!ownRun && !approved) return before.state.applying ? 'apply' : 'start';
  if (state.staging !== null) return 'staging';
  if (newest!.status === 'running') return 'pull';
  return waiting ? 'delivery' : 'end';
}

/** Everything that two sites must have in common: the roster as exported, the outbox, and what the targets hold. */
export async function picture(site: Site) {
  const store = await site.keeping.open();
  try {
    const items = await store.outbox.list({ limit: 1_000_000 });
    const about = ({ type, status, delivery: { account, course } }: (typeof items)[number]): string =>
      [type, status, account?.account, JSON.stringify(course), JSON.stringify(account)].join(' ');
    const inOrder: Record<string, string[]> = {};
    for (const item of items) {
      const who = `${item.target} ${item.delivery.account?.account ?? 'courses'}`;
      inOrder[who] ??= [];
      inOrder[who].push(about(item));
    }
    const states = await Promise.all(site.sources.map((source) => store.sources.get(source)));
    const inForce = states.filter((state) => state.current !== null);
    return {
      roster: {
        accounts: await lines(store.roster.accounts()),
        enrolments: await lines(store.roster.enrolments()),
        courses: await lines(store.roster.courses()),
      },
      outbox: items.map((item) => `${item.target} ${about(item)}`).sort(),
      inOrder,
      targets: site.stubs.map(({ kind, state }) => ({ kind, ...received(state()) })),
      rows: await Promise.all(inForce.map(({ source, current }) => rowsInForce(store, source, current!))),
      // What guards count over a week; a run that failed brought nothing.
      removed: await Promise.all(
        inForce.map(({ source, current }) => store.rows.evidence(source, current!).removedSince(new Date(0))),
      ),
      failed: (await store.runs.list({ limit: 10_000 }))
        .filter(
          ({ status, plan }) => status === 'running' || (status === 'failed' && items.some((one) => one.plan === plan)),
        )
        .map(({ run, status }) => `${run} ${status}`),
      unfinished: states.map(({ staging, applying, held }) => ({ staging, applying, held: held !== null })),
    };
  } finally {
    await store.close();
  }
}

/** Every row of the snapshot in force, once for each time that the store has it: nothing staged may be left behind. */
async function rowsInForce(store: Store, source: string, number: number): Promise<string[]> {
  const people = await store.rows.personPage(source, number, '', 1_000_000);
  const rows = await store.rows.evidence(source, number).rows(people);
  return rows
    .filter((row) => row.state === 'now' && row.origin.source === source)
    .map(({ record, hints, origin: { file, line } }) => JSON.stringify([file, line, record ?? hints]))
    .sort();
}

async function lines(values: AsyncIterable<unknown>): Promise<string> {
  const all: string[] = [];
  for await (const value of values) all.push(JSON.stringify(value));
  return all.join('\n');
}

/**
 * A stub's records, without its count of requests and its list of imports: a repeat may show there. Of writes that it lists
 * (`account words…`), those of each subject in order, one for the same one again.
 */
function received(state: unknown): object {
  const { requests: _, imports: __, effects, ...records } = state as Record<string, unknown>;
  if (!Array.isArray(effects)) return records;
  const writes: Record<string, string[]> = {};
  for (const effect of effects as string[]) {
    const [account, what, course] = effect.split(' ');
    const subject = what === 'ADD' || what === 'REMOVE' ? `${account} ${course}` : account!;
    const own = writes[subject] ?? [];
    writes[subject] = own;
    if (own.at(-1) !== effect) own.push(effect);
  }
  return { ...records, writes };
}
