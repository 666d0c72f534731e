import { describe, expect, test } from 'vitest';
import { configOf, sourceOf, started, targetOf } from '../../support/service.ts';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const cli = { trigger: 'socket', dryRun: false };

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
    const { sources } = service.scheduler.status;
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
    const next = service.scheduler.status.sources[0]!.next!;
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
    expect(service.scheduler.status.sources[0]!.breaker.state).toBe('closed');
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
