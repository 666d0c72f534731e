import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Observer } from '../base/observer.ts';
import { planTypes } from '../reconcile/model.ts';
import { lastGoodOf } from '../run/fresh.ts';
import { startOf } from '../run/record.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { OutboxStatus, RunStatus } from '../store/port.ts';

/** What `metricsText` gives: the Prometheus text format 0.0.4. */
export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE;

interface Declared {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
}

/**
 * Every metric besides those of the process. Counters and the histogram begin at zero with the process, as Prometheus
 * expects; gauges are read from the store at each scrape, and so are right after a restart. Labels hold names of the
 * configuration and of the code, nothing else.
 */
export const metrics = {
  rosterd_store_up: {
    type: 'gauge',
    help: '1 when the store could be read; with 0 no gauge of it is there',
    labels: [],
  },
  rosterd_source_fresh_seconds: {
    type: 'gauge',
    help: 'age of the last run that was complete and fully applied; missing before the first',
    labels: ['source'],
  },
  rosterd_source_records: { type: 'gauge', help: 'records in the snapshot in force', labels: ['source'] },
  rosterd_source_quarantined_rows: {
    type: 'gauge',
    help: 'rows in quarantine in the snapshot in force',
    labels: ['source'],
  },
  rosterd_source_conflicts: { type: 'gauge', help: 'people in conflict by the plan in force', labels: ['source'] },
  rosterd_source_blocked: {
    type: 'gauge',
    help: 'people who may have left, and of whom nothing is taken because rows are unclear',
    labels: ['source'],
  },
  rosterd_source_held: { type: 'gauge', help: '1 while removals wait for a person', labels: ['source'] },
  rosterd_outbox_items: { type: 'gauge', help: 'items of a target by status', labels: ['target', 'status'] },
  rosterd_outbox_oldest_seconds: {
    type: 'gauge',
    help: 'age of the oldest item that is not delivered, since its run began; missing when there is none',
    labels: ['target', 'status'],
  },
  rosterd_target_paused: {
    type: 'gauge',
    labels: ['target'],
    help: '1 while nothing is sent because a person has paused the target',
  },
  rosterd_schedule_lag_seconds: {
    type: 'gauge',
    help: 'how long after its time the last scheduled run began',
    labels: ['source'],
  },
  rosterd_runs_total: { type: 'counter', help: 'runs by outcome', labels: ['source', 'status'] },
  rosterd_changes_applied_total: {
    type: 'counter',
    help: 'changes that went into the roster',
    labels: ['source', 'type'],
  },
  rosterd_guards_tripped_total: { type: 'counter', help: 'limits that held a plan', labels: ['source', 'guard'] },
  rosterd_delivered_items_total: {
    type: 'counter',
    help: 'what targets said to items: sent, failed (refused for good) or retry',
    labels: ['target', 'outcome'],
  },
  rosterd_delivery_seconds: {
    type: 'histogram',
    help: 'time that a target took to answer to a batch, or to fail',
    labels: ['target'],
  },
} as const satisfies Record<string, Declared>;

type MetricName = keyof typeof metrics;
type Named<T extends Declared['type']> = {
  [N in MetricName]: (typeof metrics)[N]['type'] extends T ? N : never;
}[MetricName];

const ended: readonly RunStatus[] = ['applied', 'planned', 'unchanged', 'held', 'failed', 'skipped'];
const undelivered: readonly OutboxStatus[] = ['queued', 'processing', 'failed'];
const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Counts what the pipeline tells it, in a registry of its own. One for a process: it is the `observer` of its work. */
export class Metrics implements Observer {
  readonly #registry = new Registry();
  readonly #counters: Record<Named<'counter'>, Counter>;
  readonly #gauges: Record<Named<'gauge'>, Gauge>;
  readonly #seconds: Histogram;

