import { Incomplete } from '../base/errors.ts';
import type { SourceConfig } from '../configure/config.ts';
import { courseRules, rulesFingerprint } from '../configure/rules.ts';
import { courseTitle } from '../connector/target.ts';
import { keyOfPending, type Note } from '../reconcile/model.ts';
import { makePlan } from '../reconcile/plan.ts';
import type { Taken } from '../snapshot/take.ts';
import type { Plan, Run, Snapshot, SourceState, Store } from '../store/port.ts';
import { touchedPeople } from '../store/touched.ts';
import type { Rosterd } from './rosterd.ts';
import { rolesNow, rulesChanged } from './rules.ts';

/** More notes than any plan has. */
const all = 2 ** 31 - 1;

/**
 * Works out the plan of a run and stores it; null when there is nothing to look at: the same bytes, the same rules, and
 * nobody left pending. Nothing that it writes counts before `enforce`.
 */
export async function planRun(
  { config, store, work }: Rosterd,
  source: SourceConfig,
  state: SourceState,
  run: Run,
  taken: Taken,
): Promise<Plan | null> {
  const { snapshot, before, answered } = taken;
  const left = state.pending ? await store.plans.pendingKeys(state.pending) : [];
  const everything = await rulesChanged(store, state, rulesFingerprint(config));
  if (!taken.staged && !left.length && !everything) return null;

  const people = left.filter((key) => !key.startsWith('c:')).map(keyOfPending);
  const openCourses = left.filter((key) => key.startsWith('c:')).map((key) => key.slice(2));
  const sink = store.plans.sink(run.run);
  const summary = await makePlan(
    {
      source: source.name,
      evidence: store.rows.evidence(source.name, snapshot.number),
      touched: touchedPeople(store, source.name, snapshot.number, taken.touched, people, everything),
      precedence: config.sources.map((one) => one.name),
      ...(await rolesNow(store, config, source.name)),
      courseRules: courseRules(config),
      courses: { ...taken.courses, gone: answered ? [...new Set([...taken.courses.gone, ...openCourses])] : [] },
      everything,
      blockAll: taken.blockAll,
      answered,
      limits: source.limits,
      // somebody has said that it is empty indeed
      records: { now: snapshot.records, before: state.emptyApproved ? 0 : (before?.records ?? null) },
      rows: Math.max(rowsOf(snapshot), before ? rowsOf(before) : 0, state.givenSince?.rows ?? 0),
      givenSince: state.givenSince ?? { accounts: 0, enrolments: 0 },
      numbers: await store.roster.nextNumbers(),
      today: work.clock.now(),
      progress: (count) => {
        work.signal.throwIfAborted();
        work.progress(source.name, `${count.toLocaleString('en')} people looked at`);
      },
    },
    sink,
  );
  if (!answered) await sink.pending(openCourses.map((key) => `c:${key}`));
  run.guards = summary.guards;
  if (summary.refused && !summary.heldTypes.length) {
    await store.plans.discard(run.run);
    const text = `the answer is empty, and the one before has ${before!.records} records of people who are there`;
    throw new Incomplete(text, { remedy: 'look at the export; nothing of it counts, and nobody is taken for gone' });
  }
  // The snapshot stays out of force, so whom the last one left pending is still pending, and in conflict who was.
  if (summary.refused) await sink.pending(left);
  const conflicts = summary.refused ? await openConflicts(store, state, run.run) : [];
  if (conflicts.length) await sink.note(conflicts);
  const plan: Plan = {
    plan: run.run,
    run: run.run,
    source: source.name,
    snapshot: snapshot.number,
    digest: summary.digest,
    heldTypes: summary.heldTypes,
    counts: summary.counts,
    courseEntries: summary.courses.entries,
    courseEntriesWith: summary.refused ? 'held' : 'free',
  };
  await store.plans.put(plan);
  run.plan = plan.plan;
  run.digest = summary.digest;
  run.changes = summary.counts;
  run.heldTypes = summary.heldTypes;
  run.conflicts = summary.conflicts + conflicts.length;
  run.blocked = summary.blocked;
  run.courses = {
    new: summary.courses.fresh.map(courseTitle),
    vanished: summary.courses.vanished.map(courseTitle),
  };
  return plan;
}

/** Rows that a source spoke of, with those that nobody could read. */
export function rowsOf({ records, quarantined }: Snapshot): number {
  return records + quarantined;
}

/** The conflicts of the plan in force that a new one has not noted itself. */
async function openConflicts(store: Store, state: SourceState, plan: string): Promise<Note[]> {
  if (state.pending === null) return [];
  const before = (await store.plans.notes(state.pending, all)).filter(({ kind }) => kind === 'conflict');
  if (!before.length) return [];
  const keyOf = ({ account, reason, text }: Note): string => [account, reason, text].join('\n');
  const noted = new Set((await store.plans.notes(plan, all)).map(keyOf));
  return before.filter((note) => !noted.has(keyOf(note)));
}
