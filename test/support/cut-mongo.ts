import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Db, MongoClient } from 'mongodb';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Work } from '../../src/base/work.ts';
import type { Config } from '../../src/configure/config.ts';
import { readConfig } from '../../src/daemon.ts';
import { deliverAll, usualPatience } from '../../src/deliver/deliver.ts';
import { approveHeld } from '../../src/operate/approve.ts';
import type { Rosterd } from '../../src/run/rosterd.ts';
import { runOnce } from '../../src/run.ts';
import { under, waitForLock } from '../../src/store/exclusive.ts';
import { openMongoStore } from '../../src/store/mongodb/index.ts';
import { collectionNames } from '../../src/store/mongodb/mongo.ts';
import { History } from './kill-history.ts';
import { makeSite, picture, sourceName } from './kill-site.ts';
import type { Disturbance, Disturbed } from './mongodb/disturb.ts';
import { type FaultyProxy, startProxy } from './mongodb/proxy.ts';
import type { MongoServer } from './mongodb/server.ts';
import { buryLeases, institution, mongoSettings, openStore } from './mongodb/store.ts';

/** Days on MongoDB that are lived again and again from the same beginning, each time with another fault on the wire. */

/** What a day ends with. */
export type Picture = Awaited<ReturnType<typeof picture>>;

/** How one attempt at a day went. */
export interface Lived {
  /** As it ends, and after whoever makes it whole where the process died. */
  picture: Picture;
  /** What the runs and the approval of the disturbed process came to; what it threw, where it did. */
  outcome: string;
  /** What the disturbance did, null when the day was over before. */
  disturbed: Disturbed | null;
}

/** A beginning of a day that can be had as often as wanted. */
export interface Day {
  name: string;
  /** Lives it in a lane's own database. Attempts of one lane must not overlap. */
  live(lane: number, disturbance: Disturbance | null): Promise<Lived>;
}

/** Guards wide open, and guards that hold every removal, which is then approved. */
type Guards = 'open' | 'strict';

/** A living process keeps its leases however slow this machine is; those of a dead one are made short, to be waited for. */
const leaseMs = 20_000;

/** Milliseconds that a peer without a sign of life is waited for. */
const timeoutMs = 500;

