import { describe, expect, test } from 'vitest';
import { calendarOf } from '../../../src/schedule/calendar.ts';
import { freshnessOf, refreshes } from '../../../src/schedule/freshness.ts';
import { lastRefresh, readHistory } from '../../../src/schedule/history.ts';
import type { Run } from '../../../src/store/port.ts';
import { configOf, runOf, Service, sourceOf, started } from '../../support/service.ts';

const hour = 3_600_000;
const at = (text: string): Date => new Date(`2026-01-${text}:00Z`);
const staleAt = (schedule: string, last: string): string => {
  const freshness = freshnessOf(
    at(last),
    { calendar: calendarOf(schedule, 'UTC', 0, ''), freshnessMs: null },
    at(last),
  );
  return 'staleAt' in freshness ? freshness.staleAt!.toISOString().slice(8, 16) : freshness.state;
};

describe('which runs make it fresher', () => {
  const complete = { id: 'sis-1', complete: true, records: 1, quarantined: 0 };
  test.each<[boolean, Partial<Run>]>([
    [true, { status: 'applied' }],
    [true, { status: 'unchanged' }],
    [false, { status: 'held' }],
    [false, { status: 'failed' }],
    [false, { status: 'failed', snapshot: { ...complete, complete: false } }],
    [false, { status: 'applied', snapshot: { ...complete, complete: false } }],
    [false, { status: 'skipped' }],
    [false, { status: 'running' }],
    [false, { status: 'planned', dryRun: true }],
    [false, { status: 'unchanged', dryRun: true }],
  ])('%s: %j', (expected, run) => {
    expect(refreshes(runOf('sis', at('15T02:15'), { snapshot: complete, ...run }))).toBe(expected);
  });
});

describe('how old it may be', () => {
  test.each([
    ['15 2 * * *', '15T02:15', '17T02:15'],
    ['15 2 * * *', '15T02:16', '17T02:16'],
    // just before its time, and long after it: two intervals all the same
    ['15 2 * * *', '15T02:14', '17T02:14'],
    ['15 2 * * *', '15T20:00', '17T20:00'],
    ['0 * * * *', '15T02:00', '15T04:00'],
    // Friday the 16th, then Monday and Tuesday
    ['45 2 * * mon-fri', '16T02:45', '20T02:45'],
    ['45 2 * * mon-fri', '15T02:45', '19T02:45'],
    ['45 2 * * mon-fri', '14T02:45', '16T02:45'],
  ])('by %s, data of %s is stale from %s on', (schedule, last, expected) => {
    expect(staleAt(schedule, last)).toBe(expected);
  });

  test('is what the source says, when it says it', () => {
    const limits = { calendar: calendarOf('15 2 * * *', 'UTC', 0, ''), freshnessMs: 26 * hour };
    expect(freshnessOf(at('15T02:15'), limits, at('16T04:15'))).toEqual({
      ...{ state: 'fresh', at: at('15T02:15'), ageMs: 26 * hour, staleAt: at('16T04:15') },
    });
    expect(freshnessOf(at('15T02:15'), limits, at('16T04:16'))).toMatchObject({ state: 'stale' });
    expect(freshnessOf(at('15T02:15'), { ...limits, calendar: null }, at('16T04:16'))).toMatchObject({
      state: 'stale',
    });
  });

  test('has no limit on demand, and there is none before the first run', () => {
    const limits = { calendar: null, freshnessMs: null };
    expect(freshnessOf(at('01T00:00'), limits, at('31T00:00'))).toMatchObject({
      ...{ state: 'fresh', staleAt: null, ageMs: 720 * hour },
    });
    expect(freshnessOf(null, limits, at('31T00:00'))).toEqual({ state: 'never' });
    // another machine's clock is ahead
    expect(freshnessOf(at('02T00:00'), limits, at('01T00:00'))).toMatchObject({ ageMs: 0 });
  });
});

