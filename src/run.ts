import { randomBytes } from 'node:crypto';
import { messageOf, RosterdError } from './base/errors.ts';
import type { Work } from './base/work.ts';
import type { Config, SourceConfig } from './configure/config.ts';
import { courseRules, rulesFingerprint } from './configure/rules.ts';
import type { Answer } from './connector/source.ts';
import { courseTitle } from './connector/target.ts';
import { applyPlan } from './outbox/apply.ts';
import { pull } from './pull/pull.ts';
import { makePlan } from './reconcile/plan.ts';
import { formatOf } from './snapshot/formats/index.ts';
import { type Taken, takeSnapshot } from './snapshot/take.ts';
import { type Plan, type Run, type SourceState, type Store, snapshotId, type TargetInterest } from './store/port.ts';
import { touchedPeople } from './store/touched.ts';

/** What a run needs. */
export interface Rosterd {
  config: Config;
  store: Store;
  work: Work;
}

/**
 * One run of one source, from trigger to outcome: pull → snapshot → plan → in force → apply. Delivery follows on its
 * own, from the outbox. Never throws for what a source, a file or a person did: that is the run's outcome. The caller
 * holds the store's lock.
 *
 * The order of writes is what survives a crash. Until `putInForce` nothing counts, and the next run throws it away; after
 * it the plan is finished by whoever comes next (`finishInterrupted`).
 */
export async function runOnce(
  rosterd: Rosterd,
  source: SourceConfig,
  how: { trigger: string; dryRun: boolean },
): Promise<Run> {
  const { store, work } = rosterd;
  await finishInterrupted(rosterd, source.name);
  const started = work.clock.monotonic();
  const run = newRun(source.name, how, work.clock.now());
  await store.runs.put(run);
  const state = await store.sources.get(source.name);
  const format = formatOf(source.format);
  let answer: Answer | null = null;
  try {
    const last = state.current === null ? null : await store.snapshots.get(source.name, state.current);
    answer = await pull(source, format, last, rosterd.config.stateDir, work);
    if (!answer) return await endRun(rosterd, run, 'skipped', started);

    const taken = await takeSnapshot(store, state, run.run, answer, format, work);
    describe(run, taken);
    const plan = await planRun(rosterd, source, state, run, taken);
    if (!plan) run.status = 'unchanged';
    else if (how.dryRun) run.status = Object.keys(plan.counts).length ? 'planned' : 'unchanged';
    else {
      await putInForce(store, state, plan, taken, rulesFingerprint(rosterd.config), run);
      await finishPlan(rosterd, state, plan, run, started);
    }
    if (how.dryRun && taken.staged) await dropStaged(store, state);
    if (!how.dryRun) await archive(answer, source.name, work);
    return await endRun(rosterd, run, run.status, started);
  } catch (error) {
    if (state.staging !== null && state.applying === null) await dropStaged(store, state);
    const kind = error instanceof RosterdError ? error.kind : work.signal.aborted ? 'Stopped' : 'Unexpected';
    run.error = { kind, message: messageOf(error) };
    if (kind === 'Unexpected') work.log.error({ event: 'run.bug', run: run.run, err: error }, 'unexpected error');
    // A plan in force that could not be finished is not lost: the run stays open and the next start goes on with it.
    return await endRun(rosterd, run, state.applying ? 'running' : 'failed', started);
  } finally {
    await answer?.close();
  }
}

/** Works out the plan and stores it; null when there is nothing to look at. */
async function planRun(
  { config, store, work }: Rosterd,
  source: SourceConfig,
  state: SourceState,
  run: Run,
  taken: Taken,
): Promise<Plan | null> {
  const { snapshot, before } = taken;
  const left = state.pending ? await store.plans.pendingKeys(state.pending) : [];
  const rulesChanged = state.rules !== null && state.rules !== rulesFingerprint(config);
  if (!taken.staged && !left.length && !rulesChanged) return null;

  const people = left.filter((key) => !key.startsWith('c:'));
  const openCourses = left.filter((key) => key.startsWith('c:')).map((key) => key.slice(2));
  const sink = store.plans.sink(run.run);
  const summary = await makePlan(
    {
      source: source.name,
      evidence: store.rows.evidence(source.name, snapshot.number),
      touched: touchedPeople(store, source.name, snapshot.number, taken.touched, people, rulesChanged),
      precedence: config.sources.map((one) => one.name),
      courseRules: courseRules(config),
      courses: { ...taken.courses, gone: [...new Set([...taken.courses.gone, ...openCourses])] },
      everything: rulesChanged,
      blockAll: taken.blockAll,
      limits: source.limits,
      records: { now: snapshot.records, before: before?.records ?? null },
      numbers: await store.roster.nextNumbers(),
      today: work.clock.now(),
      progress: (count) => work.progress(source.name, `${count.toLocaleString('en')} people looked at`),
    },
    sink,
  );
  const refused = summary.guards.some((guard) => guard.guard === 'empty-snapshot' && guard.held);
  // The snapshot stays out of force, so whom the last one left pending is still pending.
  if (refused) await sink.pending(left);
  const plan: Plan = {
    plan: run.run,
    run: run.run,
    source: source.name,
    snapshot: snapshot.number,
    digest: summary.digest,
    heldTypes: summary.heldTypes,
    counts: summary.counts,
    courseEntries: summary.courses.entries,
    courseEntriesWith: refused ? 'held' : 'free',
  };
  await store.plans.put(plan);
  Object.assign(run, {
    plan: plan.plan,
    digest: summary.digest,
    changes: summary.counts,
    guards: summary.guards,
    heldTypes: summary.heldTypes,
    conflicts: summary.conflicts,
    blocked: summary.blocked,
    courses: { new: summary.courses.fresh.map(courseTitle), vanished: summary.courses.vanished.map(courseTitle) },
  });
  return plan;
}

