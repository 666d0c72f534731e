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
 * everything else is thrown at once. A delay longer than the policy's longest wait ends the attempts: the next run
 * is the better place to wait than a process that holds its batch.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  clock: Clock,
  signal: AbortSignal,
  attempt: () => Promise<T>,
  onRetry: (error: Unavailable, attempt: number) => void = () => {},
): Promise<T> {
  return pRetry(attempt, {
    retries: policy.retries,
    minTimeout: policy.firstWaitMs,
    maxTimeout: policy.longestWaitMs,
    factor: 2,
    randomize: true,
    signal,
    shouldRetry: ({ error }) =>
      error instanceof Unavailable && (error.delayMs === undefined || error.delayMs <= policy.longestWaitMs),
    onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
      if (!(error instanceof Unavailable) || retriesLeft === 0) return;
      onRetry(error, attemptNumber);
      if (error.delayMs !== undefined && error.delayMs <= policy.longestWaitMs) await clock.wait(error.delayMs, signal);
    },
  });
}