describe('the status of the service', () => {
  test('says what is stale, through failures and a restart, and what another process made fresh', async () => {
    const config = configOf([sourceOf('sis', '15 2 * * *')]);
    const service = new Service(config, '2026-01-15T03:00:00Z');
    service.past = [runOf('sis', at('15T02:15'))];
    await service.scheduler.start();
    const state = async (): Promise<string> => {
      await service.scheduler.lookUp();
      const { freshness } = service.scheduler.status.sources[0]!;
      return 'ageMs' in freshness ? `${freshness.state} ${Math.floor(freshness.ageMs / hour)} h` : freshness.state;
    };
    expect(await state()).toBe('fresh 0 h');
    service.fates['sis'] = [{ status: 'held' }];
    await service.clock.advance(46 * hour);
    expect(await state()).toBe('fresh 46 h');
    await service.clock.advance(3 * hour);
    expect(await state()).toBe('stale 49 h');
    service.past.unshift(runOf('sis', service.clock.now(), { trigger: 'cli', status: 'unchanged' }));
    expect(await state()).toBe('fresh 0 h');
    service.fates['sis'] = [{}];
    await service.clock.advance(24 * hour);
    expect(await state()).toBe('fresh 1 h');
  });

  test('is told as far as it is known while the store is away', async () => {
    const service = new Service(configOf([sourceOf('sis', '15 2 * * *')]), '2026-01-15T03:00:00Z');
    service.past = [runOf('sis', at('15T02:15'))];
    await service.scheduler.start();
    service.runs = () => Promise.reject(new Error('no store'));
    await expect(service.scheduler.lookUp()).rejects.toThrow('no store');
    expect(service.scheduler.status.sources[0]!.freshness).toMatchObject({ state: 'fresh' });
  });

  test('is not known, and not never, before the store was read', async () => {
    const service = new Service(configOf([sourceOf('sis', '15 2 * * *')]));
    expect(service.scheduler.status.sources[0]!.freshness).toEqual({ state: 'unknown' });
  });

  test('never, for a source that has none', async () => {
    const service = await started(configOf([sourceOf('sis', '15 2 * * *')]));
    expect(service.scheduler.status.sources[0]!.freshness).toEqual({ state: 'never' });
  });
});

describe('the history of a source', () => {
  const pages = (runs: readonly Run[]) => {
    const asked: number[] = [];
    const page = async (skip: number, limit: number): Promise<Run[]> => {
      asked.push(skip);
      return runs.slice(skip, skip + limit);
    };
    return { asked, page };
  };
  const failedRun = (minutes: number, more: Partial<Run> = {}): Run => {
    const began = new Date(at('20T00:00').getTime() - minutes * 60_000);
    return runOf('sis', began, { status: 'failed', error: { kind: 'Denied', message: 'no' }, ...more });
  };

  test('counts what failed in a row, past what was cut and what was dry', async () => {
    const { page } = pages([
      failedRun(1, { error: { kind: 'Stopped', message: '' } }),
      failedRun(2),
      failedRun(3, { trigger: 'cli', dryRun: true }),
      failedRun(4),
      failedRun(5, { status: 'applied', error: null }),
      failedRun(6),
    ]);
    expect(await readHistory(page)).toEqual({
      ...{ scheduled: true, cut: true, last: at('19T23:58'), failures: 2, refreshed: at('19T23:55') },
      failure: { kind: 'Denied', message: 'no', at: at('19T23:58') },
    });
  });

  test('is read no further than it tells something, and to no end', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => failedRun(i));
    const good = pages([runOf('sis', at('20T00:00')), ...many]);
    await readHistory(good.page);
    expect(good.asked).toEqual([0]);
    const bad = pages(many);
    expect(await readHistory(bad.page)).toMatchObject({ failures: 1000, refreshed: null });
    expect(bad.asked).toHaveLength(10);
    const known = pages(many);
    expect(await lastRefresh(known.page, at('19T23:30'))).toEqual(at('19T23:30'));
    expect(known.asked).toEqual([0, 20]);
    expect(await lastRefresh(pages([]).page, null)).toBeNull();
  });
});
