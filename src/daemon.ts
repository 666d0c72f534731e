import { mkdirSync } from 'node:fs';
import { sourceConnectors, targetConnectors, targetStubs } from '../connectors/index.ts';
import { systemClock } from './base/clock.ts';
import type { Log } from './base/log.ts';
import type { Work } from './base/work.ts';
import type { Config } from './configure/config.ts';
import { loadConfig } from './configure/load.ts';
import { type Stub, startStub } from './connector/stub.ts';
import type { Rosterd } from './run/rosterd.ts';
import { openEmbeddedStore } from './store/embedded/index.ts';

/** Composition: the one place that knows all connectors and which store there is. */

/** Reads and proves a configuration. Throws `ConfigErrors` with every problem at once. */
export function readConfig(file: string): Config {
  return loadConfig(file, { sources: sourceConnectors, targets: targetConnectors });
}

/** Opens everything that a command or the service works on. */
export function openRosterd(
  config: Config,
  how: { log: Log; signal: AbortSignal; abort: AbortSignal; progress: Work['progress'] },
): Rosterd & { close(): Promise<void> } {
  mkdirSync(config.stateDir, { recursive: true, mode: 0o750 });
  const store = openEmbeddedStore(config.stateDir);
  return { config, store, work: { clock: systemClock, ...how }, close: () => store.close() };
}

/** Kinds of target that have a stub. */
export const stubKinds: readonly string[] = targetStubs.map((stub) => stub.kind);

/** Starts the stubs of all targets on 127.0.0.1; a kind without a port takes a free one. */
export async function startStubs(ports: Readonly<Record<string, number>>): Promise<Stub[]> {
  return Promise.all(targetStubs.map((stub) => startStub(stub, ports[stub.kind] ?? 0)));
}
