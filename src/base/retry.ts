import pRetry from 'p-retry';
import type { Clock } from './clock.ts';
import { Unavailable } from './errors.ts';

/** How often and how patiently something is tried again. Times in milliseconds. */
export interface RetryPolicy {
  /** Attempts after the first one. */
  retries: number;
  /** Wait before the first retry; doubles each time, with jitter. */
  firstWaitMs: number;
  /** Upper end of one wait, and of what a `Retry-After` may ask of us inside one run. */
  longestWaitMs: number;
}

/**
 * The one place where a retry is decided: `Unavailable` is tried again after its own delay or the policy's back-off,
 * whichever is longer; everything else is thrown at once. A delay longer than the policy's longest wait ends the attempts:
 * the next run is the better place to wait than a process that holds its batch. `signal` ends the waits and starts no other
 * attempt; an attempt in hand ends by a signal of its own, so that what it brings is never thrown away.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  clock: Clock,
  signal: AbortSignal,
  attempt: () => Promise<T>,
  onRetry: (error: Unavailable, attempt: number) => void = () => {},
): Promise<T> {
  signal.throwIfAborted();
  const again = (error: Error): error is Unavailable =>
    error instanceof Unavailable && (error.delayMs ?? 0) <= policy.longestWaitMs;
  return pRetry(attempt, {
    retries: policy.retries,
    // the waits are ours, below: on the clock that was passed in, and one for each retry
    minTimeout: 0,
    shouldRetry: ({ error }) => again(error),
    onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
      signal.throwIfAborted();
      if (!again(error) || retriesLeft === 0) return;
      onRetry(error, attemptNumber);
      // a delay of nothing, or of a date long past, is no leave to come back at once
      await clock.wait(Math.max(error.delayMs ?? 0, backOff(policy, attemptNumber)), signal);
    },
  });
}

/**
 * The wait after a failed attempt, from 1: doubles with each, spread over twice its length, so that many waiters do not
 * come back together.
 */
export function backOff(
  { firstWaitMs, longestWaitMs }: Pick<RetryPolicy, 'firstWaitMs' | 'longestWaitMs'>,
  attempt: number,
): number {
  return Math.min(longestWaitMs, Math.round(firstWaitMs * 2 ** (attempt - 1) * (1 + Math.random())));
}
