import { Misconfigured } from '../base/errors.ts';
import { plain } from '../base/plain.ts';
import type { Config, SourceConfig } from '../configure/config.ts';
import { deliverAll } from '../deliver/deliver.ts';
import type { DeliveryEnd } from '../deliver/drain.ts';
import { finishInterrupted } from '../run/force.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { selectSources } from '../schedule/select.ts';
import { under } from '../store/exclusive.ts';
import type { Lock, OutboxCounts, Run } from '../store/port.ts';
import type { Daemon } from './control/client.ts';
import { refuseOther } from './loaded.ts';
import { printRun, runJson } from './report.ts';
import { isOver, pushWaits, runSource } from './run-source.ts';
import { openProgress, paint, type Screen, table } from './screen.ts';
import { atWork, exit, withDaemon } from './session.ts';
import { warnOfUnnamed } from './unnamed.ts';

/** What `sync` was asked for. */
export interface SyncOptions {
  config: string;
  source?: string[];
  dryRun: boolean;
  deliver: boolean;
  json: boolean;
}

/** What one sync came to. */
export interface SyncResult {
  runs: Run[];
  /** Sources that another rosterd is at work on; nothing was done for them. */
  busy: string[];
  /** Sources that had no run, or pushes that were left, because somebody asked to stop before their turn came. */
  notRun: string[];
  outbox: Record<string, OutboxCounts>;
  deliveries: DeliveryEnd[];
}

/** `sync`: one run of the named or all enabled sources, then delivery until nothing is left that can be delivered. */
export async function sync(options: SyncOptions): Promise<number> {
  const { dryRun, deliver } = options;
  const through = async (daemon: Daemon, screen: Screen, config: Config): Promise<number> => {
    if (!deliver && !dryRun)
      throw new Misconfigured('a daemon runs, and delivers by itself', {
        remedy: 'stop it, or leave out --no-deliver',
      });
    await refuseOther(daemon, config);
    return followRun(daemon, options.source ?? [], dryRun, screen, config.file);
  };
  return withDaemon(options, through, async ({ rosterd, screen }) => {
    const sources = selectSources(rosterd.config, options.source ?? []);
    const result = await syncOnce(rosterd, sources, { dryRun, deliver });
    if (screen.human) printSync(screen, result, rosterd.config.file);
    else screen.json(syncJson(result));
    return exitOf(result);
  });
}

/** One run of the named or all enabled sources by a daemon, with its progress; gives the exit status. */
export async function followRun(
  daemon: Daemon,
  sources: readonly string[],
  dryRun: boolean,
  screen: Screen,
  configFile: string,
): Promise<number> {
  const progress = openProgress();
  const result: SyncResult = { runs: [], busy: [], notRun: [], outbox: {}, deliveries: [] };
  let status: number = exit.failed;
  try {
    for await (const line of daemon.run(sources, dryRun)) {
      if (line.type === 'progress') progress.report(line.who, line.text);
      else if (line.type === 'run') result.runs.push(line.run);
      else if (line.type === 'delivery') result.deliveries.push(line.delivery);
      else if (line.type === 'failed') {
        progress.done();
        process.stderr.write(`rosterd: ${line.who}: ${plain(line.error.message)}\n`);
      } else if (line.type === 'end') {
        Object.assign(result, { busy: line.busy, outbox: line.outbox });
        status = line.exit;
      }
    }
  } finally {
    progress.done();
  }
  if (screen.human) printSync(screen, result, configFile);
  else screen.json(syncJson(result));
  return status;
}

