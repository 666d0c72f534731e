import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { configOf, Service, sourceOf, targetOf } from '../../support/service.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Bytes of the heap that are really in use. */
function used(): number {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

test('ten thousand runs leave no more behind than one thousand', async () => {
  const config = configOf([sourceOf('sis', '* * * * *'), sourceOf('hr', '* * * * *')], { targets: [targetOf('lms')] });
  const service = new Service(config);
  service.keepsPast = false;
  let runs = 0;
  const runSource = service.runSource.bind(service);
  service.runSource = (source, order, hand) => {
    runs += 1;
    // each third one fails, some take longer than a minute, some throw
    service.fates[source.name] = [
      { ms: (runs % 5) * 30_000, says: 1000 },
      { error: { kind: 'Unavailable', message: 'away', delayMs: 1000 } },
      runs % 7 ? {} : { throws: new Error('bug') },
    ].slice(runs % 3, (runs % 3) + 1);
    return runSource(source, order, hand);
  };
  await service.scheduler.start();
  const until = async (count: number): Promise<number> => {
    while (runs < count) {
      await service.clock.advance(600_000);
      service.scheduler.runNow('sis', { trigger: 'socket', dryRun: runs % 2 === 0 });
      await service.scheduler.reload(() => ({ ...config, sources: [...config.sources] }));
      expect(service.scheduler.status.healthy).toBe(true);
    }
    return used();
  };
  const [first, last] = [await until(1_000), await until(10_000)];
  await service.scheduler.stop('done', { now: true });
  expect(service.overlaps).toBe(0);
  const grown = Math.round((last - first) / 1024);
  // 116 bytes a run: less than any one thing that could be kept of it, and twice what the engine takes for itself
  expect(grown, `the heap has grown by ${grown} KiB`).toBeLessThan(1024);
}, 120_000);
