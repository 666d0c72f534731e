import { failureOf } from './base/errors.ts';
import type { SourceConfig } from './configure/config.ts';
import type { Answer } from './connector/source.ts';
import { pull } from './pull/pull.ts';
import { dropPlanned, dropStaged, enforce, finishInterrupted, withRoster } from './run/force.ts';
import { planRun } from './run/plan.ts';
import { endRun, interruptRun, noteError, noteSnapshot, openRun, type RunOrder } from './run/record.ts';
import { retain } from './run/retain.ts';
import type { Rosterd } from './run/rosterd.ts';
import { standsAgain } from './run/rules.ts';
import { formatOf } from './snapshot/formats/index.ts';
import { takeAgain, takeSnapshot } from './snapshot/take.ts';
import type { Run } from './store/port.ts';

/**
 * One run of one source, from trigger to outcome:
 *
 *     pull (rows) → snapshot (what is true now) → plan (what that changes) → force (roster and outbox, together)
 *
 * Delivery follows from the outbox, in its own time. What a source, a file or a person did wrong is the run's outcome,
 * never an exception. The caller holds the lock of the source; planning and applying take the roster's as well.
 */
export async function runOnce(rosterd: Rosterd, source: SourceConfig, order: RunOrder): Promise<Run> {
  const { config, store, work } = rosterd;
  await finishInterrupted(rosterd, source.name);
  const run = await openRun(rosterd, source.name, order);
  const state = await store.sources.get(source.name);
  const format = formatOf(source.format, source.role);
  let answer: Answer | null = null;
  try {
    const last = state.current === null ? null : await store.snapshots.get(source.name, state.current);
    answer = await pull(source, format, last, config.stateDir, work);
    const again = answer ? null : await standsAgain(store, config, state, last, format);
    if (!answer && !again) return await endRun(rosterd, run, 'skipped');

    const taken = answer
      ? await takeSnapshot(store, state, run.run, answer, format, work)
      : await takeAgain(store, again!);
    noteSnapshot(run, taken);
    const plan = await withRoster(rosterd, source.name, async (mine) => {
      const plan = await planRun(mine, source, state, run, taken);
      if (plan && !order.dryRun) await enforce(mine, state, plan, taken, run);
      return plan;
    });
    if (order.dryRun) {
      await dropStaged(store, state);
      return await endRun(rosterd, run, plan && Object.keys(plan.counts).length ? 'planned' : 'unchanged');
    }
    if (!plan) await endRun(rosterd, run, 'unchanged');
    await retain(rosterd, source);
    await answer?.accepted().catch((error) => {
      const failure = failureOf(error);
      work.log.warn(
        { event: 'pull.archive', source: source.name, run: run.run, error: failure },
        `${source.name}: ${failure.message}`,
      );
    });
    return run;
  } catch (error) {
    noteError(rosterd, run, error);
    // A plan in force that could not be finished is not lost: its run stays open, and the next start goes on with it.
    if (state.applying) return interruptRun(rosterd, run, error);
    // what cannot be thrown away now is by the next run; why this one failed is told in any case
    await dropPlanned(store, state, run).catch(() => {});
    await dropStaged(store, state).catch(() => {});
    return await endRun(rosterd, run, 'failed', error);
  } finally {
    await answer?.close();
  }
}