/** The sync itself, for the command and the demo. */
export async function syncOnce(
  rosterd: Rosterd,
  sources: readonly SourceConfig[],
  { dryRun, deliver }: { dryRun: boolean; deliver: boolean },
): Promise<SyncResult> {
  const { store, work } = rosterd;
  const runs: Run[] = [];
  const busy: string[] = [];
  const notRun: string[] = [];
  const locks = new Map<SourceConfig, Lock>();
  try {
    // All of them first: a sync that is refused is refused before it has done half of it.
    for (const source of sources) {
      const lock = await store.lock(`source:${source.name}`);
      if (lock) locks.set(source, lock);
      else busy.push(source.name);
    }
    if (!locks.size) throw atWork(rosterd, busy.join(', '));
    await warnOfUnnamed(rosterd);
    // A plan that was cut is finished before any other is made, and here only we can: its lock is in our hands.
    for (const [source, lock] of locks)
      if (!work.signal.aborted) await finishInterrupted({ ...rosterd, work: under(lock, work) }, source.name);
    for (const [source, lock] of locks) {
      const mine = { ...rosterd, work: under(lock, work) };
      const order = { trigger: 'cli', dryRun: dryRun || source.dryRun };
      let last: Run | null = null;
      if (!work.signal.aborted)
        for await (const run of runSource(mine, source, order)) {
          last = run;
          runs.push(run);
        }
      // a run that was cut says so itself
      const isLeft = !last || (!dryRun && isOver(last) && (await pushWaits(rosterd.config, source)));
      if (work.signal.aborted && isLeft) {
        notRun.push(source.name);
        const text = `${source.name}: rosterd was stopped before its turn came`;
        work.log.info({ event: 'run.not-begun', source: source.name }, text);
      }
      await lock.release();
    }
  } finally {
    for (const lock of locks.values()) await lock.release();
  }
  const deliveries = deliver && !dryRun ? await deliverAll(rosterd.config, store, work) : [];
  return { runs, busy, notRun, outbox: await outboxCounts(rosterd), deliveries };
}

/** Counts of every configured target, also of one that nothing was ever queued for. */
export async function outboxCounts({
  config,
  store,
}: Pick<Rosterd, 'config' | 'store'>): Promise<Record<string, OutboxCounts>> {
  const counts = await store.outbox.counts();
  for (const { name } of config.targets) counts[name] ??= { queued: 0, processing: 0, sent: 0, failed: 0 };
  return counts;
}

/** The object that `sync --json` prints; scripts hold on to it. */
export function syncJson({ runs, busy, notRun, outbox, deliveries }: SyncResult): unknown {
  const errors = deliveries.filter((end) => end.error).map(({ target, error }) => ({ target, error }));
  return { runs: runs.map((run) => runJson(run)), busy, outbox, deliveryErrors: errors, notRun };
}

/** 1 when something failed, else 3 when something is held, else 0. */
export function exitOf({ runs, busy, notRun, deliveries }: SyncResult): number {
  const failedRun =
    busy.length + notRun.length > 0 || runs.some((run) => run.status === 'failed' || run.status === 'running');
  // What failed in an earlier sync is in the counts; only what fails now makes this one a failure.
  if (failedRun || deliveries.some((end) => end.error || end.failed > 0)) return exit.failed;
  const held = runs.some((run) => run.status === 'held') || deliveries.some((end) => end.paused);
  return held ? exit.held : exit.done;
}

function printSync(screen: Screen, { runs, busy, notRun, outbox, deliveries }: SyncResult, configFile: string): void {
  for (const run of runs) printRun(screen, run, configFile);
  for (const source of busy) screen.say(paint.yellow(`${source}: another rosterd is at work on it`));
  for (const source of notRun)
    screen.say(paint.yellow(`\n${source}: not run, rosterd was stopped before its turn came`));
  const targets = Object.entries(outbox);
  if (targets.length)
    screen.say(
      `\n${table(
        ['target', 'sent', 'queued', 'failed'],
        targets.map(([target, { queued, processing, sent, failed }]) => [target, sent, queued + processing, failed]),
      )}`,
    );
  for (const { target, error, paused } of deliveries) {
    if (paused) screen.say(paint.yellow(`  ${target}: paused, nothing is sent; rosterd queue resume ${target}`));
    if (error) screen.say(paint.red(`  ${target}: ${error.message}`));
  }
}
