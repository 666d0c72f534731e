import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { delayOf, kindOf, messageOf } from '../base/errors.ts';
import type { Taken } from '../snapshot/take.ts';
import { type Run, type RunStatus, snapshotId } from '../store/port.ts';
import type { Rosterd } from './rosterd.ts';

/** A run's own document: opened before anything is asked, ended with its outcome, and one log line for it. */

/** What sets a run off. */
export interface RunOrder {
  /** Who asked: `cli`, `signal`, `socket`, `push`; or what: `schedule`, `catch-up` after downtime, `retry` after a failed run. */
  trigger: string;
  dryRun: boolean;
  /** An id that was given out before the run began. */
  run?: string;
}

/** The id of a run to come. */
export function newRunId(source: string, clock: Clock): string {
  const stamp = clock.now().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${source}-${randomBytes(3).toString('hex')}`;
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
export function noteSnapshot(run: Run, { snapshot, quarantine, remarks, remarked }: Taken): void {
  const { source, number, records, quarantined } = snapshot;
  run.snapshot = { id: snapshotId(source, number), complete: true, records, quarantined };
  run.quarantine = quarantine
    .slice(0, listed)
    .map(({ file, line, column, reason }) => ({ file, line, column, reason }));
  if (remarked) run.remarks = { count: remarked, first: remarks };
}

/** Ends a run: its document, and the log line of its outcome. */
export async function endRun({ store, work }: Rosterd, run: Run, status: RunStatus): Promise<Run> {
  run.status = status;
  run.endedAt = work.clock.now().toISOString();
  run.durationMs = Date.parse(run.endedAt) - Date.parse(run.startedAt);
  await store.runs.put(run);
  const facts = { event: `run.${status}`, run: run.run, source: run.source, changes: run.changes, error: run.error };
  if (status === 'failed') work.log.error(facts, `${run.source}: ${run.error?.message}`);
  else if (status === 'held') work.log.warn(facts, `${run.source}: removals wait for approval`);
  else work.log.info(facts, `${run.source}: ${status}`);
  return run;
}

/** Writes into the run why it failed. An error that is none of ours is a bug, and logged with its stack. */
export function noteError({ work }: Rosterd, run: Run, error: unknown): void {
  run.error = { kind: work.signal.aborted ? 'Stopped' : kindOf(error), message: messageOf(error), ...delayOf(error) };
  if (run.error.kind === 'Unexpected')
    work.log.error({ event: 'run.bug', run: run.run, err: error }, `${run.source}: unexpected error`);
}
