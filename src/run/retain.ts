import { failureOf, kindOf } from '../base/errors.ts';
import type { SourceConfig } from '../configure/config.ts';
import type { Run, SourceState, Store } from '../store/port.ts';
import { needsPlan } from './force.ts';
import type { Rosterd } from './rosterd.ts';

/** Most runs and snapshots that are forgotten after one run: a new limit takes effect over some days, not in one night. */
const atOnce = 200;

/**
 * Forgets history beyond what the configuration keeps, after a run and under the lock of its source. What is left always
 * has everything that the state of the source names (the snapshot in force and its digests, the plan that is held, being
 * applied or pending), and every run that the sliding window still counts. A failure here is told and does no harm.
 */
export async function retain({ config, store, work }: Rosterd, source: SourceConfig): Promise<void> {
  const { snapshots, runs } = config.retention;
  try {
    const state = await store.sources.get(source.name);
    const since = new Date(work.clock.now().getTime() - source.limits.window.days * 86_400_000).toISOString();
    await forgetRuns(store, state, runs, since);
    await forgetSnapshots(store, state, snapshots);
  } catch (error) {
    const failure = failureOf(error);
    const err = kindOf(error) === 'Unexpected' ? error : null;
    work.log.warn(
      { event: 'retention.failed', source: source.name, error: failure, err },
      `${source.name}: ${failure.message}`,
    );
  }
}

async function forgetRuns(store: Store, state: SourceState, keep: number, since: string): Promise<void> {
  const old = await store.runs.list({ source: state.source, skip: keep, limit: atOnce });
  const going = old.filter(
    ({ run, plan, status, endedAt }: Run) =>
      status !== 'running' &&
      endedAt !== null &&
      endedAt < since &&
      !needsPlan(state, run) &&
      (!plan || !needsPlan(state, plan)),
  );
  // A plan before its run: a cut leaves the run, and the next time finds it again.
  for (const { plan } of going) if (plan) await store.plans.discard(plan);
  if (going.length) await store.runs.forget(going.map(({ run }) => run));
}

async function forgetSnapshots(store: Store, state: SourceState, keep: number): Promise<void> {
  if (state.current === null || state.staging !== null) return;
  const old = await store.snapshots.list({ source: state.source, skip: keep, limit: atOnce });
  const named = new Set([state.current]);
  for (const plan of [state.held, state.pending, state.applying?.plan]) {
    const its = plan ? await store.plans.get(plan) : null;
    if (its) named.add(its.snapshot);
  }
  const kept = [
    ...(await store.snapshots.list({ source: state.source, limit: keep })),
    ...old.filter(({ number }) => named.has(number)),
  ];
  // The digests of a kept one are told by its difference to these; they go when nobody needs them any more.
  const bases = new Set(kept.map(({ base }) => base));
  const going = old.filter(({ number }) => !named.has(number) && !bases.has(number));
  if (!going.length) return;
  await store.rows.forget(state.source, Math.min(...kept.map(({ number }) => number)));
  await store.snapshots.forget(
    state.source,
    going.map(({ number }) => number),
  );
}
