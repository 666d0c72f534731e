import { createHash } from 'node:crypto';
import { Cron } from 'croner';

/**
 * When a source is due.
 *
 * A *scheduled time* is what the cron expression says, by the clocks of the time zone. In the nights when clocks change, an
 * expression without `*` and steps in minute and hour means times of the day: one that the clocks leap over comes at the
 * first instant after the leap, one that they show twice comes the first time, so each comes once. An expression with
 * `*` or a step there means intervals, which follow real time.
 *
 * A *due time* is a scheduled time, put off by a part of the jitter: never early, and always before the next scheduled
 * time. The part is spread evenly over the jitter. It follows from the seed (who the source is) and the scheduled time, so
 * that it is another one for each source and each time, and still the same for every process that works it out: a
 * restart neither repeats nor forgets a time.
 */
export interface Calendar {
  /** The first due time after an instant; null when there is none. */
  next(after: Date): Date | null;
  /** The last due time at or before an instant; null when there is none. */
  previous(at: Date): Date | null;
}

/** The due times of a cron expression of five fields that `cronProblem` has nothing against. */
export function calendarOf(schedule: string, timezone: string, jitterMs: number, seed: string): Calendar {
  const cron = cronOf(schedule, timezone);
  const due = (scheduled: Date): Date => new Date(scheduled.getTime() + part(seed, scheduled) * jitterMs);
  // croner counts in whole seconds and leaves out the instant itself
  const before = (instant: Date): Date | null => cron.previousRuns(1, new Date(instant.getTime() + 1_000))[0] ?? null;
  return {
    next(after) {
      let scheduled = cron.nextRun(new Date(after.getTime() - jitterMs - 1_000));
      while (scheduled && due(scheduled) <= after) scheduled = cron.nextRun(scheduled);
      return scheduled && due(scheduled);
    },
    previous(at) {
      let scheduled = before(at);
      while (scheduled && due(scheduled) > at) scheduled = before(new Date(scheduled.getTime() - 1_000));
      return scheduled && due(scheduled);
    },
  };
}

/** Milliseconds between the two scheduled times that are nearest to one another, of the next hundred. */
export function shortestInterval(schedule: string, timezone: string): number {
  const times = cronOf(schedule, timezone).nextRuns(100, new Date('2026-01-01T00:00:00Z'));
  return Math.min(...times.slice(1).map((time, i) => time.getTime() - times[i]!.getTime()));
}

function cronOf(schedule: string, timezone: string): Cron {
  return new Cron(schedule, { timezone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
}

/** A number from 0 to below 1. */
function part(seed: string, scheduled: Date): number {
  return createHash('sha256').update(`${seed} ${scheduled.toISOString()}`).digest().readUInt32BE(0) / 2 ** 32;
}
