import type { Run } from '../store/port.ts';
import type { Calendar } from './calendar.ts';

/**
 * How old what rosterd believes is: the age of the last run of a source that was complete and fully applied, or that found
 * nothing changed. Held, failed, incomplete, skipped and dry runs make nothing fresher, nor do looks at an old answer.
 */
export type Freshness =
  /** Nobody could be asked yet. */
  | { state: 'unknown' }
  | { state: 'never' }
  /** `staleAt`: null where nothing says how old it may be, on demand and without `freshness`. */
  | { state: 'fresh' | 'stale'; at: Date; ageMs: number; staleAt: Date | null };

/** True for a run after which the roster says what the source said. */
export function refreshes(run: Run): boolean {
  return !run.dryRun && run.snapshot.complete && (run.status === 'applied' || run.status === 'unchanged');
}

/**
 * Freshness at an instant. `last`: when the last run that refreshes began, for that is when the source said it; null when
 * there was none, undefined when that is not known. It may get as old as `freshnessMs`, else two intervals of the
 * schedule: the one that it lies in and the one after, so that a weekend without times is no fault, and one missed run is
 * not yet one.
 */
export function freshnessOf(
  last: Date | null | undefined,
  { calendar, freshnessMs }: { calendar: Calendar | null; freshnessMs: number | null },
  now: Date,
): Freshness {
  if (last === undefined) return { state: 'unknown' };
  if (last === null) return { state: 'never' };
  const allowedMs = freshnessMs ?? (calendar && twoIntervals(calendar, last));
  const staleAt = allowedMs === null ? null : new Date(last.getTime() + allowedMs);
  const ageMs = Math.max(0, now.getTime() - last.getTime());
  return { state: staleAt !== null && now > staleAt ? 'stale' : 'fresh', at: last, ageMs, staleAt };
}

function twoIntervals(calendar: Calendar, at: Date): number | null {
  const [before, next] = [calendar.previous(at), calendar.next(at)];
  const second = next && calendar.next(next);
  return before && second && second.getTime() - before.getTime();
}
