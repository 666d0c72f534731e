import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/base/clock.ts';
import { Denied, Incomplete, Misconfigured, Rejected, Unavailable } from '../../../src/base/errors.ts';
import { withRetry } from '../../../src/base/retry.ts';

const policy = { retries: 3, firstWaitMs: 1000, longestWaitMs: 30_000 };
const never = new AbortController().signal;

/** A clock whose waits are over at once, and written down. */
function quickClock(): Clock & { waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => new Date(0),
    monotonic: () => 0,
    async wait(ms, signal) {
      signal?.throwIfAborted();
      waits.push(ms);
    },
  };
}

/** An attempt that fails with each of the errors in turn, then succeeds. */
function failing(...errors: unknown[]): { attempt: () => Promise<string>; calls(): number } {
  let calls = 0;
  return {
    calls: () => calls,
    async attempt() {
      const error = errors[calls];
      calls += 1;
      if (calls <= errors.length) throw error;
      return 'done';
    },
  };
}

const away = (delayMs?: number): Unavailable => new Unavailable('away', delayMs === undefined ? {} : { delayMs });

describe('what is tried again', () => {
  test('Unavailable, until it works', async () => {
    const { attempt, calls } = failing(away(), away(), away());
    await expect(withRetry(policy, quickClock(), never, attempt)).resolves.toBe('done');
    expect(calls()).toBe(4);
  });

  test('Unavailable, as often as the policy says; then its last error is the answer', async () => {
    const last = new Unavailable('still away');
    const { attempt, calls } = failing(away(), away(), away(), last, away());
    const clock = quickClock();
    await expect(withRetry(policy, clock, never, attempt)).rejects.toBe(last);
    expect(calls()).toBe(4);
    expect(clock.waits, 'nobody waits for an attempt that does not come').toHaveLength(3);
  });

  test.each([
    ['Misconfigured', new Misconfigured('m')],
    ['Denied', new Denied('d')],
    ['Incomplete', new Incomplete('i')],
    ['Rejected', new Rejected('r')],
    ['a network error of somebody else', Object.assign(new Error('reset'), { code: 'ECONNRESET' })],
    ['what fetch throws', new TypeError('fetch failed')],
    ['a bug', new TypeError('x is not a function')],
  ])('%s is not', async (_name, error) => {
    const { attempt, calls } = failing(error);
    const clock = quickClock();
    await expect(withRetry(policy, clock, never, attempt)).rejects.toBe(error);
    expect(calls()).toBe(1);
    expect(clock.waits).toEqual([]);
  });

  test('another error after a retry ends it', async () => {
    const denied = new Denied('the password was changed');
    const { attempt, calls } = failing(away(), denied, away());
    await expect(withRetry(policy, quickClock(), never, attempt)).rejects.toBe(denied);
    expect(calls()).toBe(2);
  });
});

describe('how long it waits', () => {
  test("the other side's delay, where it is the longer one", async () => {
    const clock = quickClock();
    await withRetry(policy, clock, never, failing(away(7_000), away(8_000), away(30_000)).attempt);
    expect(clock.waits).toEqual([7_000, 8_000, 30_000]);
  });

  test('no delay of the other side makes it impatient', async () => {
    const clock = quickClock();
    await withRetry(policy, clock, never, failing(away(0), away(1), away(999)).attempt);
    clock.waits.forEach((wait, i) => {
      expect(wait).toBeGreaterThanOrEqual(1000 * 2 ** i);
      expect(wait).toBeLessThanOrEqual(2000 * 2 ** i);
    });
    expect(clock.waits).toHaveLength(3);
  });

  test('a delay longer than the longest wait ends the attempts at once', async () => {
    const patient = away(30_001);
    const { attempt, calls } = failing(patient);
    const clock = quickClock();
    const retries: number[] = [];
    const run = withRetry(policy, clock, never, attempt, (_error, n) => retries.push(n));
    await expect(run).rejects.toBe(patient);
    expect([calls(), clock.waits, retries]).toEqual([1, [], []]);
  });

  test('without a delay: doubling, spread, and never longer than the longest wait', async () => {
    const clock = quickClock();
    const many = { retries: 8, firstWaitMs: 1000, longestWaitMs: 30_000 };
    await withRetry(many, clock, never, failing(...Array.from({ length: 8 }, () => away())).attempt);
    expect(clock.waits).toHaveLength(8);
    clock.waits.forEach((wait, i) => {
      const least = Math.min(1000 * 2 ** i, 30_000);
      expect(wait).toBeGreaterThanOrEqual(least);
      expect(wait).toBeLessThanOrEqual(Math.min(least * 2, 30_000));
    });
  });
});

test('each retry is told, with its error and the number of the attempt that failed', async () => {
  const [first, second] = [away(), away(5)];
  const told: [Unavailable, number][] = [];
  await withRetry(policy, quickClock(), never, failing(first, second).attempt, (error, n) => told.push([error, n]));
  expect(told).toEqual([
    [first, 1],
    [second, 2],
  ]);
  expect(told.map(([error]) => error)).toEqual([first, second]);
});

describe('an abort', () => {
  test('before the start: nothing is tried', async () => {
    const { attempt, calls } = failing();
    await expect(withRetry(policy, quickClock(), AbortSignal.abort('stopped'), attempt)).rejects.toBe('stopped');
    expect(calls()).toBe(0);
  });

  test('in a wait: its reason comes out, and nothing more is tried', async () => {
    const controller = new AbortController();
    const { attempt, calls } = failing(away(5));
    const clock = {
      ...quickClock(),
      wait: async (_ms: number, signal?: AbortSignal): Promise<void> => {
        controller.abort(new Error('stopped'));
        signal?.throwIfAborted();
      },
    };
    await expect(withRetry(policy, clock, controller.signal, attempt)).rejects.toThrow('stopped');
    expect(calls()).toBe(1);
  });

  test('during an attempt: no retry is announced, even when the reason is Unavailable', async () => {
    const controller = new AbortController();
    const reason = new Unavailable('stopped by SIGTERM');
    const told: number[] = [];
    const run = withRetry(
      policy,
      quickClock(),
      controller.signal,
      async () => {
        controller.abort(reason);
        throw reason;
      },
      (_error, n) => told.push(n),
    );
    await expect(run).rejects.toBe(reason);
    expect(told).toEqual([]);
  });
});
