import type { LogLevel } from '../base/log.ts';
import type { Config } from '../configure/config.ts';
import { readConfig } from '../daemon.ts';
import type { StatusBody } from './control/api.ts';
import { type Daemon, needDaemon } from './control/client.ts';
import { refuseOther, refuseOtherFile } from './loaded.ts';
import { openScreen, paint, type Screen, table } from './screen.ts';
import { exit, guarded } from './session.ts';
import { followRun } from './sync.ts';

/** Commands that only a daemon can answer. */

interface Options {
  config: string;
  json: boolean;
}

async function withTheDaemon(
  options: Options,
  work: (daemon: Daemon, screen: Screen, config: Config) => Promise<number>,
): Promise<number> {
  return guarded(async () => {
    const config = readConfig(options.config);
    const daemon = await needDaemon(config);
    try {
      return await work(daemon, openScreen(options.json), config);
    } finally {
      await daemon.close();
    }
  });
}

/** `run [SOURCE…]`: one run of each, by the daemon. With `wait` it ends as the runs ended; leaving does not end them. */
export async function runDaemon(
  sources: readonly string[],
  options: Options & { dryRun: boolean; wait: boolean },
): Promise<number> {
  return withTheDaemon(options, async (daemon, screen, config) => {
    const { file } = config;
    await refuseOther(daemon, config);
    if (options.wait) return followRun(daemon, sources, options.dryRun, screen, file);
    const accepted = await daemon.start(sources, options.dryRun);
    if (screen.human) screen.say(`asked for: ${accepted.join(', ')}\n  rosterd runs -c ${file}`);
    else screen.json({ accepted });
    return exit.done;
  });
}

/** `reload`: says what is in force now, and what takes a restart. */
export async function reloadDaemon(options: Options): Promise<number> {
  return withTheDaemon(options, async (daemon, screen, config) => {
    await refuseOtherFile(daemon, config);
    const result = await daemon.call('reload');
    if (!screen.human) screen.json(result);
    else {
      const { live, restart } = result;
      if (!live.length && !restart.length) screen.say('nothing differs');
      for (const { path, what } of live) screen.say(`${paint.green('in force')}         ${path} ${what}`);
      for (const { path, what } of restart) screen.say(`${paint.yellow('takes a restart')}  ${path} ${what}`);
    }
    return exit.done;
  });
}

/** `log-level [LEVEL]`: says the least that is logged, or sets it. A running daemon has it at once, and forgets it at its end. */
export async function daemonLogLevel(level: LogLevel | undefined, options: Options): Promise<number> {
  return withTheDaemon(options, async (daemon, screen) => {
    const was = await daemon.call('logLevel');
    const is = level === undefined ? was : await daemon.call('setLogLevel', { body: { level } });
    if (!screen.human) screen.json(is);
    else screen.say(level === undefined ? is.level : `${is.level} until the next start, was ${was.level}`);
    return exit.done;
  });
}

/** `status`: exits with 1 unless the daemon runs and makes progress, and its store answers. */
export async function showStatus(options: Options): Promise<number> {
  return withTheDaemon(options, async (daemon, screen) => {
    const status = await daemon.call('status');
    if (screen.human) printStatus(screen, status);
    else screen.json(status);
    const { service, store } = status;
    return service.state === 'running' && service.healthy && store.state === 'answers' ? exit.done : exit.failed;
  });
}

/** Where everything stands, for a person. What is not known is a question mark, never a gap. */
export function printStatus(screen: Screen, { service, store, atWork, sources, targets }: StatusBody): void {
  const { state, reason, since, pid, version, healthy, reloadRefused } = service;
  const said = state === 'running' ? paint.green(state) : paint.yellow(reason === null ? state : `${state}: ${reason}`);
  screen.say(`rosterd ${version}  ${said}  since ${moment(since)}, pid ${pid}`);
  const away = store.state === 'away';
  if (away) {
    screen.say(paint.red(`  the store is away since ${moment(store.since)}: ${store.error.message}`));
    screen.say(paint.red('  not known until it answers: last runs, what waits for a person, queues and pauses (?)'));
  }
  if (reloadRefused) {
    const text = `the reload at ${moment(reloadRefused.at)} was refused, what was loaded before is in force: ${reloadRefused.reason}`;
    screen.say(paint.yellow(`  ${text}`));
  }
  if (!healthy) screen.say(paint.red('  something makes no progress; the watchdog is not fed'));
  for (const { who, text, quietMs } of atWork) screen.say(paint.dim(`  ${who}${text && `: ${text}`}${quiet(quietMs)}`));
  if (sources.length)
    screen.say(
      `\n${table(
        ['source', 'next run', 'last run', 'outcome', 'data', 'state'],
        sources.map((one) => [
          one.name,
          moment(one.next),
          away ? '?' : moment(one.lastRun?.startedAt ?? null),
          away ? '?' : (one.lastRun?.status ?? ''),
          { never: 'none yet', unknown: '?', fresh: 'fresh', stale: 'stale' }[one.freshness.state],
          stateOf(one) + (one.held === null ? '' : `, ${one.held} waits for a person`),
        ]),
      )}`,
    );
  if (targets.length)
    screen.say(
      `\n${table(
        ['target', 'queued', 'failed', 'sent', 'state'],
        targets.map((one) => [
          one.name,
          one.queue === null ? '?' : one.queue.queued + one.queue.processing,
          one.queue?.failed ?? '?',
          one.queue?.sent ?? '?',
          (one.moved ? movedText(one.moved) : stateOf(one)) +
            (one.paused ? `, paused${one.paused.reason ? `: ${one.paused.reason}` : ''}` : ''),
        ]),
      )}`,
    );
}

/** In place of the failures that come of it: what to do about it stands in the log, and is said by whoever delivers. */
function movedText({ from, to }: NonNullable<StatusBody['targets'][number]['moved']>): string {
  return `gets nothing: what was sent went to ${from}, it is ${to} (rosterd queue moved)`;
}

function stateOf(lane: StatusBody['sources'][number] | StatusBody['targets'][number]): string {
  const { enabled, running, waiting, breaker } = lane;
  if (!enabled) return 'disabled';
  if (running) return `at work (${running.trigger})`;
  if (waiting.length) return 'waits for its turn';
  if (breaker.failures === 0) return breaker.failure ? `idle, ${breaker.failure.message}` : 'idle';
  const text = `${breaker.failures} failed: ${breaker.failure?.message ?? ''}`;
  return breaker.state === 'closed' ? text : `left alone until ${moment(breaker.notBefore)}, ${text}`;
}

/** Since when somebody at work has said nothing new, where that is worth a word. */
function quiet(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  return minutes ? ` (nothing new for ${minutes} min)` : '';
}

/** A time as people read it, in UTC; a gap where there is none. */
function moment(time: string | null): string {
  return time === null ? '' : `${time.slice(0, 16).replace('T', ' ')} UTC`;
}
