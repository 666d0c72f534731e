import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sourceConnectors, targetConnectors, targetStubs } from '../connectors/index.ts';
import { systemClock } from './base/clock.ts';
import { Misconfigured } from './base/errors.ts';
import { ownDir } from './base/state-dir.ts';
import type { Work } from './base/work.ts';
import type { Config } from './configure/config.ts';
import { loadConfig } from './configure/load.ts';
import type { Stub } from './connector/stub.ts';
import type { Rosterd } from './run/rosterd.ts';
import { openEmbeddedStore } from './store/embedded/index.ts';
import type { Snapshot, Store, StoreLook } from './store/port.ts';

/** Composition: the one place that knows all connectors and which store there is. */

/** Reads and proves a configuration. Throws `ConfigErrors` with every problem at once. */
export function readConfig(file: string): Config {
  return loadConfig(file, { sources: sourceConnectors, targets: targetConnectors });
}

/**
 * Opens everything that a command or the service works on. A store that is being moved into is refused, and a database
 * without an account where one with a roster is in `stateDir`.
 */
export async function openRosterd(config: Config, work: Work): Promise<Rosterd & { close(): Promise<void> }> {
  const store = await openStore(config, work.abort);
  try {
    const from = await store.move.from();
    if (from !== null) throw cutMove(store.place, from);
    await refuseForgotten(config, () => hasAccounts(store));
  } catch (error) {
    await store.close();
    throw error;
  }
  return { config, store, work, close: () => store.close() };
}

/**
 * A database was named instead of the file, and nothing was moved; or it is not the one that was meant. Begun there, account
 * numbers would start again, and at the targets the account of one person become another's.
 */
async function refuseForgotten({ store, stateDir }: Config, begun: () => Promise<boolean>): Promise<void> {
  const file = fileIn(stateDir);
  if (store.kind === 'embedded' || !existsSync(file) || (await begun())) return;
  const embedded = openEmbeddedStore(stateDir);
  try {
    if (!(await hasAccounts(embedded))) return;
  } finally {
    await embedded.close();
  }
  throw new Misconfigured(`the database ${store.database} has no account yet, and ${file} has a roster`, {
    remedy: 'rosterd migrate-store, or move that file away; or correct store',
  });
}

async function hasAccounts({ roster }: Store): Promise<boolean> {
  for await (const _ of roster.accounts()) return true;
  return false;
}

const fileIn = (stateDir: string): string => join(stateDir, 'rosterd.db');

function cutMove(place: string, from: string): Misconfigured {
  return new Misconfigured(`the store ${place} holds a part of ${from}: its move was cut`, {
    remedy: 'repeat rosterd migrate-store',
  });
}

/** Opens the store that a configuration names; `abort` ends waits for a server that is away. */
export async function openStore({ file, store, stateDir, institution }: Config, abort: AbortSignal): Promise<Store> {
  ownDir(stateDir, 'stateDir', file);
  if (store.kind === 'embedded') return openEmbeddedStore(stateDir, institution);
  // read when it is asked for: the driver is large, and most installations have no such server
  const { openMongoStore } = await import('./store/mongodb/index.ts');
  return openMongoStore(store, institution, { clock: systemClock, signal: abort });
}

/** Says what the store of a configuration is, and makes none that is not there. Throws as opening it would. */
export async function probeStore(config: Config): Promise<StoreLook> {
  const { store, stateDir, institution } = config;
  if (store.kind === 'mongodb') {
    const { probeMongo } = await import('./store/mongodb/probe.ts');
    const { look, begun } = await probeMongo(store, institution, systemClock);
    await refuseForgotten(config, async () => begun);
    return look;
  }
  if (!existsSync(fileIn(stateDir)))
    return {
      found: [`nothing in ${stateDir} yet, the first sync begins it`],
      last: new Map(),
      outbox: {},
      platforms: [],
    };
  const embedded = openEmbeddedStore(stateDir, institution, true);
  try {
    const from = await embedded.move.from();
    if (from !== null) throw cutMove(embedded.place, from);
    const states = await embedded.sources.all();
    const last = new Map<string, Snapshot>();
    for (const { source, current } of states) {
      const snapshot = current === null ? null : await embedded.snapshots.get(source, current);
      if (snapshot) last.set(source, snapshot);
    }
    const found = [`${embedded.place}: ${states.length} sources, readable and writable`];
    return { found, last, outbox: await embedded.outbox.counts(), platforms: await embedded.outbox.platforms() };
  } finally {
    await embedded.close();
  }
}

/** Kinds of target that have a stub. */
export const stubKinds: readonly string[] = targetStubs.map((stub) => stub.kind);

/** Starts the stubs of all targets on 127.0.0.1; a kind without a port takes a free one. All of them, or none is left. */
export async function startStubs(ports: Readonly<Record<string, number>>): Promise<Stub[]> {
  const { startStub } = await import('./connector/stub.ts');
  const started = await Promise.allSettled(targetStubs.map((stub) => startStub(stub, ports[stub.kind] ?? 0)));
  const stubs = started.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (!failed) return stubs;
  await Promise.all(stubs.map((stub) => stub.close()));
  throw failed.reason;
}
