import { describe, expect, test } from 'vitest';
import { calendarOf, shortestInterval } from '../../../src/schedule/calendar.ts';

/** The first due times after an instant. */
function timesAfter(
  from: string,
  count: number,
  schedule: string,
  timezone: string,
  jitterMs = 0,
  seed = '',
): string[] {
  const calendar = calendarOf(schedule, timezone, jitterMs, seed);
  const times: string[] = [];
  for (let at: Date | null = new Date(from); times.length < count; times.push(at!.toISOString()))
    at = calendar.next(at!);
  return times;
}

const seconds = (times: readonly string[]): string[] => times.map((time) => time.replace('.000Z', ''));

describe('the hours are those of the time zone', () => {
  test.each([
    ['15 2 * * *', 'UTC', ['2026-01-15T02:15:00', '2026-01-16T02:15:00']],
    ['15 2 * * *', 'Europe/Berlin', ['2026-01-15T01:15:00', '2026-01-16T01:15:00']],
    ['15 2 * * *', 'America/Los_Angeles', ['2026-01-15T10:15:00', '2026-01-16T10:15:00']],
    ['0 0 29 2 *', 'UTC', ['2028-02-29T00:00:00', '2032-02-29T00:00:00']],
    ['0 12 13 * fri', 'UTC', ['2026-01-16T12:00:00', '2026-01-23T12:00:00']],
    ['0 12 * * 7', 'UTC', ['2026-01-18T12:00:00', '2026-01-25T12:00:00']],
  ])('%s in %s', (schedule, timezone, times) => {
    expect(seconds(timesAfter('2026-01-15T00:00:00Z', 2, schedule, timezone))).toEqual(times);
  });
});

describe('the nights when clocks change', () => {
  test.each([
    // Berlin, 29 March: 02:00 to 03:00 is not there
    ['30 2 * * *', '2026-03-28T12:00:00Z', ['2026-03-29T01:00:00', '2026-03-30T00:30:00']],
    // both lie in the leap, and come together
    ['0,30 2 * * *', '2026-03-28T12:00:00Z', ['2026-03-29T01:00:00', '2026-03-30T00:00:00', '2026-03-30T00:30:00']],
    ['30 2,3 * * *', '2026-03-28T12:00:00Z', ['2026-03-29T01:00:00', '2026-03-29T01:30:00', '2026-03-30T00:30:00']],
    // Berlin, 25 October: 02:00 to 03:00 is there twice
    ['30 2 * * *', '2026-10-24T12:00:00Z', ['2026-10-25T00:30:00', '2026-10-26T01:30:00']],
    ['0,30 2 * * *', '2026-10-24T12:00:00Z', ['2026-10-25T00:00:00', '2026-10-25T00:30:00', '2026-10-26T01:00:00']],
    // intervals follow real time
    ['*/30 2 * * *', '2026-10-24T12:00:00Z', ['2026-10-25T00:00:00', '2026-10-25T00:30:00', '2026-10-25T01:00:00']],
    ['0 * * * *', '2026-03-29T00:00:00Z', ['2026-03-29T01:00:00', '2026-03-29T02:00:00']],
  ])('%s after %s', (schedule, from, times) => {
    expect(seconds(timesAfter(from, times.length, schedule, 'Europe/Berlin'))).toEqual(times);
  });

  test('a leap of half an hour', () => {
    // Lord Howe, 4 October: 02:00 to 02:30 is not there
    expect(seconds(timesAfter('2026-10-02T16:00:00Z', 2, '15 2 * * *', 'Australia/Lord_Howe'))).toEqual([
      '2026-10-03T15:30:00',
      '2026-10-04T15:15:00',
    ]);
  });

  test.each(['2026-03-20T00:00:00Z', '2026-10-20T00:00:00Z'])('each day of the ten after %s has one', (from) => {
    const days = timesAfter(from, 10, '30 2 * * *', 'Europe/Berlin').map((time) => time.slice(0, 10));
    expect(new Set(days).size).toBe(10);
  });

  test('looking back finds what looking forward found', () => {
    for (const schedule of ['30 2 * * *', '0,30 2 * * *', '0 * * * *'])
      for (const from of ['2026-03-28T12:00:00Z', '2026-10-24T12:00:00Z'])
        for (const time of timesAfter(from, 20, schedule, 'Europe/Berlin')) {
          const calendar = calendarOf(schedule, 'Europe/Berlin', 0, '');
          const at = new Date(time);
          expect(calendar.previous(at)).toEqual(at);
          expect(calendar.previous(new Date(at.getTime() + 1))).toEqual(at);
          expect(calendar.previous(new Date(at.getTime() - 1))!.getTime()).toBeLessThan(at.getTime());
          expect(calendar.next(new Date(at.getTime() - 1))).toEqual(at);
        }
  });
});

describe('jitter', () => {
  const jitterMs = 5 * 60_000;
  const late = (time: string): number => Date.parse(time) - Date.parse(`${time.slice(0, 11)}02:15:00Z`);
  const days = (seed: string, count = 1000): string[] =>
    timesAfter('2026-01-01T00:00:00Z', count, '15 2 * * *', 'UTC', jitterMs, seed);

  test('puts each time off by a part of it, never more, spread evenly', () => {
    const parts = days('a').map((time) => late(time) / jitterMs);
    expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...parts)).toBeLessThan(1);
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const there = parts.filter((part) => Math.floor(part * 10) === tenth).length;
      expect(there).toBeGreaterThan(60);
      expect(there).toBeLessThan(140);
    }
  });

  test('is another one for each source, and the same for each process', () => {
    expect(days('a', 10)).toEqual(days('a', 10));
    expect(days('a', 10).map(late)).not.toEqual(days('b', 10).map(late));
    expect(new Set(days('a', 10).map(late)).size).toBe(10);
  });

  test('neither repeats nor forgets a time, wherever one looks from', () => {
    const calendar = calendarOf('*/10 * * * *', 'UTC', 9 * 60_000, 'a');
    const times = timesAfter('2026-01-01T00:00:00Z', 300, '*/10 * * * *', 'UTC', 9 * 60_000, 'a').map(Date.parse);
    times.slice(1).forEach((time, i) => {
      const before = times[i]!;
      expect(time).toBeGreaterThan(before);
      for (const at of [before, Math.floor((before + time) / 2), time - 1]) {
        expect(calendar.next(new Date(at))!.getTime()).toBe(time);
        expect(calendar.previous(new Date(at))!.getTime()).toBe(before);
      }
    });
  });
});

test('the shortest time between two scheduled times', () => {
  expect(shortestInterval('15 2 * * *', 'UTC')).toBe(86_400_000);
  expect(shortestInterval('0,20 2 * * *', 'UTC')).toBe(1_200_000);
  expect(shortestInterval('* * * * *', 'UTC')).toBe(60_000);
});
