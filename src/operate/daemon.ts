import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { openLog } from '../base/log.ts';
import { readConfig } from '../daemon.ts';
import { openMetrics } from './control/metrics.ts';
import { openControl } from './control/server.ts';
import { type Notifier, openNotifier } from './notify.ts';
import { Service } from './service.ts';
import { exit, guarded } from './session.ts';

/**
 * `daemon`: runs every source by its schedule and what is pushed, delivers, and answers on its socket, until a signal ends
 * it. SIGTERM and SIGINT stop after the batch in hand, a second one at once; SIGHUP reads the configuration again;
 * SIGUSR2 runs every enabled source now.
 */
export async function daemon(options: { config: string }): Promise<number> {
  return guarded(async () => {
    const config = readConfig(options.config);
    const log = openLog();
    const service = new Service(config, log);
    const notifier = openNotifier({ clock: systemClock, log });
    notifier.status('opening the store');
    const signals = listenToSignals(service, notifier);
    // first of all: a second daemon is told before it has touched anything
    const control = await openControl(config, service);
    let metrics: { close(): Promise<void> } | null = null;
    try {
      metrics = await openMetrics(config, service);
      await begin(service, notifier);
      signals.begun();
      await service.scheduler.ended;
    } finally {
      await service.stop('rosterd ends');
      await control.settle();
      await service.close();
      await metrics?.close();
      await control.close();
      await notifier.close();
      signals.release();
    }
    log.info({ event: 'daemon.stopped' }, 'rosterd has stopped');
    return signals.cut || service.scheduler.life.state === 'failed' ? exit.failed : exit.done;
  });
}

/** Starts it, and says so. A stop that comes before is no failure. */
async function begin(service: Service, notifier: Notifier): Promise<void> {
  try {
    await service.start();
  } catch (error) {
    if (service.stopping) return;
    throw error;
  }
  const { log, url } = service;
  log.info({ event: 'daemon.started', url, pid: process.pid }, `rosterd runs${whereOf(service)}`);
  notifier.ready(`running${whereOf(service)}`);
  notifier.watch(() => service.scheduler.healthy);
}

function whereOf({ url }: Service): string {
  return url === null ? '' : `, listening on ${url}`;
}

interface Signals {
  /** True when somebody asked twice to stop. */
  readonly cut: boolean;
  /** The start is over: what was asked for meanwhile is done now. */
  begun(): void;
  release(): void;
}

function listenToSignals(service: Service, notifier: Notifier): Signals {
  const { log } = service;
  let stops = 0;
  let begun = false;
  /** Asked for during the start, which has read its file already, is not ready by the end of a reload, and runs nothing. */
  const wanted = { reload: false, run: false };
  const on = {
    stop(name: NodeJS.Signals) {
      stops += 1;
      const text = stops > 1 ? 'stopping at once' : 'stopping after the batch in hand';
      notifier.stopping(text, service.scheduler.config.service.stopWithinMs);
      log.info({ event: 'daemon.stopping' }, text);
      void service.stop(`stopped by ${name}`, { now: stops > 1 });
    },
    reload() {
      if (service.stopping) return;
      if (!begun) {
        wanted.reload = true;
        return;
      }
      notifier.reloading();
      const reload = service.reload().catch((error) => {
        log.error({ event: 'config.bug', err: error }, messageOf(error));
      });
      void reload.then(() => {
        // one that stops meanwhile takes no word back
        if (!service.stopping && service.scheduler.life.state === 'running')
          notifier.ready(`running${whereOf(service)}`);
      });
    },
    run() {
      if (begun) service.runAll('signal');
      else wanted.run = true;
    },
  };
  process.on('SIGTERM', on.stop).on('SIGINT', on.stop).on('SIGHUP', on.reload).on('SIGUSR2', on.run);
  return {
    get cut() {
      return stops > 1;
    },
    begun() {
      begun = true;
      if (wanted.reload) on.reload();
      if (wanted.run) on.run();
    },
    release() {
      process.off('SIGTERM', on.stop).off('SIGINT', on.stop).off('SIGHUP', on.reload).off('SIGUSR2', on.run);
    },
  };
}
