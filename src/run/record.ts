import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { delayOf, failureOf, mayPass } from '../base/errors.ts';
import type { Taken } from '../snapshot/take.ts';
import { type Run, type RunStatus, snapshotId } from '../store/port.ts';
import { lastGoodOf } from './fresh.ts';
import type { Rosterd } from './rosterd.ts';

/** A run's own document: opened before anything is asked, ended with its outcome, and one log line for it. */

/** What sets a run off. */
export interface RunOrder {
  /** Who asked: `cli`, `signal`, `socket`, `push`; or what: `schedule`, `catch-up` after downtime, `retry` after a failed run. */
  trigger: string;
  dryRun: boolean;
  /** The scheduled time that it is for. */
  due?: Date;
  /** An id that was given out before the run began. */
  run?: string;
}

/** The id of a run to come. */
export function newRunId(source: string, clock: Clock): string {
  const stamp = clock.now().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${source}-${randomBytes(3).toString('hex')}`;
}

/**
 * When the run of an id began, to the second; plans have the id of their run, and the ids of outbox items begin with it.
 * Told by the id alone, because a run may be forgotten before its items have arrived. Null for an id that is none of ours.
 */
export function startOf(id: string): Date | null {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-/.exec(id) ?? [];
  return year ? new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) : null;
}

/** Quarantined rows that a run's document lists; the snapshot has them all. */
const listed = 100;

/** Opens a run and writes it down. */
export async function openRun({ store, work }: Rosterd, source: string, order: RunOrder): Promise<Run> {
  const run: Run = {
    run: order.run ?? newRunId(source, work.clock),
    source,
    trigger: order.trigger,
    dryRun: order.dryRun,
    status: 'running',
    startedAt: work.clock.now().toISOString(),
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
  await store.runs.put(run);
  return run;
}

/** Writes into the run what its snapshot is. */
export function noteSnapshot(run: Run, { snapshot, answered, quarantine, remarks, remarked }: Taken): void {
  const { source, number, records, quarantined } = snapshot;
  run.snapshot = { id: snapshotId(source, number), complete: answered, records, quarantined };
  run.quarantine = quarantine
    .slice(0, listed)
    .map(({ file, line, column, reason }) => ({ file, line, column, reason }));
  if (remarked) run.remarks = { count: remarked, first: remarks };
}

/** Ends a run: its document, and the log line of its outcome. `error`: what was thrown, if that is why. */
export async function endRun(rosterd: Rosterd, run: Run, status: RunStatus, error?: unknown): Promise<Run> {
  const { store, work } = rosterd;
  const endedAt = work.clock.now().toISOString();
  const ended = { status, endedAt, durationMs: Date.parse(endedAt) - Date.parse(run.startedAt) };
  // it has ended when that is written, not before
  await store.runs.put({ ...run, ...ended });
  Object.assign(run, ended);
  const guards = run.guards.filter((guard) => guard.held).map(({ guard }) => guard);
  work.observer?.runEnded(run.source, status);
  if (guards.length && run.decision === null) work.observer?.guardsTripped(run.source, guards);
  await tellOutcome(rosterd, run, guards, error);
  return run;
}

async function tellOutcome({ store, work }: Rosterd, run: Run, guards: string[], error: unknown): Promise<void> {
  const { log } = work;
  const { source, trigger, dryRun, status, durationMs, changes } = run;
  const { id: snapshot, records, quarantined } = run.snapshot;
  const brief = { run: run.run, source, trigger, dryRun, durationMs };
  const facts = { ...brief, snapshot, records, quarantined, changes };
  switch (status) {
    case 'applied':
      log.info({ event: 'run.applied', ...facts }, `${source}: applied`);
      break;
    case 'unchanged':
      log.info({ event: 'run.unchanged', ...facts }, `${source}: unchanged`);
      break;
    case 'planned':
      log.info({ event: 'run.planned', ...facts }, `${source}: planned`);
      break;
    case 'skipped':
      log.info({ event: 'run.skipped', ...brief }, `${source}: nothing new`);
      break;
    case 'held': {
      const { digest, heldTypes: held } = run;
      const lastGood = await lastGoodOf(store, source);
      const text = `${source}: removals wait for approval`;
      log.warn({ event: 'run.held', ...facts, digest, held, guards, lastGood }, text);
      break;
    }
    case 'failed': {
      const lastGood = await lastGoodOf(store, source);
      const { kind, message } = run.error!;
      const level = kind === 'Stopped' ? 'info' : mayPass(kind) ? 'warn' : 'error';
      // What is none of ours is a bug, and only its stack says where.
      const err = kind === 'Unexpected' ? error : null;
      log.at(level, { event: 'run.failed', ...brief, error: run.error, err, lastGood }, `${source}: ${message}`);
    }
  }
  const { conflicts, blocked } = run;
  // Not again when a person decided about it, nor when the same answer came again.
  if (run.plan && run.decision === null && (quarantined || conflicts || blocked))
    log.warn(
      { event: 'run.doubt', run: run.run, source, quarantined, conflicts, blocked },
      `${source}: ${doubtOf(run)}`,
    );
}

/** What a run could not be sure of; leavers who are kept back are the part that a person misses at the targets. */
function doubtOf({ snapshot: { quarantined }, conflicts, blocked }: Run): string {
  const parts = [
    quarantined && `${quarantined} ${quarantined === 1 ? 'row' : 'rows'} in quarantine`,
    conflicts && `${conflicts} ${conflicts === 1 ? 'person' : 'people'} in conflict`,
    blocked &&
      `${blocked} ${blocked === 1 ? 'person' : 'people'} may have left, but the rows are unclear: nothing is taken`,
  ];
  return parts.filter(Boolean).join(', ');
}

/** Writes into the run why it failed. */
export function noteError({ work }: Rosterd, run: Run, error: unknown): void {
  const failure = { ...failureOf(error), ...delayOf(error) };
  run.error = work.signal.aborted ? { ...failure, kind: 'Stopped' } : failure;
}

/** Tells that a run's plan could not be applied to its end. The run stays open. */
export function interruptRun({ work }: Rosterd, run: Run, error: unknown): Run {
  const err = run.error?.kind === 'Unexpected' ? error : null;
  work.log.warn(
    { event: 'run.interrupted', run: run.run, source: run.source, error: run.error, err },
    `${run.source}: ${run.error?.message}; the next run goes on`,
  );
  return run;
}
