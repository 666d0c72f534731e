import { systemClock } from '../base/clock.ts';
import { Misconfigured, messageOf, Unavailable } from '../base/errors.ts';
import { forJournal, type Log, levelOf, openLog } from '../base/log.ts';
import { plain } from '../base/plain.ts';
import type { Work } from '../base/work.ts';
import type { Config } from '../configure/config.ts';
import { openRosterd, readConfig } from '../daemon.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { under } from '../store/exclusive.ts';
import { type Daemon, findDaemon } from './control/client.ts';
import { openProgress, openScreen, type Screen } from './screen.ts';

/** Exit statuses of every command. */
export const exit = { done: 0, failed: 1, usage: 2, held: 3 } as const;

/** What a command works with. */
export interface Session {
  rosterd: Rosterd;
  screen: Screen;
}

/** Signals of a command: the first SIGINT or SIGTERM asks to stop after the batch in hand, the second stops at once. */
export function stopSignals(): { signal: AbortSignal; abort: AbortSignal; release(): void } {
  const soft = new AbortController();
  const hard = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    (soft.signal.aborted ? hard : soft).abort(new Unavailable(`stopped by ${name}`));
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: soft.signal,
    abort: hard.signal,
    release: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}

/** Opens a configuration and its store, does the work, closes everything, and says how it went as an exit status. */
export async function withSession(
  options: { config: string; json: boolean },
  work: (session: Session) => Promise<number>,
): Promise<number> {
  return guarded(async () => {
    const config = readConfig(options.config);
    const progress = openProgress();
    const { work: how, release } = workOf(progress.report);
    const rosterd = await openRosterd(config, how);
    try {
      return await work({ rosterd, screen: openScreen(options.json) });
    } finally {
      progress.done();
      release();
      await rosterd.close();
    }
  });
}

/** Does the work through the daemon when one runs with this configuration: it has the store in hand. Else on the store. */
export async function withDaemon(
  options: { config: string; json: boolean },
  through: (daemon: Daemon, screen: Screen, config: Config) => Promise<number>,
  alone: (session: Session) => Promise<number>,
): Promise<number> {
  return guarded(async () => {
    const config = readConfig(options.config);
    const daemon = await findDaemon(config);
    if (!daemon) return withSession(options, alone);
    try {
      return await through(daemon, openScreen(options.json), config);
    } finally {
      await daemon.close();
    }
  });
}

/** How a command works: the machine's clock, a log for who is there, and signals until `release`. */
export function workOf(progress: Work['progress']): { work: Work; release(): void } {
  const { signal, abort, release } = stopSignals();
  return { work: { clock: systemClock, log: logFor(), signal, abort, progress }, release };
}

/** Runs a command; what it throws becomes a line on standard error and an exit status. */
export async function guarded(command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    process.stderr.write(forJournal('error', `rosterd: ${plain(messageOf(error))}\n`));
    return error instanceof Misconfigured ? exit.usage : exit.failed;
  }
}

/** A person at a terminal sees results and what went wrong; a service or a pipe gets every outcome as JSON. */
export function logFor(): Log {
  const asked = levelOf(process.env['ROSTERD_LOG_LEVEL'], 'ROSTERD_LOG_LEVEL');
  return openLog({ level: asked ?? (process.stderr.isTTY ? 'warn' : 'info') });
}

/** A fault that nobody catches. Node itself would print the whole error, and what it carries along may be somebody's. */
export function crash(error: unknown): never {
  try {
    openLog({ level: 'error' }).error({ event: 'process.crashed', err: error }, `rosterd: ${messageOf(error)}`);
  } finally {
    // whatever becomes of the line: Node would end a process that fails in here with a status of its own
    process.exit(exit.failed);
  }
}

/** Does the work that only one may do at a time for a source, or says that somebody else is at it. */
export async function withSource<T>(
  rosterd: Rosterd,
  source: string,
  work: (rosterd: Rosterd) => Promise<T>,
): Promise<T> {
  const lock = await rosterd.store.lock(`source:${source}`);
  if (!lock) throw atWork(rosterd, source);
  try {
    return await work({ ...rosterd, work: under(lock, rosterd.work) });
  } finally {
    await lock.release();
  }
}

/** What is said when somebody else has the lock of a source. */
export function atWork({ store }: Rosterd, source: string): Unavailable {
  return new Unavailable(`another rosterd is at work on ${source} in ${store.place}`, {
    remedy: 'try again when it is done',
  });
}
