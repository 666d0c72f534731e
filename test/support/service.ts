import { openLog } from '../../src/base/log.ts';
import type { Config, ServiceConfig, SourceConfig, TargetConfig } from '../../src/configure/config.ts';
import type { DeliveryEnd } from '../../src/deliver/drain.ts';
import type { RunOrder } from '../../src/run/record.ts';
import type { Hand } from '../../src/schedule/lanes.ts';
import { type Hands, Scheduler } from '../../src/schedule/scheduler.ts';
import type { Run } from '../../src/store/port.ts';
import { everything, noLimits, usualService } from './history.ts';
import { memorySource } from './memory-source.ts';
import { SteppedClock } from './stepped-clock.ts';

/** A scheduler on a clock that stands, whose runs and deliveries are what a test says. */

/** How a run goes: how long it takes, and what comes of it; `heeds: false` hears no signal. */
export interface Fate {
  ms?: number;
  status?: Run['status'];
  error?: Run['error'];
  throws?: unknown;
  elsewhere?: boolean;
  heeds?: false;
  /** Says a word as often as this, in milliseconds. */
  says?: number;
}

/** One line of the log. */
export interface Line {
  event: string;
  level: number;
  msg: string;
  [key: string]: unknown;
}

export function sourceOf(name: string, schedule: string | null, more: Partial<SourceConfig> = {}): SourceConfig {
  return {
    ...{ name, connector: memorySource, enabled: true, dryRun: false, schedule, timezone: 'UTC', jitterMs: 0 },
    ...{ freshnessMs: null, role: 'authoritative', limits: noLimits, format: { kind: 'unitu' }, settings: {} },
    ...more,
  };
}

export function targetOf(name: string, more: Partial<TargetConfig> = {}): TargetConfig {
  return { name, connector: everything, enabled: true, rate: null, giveUpAfter: 50, settings: {}, ...more };
}

export function configOf(
  sources: readonly SourceConfig[],
  more: Partial<Omit<Config, 'service'>> & { service?: Partial<ServiceConfig> } = {},
): Config {
  const any = { include: [/^.*$/], exclude: [] };
  return {
    ...{
      file: '/etc/rosterd.yaml',
      digest: 'f'.repeat(64),
      institution: 'example-university',
      stateDir: '/var/lib/rosterd',
    },
    ...{
      store: { kind: 'embedded' },
      control: { socket: '/run/rosterd.sock' },
      listen: null,
      integration: null,
      metrics: null,
      timezone: 'UTC',
    },
    ...{ retention: { snapshots: 60, runs: 1000, sentItems: 200_000 }, sources, targets: [] },
    roster: { departments: any, courses: any, newCourses: 'report', emptyCourses: 'keep' },
    ...more,
    service: { ...usualService, ...more.service },
  };
}

export function runOf(source: string, startedAt: Date | string, more: Partial<Run> = {}): Run {
  return {
    ...{ run: `${source}-${new Date(startedAt).toISOString()}`, source, trigger: 'schedule', dryRun: false },
    ...{ status: 'applied', startedAt: new Date(startedAt).toISOString(), endedAt: null, durationMs: null },
    ...{ snapshot: { id: null, complete: true, records: 0, quarantined: 0 }, quarantine: [], plan: null },
    ...{ digest: null, changes: {}, guards: [], heldTypes: [], conflicts: 0, blocked: 0 },
    ...{ courses: { new: [], vanished: [] }, decision: null, error: null },
    ...more,
  };
}

export class Service implements Hands {
  readonly clock: SteppedClock;
  readonly scheduler: Scheduler;
  readonly log: Line[] = [];
  /** Every run that began, as `source trigger time`; `dry` is appended to dry ones. */
  readonly began: string[] = [];
  readonly deliveries: string[] = [];
  /** Runs that are over, newest first; put some here before the start. */
  past: Run[] = [];
  /** What is at work now, and the most that ever was at once. */
  readonly atWork = new Set<string>();
  most = 0;
  overlaps = 0;
  /** What the next runs of a source come to, the last one for ever. */
  fates: Record<string, Fate[]> = {};
  connecting: Promise<void> = Promise.resolve();
  keepsPast = true;

  constructor(config: Config, start = '2026-01-15T00:00:00Z') {
    this.clock = new SteppedClock(start);
    const write = (line: string): void => void (this.keepsPast && this.log.push(JSON.parse(line)));
    const log = openLog({ level: 'debug', terminal: false, journal: false, to: { write } });
    this.scheduler = new Scheduler(config, this, { clock: this.clock, log });
  }

  events(...events: string[]): Line[] {
    return this.log.filter(({ event }) => events.includes(event));
  }

  async connect(_config: Config, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.connecting.then(resolve, reject);
    });
  }

  async runs(source: string, skip: number, limit: number): Promise<Run[]> {
    return this.past.filter((run) => run.source === source).slice(skip, skip + limit);
  }

  async runSource(source: SourceConfig, order: RunOrder, hand: Hand): Promise<Run | null> {
    const { name } = source;
    const startedAt = this.clock.now();
    if (this.keepsPast)
      this.began.push(`${name} ${order.trigger} ${startedAt.toISOString().slice(0, -5)}${order.dryRun ? ' dry' : ''}`);
    const fate = await this.#live(name, hand);
    if (fate.elsewhere) return null;
    const { status = fate.error ? 'failed' : 'applied' } = fate;
    const run = runOf(name, startedAt, {
      ...{ trigger: order.trigger, dryRun: order.dryRun || source.dryRun, error: fate.error ?? null },
      ...{ status: order.dryRun || source.dryRun ? 'planned' : status, endedAt: this.clock.now().toISOString() },
    });
    if (this.keepsPast) this.past.unshift(run);
    return run;
  }

  async deliver(target: TargetConfig, hand: Hand): Promise<DeliveryEnd> {
    if (this.keepsPast) this.deliveries.push(`${target.name} ${this.clock.now().toISOString().slice(0, -5)}`);
    const { error = null } = await this.#live(target.name, hand);
    return { target: target.name, sent: 0, failed: 0, paused: false, error };
  }

  /** Time passes as the fate says, or until somebody asks to stop. */
  async #live(name: string, hand: Hand): Promise<Fate> {
    if (this.atWork.has(name)) this.overlaps += 1;
    this.atWork.add(name);
    this.most = Math.max(this.most, this.atWork.size);
    const fates = this.fates[name] ?? [{}];
    const fate = (fates.length > 1 ? fates.shift() : fates[0]) ?? {};
    try {
      let left = fate.ms ?? 0;
      for (let said = 0; fate.says && left > fate.says; left -= fate.says) {
        await this.clock.wait(fate.says, hand.signal);
        said += 1;
        hand.progress(name, `${said} rows read`);
      }
      if (fate.heeds === false) await this.clock.wait(left);
      else if (left) await this.clock.wait(left, hand.signal);
      if (fate.throws) throw fate.throws;
      return fate;
    } catch (error) {
      if (!hand.signal.aborted || fate.throws) throw error;
      return { status: 'failed', error: { kind: 'Stopped', message: 'stopped' } };
    } finally {
      this.atWork.delete(name);
    }
  }
}

/** A service that has started. */
export async function started(...args: ConstructorParameters<typeof Service>): Promise<Service> {
  const service = new Service(...args);
  await service.scheduler.start();
  return service;
}
