import pLimit, { type LimitFunction } from 'p-limit';
import type { Config, SourceConfig, TargetConfig } from '../configure/config.ts';
import type { DeliveryEnd } from '../deliver/drain.ts';
import type { RunOrder } from '../run/record.ts';
import type { Run } from '../store/port.ts';
import { failed, healthy } from './breaker.ts';
import { type Calendar, calendarOf } from './calendar.ts';
import { same } from './compare.ts';
import type { History } from './history.ts';
import { Lane, type LaneHand, type LaneRules, type LaneTools, type Verdict } from './lane.ts';

/** What a run or a delivery works with: its signals, where its words go, and the configuration that is in force for it. */
export interface Hand extends LaneHand {
  config: Config;
}

/** The two things that lanes do. */
export interface Workers {
  /**
   * One run, whole. What the source did wrong is in the run; null when none came to be: another rosterd is at work on the
   * source, or a push was run already. Ends soon after `signal`, at once after `abort`.
   */
  runSource(source: SourceConfig, order: RunOrder, hand: Hand): Promise<Run | null>;
  /** Delivers what is queued for a target. */
  deliver(target: TargetConfig, hand: Hand): Promise<DeliveryEnd>;
}

type SourceLane = Lane<Run | null>;
type TargetLane = Lane<DeliveryEnd>;

const disabled = 'it is disabled';
const removed = 'it is not in the configuration any more';

/** The lanes of all sources and targets, as the configuration in force has them. */
export class Lanes {
  readonly sources = new Map<string, SourceLane>();
  readonly targets = new Map<string, TargetLane>();
  readonly #workers: Workers;
  readonly #tools: Omit<LaneTools, 'slot'>;
  readonly #slots: LimitFunction;
  /** Something changed that the ticker has to see; a run that ended comes with its source. */
  readonly #changed: (source?: string, run?: Run | null) => void;
  #config: Config;

  constructor(
    config: Config,
    workers: Workers,
    tools: Omit<LaneTools, 'slot'>,
    changed: (source?: string, run?: Run | null) => void,
  ) {
    this.#config = config;
    this.#workers = workers;
    this.#tools = tools;
    this.#changed = changed;
    this.#slots = pLimit(config.service.concurrency);
  }

  all(): (SourceLane | TargetLane)[] {
    return [...this.sources.values(), ...this.targets.values()];
  }

  /** What is at work, as `source NAME` and `target NAME`. */
  busy(): string[] {
    const names = (kind: string, lanes: ReadonlyMap<string, { busy: boolean }>): string[] =>
      [...lanes].filter(([, lane]) => lane.busy).map(([name]) => `${kind} ${name}`);
    return [...names('source', this.sources), ...names('target', this.targets)];
  }

  /** The due times of a source; null when it is enabled for nothing but demand. */
  calendarOf({ name, schedule, timezone, jitterMs }: SourceConfig): Calendar | null {
    return schedule === null ? null : calendarOf(schedule, timezone, jitterMs, `${this.#config.institution} ${name}`);
  }

