import { describe, expect, test } from 'vitest';
import {
  type BreakerState,
  begun,
  type Circumstances,
  closedUntil,
  type Failure,
  failed,
  healthy,
  undecided,
  waits,
} from '../../../src/schedule/breaker.ts';

const minute = 60_000;
const start = Date.parse('2026-01-15T00:00:00Z');
const minuteOf = (minutes: number): Date => new Date(start + minutes * minute);
const policy = { firstWaitMs: minute, longestWaitMs: 60 * minute, openAfter: 5 };
const now = (more: Partial<Circumstances> = {}): Circumstances => ({
  ...{ now: minuteOf(0), nextDue: minuteOf(24 * 60), retries: true, policy, ...more },
});
const away: Failure = { kind: 'Unavailable', message: 'away' };
const minutesTo = (date: Date | null): number => (date!.getTime() - start) / minute;

/** So many failures in a row. */
function failures(count: number, failure = away, circumstances = now()): BreakerState {
  let state = healthy;
  for (let i = 0; i < count; i += 1) state = failed(begun(state), failure, circumstances);
  return state;
}

describe('closed', () => {
  test('each wait doubles, spread over twice its length, up to the longest', () => {
    const patient = now({ policy: { ...policy, openAfter: 1000 } });
    for (const [count, least] of [
      [1, 1],
      [2, 2],
      [3, 4],
      [6, 32],
      [7, 60],
      [900, 60],
    ] as const) {
      const waits = Array.from({ length: 20 }, () => minutesTo(failures(count, away, patient).retryAt));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(least);
      expect(Math.max(...waits)).toBeLessThanOrEqual(Math.min(2 * least, 60));
      if (least < 30) expect(new Set(waits).size).toBeGreaterThan(1);
    }
  });

  test.each(['Unavailable', 'Incomplete', 'Rejected', 'Unexpected'])('%s is tried again', (kind) => {
    expect(failures(1, { ...away, kind }).retryAt).not.toBeNull();
  });

  test.each(['Denied', 'Misconfigured'])('%s is not', (kind) => {
    expect(failures(1, { ...away, kind })).toMatchObject({
      state: 'closed',
      failures: 1,
      retryAt: null,
      notBefore: null,
    });
  });

  test('a scheduled time that is sooner is the try', () => {
    expect(failures(1, away, now({ nextDue: minuteOf(0.5) })).retryAt).toBeNull();
  });

  test('what the other side said is kept to the millisecond, a day at most', () => {
    const said = (minutes: number): Failure => ({ ...away, delayMs: minutes * minute });
    expect(failures(1, said(7))).toMatchObject({ retryAt: minuteOf(7), notBefore: minuteOf(7) });
    // a scheduled time before is too soon, one at that moment is the try
    expect(failures(1, said(7), now({ nextDue: minuteOf(3) }))).toMatchObject({
      retryAt: minuteOf(7),
      notBefore: minuteOf(7),
    });
    expect(failures(1, said(7), now({ nextDue: minuteOf(7) }))).toMatchObject({
      retryAt: null,
      notBefore: minuteOf(7),
    });
    expect(failures(1, said(1e6), now({ nextDue: null })).retryAt).toEqual(minuteOf(24 * 60));
  });

  test('what the other side said takes nothing off the wait: a short one would use up all the tries at once', () => {
    for (const delayMs of [0, 1000]) {
      const waits = [1, 2, 3, 4].map((count) => minutesTo(failures(count, { ...away, delayMs }).retryAt));
      for (const [index, wait] of waits.entries()) {
        expect(wait).toBeGreaterThanOrEqual(2 ** index);
        expect(wait).toBeLessThanOrEqual(2 * 2 ** index);
      }
    }
    // a scheduled time after it is not too soon
    const soon = failures(1, { ...away, delayMs: 0 }, now({ nextDue: minuteOf(0.5) }));
    expect(soon).toMatchObject({ retryAt: null, notBefore: minuteOf(0) });
  });

  test('without retries nothing comes by itself', () => {
    expect(failures(1, away, now({ retries: false }))).toMatchObject({ retryAt: null, notBefore: null });
    expect(failures(9, away, now({ retries: false }))).toMatchObject({ state: 'open', retryAt: null });
  });
});

describe('open', () => {
  test('after so many failures, for the longest wait, and then one retry', () => {
    const open = failures(5);
    expect(failures(4).state).toBe('closed');
    expect(open).toMatchObject({ state: 'open', failures: 5, notBefore: minuteOf(60), retryAt: minuteOf(60) });
    expect(closedUntil(open, minuteOf(59))).toEqual(minuteOf(60));
    expect(closedUntil(open, minuteOf(60))).toBeNull();
    expect(begun(open).state).toBe('half-open');
  });

  test('for longer when the other side said so', () => {
    expect(failures(5, { ...away, delayMs: 90 * minute }).notBefore).toEqual(minuteOf(90));
    expect(failures(5, { ...away, delayMs: minute }).notBefore).toEqual(minuteOf(60));
  });

  test('for what a person must do there is no retry', () => {
    expect(failures(5, { ...away, kind: 'Denied' })).toMatchObject({ notBefore: minuteOf(60), retryAt: null });
  });
});

describe('half-open', () => {
  const half = begun(failures(5));

  test('one failure opens it again', () => {
    const again = failed(half, away, now({ now: minuteOf(60) }));
    expect(again).toMatchObject({ state: 'open', failures: 6, notBefore: minuteOf(120), retryAt: minuteOf(120) });
  });

  test('also when the numbers have changed meanwhile', () => {
    expect(failed(half, away, now({ policy: { ...policy, openAfter: 100 } })).state).toBe('open');
  });

  test('a run that came to no end says nothing', () => {
    expect(undecided(half, now({ now: minuteOf(60) }))).toMatchObject({
      ...{ state: 'open', failures: 5, notBefore: minuteOf(120), retryAt: minuteOf(120) },
    });
    // a person tried before its time
    expect(undecided(half, now({ now: minuteOf(10) }))).toMatchObject({
      notBefore: minuteOf(60),
      retryAt: minuteOf(60),
    });
    const denied = begun(failures(5, { ...away, kind: 'Denied' }));
    expect(undecided(denied, now({ now: minuteOf(60) }))).toMatchObject({ state: 'open', retryAt: null });
  });
});

test('a retry that came to no end is not repeated at once', () => {
  const closed = failures(1);
  const later = undecided(closed, now({ now: minuteOf(5) }));
  expect(later).toMatchObject({ state: 'closed', failures: 1, retryAt: minuteOf(65) });
  expect(undecided(healthy, now())).toEqual(healthy);
});

test('a delivery that leaves single people waiting closes it, and comes again when they should be tried', () => {
  const later = { kind: 'Waiting', message: 'changes of 1 person were put off', delayMs: 10 * minute };
  expect(waits(later, now())).toEqual({
    ...{ state: 'closed', failures: 0, notBefore: null, failure: later },
    retryAt: minuteOf(10),
  });
  expect(waits({ ...later, delayMs: 500 }, now()).retryAt).toEqual(minuteOf(1));
  expect(waits({ ...later, delayMs: 30 * 24 * 60 * minute }, now()).retryAt).toEqual(minuteOf(24 * 60));
  expect(waits(later, now({ retries: false })).retryAt).toBeNull();
});
