import { describe, expect, test } from 'vitest';
import { Unavailable } from '../../../src/base/errors.ts';
import { configOf, runOf, Service, sourceOf, targetOf } from '../../support/service.ts';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const cli = { trigger: 'socket', dryRun: false };
const away = { kind: 'Unavailable', message: 'away' };

/** A service that has started. */
async function started(...args: ConstructorParameters<typeof Service>): Promise<Service> {
  const service = new Service(...args);
  await service.scheduler.start();
  return service;
}

describe('schedules', () => {
  test('each source runs at its own times, in its own time zone', async () => {
    const service = await started(
      configOf([
        sourceOf('sis', '15 2 * * *'),
        sourceOf('hr', '15 2 * * *', { timezone: 'Europe/Berlin' }),
        sourceOf('by-hand', null),
      ]),
    );
    await service.clock.advance(2 * day);
    expect(service.began).toEqual([
      'hr schedule 2026-01-15T01:15:00',
      'sis schedule 2026-01-15T02:15:00',
      'hr schedule 2026-01-16T01:15:00',
      'sis schedule 2026-01-16T02:15:00',
    ]);
    const { sources } = await service.scheduler.status();
    expect(sources.map(({ name, next }) => [name, next?.toISOString() ?? null])).toEqual([
      ['sis', '2026-01-17T02:15:00.000Z'],
      ['hr', '2026-01-17T01:15:00.000Z'],
      ['by-hand', null],
    ]);
    await service.scheduler.stop('done');
    expect(service.clock.sleepers.size, 'no timer is left').toBe(0);
  });

  test('in the nights when clocks change a source runs once', async () => {
    const berlin = configOf([sourceOf('sis', '30 2 * * *', { timezone: 'Europe/Berlin' })]);
    const spring = await started(berlin, '2026-03-28T12:00:00Z');
    await spring.clock.advance(2 * day);
    expect(spring.began).toEqual(['sis schedule 2026-03-29T01:00:00', 'sis schedule 2026-03-30T00:30:00']);
    const autumn = await started(berlin, '2026-10-24T12:00:00Z');
    await autumn.clock.advance(2 * day);
    expect(autumn.began).toEqual(['sis schedule 2026-10-25T00:30:00', 'sis schedule 2026-10-26T01:30:00']);
  });

  test('jitter puts a run off, and status knows by how much', async () => {
    const service = await started(configOf([sourceOf('sis', '15 2 * * *', { jitterMs: 10 * minute })]));
    const next = (await service.scheduler.status()).sources[0]!.next!;
    await service.clock.advance(day);
    expect(service.began).toEqual([`sis schedule ${next.toISOString().slice(0, -5)}`]);
    const late = next.getTime() - Date.parse('2026-01-15T02:15:00Z');
    expect(late > 0 && late < 10 * minute).toBe(true);
  });

  test('a disabled source never runs', async () => {
    const service = await started(configOf([sourceOf('sis', '* * * * *', { enabled: false }), sourceOf('hr', null)]));
    await service.clock.advance(hour);
    expect(service.began).toEqual([]);
    await expect(service.scheduler.runNow('sis', cli)).rejects.toThrow('the source sis is disabled');
    await expect(service.scheduler.runNow('hrr', cli)).rejects.toThrow('there is no source hrr');
  });
});

describe('one source, one run at a time', () => {
  test('what comes due while a run is on is run once after it, and says so', async () => {
    const service = await started(configOf([sourceOf('sis', '*/10 * * * *')]));
    service.fates['sis'] = [{ ms: 35 * minute }, {}];
    await service.clock.advance(59 * minute);
    expect(service.began).toEqual([
      'sis schedule 2026-01-15T00:10:00',
      // due at 20, 30 and 40
      'sis schedule 2026-01-15T00:45:00',
      'sis schedule 2026-01-15T00:50:00',
    ]);
    expect(service.events('schedule.after').map(({ due }) => due)).toEqual(['2026-01-15T00:20:00.000Z']);
    expect(service.events('schedule.joined').map(({ due }) => due)).toEqual([
      '2026-01-15T00:30:00.000Z',
      '2026-01-15T00:40:00.000Z',
    ]);
    expect(service.events('schedule.begins').map(({ dues }) => dues)).toEqual([1, 3, 1]);
    expect(service.overlaps).toBe(0);
  });

  test('who asks gets the run that follows, not the one that is on', async () => {
    const service = await started(configOf([sourceOf('sis', null)]));
    service.fates['sis'] = [{ ms: minute }];
    const first = service.scheduler.runNow('sis', cli);
    await service.clock.advance(1000);
    const [second, third] = [service.scheduler.runNow('sis', cli), service.scheduler.runNow('sis', cli)];
    await service.clock.advance(hour);
    expect((await first).startedAt).toBe('2026-01-15T00:00:00.000Z');
    expect(await second).toBe(await third);
    expect((await second).startedAt).toBe('2026-01-15T00:01:00.000Z');
    expect(service.began).toHaveLength(2);
  });

  test('a dry run and another never become one', async () => {
    const service = await started(configOf([sourceOf('sis', null)]));
    service.fates['sis'] = [{ ms: minute }];
    void service.scheduler.runNow('sis', cli);
    await service.clock.advance(1000);
    const dry = service.scheduler.runNow('sis', { trigger: 'socket', dryRun: true });
    const real = service.scheduler.runNow('sis', cli);
    await service.clock.advance(hour);
    expect([(await dry).dryRun, (await real).dryRun]).toEqual([true, false]);
    expect(service.began.slice(1)).toEqual(['sis socket 2026-01-15T00:01:00 dry', 'sis socket 2026-01-15T00:02:00']);
  });

  test('a source that another rosterd is at work on is left to it', async () => {
    const service = await started(configOf([sourceOf('sis', '0 * * * *')]));
    service.fates['sis'] = [{ elsewhere: true }];
    await expect(service.scheduler.runNow('sis', cli)).rejects.toThrow('another rosterd is at work on sis');
    await service.clock.advance(2 * hour);
    expect(service.began).toHaveLength(3);
    expect((await service.scheduler.status()).sources[0]!.breaker.state).toBe('closed');
  });
});

