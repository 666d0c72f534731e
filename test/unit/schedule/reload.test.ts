import { describe, expect, test } from 'vitest';
import type { Config } from '../../../src/configure/config.ts';
import { loadConfig } from '../../../src/configure/load.ts';
import { configOf, Service, sourceOf, started, targetOf } from '../../support/service.ts';
import { settle } from '../../support/stepped-clock.ts';
import { fileOf, least, registry } from '../configure/sample.ts';

const [minute, hour] = [60_000, 3_600_000];
const cli = { trigger: 'socket', dryRun: false };
const sis = sourceOf('sis', '0 * * * *');
const hr = sourceOf('hr', '30 * * * *');
const times = (service: Service, name: string): string[] =>
  service.began.filter((line) => line.startsWith(name)).map((line) => line.slice(-8, -3));

test('a bad file is refused with its lines, and the old one stays', async () => {
  const service = await started(configOf([sis]));
  const file = fileOf(`${least}    schedule: '61 * * * *'\nnonsense: 1\n`);
  const reload = await service.scheduler.reload(() => loadConfig(file, registry));
  const lines = [
    `${file}:8:15: sources.sis.schedule: minute "61": values are 0 to 59`,
    `${file}:9:1: nonsense: unknown key; the nearest key is institution`,
  ];
  expect(reload).toMatchObject({ applied: false, reason: expect.stringContaining(lines[0]!) });
  expect(service.events('config.refused')).toMatchObject([
    { level: 'error', error: { message: expect.stringContaining(`${file}:9:1: nonsense: unknown key`) } },
  ]);
  await service.clock.advance(hour);
  expect(times(service, 'sis')).toEqual(['01:00']);
});

test('a file that cannot be read, and a bug in reading it, change nothing either', async () => {
  const service = await started(configOf([sis]));
  const absent = await service.scheduler.reload(() => loadConfig('/nowhere/rosterd.yaml', registry));
  expect(absent).toMatchObject({ applied: false, reason: expect.stringContaining('there is no such file') });
  const bug = await service.scheduler.reload(() => Promise.reject(new TypeError('x is not a function')));
  expect(bug).toEqual({ applied: false, reason: 'x is not a function' });
  expect(service.events('config.bug')).toHaveLength(1);
  expect(service.scheduler.config.sources).toEqual([sis]);
});

