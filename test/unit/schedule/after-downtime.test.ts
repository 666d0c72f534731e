import { describe, expect, test } from 'vitest';
import { configOf, runOf, Service, sourceOf, started } from '../../support/service.ts';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const away = { kind: 'Unavailable', message: 'away' };

describe('after downtime', () => {
  const nightly = configOf([sourceOf('sis', '15 2 * * *')]);
  const history = async (runs: Parameters<typeof runOf>[], config = nightly): Promise<Service> => {
    const service = new Service(config, '2026-01-20T10:00:00Z');
    service.past = runs.map((run) => runOf(...run));
    await service.scheduler.start();
    await service.clock.advance(1000);
    return service;
  };

  test('a missed run is made up for once, however many were missed', async () => {
    const service = await history([['sis', '2026-01-16T02:15:01Z']]);
    expect(service.began).toEqual(['sis catch-up 2026-01-20T10:00:00']);
    expect(service.events('schedule.missed')).toMatchObject([{ source: 'sis', due: '2026-01-20T02:15:00.000Z' }]);
    await service.clock.advance(16 * hour);
    expect(service.began).toHaveLength(1);
    await service.clock.advance(hour);
    expect(service.began[1]).toBe('sis schedule 2026-01-21T02:15:00');
  });

  test('and again after the next start it is not', async () => {
    const service = await history([['sis', '2026-01-16T02:15:01Z']]);
    const next = await history(service.past.map((run) => [run.source, run.startedAt, run]));
    expect(next.began).toEqual([]);
  });

  test.each<[string, Parameters<typeof runOf>[]]>([
    ['the last due time has been served', [['sis', '2026-01-20T02:15:01Z']]],
    [
      'a person has run it since',
      [
        ['sis', '2026-01-20T09:00:00Z', { trigger: 'cli' }],
        ['sis', '2026-01-16T02:15:01Z'],
      ],
    ],
    ['it never had a schedule', [['sis', '2026-01-16T02:15:01Z', { trigger: 'cli' }]]],
    ['it never ran', []],
  ])('nothing is made up for when %s', async (_why, runs) => {
    expect((await history(runs)).began).toEqual([]);
  });

  test('nor without a schedule, nor disabled', async () => {
    const runs: Parameters<typeof runOf>[] = [['sis', '2026-01-16T02:15:01Z']];
    expect((await history(runs, configOf([sourceOf('sis', null)]))).began).toEqual([]);
    expect((await history(runs, configOf([sourceOf('sis', '15 2 * * *', { enabled: false })]))).began).toEqual([]);
  });

  test('a dry run that somebody asked for is no run; one that a stop has cut is none either', async () => {
    const dry = await history([
      ['sis', '2026-01-20T09:00:00Z', { trigger: 'cli', dryRun: true }],
      ['sis', '2026-01-16T02:15:01Z'],
    ]);
    expect(dry.began).toHaveLength(1);
    const error = { kind: 'Stopped', message: 'stopped by SIGTERM' };
    const cut = await history([
      ['sis', '2026-01-20T02:15:01Z', { status: 'failed', error }],
      ['sis', '2026-01-19T02:15:01Z'],
    ]);
    expect(cut.began).toEqual(['sis catch-up 2026-01-20T10:00:00']);
  });

  test('a run whose process died is made up for', async () => {
    const service = await history([['sis', '2026-01-20T02:15:01Z', { status: 'running' }]]);
    expect(service.began).toEqual(['sis catch-up 2026-01-20T10:00:00']);
  });

  test('what failed before has failed: a refused login is not tried again by a restart', async () => {
    const error = { kind: 'Denied', message: 'wrong password' };
    const service = await history([['sis', '2026-01-20T02:15:01Z', { status: 'failed', error }]]);
    expect(service.began).toEqual([]);
    expect(service.scheduler.status.sources[0]!.breaker).toMatchObject({ failures: 1, retryAt: null });
  });

  test('five failures in a row are five after a restart as well', async () => {
    const runs = [9, 8, 7, 6, 5].map((hours): Parameters<typeof runOf> => {
      const at = `2026-01-20T0${hours}:50:00Z`;
      return ['sis', at, { status: 'failed', error: away, endedAt: at }];
    });
    const service = await history(runs, configOf([sourceOf('sis', '50 * * * *')]));
    const { breaker } = service.scheduler.status.sources[0]!;
    expect(breaker).toMatchObject({ state: 'open', failures: 5, notBefore: new Date('2026-01-20T10:50:00Z') });
  });
});

describe('a machine that slept, a clock that was set', () => {
  test('what went by is made up for once', async () => {
    const service = await started(configOf([sourceOf('sis', '15 2 * * *')]));
    await service.clock.advance(3 * hour);
    service.clock.set(3 * day);
    await service.clock.advance(hour);
    expect(service.began).toHaveLength(2);
    expect(service.began[1]).toMatch(/^sis schedule 2026-01-18T03:0[01]/);
    expect(service.events('schedule.missed')).toHaveLength(1);
  });

  test('a clock that stood wrong, and is set right, keeps no due time of the wrong year', async () => {
    const service = await started(configOf([sourceOf('sis', '15 2 * * *')]), '2036-01-15T00:00:00Z');
    service.clock.set(-10 * 365 * day);
    await service.clock.advance(2 * minute);
    expect(service.events('schedule.set-back')).toHaveLength(1);
    await service.clock.advance(3 * hour);
    expect(service.began).toHaveLength(1);
  });

  test('a correction of seconds repeats nothing', async () => {
    const service = await started(configOf([sourceOf('sis', '15 2 * * *')]));
    await service.clock.advance(2 * hour + 15 * minute);
    service.clock.set(-5000);
    await service.clock.advance(hour);
    expect(service.began).toHaveLength(1);
  });
});