describe('several sources', () => {
  test('so many as the file says run at once, first come first served', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const service = await started(configOf(names.map((name) => sourceOf(name, '0 * * * *'))));
    for (const name of names) service.fates[name] = [{ ms: 20 * minute }];
    await service.clock.advance(3 * hour);
    expect(service.most).toBe(2);
    // one hour is not enough for all of them: who was last is first among those that came after
    expect(
      service.began
        .slice(0, 8)
        .map((line) => line.slice(0, 1))
        .join(''),
    ).toBe('abcdeabc');
    expect(service.overlaps).toBe(0);
  });

  test('one that never ends does not keep the others from running', async () => {
    const service = await started(configOf([sourceOf('slow', '0 * * * *'), sourceOf('sis', '*/10 * * * *')]));
    service.fates['slow'] = [{ ms: 10 * day }];
    await service.clock.advance(2 * hour + minute);
    expect(service.began.filter((line) => line.startsWith('sis'))).toHaveLength(12);
  });

  test('targets are delivered to beside sources, after each run that is not dry', async () => {
    const service = await started(
      configOf([sourceOf('sis', null), sourceOf('hr', null)], { targets: [targetOf('lms'), targetOf('crm')] }),
    );
    service.fates = { sis: [{ ms: hour }], hr: [{ ms: minute }], lms: [{ ms: 10 * hour }] };
    void service.scheduler.runNow('sis', cli);
    void service.scheduler.runNow('hr', cli);
    await service.clock.advance(2 * minute);
    void service.scheduler.runNow('hr', { trigger: 'socket', dryRun: true });
    await service.clock.advance(2 * hour);
    expect(service.most, 'two sources and a target').toBe(3);
    expect(service.deliveries.filter((line) => line.startsWith('crm'))).toEqual([
      'crm 2026-01-15T00:00:00',
      'crm 2026-01-15T00:01:00',
      'crm 2026-01-15T01:00:00',
    ]);
    await service.clock.advance(10 * hour);
    // the second took ten hours; what came meanwhile is one after it
    expect(service.deliveries.filter((line) => line.startsWith('lms'))).toEqual([
      'lms 2026-01-15T00:00:00',
      'lms 2026-01-15T00:01:00',
      'lms 2026-01-15T10:01:00',
    ]);
  });
});

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
    expect((await service.scheduler.status()).sources[0]!.breaker).toMatchObject({ failures: 1, retryAt: null });
  });

  test('five failures in a row are five after a restart as well', async () => {
    const runs = [9, 8, 7, 6, 5].map((hours): Parameters<typeof runOf> => {
      const at = `2026-01-20T0${hours}:50:00Z`;
      return ['sis', at, { status: 'failed', error: away, endedAt: at }];
    });
    const service = await history(runs, configOf([sourceOf('sis', '50 * * * *')]));
    const { breaker } = (await service.scheduler.status()).sources[0]!;
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
    expect(service.events('schedule.opened')).toMatchObject([{ level: 40, failures: 5 }]);
    // 02:00 and 03:00 came while it was open
    expect(service.events('schedule.skipped').map(({ dues }) => dues)).toEqual([1, 1]);
    expect((await service.scheduler.status()).sources[0]!.breaker.state).toBe('open');

    service.fates['sis'] = [{}];
    await service.clock.advance(2 * hour);
    expect((await service.scheduler.status()).sources[0]!.breaker).toMatchObject({ state: 'closed', failures: 0 });
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
    expect((await service.scheduler.status()).sources[0]!.breaker.state).toBe('open');
    await service.scheduler.runNow('sis', cli);
    expect((await service.scheduler.status()).sources[0]!.breaker.state).toBe('closed');
  });

  test('a dry run that somebody asks for counts for nothing', async () => {
    const service = await started(hourly);
    service.fates['sis'] = [{ throws: new Unavailable('away') }];
    await expect(service.scheduler.runNow('sis', { trigger: 'socket', dryRun: true })).rejects.toThrow('away');
    expect((await service.scheduler.status()).sources[0]!.breaker).toMatchObject({ failures: 0, retryAt: null });
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

  test('a target is tried again like a source, and left alone like one', async () => {
    const service = new Service(configOf([sourceOf('sis', null)], { targets: [targetOf('lms')] }));
    service.fates['lms'] = [{ error: away }];
    await service.scheduler.start();
    await service.clock.advance(40 * minute);
    expect(service.deliveries).toHaveLength(5);
    expect((await service.scheduler.status()).targets[0]!.breaker.state).toBe('open');
    await service.scheduler.runNow('sis', cli);
    expect(service.deliveries).toHaveLength(5);
    service.fates['lms'] = [{}];
    await service.clock.advance(hour);
    expect(service.deliveries).toHaveLength(6);
    expect((await service.scheduler.status()).targets[0]!.breaker.state).toBe('closed');
  });
});