/** The one write that makes a snapshot and its plan count. An empty snapshot that a guard refused never does. */
async function putInForce(
  store: Store,
  state: SourceState,
  plan: Plan,
  taken: Taken,
  rules: string,
  run: Run,
): Promise<void> {
  await store.runs.put(run);
  if (plan.courseEntriesWith === 'held') await dropStaged(store, state);
  else Object.assign(state, { current: taken.snapshot.number, staging: null, rules });
  Object.assign(state, {
    pending: plan.plan,
    applying: { plan: plan.plan, part: 'free' },
    held: plan.heldTypes.length ? plan.plan : null,
  });
  await store.sources.put(state);
}

/** Applies what needs nobody, writes the outcome, and only then lets go of the plan. */
async function finishPlan(rosterd: Rosterd, state: SourceState, plan: Plan, run: Run, started: number): Promise<void> {
  await applyPlan(rosterd.store, plan, state.applying!.part, interests(rosterd.config), rosterd.work);
  const changed = Object.keys(plan.counts).length > 0;
  const waits = plan.heldTypes.length > 0 && state.applying!.part === 'free';
  await endRun(rosterd, run, waits ? 'held' : changed ? 'applied' : 'unchanged', started);
  state.applying = null;
  await rosterd.store.sources.put(state);
}

/**
 * What a dead process left behind: a plan in force is applied to its end, a snapshot that never came into force is
 * thrown away, and a run that never ended is ended. Safe to call at any time under the lock.
 */
export async function finishInterrupted(rosterd: Rosterd, source: string): Promise<void> {
  const { store, work } = rosterd;
  const state = await store.sources.get(source);
  if (state.applying) {
    const plan = (await store.plans.get(state.applying.plan))!;
    const run = (await store.runs.get(plan.run))!;
    work.log.warn({ event: 'run.resumed', run: run.run, source }, `${source}: finishing run ${run.run}`);
    run.error = null;
    await finishPlan(rosterd, state, plan, run, work.clock.monotonic());
  }
  if (state.staging !== null) await dropStaged(store, state);
  for (const run of await store.runs.list({ source, limit: 10 }))
    if (run.status === 'running') {
      run.error = { kind: 'Stopped', message: 'rosterd was stopped in the middle; nothing of this run was applied' };
      await endRun(rosterd, run, 'failed', work.clock.monotonic());
    }
}

async function dropStaged(store: Store, state: SourceState): Promise<void> {
  if (state.staging === null) return;
  await store.rows.discard(state.source, state.staging);
  state.staging = null;
  await store.sources.put(state);
}

async function endRun(rosterd: Rosterd, run: Run, status: Run['status'], started: number): Promise<Run> {
  const { clock, log } = rosterd.work;
  run.status = status;
  if (status !== 'running') run.endedAt = clock.now().toISOString();
  run.durationMs = Math.round(clock.monotonic() - started);
  await rosterd.store.runs.put(run);
  const facts = { event: `run.${status}`, run: run.run, source: run.source, changes: run.changes, error: run.error };
  if (status === 'failed') log.error(facts, `${run.source}: ${run.error?.message}`);
  else if (status === 'held') log.warn(facts, `${run.source}: removals wait for approval`);
  else log.info(facts, `${run.source}: ${status}`);
  return run;
}

function newRun(source: string, { trigger, dryRun }: { trigger: string; dryRun: boolean }, now: Date): Run {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return {
    run: `${stamp}-${source}-${randomBytes(3).toString('hex')}`,
    source,
    trigger,
    dryRun,
    status: 'running',
    startedAt: now.toISOString(),
    endedAt: null,
    durationMs: null,
    snapshot: { id: null, complete: false, records: 0, quarantined: 0 },
    quarantine: [],
    plan: null,
    digest: null,
    changes: {},
    guards: [],
    heldTypes: [],
    conflicts: 0,
    blocked: 0,
    courses: { new: [], vanished: [] },
    decision: null,
    error: null,
  };
}

function describe(run: Run, { snapshot, quarantine }: Taken): void {
  const { source, number, records, quarantined } = snapshot;
  run.snapshot = { id: snapshotId(source, number), complete: true, records, quarantined };
  run.quarantine = quarantine.slice(0, 100).map(({ file, line, column, reason }) => ({ file, line, column, reason }));
}

async function archive(answer: Answer, source: string, work: Work): Promise<void> {
  try {
    await answer.accepted();
  } catch (error) {
    work.log.warn({ event: 'pull.archive', source, error: messageOf(error) }, `${source}: ${messageOf(error)}`);
  }
}

/** The targets as the outbox needs to know them. */
export function interests(config: Config): TargetInterest[] {
  return config.targets
    .filter((target) => target.enabled)
    .map((target) => ({ target: target.name, accepts: target.connector.accepts }));
}
