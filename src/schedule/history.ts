import type { Run } from '../store/port.ts';
import type { Failure } from './breaker.ts';
import { refreshes } from './freshness.ts';

/**
 * What the runs of a source, as the store has them, say about what is to be done now. Dry runs that somebody asked for say
 * nothing; those of a source that is in dry run are its runs.
 */
export interface History {
  /** True when a schedule ever set off a run: only then one can have been missed. */
  scheduled: boolean;
  /** The newest run was cut, by a stop or by the end of its process. */
  cut: boolean;
  /** When the newest run began that came to an end of its own; null when there is none. */
  last: Date | null;
  /** Failed runs in a row, up to the newest. */
  failures: number;
  /** The newest of these, and when it ended. */
  failure: (Failure & { at: Date }) | null;
  /** When the newest run began that refreshes; see `freshnessOf`. */
  refreshed: Date | null;
}

/** Triggers of runs that a schedule sets off, at once or late. */
const byItself: readonly string[] = ['schedule', 'catch-up', 'retry'];

/** A source with so many runs that say nothing has no history to speak of. */
const most = 1_000;
const pageSize = 100;

/** Reads runs, newest first, until they have told everything. */
export async function readHistory(page: (skip: number, limit: number) => Promise<readonly Run[]>): Promise<History> {
  const history: History = { scheduled: false, cut: false, last: null, failures: 0, failure: null, refreshed: null };
  let counting = true;
  let newest = true;
  for (let skip = 0; skip < most; skip += pageSize) {
    const runs = await page(skip, pageSize);
    for (const run of runs) {
      if (byItself.includes(run.trigger)) history.scheduled = true;
      if (run.dryRun && !byItself.includes(run.trigger)) continue;
      const wasCut = run.status === 'running' || run.error?.kind === 'Stopped';
      if (newest) history.cut = wasCut;
      newest = false;
      if (wasCut) continue;
      history.last ??= new Date(run.startedAt);
      if (refreshes(run)) history.refreshed ??= new Date(run.startedAt);
      if (run.status !== 'failed') counting = false;
      else if (counting) {
        history.failures += 1;
        if (run.error) history.failure ??= { ...run.error, at: new Date(run.endedAt ?? run.startedAt) };
      }
    }
    if (runs.length < pageSize || (history.scheduled && history.refreshed && !counting)) break;
  }
  return history;
}

/** When the newest run began that refreshes; looks no further back than one that is known. */
export async function lastRefresh(
  page: (skip: number, limit: number) => Promise<readonly Run[]>,
  known: Date | null,
): Promise<Date | null> {
  for (let skip = 0; skip < most; skip += 20) {
    const runs = await page(skip, 20);
    const found = runs.find(refreshes);
    if (found) return new Date(found.startedAt);
    const oldest = runs.at(-1);
    if (!oldest || (known && new Date(oldest.startedAt) <= known)) return known;
  }
  return known;
}
