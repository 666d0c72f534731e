import { backOff } from '../base/retry.ts';
import type { ServiceConfig } from '../configure/config.ts';

/**
 * What follows a failed run of a source, or a failed delivery to a target. (Retries inside a run are another matter, and
 * over by then: see `withRetry`.)
 *
 *                 a run failed, fewer than `openAfter` in a row
 *               ┌───────────┐
 *               ▼           │
 *        ┌──▶ closed ───────┴─ the last of `openAfter` failed ──▶ open ◀── it failed ──┐
 *        │                                                         └── a run began ──▶ half-open
 *        └───────────────────────────── it went well ─────────────────────────────────┘
 *
 * **closed**: everything runs at its time. After a failure a retry comes by itself: after a back-off that doubles from
 * `first` up to `longest`; or rather at the next scheduled time, when that is sooner. Where the other side said how long it
 * wants to be left alone (a `Retry-After`), it is left alone at least so long, also at scheduled times, a day at most.
 *
 * **open**: nothing runs by itself for `longest` (or for as long as the other side said). Scheduled times in between are
 * skipped. Then comes one retry.
 *
 * **half-open**: that one run is at work. It closes the breaker or opens it anew. A run that comes to no end of its own
 * (stopped, or another rosterd was at it) says nothing: open as before, and asked again after `longest`.
 *
 * `Denied` and `Misconfigured` have no retry of their own: a person has to act, and one login too many locks an account,
 * which is the worse error. The next scheduled time is the next try; when the breaker is open, the first one after its time.
 *
 * A delivery that went well but for single people, whose changes were put off, closes the breaker like any that went well: one
 * person must not have everybody wait. A retry comes for them, when they should be tried again.
 *
 * A run that a person asks for always runs, and counts like any other; a dry run that somebody asks for counts for nothing.
 */
export type BreakerState =
  | ({ state: 'closed' } & Failures)
  | ({ state: 'open' } & Failures)
  | ({ state: 'half-open' } & Failures);

interface Failures {
  /** In a row, up to now. */
  failures: number;
  /** Nothing runs by itself before. */
  notBefore: Date | null;
  /** When a run comes by itself, whatever the schedule says. */
  retryAt: Date | null;
  /** What failed last. */
  failure: Failure | null;
}

/** Why a run failed: `kind` as in `errors.ts`, and how long the other side asked to be left alone. */
export interface Failure {
  kind: string;
  message: string;
  delayMs?: number;
}

/** What decides about the time after a failure. */
export interface Circumstances {
  now: Date;
  /** The next scheduled time; null when there is no schedule. */
  nextDue: Date | null;
  /** False: nothing ever runs by itself (a source without a schedule). */
  retries: boolean;
  policy: ServiceConfig['retry'];
}

/** The longest that the other side can have itself left alone. */
const longestDelayMs = 86_400_000;

/** Nothing failed. */
export const healthy: BreakerState = { state: 'closed', failures: 0, notBefore: null, retryAt: null, failure: null };

/** Null when a run may begin by itself, else the time before which it may not. */
export function closedUntil({ notBefore }: BreakerState, now: Date): Date | null {
  return notBefore && notBefore > now ? notBefore : null;
}

/** A run begins. */
export function begun(breaker: BreakerState): BreakerState {
  return breaker.state === 'open' ? { ...breaker, state: 'half-open' } : breaker;
}

/** A run failed. */
export function failed(breaker: BreakerState, failure: Failure, circumstances: Circumstances): BreakerState {
  const { now, nextDue, retries, policy } = circumstances;
  const failures = breaker.failures + 1;
  const open = breaker.state === 'half-open' || failures >= policy.openAfter;
  const byItself = retries && failure.kind !== 'Denied' && failure.kind !== 'Misconfigured';
  const delay = failure.delayMs === undefined ? null : Math.min(failure.delayMs, longestDelayMs);
  const after = (ms: number): Date => new Date(now.getTime() + ms);
  if (open) {
    const until = after(Math.max(policy.longestWaitMs, delay ?? 0));
    return { state: 'open', failures, notBefore: until, retryAt: byItself ? until : null, failure };
  }
  const notBefore = delay === null ? null : after(delay);
  const retryAt = after(Math.max(delay ?? 0, backOff(policy, failures)));
  const scheduled = nextDue !== null && nextDue <= retryAt && (notBefore === null || nextDue >= notBefore);
  return { state: 'closed', failures, notBefore, retryAt: byItself && !scheduled ? retryAt : null, failure };
}

/** A delivery went well, and single people wait. */
export function waits(failure: Failure, { now, retries, policy }: Circumstances): BreakerState {
  const delay = Math.min(Math.max(failure.delayMs ?? 0, policy.firstWaitMs), longestDelayMs);
  return { ...healthy, failure, retryAt: retries ? new Date(now.getTime() + delay) : null };
}

/** A run came to no end of its own. */
export function undecided(breaker: BreakerState, { now, policy }: Circumstances): BreakerState {
  const later = new Date(now.getTime() + policy.longestWaitMs);
  const retryAt = breaker.retryAt && breaker.retryAt <= now ? later : breaker.retryAt;
  if (breaker.state !== 'half-open') return { ...breaker, retryAt };
  return {
    ...breaker,
    state: 'open',
    notBefore: breaker.notBefore && breaker.notBefore > now ? breaker.notBefore : later,
    retryAt,
  };
}
