import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openStore, readConfig } from '../../src/daemon.ts';
import { deliverAll } from '../../src/deliver/deliver.ts';

/** A process of its own that delivers what is queued, and prints seconds and how it ended. Usage: deliver-run.ts CONFIG */
const [, , file = ''] = process.argv;
const config = readConfig(file);
const { signal } = new AbortController();
const store = await openStore(config, signal);
const began = performance.now();
const [end] = await deliverAll(config, store, {
  clock: systemClock,
  log: silentLog,
  signal,
  abort: signal,
  progress() {},
});
const seconds = (performance.now() - began) / 1000;
await store.close();
process.stdout.write(JSON.stringify({ seconds, end }));
