import { directoriesOf, rulesFingerprint } from '../configure/rules.ts';
import { applyPlan, countsOf } from '../outbox/apply.ts';
import type { Taken } from '../snapshot/take.ts';
import { under, waitForLock } from '../store/exclusive.ts';
import type { Given, Lock, Plan, Run, Snapshot, SourceState, Store } from '../store/port.ts';
import { rowsOf } from './plan.ts';
import { endRun } from './record.ts';
import { interests, type Rosterd } from './rosterd.ts';
import { enterRules, outdated } from './rules.ts';

/**
 * The protocol by which a plan comes to count. The source's state is one document, and each arrow is one write of it:
 *
 *     (rows staged) → current = n, applying = plan → (effects, each repeatable) → (run ended) → applying = null
 *
 * A cut before the first arrow leaves what nobody sees, and the next run throws it away. A cut after it leaves
 * `applying`, and whoever comes next goes on from the last batch. Rows, plan and run are written before the arrow that
 * needs them; the order is the protocol, and no transaction over several documents is needed.
 */

/**
 * Makes a snapshot and its plan count, and applies what needs nobody. An empty snapshot that a guard refused does not
 * come into force, not even when its removals are approved: the people come back with the next good one.
 */
export async function enforce(rosterd: Rosterd, state: SourceState, plan: Plan, taken: Taken, run: Run): Promise<Run> {
  const { config, store } = rosterd;
  await store.runs.put(run);
  const rules = await enterRules(store, rulesFingerprint(config));
  if (plan.courseEntriesWith === 'held') {
    await dropStaged(store, state);
    if (state.rules !== rules) state.rules = outdated;
  } else {
    state.current = taken.snapshot.number;
    state.staging = null;
    // an empty one takes nobody but whom it had, see `PlanInput.touched`: the next one looks at everybody again
    state.rules = taken.snapshot.records ? rules : outdated;
    state.emptyApproved = false;
    state.directory = directoriesOf(config).has(plan.source);
  }
  state.pending = plan.plan;
  state.applying = { plan: plan.plan, part: 'free' };
  state.held = plan.heldTypes.length ? plan.plan : null;
  state.givenSince = plan.heldTypes.length || run.blocked ? givenWith(state.givenSince, plan, taken.before) : null;
  await store.sources.put(state);
  return finishPlan(rosterd, state, plan, run);
}

function givenWith(since: Given | null, { counts }: Plan, before: Snapshot | null): Given {
  const rows = since ? since.rows : before ? rowsOf(before) : 0;
  return {
    ...(rows === undefined ? {} : { rows }),
    accounts: (since?.accounts ?? 0) + (counts['account.create'] ?? 0) + (counts['account.enable'] ?? 0),
    enrolments: (since?.enrolments ?? 0) + (counts['enrolment.add'] ?? 0),
  };
}

/**
 * Works on the roster as the only one, and on a whole one: plans of other sources that a dead process left half applied
 * are finished first. Were they not, this plan would be made from half of that one, and its holder, when it only slept,
 * could go on writing what this one never touched. The caller holds the lock of its source.
 */
export async function withRoster<T>(
  rosterd: Rosterd,
  source: string,
  then: (rosterd: Rosterd) => Promise<T>,
): Promise<T> {
  const { store, work } = rosterd;
  for (;;) {
    const lock = await waitForLock(store, 'roster', work, source);
    try {
      const mine = { ...rosterd, work: under(lock, work) };
      if (await finishOthers(mine, source)) return await then(mine);
    } finally {
      await giveBack(lock);
    }
    // Somebody who is alive has that plan in hand, and needs the roster for it.
    await work.clock.wait(200, work.signal);
  }
}

