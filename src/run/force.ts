import { rulesFingerprint } from '../configure/rules.ts';
import { applyPlan } from '../outbox/apply.ts';
import type { Taken } from '../snapshot/take.ts';
import type { Plan, Run, SourceState, Store } from '../store/port.ts';
import { endRun } from './record.ts';
import { interests, type Rosterd } from './rosterd.ts';

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
  const rules = rulesFingerprint(config);
  await store.runs.put(run);
  await outdateRules(store, state.source, rules);
  if (plan.courseEntriesWith === 'held') {
    await dropStaged(store, state);
    if (state.rules !== rules) state.rules = outdated;
  } else {
    state.current = taken.snapshot.number;
    state.staging = null;
    state.rules = rules;
  }
  state.pending = plan.plan;
  state.applying = { plan: plan.plan, part: 'free' };
  state.held = plan.heldTypes.length ? plan.plan : null;
  await store.sources.put(state);
  return finishPlan(rosterd, state, plan, run);
}

/** No fingerprint: everybody of the source is looked at in its next run, whatever the rules are then. */
const outdated = '';

/**
 * A run under new rules may change people of other sources too. Those have to look at everybody again even if the old
 * rules are back by the time of their next run.
 */
async function outdateRules(store: Store, source: string, rules: string): Promise<void> {
  for (const other of await store.sources.all())
    if (other.source !== source && other.rules && other.rules !== rules)
      await store.sources.put({ ...other, rules: outdated });
}

/** Lets the held part of a plan pass: a person approved it. From the first write on a crash is finished by the next start. */
export async function enforceHeld(rosterd: Rosterd, state: SourceState, plan: Plan, run: Run): Promise<Run> {
  state.held = null;
  state.applying = { plan: plan.plan, part: 'held' };
  await rosterd.store.sources.put(state);
  return finishPlan(rosterd, state, plan, run);
}

async function finishPlan(rosterd: Rosterd, state: SourceState, plan: Plan, run: Run): Promise<Run> {
  const { part } = state.applying!;
  await applyPlan(rosterd.store, plan, part, interests(rosterd.config), rosterd.work);
  const changed = Object.keys(plan.counts).length > 0;
  const waits = part === 'free' && plan.heldTypes.length > 0;
  await endRun(rosterd, run, waits ? 'held' : changed ? 'applied' : 'unchanged');
  state.applying = null;
  await rosterd.store.sources.put(state);
  return run;
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
    await finishPlan(rosterd, state, plan, run);
  }
  await dropStaged(store, state);
  for (const run of await store.runs.list({ source, limit: 10 }))
    if (run.status === 'running') {
      run.error = { kind: 'Stopped', message: 'rosterd was stopped in the middle; nothing of this run was applied' };
      await endRun(rosterd, run, 'failed');
    }
}

/** Throws away a snapshot that is not in force, if there is one. */
export async function dropStaged(store: Store, state: SourceState): Promise<void> {
  if (state.staging === null) return;
  await store.rows.discard(state.source, state.staging);
  state.staging = null;
  await store.sources.put(state);
}
