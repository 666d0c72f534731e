import { systemClock } from '../base/clock.ts';
import { failureOf, kindOf, messageOf, Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Work } from '../base/work.ts';
import type { Config, SourceConfig, TargetConfig } from '../configure/config.ts';
import { openRosterd, readConfig } from '../daemon.ts';
import { deliverAlone } from '../deliver/deliver.ts';
import type { DeliveryEnd } from '../deliver/drain.ts';
import { type Listener, openListener } from '../pull/listen.ts';
import type { RunOrder } from '../run/record.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { Hand } from '../schedule/lanes.ts';
import { type Hands, type Reload, Scheduler } from '../schedule/scheduler.ts';
import { under } from '../store/exclusive.ts';
import type { Lock, Run } from '../store/port.ts';
import type { Host } from './integration/handlers.ts';
import { integrationAnnex } from './integration/server.ts';
import { Metrics, metricsText } from './metrics.ts';
import { isOver, pushWaits, runSource } from './run-source.ts';
import { warnOfUnnamed } from './unnamed.ts';

/** When a push is tried again whose run could not go on (the store is away), and how long requests in hand may take at the end. */
const againMs = 60_000;
const patienceMs = 10_000;
/** Between two looks at a source that another rosterd has in hand. */
const lookMs = 1_000;

/** The service put together: the scheduler, the listener for pushes, and the store that both work on. */
export class Service implements Hands {
  readonly scheduler: Scheduler;
  readonly log: Log;
  /** Told what sources and targets say of their work, as they say it. Must neither throw nor wait. */
  readonly watchers = new Set<(who: string, text: string) => void>();
  readonly #file: string;
  readonly #soft = new AbortController();
  readonly #hard = new AbortController();
  /** Sources that another rosterd has in hand, or whose push waits for another attempt. */
  readonly #waiting = new Set<string>();
  /** How often another rosterd was at work on a source. */
  readonly #elsewhere = new Map<string, number>();
  #opened: (Rosterd & { close(): Promise<void> }) | null = null;
  #listener: Listener | null = null;
  #reloadRefused: { at: string; reason: string } | null = null;

  constructor(config: Config, log: Log) {
    this.#file = config.file;
    this.log = log;
    this.scheduler = new Scheduler(config, this, { clock: systemClock, log });
  }

