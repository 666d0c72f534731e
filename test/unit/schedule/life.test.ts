import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { Life, type Lifecycle } from '../../../src/schedule/lifecycle.ts';
import { configOf, Service, sourceOf, targetOf } from '../../support/service.ts';
import { SteppedClock, settle } from '../../support/stepped-clock.ts';

const [minute, hour] = [60_000, 3_600_000];
const cli = { trigger: 'socket', dryRun: false };
const config = configOf([sourceOf('sis', '0 * * * *'), sourceOf('hr', '0 * * * *')], { targets: [targetOf('lms')] });

/** The states that the service went through, as its log has them. */
const states = (service: Service): string[] =>
  service.log.filter(({ event }) => event.startsWith('service.')).map(({ event }) => event.replace('service.', ''));

async function started(more: Partial<Service['fates']> = {}): Promise<Service> {
  const service = new Service(config);
  Object.assign(service.fates, more);
  await service.scheduler.start();
  return service;
}

/** True once a promise is settled, without waiting for it. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  promise.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  await settle();
  return over;
}

describe('a life', () => {
  test('from start to stop', async () => {
    const service = await started();
    await service.clock.advance(hour);
    await service.scheduler.stop('stopped by SIGTERM');
    expect(states(service)).toEqual(['connecting', 'running', 'stopping', 'stopped']);
    expect(service.events('service.stopping')).toMatchObject([{ was: 'running', reason: 'stopped by SIGTERM' }]);
    await expect(service.scheduler.ended).resolves.toEqual({ state: 'stopped', left: [] });
    expect(service.clock.sleepers.size).toBe(0);
  });

  const all: Lifecycle[] = [
    { state: 'starting' },
    { state: 'connecting' },
    { state: 'running' },
    { state: 'stopping', reason: '' },
    { state: 'stopped', left: [] },
    { state: 'failed', error: null },
  ];
  const ways: Record<string, Lifecycle['state'][]> = {
    connecting: ['connecting'],
    running: ['connecting', 'running'],
    stopping: ['stopping'],
    stopped: ['stopping', 'stopped'],
    failed: ['connecting', 'failed'],
    starting: [],
  };
  test.each([
    ['starting', ['connecting', 'stopping']],
    ['connecting', ['running', 'stopping', 'failed']],
    ['running', ['stopping', 'failed']],
    ['stopping', ['stopped']],
    ['stopped', []],
    ['failed', []],
  ])('%s is followed by %j and nothing else', (from, allowed) => {
    for (const to of all) {
      const life = new Life(new SteppedClock('2026-01-15T00:00:00Z'), silentLog);
      for (const state of ways[from]!) life.to(all.find((one) => one.state === state)!);
      expect(life.is(from as Lifecycle['state'])).toBe(true);
      if (allowed.includes(to.state)) life.to(to);
      else expect(() => life.to(to)).toThrow(`the service cannot go from ${from} to ${to.state}`);
    }
  });
});

describe('a start', () => {
  test('that cannot connect has failed, and says why', async () => {
    const service = new Service(config);
    service.connecting = Promise.reject(new Error('no store'));
    await expect(service.scheduler.start()).rejects.toThrow('no store');
    expect(states(service)).toEqual(['connecting', 'failed']);
    await expect(service.scheduler.ended).resolves.toMatchObject({ state: 'failed' });
    await service.scheduler.stop('too late');
    expect(service.scheduler.life.state).toBe('failed');
    expect(service.scheduler.healthy).toBe(false);
  });

  test('cannot be twice', async () => {
    const service = await started();
    expect(() => service.scheduler.start()).toThrow('cannot go from running to connecting');
  });

  test('runs nothing before everything is connected', async () => {
    const service = new Service(config);
    const connected = Promise.withResolvers<void>();
    service.connecting = connected.promise;
    const start = service.scheduler.start();
    await service.clock.advance(2 * hour);
    await expect(service.scheduler.runNow('sis', cli)).rejects.toThrow('rosterd is connecting');
    await expect(service.scheduler.reload(() => config)).resolves.toEqual({
      applied: false,
      reason: 'rosterd is connecting',
    });
    expect(service.began).toEqual([]);
    connected.resolve();
    await start;
    expect(service.scheduler.life.state).toBe('running');
  });
});

describe('a stop', () => {
  test('before the start: it never begins', async () => {
    const service = new Service(config);
    await service.scheduler.stop('early');
    await expect(service.scheduler.start()).rejects.toThrow('stopped before it began');
    expect(states(service)).toEqual(['stopping', 'stopped']);
  });

  test('while it connects: the start ends with the reason, nothing runs', async () => {
    const service = new Service(config);
    service.connecting = new Promise(() => {});
    const start = service.scheduler.start();
    start.catch(() => {});
    await service.scheduler.stop('stopped by SIGTERM');
    await expect(start).rejects.toThrow('stopped by SIGTERM');
    expect(states(service)).toEqual(['connecting', 'stopping', 'stopped']);
    await service.clock.advance(2 * hour);
    expect(service.began).toEqual([]);
  });

  test('while it connects to something that hears nothing: it ends nevertheless', async () => {
    const service = new Service(config);
    service.connect = () => new Promise(() => {});
    service.scheduler.start().catch(() => {});
    const stop = service.scheduler.stop('stopped by SIGTERM');
    await service.clock.advance(2 * minute);
    await stop;
    expect(service.scheduler.life.state).toBe('stopped');
  });

  test('while it reads what happened before: nothing runs', async () => {
    const service = new Service(config);
    const reading = Promise.withResolvers<void>();
    const runs = service.runs.bind(service);
    service.runs = async (...page) => {
      await reading.promise;
      return runs(...page);
    };
    const start = service.scheduler.start();
    start.catch(() => {});
    await settle();
    const stop = service.scheduler.stop('early');
    reading.resolve();
    await stop;
    await expect(start).rejects.toThrow('early');
    expect(states(service)).toEqual(['connecting', 'stopping', 'stopped']);
  });

  test('waits for the batch in hand, and drops what waits', async () => {
    const service = await started({ sis: [{ ms: hour }] });
    const first = service.scheduler.runNow('sis', cli);
    await settle();
    const second = service.scheduler.runNow('sis', cli);
    const stop = service.scheduler.stop('stopped by SIGTERM');
    expect(service.scheduler.life.state).toBe('stopping');
    await expect(second).rejects.toThrow('sis: rosterd stops');
    await expect(service.scheduler.runNow('hr', cli)).rejects.toThrow('rosterd is stopping');
    expect(await first).toMatchObject({ status: 'failed', error: { kind: 'Stopped' } });
    await stop;
    expect(service.began).toHaveLength(1);
    expect(service.deliveries, 'none after the stop').toHaveLength(1);
  });

  test('cuts what does not end in time', async () => {
    const service = await started({ sis: [{ ms: 100_000, heeds: false }], hr: [{ ms: 10 * hour, heeds: false }] });
    const run = service.scheduler.runNow('sis', cli);
    const lost = service.scheduler.runNow('hr', cli);
    lost.catch(() => {});
    await service.clock.advance(20_000);
    const stop = service.scheduler.stop('stopped by SIGTERM');
    await service.clock.advance(80_000);
    expect(await isOver(run)).toBe(true);
    expect(await isOver(stop)).toBe(false);
    await service.clock.advance(9_999);
    expect(await isOver(stop)).toBe(false);
    await service.clock.advance(5_001);
    await stop;
    await expect(service.scheduler.ended).resolves.toEqual({ state: 'stopped', left: ['source hr'] });
    expect(service.events('service.stopped')).toMatchObject([{ level: 'error', left: 'source hr' }]);
  });

  test('a second one, at once, cuts at once', async () => {
    const service = await started({ sis: [{ ms: 10 * hour, heeds: false }] });
    let cut: AbortSignal | null = null;
    const runSource = service.runSource.bind(service);
    service.runSource = (source, order, hand) => {
      cut = hand.abort;
      return runSource(source, order, hand);
    };
    service.scheduler.runNow('sis', cli);
    await settle();
    const stop = service.scheduler.stop('stopped by SIGTERM');
    await service.clock.advance(1000);
    expect(cut!.aborted).toBe(false);
    const again = service.scheduler.stop('stopped by SIGINT', { now: true });
    await settle();
    expect(cut!.aborted).toBe(true);
    await service.clock.advance(5_000);
    await Promise.all([stop, again]);
    expect(service.events('service.stopping')).toMatchObject([{ reason: 'stopped by SIGTERM' }]);
  });

  test('at once from the first', async () => {
    const service = await started({ sis: [{ ms: 10 * hour, heeds: false }] });
    service.scheduler.runNow('sis', cli);
    await settle();
    const stop = service.scheduler.stop('stopped', { now: true });
    await service.clock.advance(5_000);
    await stop;
    await service.scheduler.stop('again');
    expect(states(service)).toEqual(['connecting', 'running', 'stopping', 'stopped']);
  });

  test('in the moment that a run is due: it runs whole or not at all', async () => {
    for (const early of [1, 0]) {
      const service = await started({ sis: [{ ms: minute, heeds: false }] });
      await service.clock.advance(hour - early);
      const stop = service.scheduler.stop('stopped');
      await service.clock.advance(2 * minute);
      await stop;
      expect(service.began.length).toBe(early ? 0 : 2);
      expect(service.atWork.size).toBe(0);
    }
  });

  test('a run that waits for its slot as the stop comes never begins', async () => {
    const service = new Service(configOf([sourceOf('a', null), sourceOf('b', null)], { service: { concurrency: 1 } }));
    service.fates['a'] = [{ ms: minute, heeds: false }];
    await service.scheduler.start();
    service.scheduler.runNow('a', cli);
    const waits = service.scheduler.runNow('b', cli);
    await settle();
    const stop = service.scheduler.stop('stopped');
    await expect(waits).rejects.toThrow('rosterd stops');
    await service.clock.advance(2 * minute);
    await stop;
    expect(service.began).toHaveLength(1);
  });

  test('a bug in the ticker ends the service, and what is at work is cut', async () => {
    const service = await started({ sis: [{ ms: 10 * hour }] });
    const run = service.scheduler.runNow('sis', cli);
    await settle();
    service.clock.now = failsOnce(service.clock);
    await service.clock.advance(2 * minute);
    await expect(service.scheduler.ended).resolves.toMatchObject({ state: 'failed' });
    expect(await run).toMatchObject({ error: { kind: 'Stopped' } });
    expect(service.scheduler.healthy).toBe(false);
  });
});

/** A clock that cannot tell the time, once. */
function failsOnce(clock: SteppedClock): () => Date {
  let failed = false;
  return () => {
    if (failed) return SteppedClock.prototype.now.call(clock);
    failed = true;
    throw new Error('no clock');
  };
}