describe('sources', () => {
  test('one that is added runs from now on, and nothing is made up for', async () => {
    const service = await started(configOf([sis]), '2026-01-15T00:45:00Z');
    expect(await service.scheduler.reload(() => configOf([sis, hr]))).toEqual({
      applied: true,
      live: [{ path: 'sources.hr', what: 'added' }],
      restart: [],
    });
    await service.clock.advance(hour);
    expect(times(service, 'hr')).toEqual(['01:30']);
  });

  test('one that is removed runs no more; its run in hand comes to its own end', async () => {
    const service = await started(configOf([sis, hr]));
    service.fates['sis'] = [{ ms: 90 * minute }];
    await service.clock.advance(hour + minute);
    const waits = service.scheduler.runNow('sis', cli);
    await service.scheduler.reload(() => configOf([hr]));
    await expect(waits).rejects.toThrow('sis: it is not in the configuration any more');
    await expect(service.scheduler.runNow('sis', cli)).rejects.toThrow('there is no source sis');
    await service.clock.advance(5 * hour);
    expect(times(service, 'sis')).toEqual(['01:00']);
    expect(service.past.find((run) => run.source === 'sis')).toMatchObject({ status: 'applied' });
    expect(service.scheduler.status.sources.map(({ name }) => name)).toEqual(['hr']);
  });

  test('one that is removed and comes back while its run is on does not run twice at once', async () => {
    const service = await started(configOf([sis, hr]));
    service.fates['sis'] = [{ ms: 170 * minute }, {}];
    await service.clock.advance(hour + minute);
    await service.scheduler.reload(() => configOf([hr]));
    await service.scheduler.reload(() => configOf([sis, hr]));
    await service.clock.advance(4 * hour);
    expect(service.overlaps).toBe(0);
    expect(times(service, 'sis')).toEqual(['01:00', '03:50', '04:00', '05:00']);
  });

  test('one that is disabled and enabled again', async () => {
    const service = await started(configOf([sis, hr]));
    await service.scheduler.reload(() => configOf([{ ...sis, enabled: false }, hr]));
    await service.clock.advance(hour + minute);
    expect(times(service, 'sis')).toEqual([]);
    await service.scheduler.reload(() => configOf([sis, hr]));
    await service.clock.advance(hour);
    expect(times(service, 'sis')).toEqual(['02:00']);
  });

  test('another schedule counts from now on; the others are left as they are', async () => {
    const service = await started(configOf([sis, hr]));
    service.fates['hr'] = [{ error: { kind: 'Denied', message: 'no' } }];
    await service.clock.advance(35 * minute);
    await service.scheduler.reload(() => configOf([{ ...sis, schedule: '*/20 * * * *' }, { ...hr }]));
    await service.clock.advance(hour);
    expect(times(service, 'sis')).toEqual(['00:40', '01:00', '01:20']);
    expect(service.scheduler.status.sources[1]!.breaker.failures).toBe(2);
  });

  test('one that was edited begins without its failures', async () => {
    const service = await started(configOf([sis]));
    service.fates['sis'] = [{ error: { kind: 'Denied', message: 'no' } }];
    await service.clock.advance(5 * hour + minute);
    expect(service.scheduler.status.sources[0]!.breaker.state).toBe('open');
    await service.scheduler.reload(() => configOf([{ ...sis, settings: { password: 'another file' } }]));
    expect(service.scheduler.status.sources[0]!.breaker.state).toBe('closed');
  });

  test('what is due in the moment of the reload is not forgotten', async () => {
    const service = await started(configOf([sis]));
    await settle();
    // the ticker has not looked yet
    service.clock.set(hour);
    await service.scheduler.reload(() => configOf([{ ...sis, schedule: '30 * * * *' }]));
    await settle();
    expect(times(service, 'sis')).toEqual(['01:00']);
  });

  test('one that is edited while its run fails is tried again like any other, without the failures before', async () => {
    const service = await started(configOf([sis]));
    service.fates['sis'] = [{ ms: minute, error: { kind: 'Unavailable', message: 'away' } }];
    await service.clock.advance(hour);
    await service.scheduler.reload(() => configOf([{ ...sis, settings: { from: 'elsewhere' } }]));
    await service.clock.advance(minute);
    expect(service.scheduler.status.sources[0]!.breaker).toMatchObject({ failures: 1, retryAt: expect.any(Date) });
  });

  test('a run that waits takes the new configuration, the one in hand keeps the old', async () => {
    const service = await started(configOf([sis]));
    const seen: [unknown, Config][] = [];
    const end = Promise.withResolvers<void>();
    const runSource = service.runSource.bind(service);
    service.runSource = async (source, order, hand) => {
      seen.push([source.settings, hand.config]);
      await end.promise;
      return runSource(source, order, hand);
    };
    const first = service.scheduler.runNow('sis', cli);
    await settle();
    const second = service.scheduler.runNow('sis', cli);
    const before = service.scheduler.config;
    await service.scheduler.reload(() => configOf([{ ...sis, settings: { from: 'elsewhere' } }]));
    end.resolve();
    await Promise.all([first, second]);
    expect(seen).toEqual([
      [{}, before],
      [{ from: 'elsewhere' }, service.scheduler.config],
    ]);
  });
});

