import { describe, expect, test } from 'vitest';
import { Unavailable } from '../../../src/base/errors.ts';
import { configOf, Service, sourceOf, started, targetOf } from '../../support/service.ts';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const cli = { trigger: 'socket', dryRun: false };
const away = { kind: 'Unavailable', message: 'away' };

describe('after failures', () => {
  const hourly = configOf([sourceOf('sis', '0 * * * *')]);

  test('a run is tried again, later each time, at its scheduled time at the latest, and then not for an hour', async () => {
    const service = await started(hourly);
    service.fates['sis'] = [{ error: away }];
    await service.clock.advance(3 * hour + minute);
    const at = service.began.map((line) => line.split(' ') as [string, string, string]);
    expect(at[0]!.slice(1)).toEqual(['schedule', '2026-01-15T01:00:00']);
    const waits = at.slice(1).map(([, , time], i) => Date.parse(`${time}Z`) - Date.parse(`${at[i]![2]}Z`));
    // 1 to 2 minutes, 2 to 4, 4 to 8, 8 to 16: five failures, and the breaker is open
    [1, 2, 4, 8].forEach((least, i) => {
      expect(waits[i]).toBeGreaterThanOrEqual(least * minute);
      expect(waits[i]).toBeLessThanOrEqual(2 * least * minute);
    });
    expect(waits.slice(4)).toEqual(waits.slice(4).map(() => hour));
    expect(at.slice(1).map(([, trigger]) => trigger)).toEqual(at.slice(1).map(() => 'retry'));
    expect(service.events('schedule.opened')).toHaveLength(1);
    expect(service.events('schedule.opened')).toMatchObject([{ level: 'warn', failures: 5 }]);
    // 02:00 and 03:00 came while it was open
    expect(service.events('schedule.skipped').map(({ dues }) => dues)).toEqual([1, 1]);
    expect(service.scheduler.status.sources[0]!.breaker.state).toBe('open');

    service.fates['sis'] = [{}];
    await service.clock.advance(2 * hour);
    expect(service.scheduler.status.sources[0]!.breaker).toMatchObject({ state: 'closed', failures: 0 });
    expect(service.events('schedule.closed')).toHaveLength(1);
  });

  test('the retry is the scheduled time when that is sooner', async () => {
    const service = await started(
      configOf([sourceOf('sis', '* * * * *')], {
        service: { retry: { firstWaitMs: 5 * minute, longestWaitMs: hour, openAfter: 9 } },
      }),
    );
    service.fates['sis'] = [{ error: away }];
    await service.clock.advance(3 * minute);
    expect(service.began.map((line) => line.split(' ')[1])).toEqual(['schedule', 'schedule', 'schedule']);
  });

  test('the other side is left alone for as long as it said, also at scheduled times', async () => {
    const service = await started(hourly);
    service.fates['sis'] = [{ error: { ...away, delayMs: 150 * minute } }, {}];
    await service.clock.advance(4 * hour);
    expect(service.began).toEqual([
      'sis schedule 2026-01-15T01:00:00',
      'sis retry 2026-01-15T03:30:00',
      'sis schedule 2026-01-15T04:00:00',
    ]);
    expect(service.events('schedule.skipped').map(({ dues }) => dues)).toEqual([1, 1]);
  });

  test.each(['Denied', 'Misconfigured'])('%s is not tried again before its time', async (kind) => {
    const service = await started(hourly);
    service.fates['sis'] = [{ error: { kind, message: 'a person must act' } }];
    await service.clock.advance(5 * hour + minute);
    expect(service.began.map((line) => line.slice(-8))).toEqual([
      '01:00:00',
      '02:00:00',
      '03:00:00',
      '04:00:00',
      '05:00:00',
    ]);
    // now the breaker is open, and the first scheduled time after it is the one try
    await service.clock.advance(5 * hour);
    expect(service.began.slice(5).every((line) => line.startsWith('sis schedule'))).toBe(true);
    expect(service.events('schedule.opened')).toHaveLength(1);
  });

  test('what came due during a run that failed is left to the next try', async () => {
    const service = await started(configOf([sourceOf('sis', '0 * * * *')]));
    service.fates['sis'] = [{ ms: 70 * minute, error: { kind: 'Denied', message: 'no' } }, {}];
    await service.clock.advance(3 * hour + minute);
    expect(service.began).toEqual(['sis schedule 2026-01-15T01:00:00', 'sis schedule 2026-01-15T03:00:00']);
    expect(service.events('schedule.skipped')).toMatchObject([{ dues: 1, reason: expect.stringContaining('next at') }]);
  });

  test('a person may always try, and that counts', async () => {
    const service = await started(hourly);
    service.fates['sis'] = [...Array(5).fill({ error: away }), {}];
    await service.clock.advance(hour + 40 * minute);
    expect(service.scheduler.status.sources[0]!.breaker.state).toBe('open');
    await service.scheduler.runNow('sis', cli);
    expect(service.scheduler.status.sources[0]!.breaker.state).toBe('closed');
  });

  test('a dry run that somebody asks for counts for nothing', async () => {
    const service = await started(hourly);
    service.fates['sis'] = [{ throws: new Unavailable('away') }];
    await expect(service.scheduler.runNow('sis', { trigger: 'socket', dryRun: true })).rejects.toThrow('away');
    expect(service.scheduler.status.sources[0]!.breaker).toMatchObject({ failures: 0, retryAt: null });
  });

  test('without a schedule nothing is tried by itself', async () => {
    const service = await started(configOf([sourceOf('sis', null)]));
    service.fates['sis'] = [{ error: away }];
    await service.scheduler.runNow('sis', cli);
    await service.clock.advance(2 * day);
    expect(service.began).toHaveLength(1);
  });

  test('what throws is a failure like any other', async () => {
    const service = await started(hourly);
    service.fates['sis'] = [{ throws: new Unavailable('the store is away', { delayMs: 7 * minute }) }, {}];
    await service.clock.advance(hour + 10 * minute);
    expect(service.began).toEqual(['sis schedule 2026-01-15T01:00:00', 'sis retry 2026-01-15T01:07:00']);
  });

  test('a target that takes what others have is not left alone for one person', async () => {
    const service = new Service(configOf([sourceOf('sis', null)], { targets: [targetOf('lms')] }));
    const error = { kind: 'Waiting', message: 'changes of 1 person were put off', delayMs: 10 * minute };
    service.fates['lms'] = [{ error }];
    await service.scheduler.start();
    await service.clock.advance(hour);
    expect(service.deliveries.map((line) => line.split('T')[1])).toEqual(
      ['00:00', '00:10', '00:20', '00:30', '00:40', '00:50', '01:00'].map((time) => `${time}:00`),
    );
    expect(service.scheduler.status.targets[0]!.breaker).toMatchObject({
      state: 'closed',
      failures: 0,
      failure: error,
    });
    // what comes for others is delivered at once
    await service.scheduler.runNow('sis', cli);
    await service.clock.advance(0);
    expect(service.deliveries).toHaveLength(8);
    service.fates['lms'] = [{}];
    await service.clock.advance(hour);
    expect(service.deliveries).toHaveLength(9);
    expect(service.scheduler.status.targets[0]!.breaker).toMatchObject({ failure: null, retryAt: null });
  });

  test('a target is tried again like a source, and left alone like one', async () => {
    const service = new Service(configOf([sourceOf('sis', null)], { targets: [targetOf('lms')] }));
    service.fates['lms'] = [{ error: away }];
    await service.scheduler.start();
    await service.clock.advance(40 * minute);
    expect(service.deliveries).toHaveLength(5);
    expect(service.scheduler.status.targets[0]!.breaker.state).toBe('open');
    await service.scheduler.runNow('sis', cli);
    expect(service.deliveries).toHaveLength(5);
    service.fates['lms'] = [{}];
    await service.clock.advance(hour);
    expect(service.deliveries).toHaveLength(6);
    expect(service.scheduler.status.targets[0]!.breaker.state).toBe('closed');
  });
});
