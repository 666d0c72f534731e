import type { Config, SourceConfig } from '../configure/config.ts';
import { inboxOf } from '../pull/pull.ts';
import { finishInterrupted, needsPlan } from '../run/force.ts';
import type { RunOrder } from '../run/record.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { runOnce } from '../run.ts';
import { type Run, type Store, snapshotId } from '../store/port.ts';

/**
 * The runs of one source that are due now: one, or one for each push that waits, in the order they came. The caller
 * holds the lock of the source.
 *
 * A push has the run that it was answered with, once: what a dead process did of it is finished first, and a run that is
 * over is not run again, its push is only put away. A trial (`sync --dry-run`) looks at the oldest push and leaves it.
 */
export async function* runSource(rosterd: Rosterd, source: SourceConfig, order: RunOrder): AsyncGenerator<Run> {
  const { config, store, work } = rosterd;
  const inbox = inboxOf(config.stateDir, source);
  const trial = order.dryRun && !source.dryRun;
  let next = trial ? undefined : await inbox?.next();
  if (!inbox || !next) {
    yield await runOnce(rosterd, source, order);
    return;
  }
  for (; next && !work.signal.aborted; next = await inbox.next()) {
    await finishInterrupted(rosterd, source.name);
    let run = await store.runs.get(next);
    const state = await store.sources.get(source.name);
    // its effect counts, whatever could be written of its end
    const counts = needsPlan(state, next);
    if (!run || !(counts || isOver(run))) {
      // what an attempt wrote of its plan never came to count
      if (run) await store.plans.discard(run.run);
      run = await runOnce(rosterd, source, { trigger: 'push', dryRun: source.dryRun, run: next });
    }
    yield run;
    // stopped, or the store is away: the push waits for another attempt
    if (!counts && !isOver(run)) return;
    await inbox.settle(run.run, await contentOf(store, run));
  }
}

/** True when something was pushed to a source and is not run yet. */
export async function pushWaits({ stateDir }: Pick<Config, 'stateDir'>, source: SourceConfig): Promise<boolean> {
  const inbox = inboxOf(stateDir, source);
  return !!inbox && (await inbox.next()) !== null;
}

/** True when a push will come to nothing else: it had its effect, or another attempt would fail as well. */
export function isOver({ status, error }: Run): boolean {
  if (status === 'failed') return error?.kind === 'Incomplete' || error?.kind === 'Rejected';
  return status !== 'running';
}

/** What the run brought into force, if anything: a plan that is only planned and a refused list did not come into force. */
async function contentOf(store: Store, run: Run): Promise<string | null> {
  const { current } = await store.sources.get(run.source);
  if (current === null || run.dryRun || run.snapshot.id !== snapshotId(run.source, current)) return null;
  return (await store.snapshots.get(run.source, current))?.content ?? null;
}
