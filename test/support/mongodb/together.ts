import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Document } from 'mongodb';
import type { Keep } from '../kill-keeping.ts';
import { type Ended, type Running, type Site, start } from '../kill-site.ts';
import { type Command, type Fault, type FaultyProxy, startProxy, type Write } from './proxy.ts';
import type { MongoServer } from './server.ts';
import { mongoSettings, openStore } from './store.ts';

/** Several processes on one database, each on a line of its own that can be watched and disturbed. */

/** The variable in which a process finds its line. */
export const lineVariable = 'ROSTERD_TEST_LINE';

/** A database whose URI comes from the environment: `sync` below sets it for each process. */
export function keptBy(server: MongoServer, database: string = server.database()): Keep {
  process.env[lineVariable] = server.uri;
  return async () => {
    const open = () => openStore(mongoSettings(server.uri, database));
    return {
      yaml: `{ kind: mongodb, uri: { env: ${lineVariable} }, database: ${database}, lease: 3s }`,
      ...{ open, peek: open, watch: () => () => {}, close: async () => {} },
    };
  };
}

/** A process with its line. */
export interface Worker extends Running {
  proxy: FaultyProxy;
}

/** How a process of a test differs from the others. */
export interface Oddities {
  /** Milliseconds that its wall clock goes wrong by. */
  clockShift?: number;
  log?: FenceLog;
}

/** Starts `rosterd …` on a line of its own to the server; the line ends with the process. */
export async function work(
  site: Site,
  server: MongoServer,
  args: readonly string[],
  { clockShift = 0, log }: Oddities = {},
): Promise<Worker> {
  const proxy = await startProxy(server.ports[0]!);
  if (log) proxy.observe((write) => log.add(write));
  const preload = pathToFileURL(join(import.meta.dirname, '../shift-clock.ts')).href;
  const shifted = { NODE_OPTIONS: `--import=${preload}`, ROSTERD_TEST_CLOCK_SHIFT: String(clockShift) };
  const running = start(site, args, null, { [lineVariable]: proxy.uri, ...(clockShift ? shifted : {}) });
  const ended = running.ended.finally(() => proxy.stop());
  return { ...running, ended, proxy };
}

/** A process that stands still since one of its requests, which arrives at the server at once or when it is let go. */
export interface Sleeper {
  /** Goes on, with the request that was held back arriving now. */
  wake(): Promise<Ended>;
}

/** Lets a process run until the first request that fits, and stops it there. */
export async function asleepAt(
  worker: Worker,
  fits: (command: Command) => boolean,
  arrives: 'at once' | 'late',
): Promise<Sleeper> {
  const { promise: reached, resolve: tell } = Promise.withResolvers<void>();
  const { promise: awake, resolve: release } = Promise.withResolvers<void>();
  let asleep = false;
  worker.proxy.fault((command): Fault => {
    if (asleep || !fits(command)) return 'pass';
    asleep = true;
    worker.signal('SIGSTOP');
    tell();
    return arrives === 'late' ? awake : 'pass';
  });
  const early = worker.ended.then(({ status, err }) => {
    if (!asleep) throw new Error(`it ended (${status}) before it could be stopped: ${err}`);
  });
  early.catch(() => {});
  await Promise.race([reached, early]);
  return {
    async wake() {
      release();
      worker.signal('SIGCONT');
      return worker.ended;
    },
  };
}

/** True for a write to a collection, one of whose statements has this. */
export function writes(collection: string, has: (statement: Document) => boolean = () => true) {
  return (command: Command): boolean =>
    command.collection === collection &&
    ['insert', 'update'].includes(command.name) &&
    command.statements().some((statement) => has(statement));
}

/** Every write that took effect, as far as fences are concerned, in the order of the server's answers. */
export class FenceLog {
  /** What must not be: a lock given twice, a fence that did not grow, an older fence after a newer one. */
  readonly faults: string[] = [];
  /** Fences of each lock, in the order in which they were taken. */
  readonly taken = new Map<string, number[]>();
  /** Writes with a fence that took effect, and ones that did not. */
  effective = 0;
  refused = 0;
  readonly #newest = new Map<string, number>();

  add({ name, collection, statements, answer }: Write): void {
    const complete = answer['ok'] === 1 && answer['n'] === statements.length && !answer['writeErrors'];
    if (collection === 'leases') {
      if (complete) for (const statement of statements) this.#lease(name, statement);
      return;
    }
    for (const { q, u } of statements) {
      const fence: unknown = u?.$set?.fence ?? u?.$max?.fence ?? u?.fence;
      if (typeof fence !== 'number' || typeof q?._id !== 'string') continue;
      if (!complete) {
        this.refused += 1;
        continue;
      }
      this.effective += 1;
      const document = `${collection} ${q._id}`;
      const newest = this.#newest.get(document) ?? 0;
      // $max leaves a newer one as it is
      if (fence < newest && !u.$max) this.faults.push(`${document}: fence ${fence} written after ${newest}`);
      this.#newest.set(document, Math.max(fence, newest));
    }
  }

  #lease(name: string, statement: Document): void {
    const lock: string = name === 'insert' ? statement['_id'] : statement['q']._id;
    const set = name === 'insert' ? statement : statement['u'].$set;
    if (!set?.holder) return;
    const fences = this.taken.get(lock) ?? [];
    this.taken.set(lock, fences);
    if (set.fence <= (fences.at(-1) ?? 0)) this.faults.push(`${lock}: fence ${set.fence} taken after ${fences.at(-1)}`);
    fences.push(set.fence);
  }
}
