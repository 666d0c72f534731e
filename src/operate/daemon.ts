import { systemClock } from '../base/clock.ts';
import { failureOf, kindOf, messageOf } from '../base/errors.ts';
import { type Log, openLog } from '../base/log.ts';
import type { Work } from '../base/work.ts';
import type { Config, SourceConfig } from '../configure/config.ts';
import { openRosterd, readConfig } from '../daemon.ts';
import { deliverAll } from '../deliver/deliver.ts';
import { type Listener, openListener } from '../pull/listen.ts';
import { keepDirOf } from '../pull/pull.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { compareConfigs } from '../schedule/compare.ts';
import { Heartbeat } from '../schedule/heartbeat.ts';
import { under, waitForLock } from '../store/exclusive.ts';
import { openNotifier } from './notify.ts';
import { isOver, runSource } from './run-source.ts';
import { exit, guarded, stopSignals } from './session.ts';

/** When a push is tried again whose run could not go on (the store is away), and how long requests in hand may take at the end. */
const againMs = 60_000;
const patienceMs = 10_000;

/**
 * `daemon`: listens for pushes, runs their sources, delivers what comes of it. Each source has one worker, delivery has
 * one; a bell wakes a worker, and what waits is looked up, not remembered, so that a start after a crash is like any other.
 */
export async function daemon(options: { config: string }): Promise<number> {
  return guarded(async () => {
    const config = readConfig(options.config);
    const log = openLog();
    const { signal, abort, release } = stopSignals();
    const work: Work = { clock: systemClock, log, signal, abort, progress: () => {} };
    const notifier = openNotifier({ clock: systemClock, log });
    const heartbeat = new Heartbeat(systemClock);
    notifier.status('opening the store');
    const rosterd = await openRosterd(config, work);
    let listener: Listener | null = null;
    let reload = (): void => {};
    try {
      const delivery = new Bell(signal);
      const bells = new Map<SourceConfig, Bell>();
      for (const source of config.sources)
        if (source.enabled && source.connector.inbox) bells.set(source, new Bell(signal));
      if (config.listen) {
        const received = (source: SourceConfig): void => bells.get(source)?.ring();
        listener = await openListener(config, config.listen, { clock: systemClock, log, received });
      } else if (bells.size)
        log.warn({ event: 'daemon.deaf' }, 'there are push sources, and no listen: nothing can be pushed');
      const where = listener ? `, listening on ${listener.url}` : '';
      log.info({ event: 'daemon.started', url: listener?.url ?? null, pid: process.pid }, `rosterd runs${where}`);
      notifier.ready(`running${where}`);
      reload = () => {
        notifier.reloading();
        proveReload(config, log);
        notifier.ready(`running${where}`);
      };
      process.on('SIGHUP', reload);
      notifier.watch(() => (heartbeat.atWork()[0]?.quietMs ?? 0) <= config.service.stuckAfterMs);
      const stopping = (): void => {
        notifier.stopping('stopping after the batch in hand', config.service.stopWithinMs);
        listener?.stop();
        log.info({ event: 'daemon.stopping' }, 'stopping after the batch in hand');
      };
      signal.addEventListener('abort', stopping, { once: true });
      const workers = [...bells].map(([source, bell]) =>
        keepOn(rosterd, heartbeat, bell, source.name, (rosterd) => runPushes(rosterd, source, delivery)),
      );
      workers.push(keepOn(rosterd, heartbeat, delivery, 'delivery', deliverQueued));
      await Promise.all(workers);
    } finally {
      await listener?.close(patienceMs, abort);
      release();
      process.off('SIGHUP', reload);
      await rosterd.close();
      await notifier.close();
    }
    log.info({ event: 'daemon.stopped' }, 'rosterd has stopped');
    return abort.aborted ? exit.failed : exit.done;
  });
}

/** Reads the file again and says what it would change, which takes a restart. A bad file is refused. */
function proveReload(config: Config, log: Log): void {
  try {
    const { live, restart } = compareConfigs(config, readConfig(config.file));
    const paths = [...live, ...restart].map(({ path }) => path);
    if (paths.length) log.warn({ event: 'config.restart', restart: paths }, `${paths.length} changes take a restart`);
  } catch (error) {
    log.error(
      { event: 'config.refused', error: failureOf(error) },
      `configuration refused, the old one stays:\n${messageOf(error)}`,
    );
  }
}

/** Wakes somebody; a ring while they are at work is heard when they have done. */
class Bell {
  #rung = true;
  #wake: () => void = () => {};
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Waits for a ring since the last time; false when it is time to stop. Rung at the start: there may be leftovers. */
  async heard(): Promise<boolean> {
    while (!this.#rung && !this.#signal.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#rung = false;
    return !this.#signal.aborted;
  }
}

/** True for what time may mend. What a person must mend is tried again when something else comes, or at the next start. */
const mayPass = (kind: string): boolean => kind === 'Unavailable' || kind === 'Unexpected';

/** Does the work whenever the bell rings, until somebody asks to stop. What was not finished is tried again later. */
async function keepOn(
  rosterd: Rosterd,
  heartbeat: Heartbeat,
  bell: Bell,
  who: string,
  doIt: (rosterd: Rosterd) => Promise<boolean>,
): Promise<void> {
  const { work } = rosterd;
  while (await bell.heard()) {
    let done: boolean;
    const beat = heartbeat.begin(who);
    try {
      done = await doIt({ ...rosterd, work: { ...work, progress: (of, text) => beat.progress(`${of} ${text}`) } });
    } catch (error) {
      if (work.signal.aborted) return;
      work.log.error({ event: 'daemon.failed', who, err: error }, `${who}: ${messageOf(error)}`);
      done = !mayPass(kindOf(error));
    } finally {
      beat.end();
    }
    if (done || work.signal.aborted) continue;
    const again = work.clock.wait(againMs, work.signal);
    void again.then(
      () => bell.ring(),
      () => {},
    );
  }
}

/** Runs every push that waits; false when one has to be tried again. */
async function runPushes(rosterd: Rosterd, source: SourceConfig, delivery: Bell): Promise<boolean> {
  const { config, store, work } = rosterd;
  const inbox = source.connector.inbox!(source.settings, keepDirOf(config.stateDir, source.name));
  if ((await inbox.next()) === null) return true;
  const lock = await waitForLock(store, `source:${source.name}`, work, source.name);
  try {
    const mine = { ...rosterd, work: under(lock, work) };
    for await (const run of runSource(mine, source, { trigger: 'push', dryRun: source.dryRun })) {
      // also after one that did not come to its end: what it had applied is queued
      delivery.ring();
      if (!isOver(run)) return !mayPass(run.error?.kind ?? 'Unavailable');
    }
    return true;
  } finally {
    await lock.release();
  }
}

/** Delivers what is queued; false when a target has to be tried again. */
async function deliverQueued({ config, store, work }: Rosterd): Promise<boolean> {
  const ends = await deliverAll(config, store, work);
  return !ends.some(({ error }) => error !== null && mayPass(error.kind));
}