/** Lives the days of a small history once, undisturbed and without delivery, and keeps what was before each of them. */
export async function makeDays(
  server: MongoServer,
  { seed, people, guards, lanes }: { seed: number; people: number; guards: readonly Guards[]; lanes: number },
): Promise<{ days: Day[]; close(): Promise<void> }> {
  process.env['SECRET'] = 'stub';
  const base = mkdtempSync(join(tmpdir(), 'rosterd-cut-'));
  const client = await new MongoClient(server.uri).connect();
  const history = new History(seed, people);
  const names = Array.from({ length: lanes }, () => server.database());
  for (const name of names) await (await openStore(mongoSettings(server.uri, name))).close();
  const main = server.database();
  const days: Day[] = [];
  let before: Contents = new Map();
  for (const [n, kind] of guards.entries()) {
    const drops = join(base, `drops-${n}`);
    mkdirSync(drops);
    const file = join(drops, `day-${n}.csv`);
    writeFileSync(file, history.next());
    utimesSync(file, 1_700_000_000 + n, 1_700_000_000 + n);
    const beginning = before;
    let attempts = 0;
    days.push({
      name: `day ${n} (${kind})`,
      live(lane, disturbance) {
        attempts += 1;
        const place = join(base, `day-${n}-${attempts}`);
        return live({ server, client, place, drops, kind, database: names[lane]!, beginning }, disturbance);
      },
    });
    const site = await makeSite(base, `main-${n}`, drops);
    const store = await openStore(mongoSettings(server.uri, main));
    await day({ config: readConfig(site.config[kind]), store, work: workUntil(new AbortController().signal) }, false);
    await store.close();
    await site.close();
    before = await contentsOf(client.db(main));
  }
  return {
    days,
    async close() {
      await client.close();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

interface Setting {
  server: MongoServer;
  client: MongoClient;
  place: string;
  drops: string;
  kind: Guards;
  database: string;
  beginning: Contents;
}

async function live(
  { server, client, place, drops, kind, database, beginning }: Setting,
  disturbance: Disturbance | null,
): Promise<Lived> {
  await fill(client.db(database), beginning);
  const site = await makeSite(place, 'site', drops);
  const proxies: FaultyProxy[] = [];
  const config = inFewBatches(readConfig(site.config[kind]));
  /** A process of its own: connection, holder of leases, and death. Answers what it came to. */
  const spawned = async (disturbs: Disturbance | null, number: number): Promise<[string, Disturbed | null]> => {
    const proxy = await startProxy(server.ports[0]!);
    proxies.push(proxy);
    const death = new AbortController();
    const disturbing = disturbs?.(proxy, () => death.abort(new Error('dead')), number) ?? null;
    const settings = mongoSettings(proxy.uri, database, { leaseMs, timeoutMs });
    let outcome: string;
    try {
      const store = await openMongoStore(settings, institution, {
        clock: systemClock,
        signal: death.signal,
      });
      try {
        outcome = await day({ config, store, work: workUntil(death.signal) }, true);
      } finally {
        await store.close();
      }
    } catch (error) {
      outcome = `threw ${error instanceof Error ? error.message : String(error)}`;
    }
    const disturbed = disturbing?.done() ?? null;
    if (disturbed?.dead) await buryLeases(client, database);
    return [outcome, disturbed];
  };
  try {
    let [outcome, disturbed] = await spawned(disturbance, 0);
    for (let number = 1, dead = disturbed?.dead; dead; number += 1) {
      const [next, and] = await spawned(number < 3 ? disturbance : null, number);
      dead = and?.dead;
      if (!dead) outcome = next;
    }
    const open = () => openStore(mongoSettings(server.uri, database));
    return { outcome, disturbed, picture: await picture({ ...site, keeping: { ...site.keeping, open, peek: open } }) };
  } finally {
    await Promise.all([site.close(), ...proxies.map((proxy) => proxy.stop())]);
    rmSync(place, { recursive: true, force: true });
  }
}

/** Every batch is written alike, so a few of them are enough. */
function inFewBatches(config: Config): Config {
  const targets = config.targets.map((target) => ({
    ...target,
    settings: { ...(target.settings as object), batch: 60 },
  }));
  return { ...config, targets };
}

/** A sync, the approval of what it holds, and, where asked for, delivery; the same wherever an earlier one got to. */
async function day(rosterd: Rosterd, deliver: boolean): Promise<string> {
  const { config, store, work } = rosterd;
  const said: string[] = [];
  const lock = await waitForLock(store, `source:${sourceName}`, work, sourceName);
  try {
    const mine = { ...rosterd, work: under(lock, work) };
    const run = await runOnce(mine, config.sources[0]!, { trigger: 'test', dryRun: false });
    said.push(run.error ? `${run.status}: ${run.error.message}` : run.status);
    const { held } = await store.sources.get(sourceName);
    if (held) {
      const plan = (await store.plans.get(held))!;
      said.push(`approved: ${(await approveHeld(mine, plan.run, plan.digest)).status}`);
    }
  } finally {
    await lock.release();
  }
  if (deliver) {
    const batch = { ...usualPatience.batch, firstWaitMs: 20 };
    for (const { target, failed, error } of await deliverAll(config, store, work, { ...usualPatience, batch }))
      if (failed || error) said.push(`${target}: ${failed} failed, ${error?.message}`);
  }
  return said.join(', ');
}

function workUntil(signal: AbortSignal): Work {
  return { clock: systemClock, log: silentLog, signal, abort: signal, progress: () => {} };
}

type Contents = Map<string, Record<string, unknown>[]>;

async function contentsOf(db: Db): Promise<Contents> {
  const all: Contents = new Map();
  for (const name of collectionNames) all.set(name, await db.collection(name).find().toArray());
  return all;
}

/** Indexes stay; so does the one document that says what the database is. */
async function fill(db: Db, contents: Contents): Promise<void> {
  for (const name of collectionNames) {
    if (name === 'meta') continue;
    await db.collection(name).deleteMany({});
    const docs = contents.get(name) ?? [];
    if (docs.length) await db.collection(name).insertMany(docs);
  }
}
