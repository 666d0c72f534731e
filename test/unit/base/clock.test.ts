import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';

beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-01-15T02:15:00Z') }));
afterEach(() => void vi.useRealTimers());

test('tells the time, and durations that grow', () => {
  expect(systemClock.now()).toEqual(new Date('2026-01-15T02:15:00Z'));
  const before = systemClock.monotonic();
  vi.advanceTimersByTime(250);
  expect(systemClock.monotonic() - before).toBe(250);
});

test('waits as long as it was told, no shorter', async () => {
  let over = false;
  const wait = systemClock.wait(1000).then(() => {
    over = true;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(over).toBe(true);
  await wait;
});

test('waits for months as well, and an abort ends that', async () => {
  const days = 24 * 3_600_000;
  const controller = new AbortController();
  let over = 0;
  const count = (): void => {
    over += 1;
  };
  const wait = systemClock.wait(60 * days).then(count);
  const cut = expect(systemClock.wait(60 * days, controller.signal)).rejects.toBe('stopped');
  await vi.advanceTimersByTimeAsync(59 * days);
  expect(over).toBe(0);
  controller.abort('stopped');
  await cut;
  await vi.advanceTimersByTimeAsync(days);
  await wait;
  expect([over, vi.getTimerCount()]).toEqual([1, 0]);
});

test('an abort ends a wait with its reason, and leaves no timer', async () => {
  const controller = new AbortController();
  const reason = new Error('stopped');
  const wait = expect(systemClock.wait(60_000, controller.signal)).rejects.toBe(reason);
  expect(vi.getTimerCount()).toBe(1);
  controller.abort(reason);
  await wait;
  expect(vi.getTimerCount()).toBe(0);
});

test('an abort before the wait ends it as well', async () => {
  await expect(systemClock.wait(60_000, AbortSignal.abort('stopped'))).rejects.toBe('stopped');
  expect(vi.getTimerCount()).toBe(0);
});

test('a wait that is over lets go of the signal', async () => {
  const { signal } = new AbortController();
  const removed = vi.spyOn(signal, 'removeEventListener');
  const added = vi.spyOn(signal, 'addEventListener');
  const wait = systemClock.wait(10, signal);
  await vi.advanceTimersByTimeAsync(10);
  await wait;
  expect(removed.mock.calls.map(([event, listener]) => [event, listener])).toEqual(
    added.mock.calls.map(([event, listener]) => [event, listener]),
  );
});