  /** Sources and targets begin at zero, so that the first failure is an increase and not a new series. */
  constructor(sources: readonly string[], targets: readonly string[]) {
    const registers = [this.#registry];
    const of = <T extends Declared['type']>(type: T) =>
      (Object.keys(metrics) as MetricName[])
        .filter((name): name is Named<T> => metrics[name].type === type)
        .map((name) => ({ name, help: metrics[name].help, labelNames: [...metrics[name].labels], registers }));
    const byName = <N extends string, M>(made: readonly (readonly [N, M])[]) =>
      Object.fromEntries(made) as Record<N, M>;
    this.#counters = byName(of('counter').map((how) => [how.name, new Counter(how)] as const));
    this.#gauges = byName(of('gauge').map((how) => [how.name, new Gauge(how)] as const));
    this.#seconds = new Histogram({ ...of('histogram')[0]!, buckets });
    for (const source of sources) {
      for (const status of ended) this.#counters.rosterd_runs_total.inc({ source, status }, 0);
      for (const type of planTypes) this.#counters.rosterd_changes_applied_total.inc({ source, type }, 0);
    }
    for (const target of targets) {
      this.itemsSettled(target, { sent: 0, failed: 0, retry: 0 });
      this.#seconds.zero({ target });
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  runEnded(source: string, status: string): void {
    this.#counters.rosterd_runs_total.inc({ source, status });
  }
  guardsTripped(source: string, guards: readonly string[]): void {
    for (const guard of guards) this.#counters.rosterd_guards_tripped_total.inc({ source, guard });
  }
  changesApplied(source: string, counts: Readonly<Partial<Record<string, number>>>): void {
    for (const [type, count] of Object.entries(counts))
      this.#counters.rosterd_changes_applied_total.inc({ source, type }, count ?? 0);
  }
  itemsSettled(target: string, counts: Readonly<Record<'sent' | 'failed' | 'retry', number>>): void {
    for (const [outcome, count] of Object.entries(counts))
      this.#counters.rosterd_delivered_items_total.inc({ target, outcome }, count);
  }
  batchAnswered(target: string, seconds: number): void {
    this.#seconds.observe({ target }, seconds);
  }
  runStarted(source: string, lagSeconds: number): void {
    this.#gauges.rosterd_schedule_lag_seconds.set({ source }, lagSeconds);
  }

  /** Everything as text, the gauges as the store has them now. */
  async text(rosterd: Rosterd): Promise<string> {
    const gauges = this.#gauges;
    let found: Reading[] = [];
    try {
      if (rosterd.store.away) throw new Error('nobody who scrapes waits for a store that is known to be away');
      found = await readStore(rosterd);
      gauges.rosterd_store_up.set(1);
    } catch {
      // What is not known is left out: an old number would be taken for today's. Why is in the log of whoever works.
      gauges.rosterd_store_up.set(0);
    }
    // Without anything awaited between, so that two scrapes at once do not mix.
    for (const name of fromStore) gauges[name].reset();
    for (const { name, labels, value } of found) gauges[name].set({ ...labels }, value);
    return this.#registry.metrics();
  }
}

/** The metrics of a process: what its observer counted, and what its store says now. */
export async function metricsText(rosterd: Rosterd): Promise<string> {
  const { observer } = rosterd.work;
  if (!(observer instanceof Metrics)) throw new Error('this process counts nothing: its work has no Metrics');
  return observer.text(rosterd);
}

const fromStore = [
  'rosterd_source_fresh_seconds',
  'rosterd_source_records',
  'rosterd_source_quarantined_rows',
  'rosterd_source_conflicts',
  'rosterd_source_blocked',
  'rosterd_source_held',
  'rosterd_outbox_items',
  'rosterd_outbox_oldest_seconds',
  'rosterd_target_paused',
] as const satisfies Named<'gauge'>[];

interface Reading {
  name: (typeof fromStore)[number];
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** Reads what stands in the store about every source and target of the configuration, and about no other. */
async function readStore({ config, store, work }: Rosterd): Promise<Reading[]> {
  const now = work.clock.now().getTime();
  const age = (at: Date): number => Math.max(0, (now - at.getTime()) / 1000);
  const found: Reading[] = [];
  const add = (name: Reading['name'], labels: Reading['labels'], value: number): void => {
    found.push({ name, labels, value });
  };
  for (const { name: source } of config.sources) {
    const state = await store.sources.get(source);
    const lastGood = await lastGoodOf(store, source);
    if (lastGood !== null) add('rosterd_source_fresh_seconds', { source }, age(new Date(lastGood)));
    add('rosterd_source_held', { source }, state.held === null ? 0 : 1);
    const snapshot = state.current === null ? null : await store.snapshots.get(source, state.current);
    add('rosterd_source_records', { source }, snapshot?.records ?? 0);
    add('rosterd_source_quarantined_rows', { source }, snapshot?.quarantined ?? 0);
    // Runs that changed nothing say nothing of conflicts: they stand in the run whose plan is in force.
    const run = state.pending === null ? null : await store.runs.get(state.pending);
    add('rosterd_source_conflicts', { source }, run?.conflicts ?? 0);
    add('rosterd_source_blocked', { source }, run?.blocked ?? 0);
  }
  const counts = await store.outbox.counts();
  const paused = new Set((await store.outbox.pauses()).map(({ target }) => target));
  for (const { name: target } of config.targets) {
    add('rosterd_target_paused', { target }, paused.has(target) ? 1 : 0);
    const none = { queued: 0, processing: 0, sent: 0, failed: 0 };
    for (const [status, count] of Object.entries(counts[target] ?? none))
      add('rosterd_outbox_items', { target, status }, count);
    for (const status of undelivered) {
      const [oldest] = await store.outbox.list({ target, status, limit: 1 });
      const since = oldest ? startOf(oldest.plan) : null;
      if (since) add('rosterd_outbox_oldest_seconds', { target, status }, age(since));
    }
  }
  return found;
}