describe('targets', () => {
  test('one that is added or edited is delivered to at once; one that is removed no more', async () => {
    const service = await started(configOf([sis], { targets: [targetOf('lms'), targetOf('crm')] }));
    await service.clock.advance(minute);
    await service.scheduler.reload(() =>
      configOf([sis], { targets: [targetOf('lms', { settings: { account: 2 } }), targetOf('erp')] }),
    );
    await service.clock.advance(hour);
    expect(service.deliveries.map((line) => line.replace(' 2026-01-15T', ' ').slice(0, 9))).toEqual([
      'lms 00:00',
      'crm 00:00',
      'lms 00:01',
      'erp 00:01',
      'lms 01:00',
      'erp 01:00',
    ]);
  });

  test.each([5, 1])(
    'one that is edited while a delivery fails is delivered to with what is right now (%i)',
    async (openAfter) => {
      const retry = { firstWaitMs: minute, longestWaitMs: hour, openAfter };
      const withPassword = (password: string): Config =>
        configOf([], { targets: [targetOf('lms', { settings: { password } })], service: { retry } });
      const service = new Service(withPassword('wrong'));
      service.fates['lms'] = [{ ms: minute, error: { kind: 'Denied', message: 'wrong password' } }, {}];
      await service.scheduler.start();
      await settle();
      await service.scheduler.reload(() => withPassword('right'));
      await service.clock.advance(minute);
      expect(service.deliveries).toEqual(['lms 2026-01-15T00:00:00', 'lms 2026-01-15T00:01:00']);
      expect(service.scheduler.status.targets[0]!.breaker).toMatchObject({ state: 'closed', failure: null });
    },
  );

  test('one that is edited and fails as before is tried again like any other', async () => {
    const withPassword = (password: string): Config =>
      configOf([], { targets: [targetOf('lms', { settings: { password } })] });
    const service = new Service(withPassword('wrong'));
    service.fates['lms'] = [{ ms: minute, error: { kind: 'Unavailable', message: 'away' } }];
    await service.scheduler.start();
    await settle();
    await service.scheduler.reload(() => withPassword('right'));
    await service.clock.advance(2 * minute);
    const { breaker, waiting } = service.scheduler.status.targets[0]!;
    expect(service.deliveries).toHaveLength(2);
    expect([breaker.failures, breaker.retryAt, waiting]).toEqual([1, expect.any(Date), []]);
  });
});

describe('the service', () => {
  test('another concurrency counts for what begins from now on', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const config = (concurrency: number): Config =>
      configOf(
        names.map((name) => sourceOf(name, '0 * * * *')),
        { service: { concurrency } },
      );
    const service = await started(config(1));
    for (const name of names) service.fates[name] = [{ ms: 5 * minute }];
    await service.clock.advance(hour + minute);
    expect(service.atWork.size).toBe(1);
    await service.scheduler.reload(() => config(4));
    await settle();
    expect(service.atWork.size).toBe(4);
    await service.scheduler.reload(() => config(2));
    await service.clock.advance(hour);
    expect(service.atWork.size).toBe(2);
  });

  test('what takes a restart is said, and the old value holds', async () => {
    const service = await started(configOf([sis]));
    const next = configOf([sis, hr], { institution: 'another', stateDir: '/other', service: { stopWithinMs: 1000 } });
    const reload = await service.scheduler.reload(() => next);
    expect(reload).toMatchObject({
      live: [
        { path: 'service.stopWithin', what: 'changed' },
        { path: 'sources.hr', what: 'added' },
      ],
      restart: [
        { path: 'institution', what: 'changed' },
        { path: 'stateDir', what: 'changed' },
      ],
    });
    expect(service.events('config.restart')).toMatchObject([{ level: 'warn' }]);
    expect(service.scheduler.config).toEqual({
      ...next,
      institution: 'example-university',
      stateDir: '/var/lib/rosterd',
    });
  });

  test('reloads that come together are done one after the other; one that comes with a stop is refused', async () => {
    const service = await started(configOf([sis]));
    const slow = Promise.withResolvers<Config>();
    const first = service.scheduler.reload(() => slow.promise);
    const second = service.scheduler.reload(() => configOf([hr]));
    slow.resolve(configOf([sis, hr]));
    expect([(await first).applied, (await second).applied]).toEqual([true, true]);
    expect(service.scheduler.config.sources).toEqual([hr]);
    const late = service.scheduler.reload(() => configOf([sis]));
    await service.scheduler.stop('stopped');
    expect(await late).toEqual({ applied: false, reason: 'rosterd is stopping' });
  });
});