describe('the heartbeat', () => {
  test('beats while nothing is due', async () => {
    const service = await started();
    const { beats } = service.scheduler.status;
    await service.clock.advance(30 * minute);
    expect(service.scheduler.status.beats).toBeGreaterThan(beats + 25);
    expect(service.scheduler.healthy).toBe(true);
  });

  test('beats while a run says new things, however long it takes', async () => {
    const service = await started({ sis: [{ ms: 10 * hour, says: 10 * minute }] });
    service.scheduler.runNow('sis', cli);
    for (let i = 0; i < 59; i += 1) {
      await service.clock.advance(10 * minute);
      expect(service.scheduler.healthy).toBe(true);
    }
    expect(service.events('service.stuck')).toEqual([]);
  });

  test('stops when a run is stuck, although everything else goes on', async () => {
    const service = await started({ sis: [{ ms: 10 * hour }, {}] });
    service.scheduler.runNow('sis', cli);
    await service.clock.advance(15 * minute);
    expect(service.scheduler.healthy).toBe(true);
    await service.clock.advance(2 * minute);
    expect(service.scheduler.healthy).toBe(false);
    expect(service.events('service.stuck')).toMatchObject([{ level: 'error', who: 'source sis' }]);
    expect(service.scheduler.status.atWork).toMatchObject([{ who: 'source sis', text: '' }]);
    await service.clock.advance(2 * hour);
    expect(service.began.filter((line) => line.startsWith('hr'))).toHaveLength(2);
    expect(service.events('service.stuck'), 'said once').toHaveLength(1);
    // it ends after all
    await service.clock.advance(8 * hour);
    expect(service.scheduler.healthy).toBe(true);
  });

  test('is missed at once, so that the log says why before any watchdog ends the service', async () => {
    const service = await started();
    await service.clock.advance(20_500);
    service.runSource = async (_source, _order, hand) => {
      hand.progress('sis', 'one row read');
      await service.clock.wait(10 * hour, hand.signal);
      throw hand.signal.reason;
    };
    service.scheduler.runNow('sis', cli);
    await service.clock.advance(15 * minute);
    expect(service.events('service.stuck')).toEqual([]);
    await service.clock.advance(1);
    expect(service.scheduler.healthy).toBe(false);
    expect(service.events('service.stuck')).toMatchObject([{ who: 'source sis', quietMs: 15 * minute + 1 }]);
  });

  test('the same words again are no progress', async () => {
    const service = await started();
    service.runSource = async (_source, _order, hand) => {
      for (;;) {
        hand.progress('sis', 'waiting');
        await service.clock.wait(minute, hand.signal);
      }
    };
    service.scheduler.runNow('sis', cli);
    await service.clock.advance(17 * minute);
    expect(service.scheduler.healthy).toBe(false);
  });

  test('stops when the ticker is stuck', async () => {
    const service = await started();
    await settle();
    service.clock.sleepers.clear();
    await service.clock.advance(4 * minute);
    expect(service.scheduler.healthy).toBe(false);
  });

  test('goes on while the service stops, which has a limit of its own', async () => {
    const service = await started({ sis: [{ ms: hour, heeds: false }] });
    service.scheduler.runNow('sis', cli);
    await service.clock.advance(20 * minute);
    expect(service.scheduler.healthy).toBe(false);
    const stop = service.scheduler.stop('stopped');
    expect(service.scheduler.healthy).toBe(true);
    await service.clock.advance(2 * minute);
    await stop;
    expect(service.scheduler.healthy).toBe(false);
  });
});
