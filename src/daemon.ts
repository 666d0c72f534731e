import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sourceConnectors, targetConnectors, targetStubs } from '../connectors/index.ts';
import { systemClock } from './base/clock.ts';
import { Misconfigured } from './base/errors.ts';
import type { Work } from './base/work.ts';
import type { Config } from './configure/config.ts';
import { loadConfig } from './configure/load.ts';
import { type Stub, startStub } from './connector/stub.ts';
import type { Rosterd } from './run/rosterd.ts';
import { openEmbeddedStore } from './store/embedded/index.ts';
import { openMongoStore } from './store/mongodb/index.ts';
import { probeMongo } from './store/mongodb/probe.ts';
import type { Snapshot, Store, StoreLook } from './store/port.ts';

/** Composition: the one place that knows all connectors and which store there is. */

/** Reads and proves a configuration. Throws `ConfigErrors` with every problem at once. */
export function readConfig(file: string): Config {
  return loadConfig(file, { sources: sourceConnectors, targets: targetConnectors });
}

/** Opens everything that a command or the service works on. A store that is being moved into is refused. */
export async function openRosterd(config: Config, work: Work): Promise<Rosterd & { close(): Promise<void> }> {
  const store = await openStore(config, work.abort);
  const from = await store.move.from();
  if (from === null) return { config, store, work, close: () => store.close() };
  await store.close();
  throw cutMove(store.place, from);
}

function cutMove(place: string, from: string): Misconfigured {
  return new Misconfigured(`the store ${place} holds a part of ${from}: its move was cut`, {
    remedy: 'repeat rosterd migrate-store',
  });
}

/** Opens the store that a configuration names; `abort` ends waits for a server that is away. */
export async function openStore({ store, stateDir, institution }: Config, abort: AbortSignal): Promise<Store> {
  mkdirSync(stateDir, { recursive: true, mode: 0o750 });
  if (store.kind === 'embedded') return openEmbeddedStore(stateDir);
  return openMongoStore(store, institution, { clock: systemClock, signal: abort });
}

/** Says what the store of a configuration is, and makes none that is not there. Throws as opening it would. */
export async function probeStore({ store, stateDir, institution }: Config): Promise<StoreLook> {
  if (store.kind === 'mongodb') return probeMongo(store, institution, systemClock);
  if (!existsSync(join(stateDir, 'rosterd.db')))
    return { found: [`nothing in ${stateDir} yet, the first sync begins it`], last: new Map() };
  const embedded = openEmbeddedStore(stateDir);
  try {
    const from = await embedded.move.from();
    if (from !== null) throw cutMove(embedded.place, from);
    const states = await embedded.sources.all();
    const last = new Map<string, Snapshot>();
    for (const { source, current } of states) {
      const snapshot = current === null ? null : await embedded.snapshots.get(source, current);
      if (snapshot) last.set(source, snapshot);
    }
    return { found: [`${embedded.place}: ${states.length} sources, readable and writable`], last };
  } finally {
    await embedded.close();
  }
}

/** Kinds of target that have a stub. */
export const stubKinds: readonly string[] = targetStubs.map((stub) => stub.kind);

/** Starts the stubs of all targets on 127.0.0.1; a kind without a port takes a free one. */
export async function startStubs(ports: Readonly<Record<string, number>>): Promise<Stub[]> {
  return Promise.all(targetStubs.map((stub) => startStub(stub, ports[stub.kind] ?? 0)));
}