  /**
   * Makes, opens and closes lanes so that they are those of a configuration. `before`: the one until now, whose lanes are
   * left as they are where nothing differs.
   */
  arrange(config: Config, before: Config | null): void {
    this.#config = config;
    this.#slots.concurrency = config.service.concurrency;
    const samePolicy = before !== null && same(before.service.retry, config.service.retry);
    for (const source of config.sources) {
      const lane = this.sources.get(source.name) ?? this.#sourceLane(source.name);
      const old = before?.sources.find(({ name }) => name === source.name);
      if (!source.enabled) lane.close(disabled);
      else if (!samePolicy || !same(old, source)) lane.open(this.#rulesOf(source));
    }
    for (const target of config.targets) {
      const lane = this.targets.get(target.name) ?? this.#targetLane(target.name);
      const old = before?.targets.find(({ name }) => name === target.name);
      if (!target.enabled) lane.close(disabled);
      else if (!samePolicy || !same(old, target)) {
        lane.open(this.#rulesOf(null));
        lane.byItself(before ? 'reload' : 'start');
      }
    }
    this.#forget();
  }

  /** Goes on where the last process left off: what failed has failed, what was missed is made up for, once. */
  resume(source: SourceConfig, history: History): void {
    const calendar = this.calendarOf(source);
    const lane = this.sources.get(source.name);
    if (!source.enabled || !calendar || !lane) return;
    if (history.failure) {
      const { at, ...failure } = history.failure;
      const { policy, retries } = this.#rulesOf(source);
      const before = { ...healthy, failures: history.failures - 1 };
      lane.breaker = failed(before, failure, { now: at, nextDue: calendar.next(at), retries, policy });
    }
    const due = calendar.previous(this.#tools.clock.now());
    const missed = history.scheduled && due !== null && (history.last === null || history.last < due);
    if (!missed && !history.cut) return;
    const why = missed ? `the run of ${due.toISOString()} was missed` : 'the last run was cut';
    this.#tools.log.info(
      { event: 'schedule.missed', source: source.name, due: missed && due ? due.toISOString() : null },
      `${source.name}: ${why}, it is made up for once`,
    );
    lane.byItself('catch-up', missed ? due : undefined);
  }

  /** Sets off a delivery to one target, or to all. One that is left alone after failures stays so. */
  deliver(trigger: string, target?: string): void {
    for (const [name, lane] of this.targets) if (target === undefined || target === name) lane.byItself(trigger);
  }

  /** Delivers to every enabled target because somebody asks, and tells how it went; breakers are not asked. */
  deliverAsked(trigger: string): Promise<DeliveryEnd>[] {
    const enabled = this.#config.targets.filter((target) => target.enabled);
    return enabled.map(({ name }) => this.targets.get(name)!.ask({ trigger, dryRun: false }));
  }

  #rulesOf(source: SourceConfig | null): LaneRules {
    const calendar = source && this.calendarOf(source);
    // a delivery is tried again by itself; a source without a schedule is nobody's business but a person's
    return { calendar, retries: source === null || calendar !== null, policy: this.#config.service.retry };
  }

  /** A lane at work is kept until it is not: should its name come back, it must not be at work twice. */
  #forget(): void {
    const forget = (
      lanes: Map<string, SourceLane> | Map<string, TargetLane>,
      named: readonly { name: string }[],
    ): void => {
      for (const [name, lane] of lanes) {
        if (named.some((one) => one.name === name)) continue;
        lane.close(removed);
        if (!lane.busy) lanes.delete(name);
      }
    };
    forget(this.sources, this.#config.sources);
    forget(this.targets, this.#config.targets);
  }

  #sourceLane(name: string): SourceLane {
    const job = {
      ...{ kind: 'source' as const, name },
      work: (order: RunOrder, hand: LaneHand): Promise<Run | null> => {
        const config = this.#config;
        return this.#workers.runSource(entryOf(config.sources, name), order, { ...hand, config });
      },
      judge: judgeRun,
      ended: (order: RunOrder, run: Run | null) => {
        if (!order.dryRun) this.deliver('run');
        this.#forget();
        this.#changed(name, run);
      },
    };
    return this.#keep(
      this.sources,
      name,
      new Lane(
        job,
        this.#rulesOf(null),
        this.#withSlots((begin) => this.#slots(begin)),
      ),
    );
  }

  #targetLane(name: string): TargetLane {
    const job = {
      ...{ kind: 'target' as const, name },
      work: (_order: RunOrder, hand: LaneHand): Promise<DeliveryEnd> => {
        const config = this.#config;
        return this.#workers.deliver(entryOf(config.targets, name), { ...hand, config });
      },
      judge: judgeDelivery,
      ended: () => {
        this.#forget();
        this.#changed();
      },
    };
    return this.#keep(
      this.targets,
      name,
      new Lane(
        job,
        this.#rulesOf(null),
        this.#withSlots((begin) => begin()),
      ),
    );
  }

  #withSlots(slot: LaneTools['slot']): LaneTools {
    return { ...this.#tools, slot };
  }

  #keep<L>(lanes: Map<string, L>, name: string, lane: L): L {
    lanes.set(name, lane);
    return lane;
  }
}

function judgeRun(run: Run | null): Verdict {
  if (run === null || run.error?.kind === 'Stopped') return 'undecided';
  // still running: its plan is in force and could not be finished
  if (run.status !== 'failed' && run.status !== 'running') return 'good';
  return run.error ?? { kind: 'Unexpected', message: `the run ${run.run} came to no end` };
}

function judgeDelivery({ error }: DeliveryEnd): Verdict {
  if (error === null) return 'good';
  if (error.kind === 'Waiting') return { waits: error };
  return error.kind === 'Stopped' ? 'undecided' : error;
}

/** A lane begins nothing once its entry is gone, so there is one. */
function entryOf<T extends { name: string }>(entries: readonly T[], name: string): T {
  return entries.find((entry) => entry.name === name)!;
}