/** Finishes the interrupted plans of all other sources; false when one of them is in somebody's hands. */
async function finishOthers(rosterd: Rosterd, source: string): Promise<boolean> {
  for (const other of await rosterd.store.sources.all()) {
    if (other.source === source || !other.applying) continue;
    const lock = await rosterd.store.lock(`source:${other.source}`);
    if (!lock) return false;
    try {
      await finishApplying({ ...rosterd, work: under(lock, rosterd.work) }, other.source);
    } finally {
      await giveBack(lock);
    }
  }
  return true;
}

/** One that cannot be given back ends by itself; what was done under it is done, and no failure. */
async function giveBack(lock: Lock): Promise<void> {
  await lock.release().catch(() => {});
}

/** Lets the held part of a plan pass: a person approved it. From the first write on a crash is finished by the next start. */
export async function enforceHeld(rosterd: Rosterd, state: SourceState, plan: Plan, run: Run): Promise<Run> {
  state.held = null;
  state.givenSince = null;
  state.emptyApproved = plan.courseEntriesWith === 'held';
  state.applying = { plan: plan.plan, part: 'held' };
  await rosterd.store.sources.put(state);
  return finishPlan(rosterd, state, plan, run);
}

async function finishPlan(rosterd: Rosterd, state: SourceState, plan: Plan, run: Run): Promise<Run> {
  const { part } = state.applying!;
  await applyPlan(rosterd.store, plan, part, interests(rosterd.config), rosterd.work);
  rosterd.work.observer?.changesApplied(plan.source, countsOf(plan, part));
  const changed = Object.keys(plan.counts).length > 0;
  const waits = part === 'free' && plan.heldTypes.length > 0;
  await endRun(rosterd, run, waits ? 'held' : changed ? 'applied' : 'unchanged');
  // Forgotten here only when it is written: else whoever catches the error would tell of a run in which nothing happened.
  await rosterd.store.sources.put({ ...state, applying: null });
  state.applying = null;
  return run;
}

/**
 * What a dead process left behind: a plan in force is applied to its end, a snapshot that never came into force is
 * thrown away, and a run that never ended is ended. Safe to call at any time under the source's lock.
 */
export async function finishInterrupted(rosterd: Rosterd, source: string): Promise<void> {
  const { store } = rosterd;
  let state = await store.sources.get(source);
  if (state.applying) state = await withRoster(rosterd, source, (mine) => finishApplying(mine, source));
  await dropStaged(store, state);
  for (const run of await store.runs.list({ source, limit: 10 }))
    if (run.status === 'running') {
      run.error = { kind: 'Stopped', message: 'rosterd was stopped in the middle; nothing of this run was applied' };
      await dropPlanned(store, state, run);
      await endRun(rosterd, run, 'failed');
    }
}

/** Applies a plan in force to its end; under the locks of its source and of the roster. */
async function finishApplying(rosterd: Rosterd, source: string): Promise<SourceState> {
  const { store, work } = rosterd;
  const state = await store.sources.get(source);
  if (!state.applying) return state;
  const plan = (await store.plans.get(state.applying.plan))!;
  const run = (await store.runs.get(plan.run))!;
  work.log.warn({ event: 'run.resumed', run: run.run, source }, `${source}: finishing run ${run.run}`);
  run.error = null;
  await finishPlan(rosterd, state, plan, run);
  return state;
}

/** True when the state of its source needs a plan: it waits for a person, leaves people pending, or is being applied. */
export function needsPlan({ held, pending, applying }: SourceState, plan: string): boolean {
  return held === plan || pending === plan || applying?.plan === plan;
}

/** Throws away what a run wrote of a plan that it did not come to the end of: nothing names it, and nobody would find it. */
export async function dropPlanned(store: Store, state: SourceState, { run, plan }: Run): Promise<void> {
  if (plan === null && !needsPlan(state, run)) await store.plans.discard(run);
}

/** Throws away a snapshot that is not in force, if there is one. */
export async function dropStaged(store: Store, state: SourceState): Promise<void> {
  if (state.staging === null) return;
  await store.rows.discard(state.source, state.staging);
  state.staging = null;
  await store.sources.put(state);
}
