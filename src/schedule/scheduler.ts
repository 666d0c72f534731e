import pLimit from 'p-limit';
import type { Clock } from '../base/clock.ts';
import { Misconfigured, messageOf, Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../configure/config.ts';
import type { DeliveryEnd } from '../deliver/drain.ts';
import type { RunOrder } from '../run/record.ts';
import type { Run } from '../store/port.ts';
import { Bell, endsWithin } from './bell.ts';
import { healthy } from './breaker.ts';
import { compareConfigs, type Differences, liveConfig } from './compare.ts';
import { type Freshness, freshnessOf, refreshes } from './freshness.ts';
import { type AtWork, Heartbeat, longestNapMs } from './heartbeat.ts';
import { type History, lastRefresh, readHistory } from './history.ts';
import type { LaneStatus } from './lane.ts';
import { Lanes, type Workers } from './lanes.ts';
import { Life, type Lifecycle } from './lifecycle.ts';
import { selectSources } from './select.ts';

/** What the scheduler is given to do. It knows neither the store nor a connector. */
export interface Hands extends Workers {
  /** Opens everything. Rejects when that cannot be; ends early when `signal` aborts, for then nobody waits for it. */
  connect(config: Config, signal: AbortSignal): Promise<void>;
  /** Runs of a source that are over or at work, newest first. */
  runs(source: string, skip: number, limit: number): Promise<Run[]>;
}

/** What came of a reload. */
export type Reload = ({ applied: true } & Differences) | { applied: false; reason: string };

/** Where everything stands. */
export interface Status {
  service: Lifecycle;
  since: Date;
  /** See `Heartbeat`. */
  beats: number;
  healthy: boolean;
  atWork: AtWork[];
  sources: ({
    name: string;
    enabled: boolean;
    schedule: string | null;
    timezone: string;
    freshness: Freshness;
  } & LaneStatus)[];
  targets: ({ name: string; enabled: boolean } & LaneStatus)[];
}

/** Of a lane that is not there yet. */
const asleep: LaneStatus = { breaker: healthy, next: null, running: null, waiting: [] };

/** What was cut has so long to come to its end. */
const lastMs = 5_000;

/** A wall clock that goes back by more has been set, and due times are planned anew. */
const setBackMs = 60_000;

/**
 * Runs every source at its times and delivers after each run, from `start` to `stop`.
 *
 * One ticker sleeps until the next thing is due, a minute at most, so that a clock that was set and a machine that slept are
 * noticed. What is due becomes a turn in the lane of its source (see `Lane`); at most `service.concurrency` lanes of
 * sources are at work, first come first served. Targets have lanes as well, beside these: after a run, its changes are delivered
 * to each. All waiting is done by the clock that is passed in.
 */
export class Scheduler {
  readonly #hands: Hands;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #life: Life;
  readonly #heartbeat: Heartbeat;
  readonly #bell: Bell;
  readonly #starting = new AbortController();
  readonly #hasten = new AbortController();
  readonly #lanes: Lanes;
  /** When the last run of a source began that refreshes. */
  readonly #refreshed = new Map<string, Date | null>();
  readonly #reloads = pLimit(1);
  #config: Config;
  #started: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | null = null;
  #saidStuck = false;
  #lastLook: Date;

  constructor(config: Config, hands: Hands, { clock, log }: { clock: Clock; log: Log }) {
    this.#config = config;
    this.#hands = hands;
    this.#clock = clock;
    this.#log = log;
    this.#life = new Life(clock, log);
    this.#heartbeat = new Heartbeat(clock);
    this.#bell = new Bell(clock);
    this.#lastLook = clock.now();
    const tools = { clock, log, heartbeat: this.#heartbeat };
    this.#lanes = new Lanes(config, hands, tools, (source, run) => {
      if (source && run && refreshes(run)) this.#refreshed.set(source, new Date(run.startedAt));
      this.#bell.ring();
    });
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** Where the service stands in its life; see there. */
  get life(): Lifecycle {
    return this.#life.now;
  }

  /** Since when it stands there. */
  get since(): Date {
    return this.#life.since;
  }

  /** Resolves with the last state of the service: stopped, or failed. */
  get ended(): Promise<Lifecycle> {
    return this.#life.ended;
  }

  /** True as long as a watchdog may be fed: there is progress, or nothing to do. A start and a stop have limits of their own. */
  get healthy(): boolean {
    if (this.#life.is('failed', 'stopped')) return false;
    return !this.#life.is('running') || this.#heartbeat.healthy(this.#config.service.stuckAfterMs);
  }

  /** Connects, catches up on what was missed, and begins. Rejects when that cannot be, or when a stop comes first. */
  start(): Promise<void> {
    if (this.#stopped) return Promise.reject(new Unavailable('rosterd was stopped before it began'));
    this.#life.to({ state: 'connecting' });
    this.#started = this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    const histories = new Map<string, History>();
    try {
      await this.#hands.connect(this.#config, this.#starting.signal);
      for (const { name } of this.#config.sources) {
        this.#starting.signal.throwIfAborted();
        histories.set(name, await this.#historyOf(name));
      }
    } catch (error) {
      if (this.#life.is('connecting')) this.#life.to({ state: 'failed', error });
      throw error;
    }
    this.#starting.signal.throwIfAborted();
    this.#life.to({ state: 'running' });
    this.#lanes.arrange(this.#config, null);
    for (const source of this.#config.sources) {
      const history = histories.get(source.name)!;
      this.#refreshed.set(source.name, history.refreshed);
      this.#lanes.resume(source, history);
    }
    this.#tick().catch((error) => this.#fail(error));
  }

  /**
   * One run now, or the one that already waits, or one after the one at work. Resolves with the run, whatever came of
   * it. Rejects with `Misconfigured` for a source that is not there or disabled, and with what kept the run from being.
   */
  runNow(name: string, order: RunOrder): Promise<Run> {
    const asked = this.#runNow(name, order);
    // a signal asks and does not listen
    asked.catch(() => {});
    return asked;
  }

  async #runNow(name: string, order: RunOrder): Promise<Run> {
    if (!this.#life.is('running')) throw new Unavailable(`rosterd is ${this.#life.now.state}`);
    const [source] = selectSources(this.#config, [name]);
    const run = await this.#lanes.sources.get(source!.name)!.ask(order);
    if (run === null)
      throw new Unavailable(`another rosterd is at work on ${name}`, { remedy: 'try again when it is done' });
    return run;
  }

  /** Delivers what is queued: to a target, or to all. A target whose breaker is open is left alone. */
  deliverNow(trigger: string, name?: string): void {
    this.#lanes.deliver(trigger, name);
  }

  /** Delivers what is queued to every enabled target, and waits for it. What a target did wrong is in its end. */
  async deliverAndWait(trigger: string): Promise<DeliveryEnd[]> {
    if (!this.#life.is('running')) throw new Unavailable(`rosterd is ${this.#life.now.state}`);
    return Promise.all(this.#lanes.deliverAsked(trigger));
  }

  /**
   * Takes over another configuration, as far as that can be without a new start. `read` throws what is wrong with it; then
   * the old one stays. Runs at work go on, each with the configuration that it began with.
   */
  reload(read: () => Config | Promise<Config>): Promise<Reload> {
    return this.#reloads(async () => {
      try {
        const next = await read();
        if (this.#life.is('running')) return this.#takeOver(next);
        return this.#refuse(`rosterd is ${this.#life.now.state}`);
      } catch (error) {
        if (!(error instanceof Misconfigured)) this.#log.error({ event: 'config.bug', err: error }, messageOf(error));
        return this.#refuse(messageOf(error));
      }
    });
  }

  /** Where everything stands, as far as this process knows. */
  get status(): Status {
    const sources = this.#config.sources.map((source) => {
      const { name, enabled, schedule, timezone, freshnessMs } = source;
      const limits = { calendar: this.#lanes.calendarOf(source), freshnessMs };
      const freshness = freshnessOf(this.#refreshed.get(name), limits, this.#clock.now());
      const lane = this.#lanes.sources.get(name)?.status ?? asleep;
      return { name, enabled, schedule, timezone, freshness, ...lane };
    });
    const targets = this.#config.targets.map(({ name, enabled }) => ({
      ...{ name, enabled, ...(this.#lanes.targets.get(name)?.status ?? asleep) },
    }));
    const { beats } = this.#heartbeat;
    const service = { service: this.#life.now, since: this.#life.since };
    return { ...service, beats, healthy: this.healthy, atWork: this.#heartbeat.atWork(), sources, targets };
  }

  /** Looks up what other processes did meanwhile, for the next status. Throws when the store does not say. */
  async lookUp(): Promise<void> {
    for (const { name } of this.#config.sources) {
      const known = this.#refreshed.get(name) ?? null;
      const found = await lastRefresh((skip, limit) => this.#hands.runs(name, skip, limit), known);
      // a run may have ended while the store took its time
      const now = this.#refreshed.get(name);
      if (!now || (found && found > now)) this.#refreshed.set(name, found);
    }
  }

  /**
   * Ends: nothing begins any more, what is at work finishes the batch in hand, for `service.stopWithin` at most; then, or at
   * once with `now`, it is cut. Always resolves. May come at any time and more than once; the first reason counts.
   */
  stop(reason: string, { now = false }: { now?: boolean } = {}): Promise<void> {
    if (now) this.#hasten.abort();
    this.#stopped ??= this.#stop(reason);
    return this.#stopped;
  }

  async #stop(reason: string): Promise<void> {
    if (this.#life.is('failed', 'stopped')) return;
    this.#life.to({ state: 'stopping', reason });
    const why = new Unavailable(reason);
    this.#starting.abort(why);
    const lanes = this.#lanes.all();
    for (const lane of lanes) lane.close('rosterd stops');
    for (const lane of lanes) lane.stop(why);
    this.#bell.ring();
    const all = Promise.allSettled([this.#started, ...lanes.map((lane) => lane.settled)]);
    const { stopWithinMs } = this.#config.service;
    if (!(await endsWithin(this.#clock, stopWithinMs, all, this.#hasten.signal))) {
      for (const lane of lanes) lane.cut(why);
      await endsWithin(this.#clock, lastMs, all, new AbortController().signal);
    }
    this.#life.to({ state: 'stopped', left: this.#lanes.busy() });
  }

  /** A bug: nobody would run anything any more, so whoever started us had better know. */
  #fail(error: unknown): void {
    if (!this.#life.is('running')) return;
    this.#life.to({ state: 'failed', error });
    const why = error instanceof Error ? error : new Error(String(error));
    for (const lane of this.#lanes.all()) {
      lane.close('rosterd has failed');
      lane.cut(why);
    }
  }

  /** Sleeps and does what is due, as long as the service runs. */
  async #tick(): Promise<void> {
    while (this.#life.is('running')) {
      this.#look();
      this.#heartbeat.looked();
      this.#sayStuck();
      const next = Math.min(...this.#lanes.all().flatMap((lane) => (lane.wakeAt ? lane.wakeAt.getTime() : [])));
      // on time, for after a watchdog's kill there is nobody to say why
      const stuckMs = this.#heartbeat.stuckInMs(this.#config.service.stuckAfterMs);
      await this.#bell.heard(Math.max(0, Math.min(next - this.#clock.now().getTime(), stuckMs, longestNapMs)));
    }
  }

  /** Makes turns of what is due; what was due first is first in the queue. */
  #look(): void {
    const now = this.#clock.now();
    const lanes = this.#lanes.all();
    if (now.getTime() < this.#lastLook.getTime() - setBackMs) {
      this.#log.warn(
        { event: 'schedule.set-back', from: this.#lastLook.toISOString(), to: now.toISOString() },
        'the clock was set back, due times are planned anew',
      );
      for (const lane of lanes) lane.plan();
    }
    this.#lastLook = now;
    const due = lanes.filter((lane) => lane.wakeAt && lane.wakeAt <= now);
    for (const lane of due.sort((a, b) => Number(a.wakeAt) - Number(b.wakeAt))) lane.tick(now);
  }

  #sayStuck(): void {
    const [slowest] = this.#heartbeat.atWork();
    const stuck = slowest !== undefined && slowest.quietMs > this.#config.service.stuckAfterMs;
    if (stuck && !this.#saidStuck) {
      const minutes = Math.floor(slowest.quietMs / 60_000);
      this.#log.error(
        { event: 'service.stuck', ...slowest },
        `${slowest.who}: no progress for ${minutes} min; the watchdog is not fed`,
      );
    }
    this.#saidStuck = stuck;
  }

  #historyOf(source: string): Promise<History> {
    return readHistory((skip, limit) => this.#hands.runs(source, skip, limit));
  }

  #takeOver(read: Config): Reload {
    const differences = compareConfigs(this.#config, read);
    const before = this.#config;
    // with what is due by now: a schedule that is changed forgets nothing
    this.#look();
    this.#config = liveConfig(before, read);
    this.#lanes.arrange(this.#config, before);
    this.#bell.ring();
    const { live, restart } = differences;
    const paths = (list: typeof live): string[] => list.map(({ path }) => path);
    this.#log.info({ event: 'config.reloaded', live: paths(live) }, `configuration reloaded, ${live.length} changes`);
    if (restart.length)
      this.#log.warn(
        { event: 'config.restart', restart: paths(restart) },
        `not before a restart: ${restart.map(({ path }) => path).join(', ')}`,
      );
    return { applied: true, ...differences };
  }

  #refuse(reason: string): Reload {
    this.#log.error(
      { event: 'config.refused', error: { kind: 'Misconfigured', message: reason } },
      `configuration refused, the old one stays:\n${reason}`,
    );
    return { applied: false, reason };
  }
}