  /** What commands over the socket work with: the configuration in force, and signals that end with the service. */
  get rosterd(): Rosterd {
    if (!this.#opened) throw new Unavailable(`rosterd is ${this.scheduler.life.state}`, { delayMs: 1_000 });
    return { ...this.#opened, config: this.scheduler.config };
  }

  /** What is open; null before that, and after the end. */
  get opened(): Rosterd | null {
    return this.#opened;
  }

  /** Where pushes are listened for; null: nowhere. */
  get url(): string | null {
    return this.#listener?.url ?? null;
  }

  /** When and why the last reload was refused; null: it was not. */
  get reloadRefused(): { at: string; reason: string } | null {
    return this.#reloadRefused;
  }

  /** True from the moment that somebody asked to stop. */
  get stopping(): boolean {
    return this.#soft.signal.aborted;
  }

  /** Aborts when somebody asks to stop at once. */
  get hasten(): AbortSignal {
    return this.#hard.signal;
  }

  /** Opens everything and begins. Rejects when that cannot be. */
  async start(): Promise<void> {
    await this.scheduler.start();
    for (const source of this.scheduler.config.sources) await this.#wake(source);
  }

  /** Ends: the batches in hand are finished. Again, or `now`: at once. Resolves when all is over. */
  async stop(reason: string, how: { now?: boolean } = {}): Promise<void> {
    const why = new Unavailable(reason);
    this.#listener?.stop();
    this.#soft.abort(why);
    if (how.now) this.#hard.abort(why);
    await this.scheduler.stop(reason, how);
  }

  /** Gives back everything, when the scheduler has ended. */
  async close(): Promise<void> {
    this.#soft.abort(new Unavailable('rosterd stops'));
    await this.#listener?.close(patienceMs, this.#hard.signal);
    // whatever still waits for a store that is away waits no longer
    this.#hard.abort(new Unavailable('rosterd stops'));
    const opened = this.#opened;
    this.#opened = null;
    await opened?.close();
  }

  /** Reads the configuration again. */
  async reload(): Promise<Reload> {
    const result = await this.scheduler.reload(() => readConfig(this.#file));
    const at = systemClock.now().toISOString();
    this.#reloadRefused = result.applied ? null : { at, reason: result.reason };
    if (!result.applied) return result;
    const { config } = this.scheduler;
    await this.#listener?.arrange(config);
    // nothing waits for it: the store may be away, which has lines of its own
    if (this.#opened) void warnOfUnnamed(this.rosterd).catch(() => {});
    for (const source of config.sources) await this.#wake(source);
    return result;
  }

  /** What is counted, as text for Prometheus. */
  async metrics(): Promise<string> {
    return metricsText(this.rosterd);
  }

  /** One run of every enabled source, now. */
  runAll(trigger: string): void {
    for (const { name, enabled } of this.scheduler.config.sources)
      if (enabled) void this.scheduler.runNow(name, { trigger, dryRun: false });
  }

  async connect(config: Config, signal: AbortSignal): Promise<void> {
    const cut = (): void => this.#hard.abort(signal.reason);
    signal.addEventListener('abort', cut, { once: true });
    try {
      const names = (entries: readonly { name: string }[]): string[] => entries.map(({ name }) => name);
      const work: Work = {
        ...{ clock: systemClock, log: this.log, progress: () => {} },
        observer: new Metrics(names(config.sources), names(config.targets)),
        ...{ signal: this.#soft.signal, abort: this.#hard.signal },
      };
      this.#opened = await openRosterd(config, work);
      await warnOfUnnamed(this.#opened);
      await this.#listen(config);
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  async #listen(config: Config): Promise<void> {
    const pushed = config.sources.filter(({ enabled, connector }) => enabled && connector.inbox);
    if (config.listen) {
      const received = ({ name }: SourceConfig): void => this.#push(name);
      this.#listener = await openListener(
        config,
        config.listen,
        { clock: systemClock, log: this.log, received },
        integrationAnnex(this.#host()),
      );
    } else if (pushed.length)
      this.log.warn({ event: 'daemon.deaf' }, 'there are push sources, and no listen: nothing can be pushed');
  }

  /** What the integration API works with: at each request what is in force then. */
  #host(): Host {
    const service = this;
    return {
      get rosterd() {
        return service.rosterd;
      },
      get health() {
        const { life, healthy } = service.scheduler;
        return { state: life.state, healthy };
      },
      deliverNow: (trigger) => service.scheduler.deliverNow(trigger),
    };
  }

  runs(source: string, skip: number, limit: number): Promise<Run[]> {
    return this.rosterd.store.runs.list({ source, skip, limit });
  }

  async runSource(source: SourceConfig, order: RunOrder, hand: Hand): Promise<Run | null> {
    const { store, work } = this.rosterd;
    const { name } = source;
    let lock: Lock | null = null;
    let last: Run | null = null;
    try {
      if (order.trigger === 'push' && !(await this.#pushWaits(source))) return null;
      lock = await store.lock(`source:${name}`);
      if (!lock) {
        this.log.info({ event: 'schedule.elsewhere', source: name }, `${name}: another rosterd is at work on it`);
        if (!order.dryRun) this.#later(name, this.#takeOver(name));
        return null;
      }
      const progress = this.#progress(name, hand);
      if (order.due) work.observer?.runStarted(name, (work.clock.now().getTime() - order.due.getTime()) / 1000);
      const mine = {
        ...{ config: this.#withTargetsNow(hand.config), store },
        work: under(lock, { ...work, signal: hand.signal, abort: hand.abort, progress }),
      };
      for await (const run of runSource(mine, source, { ...order, dryRun: order.dryRun || source.dryRun })) {
        last = run;
        // also after one that did not come to its end: what it had applied is queued
        if (!run.dryRun) this.scheduler.deliverNow('run');
      }
    } catch (error) {
      // also when the lock could not be asked for: nobody else tries a source without a schedule again
      if (source.connector.inbox && worthAnother(kindOf(error))) this.#later(name, this.#again(name));
      throw error;
    } finally {
      // one that cannot be given back is nobody's soon, and what follows here must not depend on it
      await lock?.release().catch(() => {});
    }
    if (!last) hand.signal.throwIfAborted();
    if (last && source.connector.inbox && !isOver(last) && worthAnother(last.error?.kind ?? 'Unavailable'))
      this.#later(name, this.#again(name));
    return last;
  }

  /** As a run began with it, but for targets: who is named while it reads would never hear of what it then comes to. */
  #withTargetsNow(config: Config): Config {
    const { scheduler } = this;
    return {
      ...config,
      get targets() {
        return scheduler.config.targets;
      },
    };
  }

  deliver(target: TargetConfig, hand: Hand): Promise<DeliveryEnd> {
    const { store, work } = this.rosterd;
    const { signal, abort } = hand;
    const progress = this.#progress(target.name, hand);
    return deliverAlone(target, hand.config, store, { ...work, signal, abort, progress });
  }

  #progress(name: string, hand: Hand): Work['progress'] {
    return (who, text) => {
      hand.progress(who, text);
      for (const watcher of this.watchers) watcher(name, text);
    };
  }

  #push(name: string): void {
    void this.scheduler.runNow(name, { trigger: 'push', dryRun: false });
  }

  /** Runs what was pushed and not run yet: a start after a crash is like any other. */
  async #wake(source: SourceConfig): Promise<void> {
    if (source.enabled && (await this.#pushWaits(source))) this.#push(source.name);
  }

  #pushWaits(source: SourceConfig): Promise<boolean> {
    return pushWaits(this.scheduler.config, source);
  }

  /** Tries the pushes of a source once more, when time may have mended what was wrong. */
  async #again(name: string): Promise<void> {
    if (await this.#wait(name, againMs, async () => true)) this.#push(name);
  }

  /**
   * Another rosterd has the source in hand. Once its lock is free: when a run came to its end meanwhile, there is nothing to
   * do; when one stands open (its process died), or none came (somebody only looked, as we do here), it is made up for.
   * Runs are told apart by their ids, for the clocks of two machines need not agree. A store that is away does not end
   * this: the other one may have died of the same.
   */
  async #takeOver(name: string): Promise<void> {
    this.#elsewhere.set(name, (this.#elsewhere.get(name) ?? 0) + 1);
    for (let asked = 0; asked !== this.#elsewhere.get(name); ) {
      asked = this.#elsewhere.get(name)!;
      const [before] = await this.#answered(() => this.runs(name, 0, 1));
      const free = await this.#wait(name, lookMs, () =>
        this.#answered(async () => {
          const lock = await this.rosterd.store.lock(`source:${name}`);
          await lock?.release();
          return lock !== null;
        }),
      );
      const source = this.scheduler.config.sources.find((one) => one.name === name);
      if (!free || !source?.enabled) return;
      if (source.connector.inbox) {
        await this.#wake(source);
        continue;
      }
      const [newest] = await this.#answered(() => this.runs(name, 0, 1));
      const ended = newest && newest.status !== 'running' && newest.dryRun === source.dryRun;
      if (ended && (newest.run !== before?.run || before.status === 'running')) continue;
      if (newest?.status === 'running')
        this.log.warn(
          { event: 'schedule.taken-over', source: name, run: newest.run },
          `${name}: taken over, its run was cut`,
        );
      void this.scheduler.runNow(name, { trigger: 'catch-up', dryRun: false });
    }
  }

  /** Asks the store until it is there to answer. Rejects when the service ends. */
  async #answered<T>(ask: () => Promise<T>): Promise<T> {
    for (;;)
      try {
        return await ask();
      } catch (error) {
        if (kindOf(error) !== 'Unavailable') throw error;
        await systemClock.wait(lookMs, this.#soft.signal);
      }
  }

  /** Waits so long, again and again, until something is so. False when somebody waits already, or the service ends. */
  async #wait(name: string, ms: number, until: () => Promise<boolean>): Promise<boolean> {
    if (this.#waiting.has(name)) return false;
    this.#waiting.add(name);
    try {
      do await systemClock.wait(ms, this.#soft.signal);
      while (!(await until()));
      return true;
    } finally {
      this.#waiting.delete(name);
    }
  }

  /** For what nobody waits for: the store may be away, and the service may end. */
  #later(source: string, promise: Promise<void>): void {
    promise.catch((error) => {
      if (!this.#soft.signal.aborted)
        this.log.error(
          {
            event: 'schedule.threw',
            source,
            target: null,
            error: failureOf(error),
            err: error,
          },
          `${source}: ${messageOf(error)}`,
        );
    });
  }
}

/** True for what time may mend. What a person must mend is tried again when something else comes, or at the next start. */
const worthAnother = (kind: string): boolean => kind === 'Unavailable' || kind === 'Unexpected';
