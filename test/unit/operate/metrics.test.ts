import { expect, onTestFinished, test } from 'vitest';
import { Unavailable } from '../../../src/base/errors.ts';
import type { TargetConfig } from '../../../src/configure/config.ts';
import type { DeliveryItem, ItemResult } from '../../../src/connector/target.ts';
import { deliverAll } from '../../../src/deliver/deliver.ts';
import { Metrics, metrics, metricsContentType, metricsText } from '../../../src/operate/metrics.ts';
import { lastGoodOf } from '../../../src/run/fresh.ts';
import { startOf } from '../../../src/run/record.ts';
import { everything, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';
import { type Family, parseMetrics } from '../../support/prometheus.ts';

const row = (n: number, year = '1'): MemoryRow => [
  ...['Science', 'Biology', 'Genetics', `First${n}`, `Last${n}`, `p${n}@example.edu`],
  ...[year, `id${n}`],
];
const rows = (count: number): MemoryRow[] => Array.from({ length: count }, (_, n) => row(n));

/** A target of which a test says how it answers. */
function target(name: string, answer: (item: DeliveryItem) => Partial<ItemResult> | Error): TargetConfig {
  const session = {
    async deliver(items: readonly DeliveryItem[]) {
      return items.map((item) => {
        const said = answer(item);
        if (said instanceof Error) throw said;
        return { item: item.item, outcome: 'sent', answer: null, ...said } as ItemResult;
      });
    },
    async close() {},
  };
  return {
    name,
    connector: { ...everything, open: async () => session },
    enabled: true,
    rate: null,
    giveUpAfter: 50,
    settings: { url: 'http://127.0.0.1:9' },
  };
}

const canvas = target('canvas', (item) =>
  item.account?.id === 'id1' ? { outcome: 'failed', answer: 'no such term' } : {},
);
const away = target('away', () => new Unavailable('down for today', { delayMs: 3_600_000 }));
const limits = { percent: 10, atLeast: 5, window: { days: 7, percent: 25 } };

function siteOf(sources: readonly string[] = ['sis', 'hr']): Site {
  const site = new Site({ sources, limits, targets: [canvas, away] });
  onTestFinished(() => site[Symbol.asyncDispose]());
  newProcess(site);
  return site;
}

/** Counters begin again, as in a new process. */
function newProcess(site: Site): void {
  const { config, work } = site.rosterd;
  const names = (of: readonly { name: string }[]): string[] => of.map(({ name }) => name);
  work.observer = new Metrics(names(config.sources), names(config.targets));
}

interface Scrape {
  families: Map<string, Family>;
  value(name: string, labels?: Record<string, string>): number | undefined;
}

async function scrape(site: Site): Promise<Scrape> {
  const families = parseMetrics(await metricsText(site.rosterd));
  return {
    families,
    value: (name, labels = {}) =>
      families
        .get(name.replace(/_(sum|count)$/, ''))
        ?.samples.find(
          (one) =>
            one.name === name &&
            Object.entries(labels).every(([label, value]) => one.labels[label] === value) &&
            Object.keys(one.labels).length === Object.keys(labels).length,
        )?.value,
  };
}

test('the text is the format, and has what is declared, with those labels', async () => {
  const site = siteOf();
  await site.run('sis', rows(3));
  site.rosterd.work.observer!.runStarted('sis', 4);
  site.rosterd.work.observer!.guardsTripped('sis', ['disables.percent']);
  const { families } = await scrape(site);
  expect(metricsContentType).toMatch(/^text\/plain; version=0\.0\.4/);
  const own = [...families].filter(([name]) => name.startsWith('rosterd_'));
  const form = ({ type, help, samples }: Family): unknown => {
    const labels = new Set(samples.flatMap((one) => Object.keys(one.labels)));
    labels.delete('le');
    return { type, help, labels: [...labels] };
  };
  expect(Object.fromEntries(own.map(([name, family]) => [name, form(family)]))).toEqual(metrics);
  expect(families.get('process_cpu_seconds_total')?.type).toBe('counter');
  expect(families.get('nodejs_eventloop_lag_p99_seconds')?.type).toBe('gauge');
});

test('what happens is counted once', async () => {
  const site = siteOf();
  await site.run('sis', rows(60));
  await site.run('sis', rows(60));
  await site.run('sis', 'incomplete');
  await site.run('sis', 'nothing new');
  await site.run('sis', rows(61), true);
  const held = await site.run('sis', [row(0, '2'), ...rows(20).slice(1)]);
  expect(held.status).toBe('held');
  const runs = (found: Scrape): unknown =>
    ['applied', 'unchanged', 'failed', 'skipped', 'planned', 'held'].map((status) =>
      found.value('rosterd_runs_total', { source: 'sis', status }),
    );
  const first = await scrape(site);
  expect(runs(first)).toEqual([1, 1, 1, 1, 1, 1]);
  const changes = (found: Scrape, type: string) =>
    found.value('rosterd_changes_applied_total', { source: 'sis', type });
  const types = ['account.create', 'account.update', 'enrolment.add', 'account.disable'];
  expect(types.map((type) => changes(first, type))).toEqual([60, 1, 60, 0]);
  const guard = { source: 'sis', guard: 'disables.percent' };
  expect(first.value('rosterd_guards_tripped_total', guard)).toBe(1);
  expect(first.value('rosterd_runs_total', { source: 'hr', status: 'failed' })).toBe(0);

  await site.approve(held.run, held.digest!);
  const then = await scrape(site);
  expect(runs(then)).toEqual([2, 1, 1, 1, 1, 1]);
  expect(types.map((type) => changes(then, type))).toEqual([60, 1, 60, 40]);
  expect(then.value('rosterd_guards_tripped_total', guard)).toBe(1);
});

test('deliveries are counted by what the target said, and timed', async () => {
  const site = siteOf();
  await site.run('sis', rows(3));
  await deliverAll(site.rosterd.config, site.store, site.rosterd.work);
  const { value } = await scrape(site);
  const items = (target: string) =>
    ['sent', 'failed', 'retry'].map((outcome) => value('rosterd_delivered_items_total', { target, outcome }));
  expect([items('canvas'), items('away')]).toEqual([
    [4, 2, 0],
    [0, 0, 0],
  ]);
  expect(value('rosterd_delivery_seconds_count', { target: 'canvas' })).toBeGreaterThan(0);
  expect(value('rosterd_delivery_seconds_count', { target: 'away' })).toBe(1);
});

test('what stands in the store is right after a restart, and ages', async () => {
  const site = siteOf();
  await site.run('sis', rows(60));
  await deliverAll(site.rosterd.config, site.store, site.rosterd.work);
  const queuedAt = site.time;
  await site.run('sis', [
    ...rows(60),
    row(60),
    ['Science', 'Biology', 'Genetics', 'A', 'B', 'no address', '1', 'id99'],
  ]);
  site.time += 90_000;
  await site.store.outbox.pause('canvas', { at: new Date(site.time).toISOString(), reason: 'rollover' });
  await site.restart();
  newProcess(site);
  const { value } = await scrape(site);
  const items = (target: string) =>
    ['queued', 'processing', 'sent', 'failed'].map((status) => value('rosterd_outbox_items', { target, status }));
  expect([items('canvas'), items('away')]).toEqual([
    [2, 0, 118, 2],
    [122, 0, 0, 0],
  ]);
  const oldest = (target: string, status: string) => value('rosterd_outbox_oldest_seconds', { target, status });
  // the ids that it is told by have whole seconds
  expect(oldest('canvas', 'queued')).toBeCloseTo(90, 0);
  expect(oldest('away', 'queued')).toBeCloseTo((site.time - queuedAt) / 1000, 0);
  expect(oldest('away', 'failed')).toBeUndefined();
  expect([
    value('rosterd_target_paused', { target: 'canvas' }),
    value('rosterd_target_paused', { target: 'away' }),
  ]).toEqual([1, 0]);
  expect(value('rosterd_source_fresh_seconds', { source: 'sis' })).toBe(90);
  expect(value('rosterd_source_fresh_seconds', { source: 'hr' })).toBeUndefined();
  expect(value('rosterd_source_records', { source: 'sis' })).toBe(61);
  expect(value('rosterd_source_quarantined_rows', { source: 'sis' })).toBe(1);
  expect(value('rosterd_runs_total', { source: 'sis', status: 'applied' })).toBe(0);
  expect(value('rosterd_store_up')).toBe(1);
});

test('freshness comes only of a whole answer in force', async () => {
  const site = siteOf();
  const fresh = async () => (await scrape(site)).value('rosterd_source_fresh_seconds', { source: 'sis' });
  expect(await fresh()).toBeUndefined();
  await site.run('sis', rows(60), true);
  expect(await fresh(), 'a dry run').toBeUndefined();
  await site.run('sis', rows(60));
  expect(await fresh()).toBe(0);
  await site.run('sis', 'incomplete');
  await site.run('sis', 'nothing new');
  expect(await fresh()).toBe(2);
  const held = await site.run('sis', rows(30));
  await site.run('sis', rows(30));
  expect(await fresh(), 'while it waits, also when the same comes again').toBe(4);
  await site.reject((await site.held('sis'))!.run);
  expect(held.status).toBe('held');
  const again = await site.run('sis', rows(30));
  expect(await fresh(), 'rejected').toBe(5);
  site.time += 1000;
  await site.approve(again.run, again.digest!);
  expect(await fresh(), 'approved: as old as the answer is').toBe(1);
  await site.run('sis', rows(30));
  expect(await fresh()).toBe(0);
});

test('a good run that retention forgot is stood for by its snapshot, which may be older and never younger', async () => {
  const site = siteOf();
  await site.run('sis', rows(3));
  site.time += 5_000;
  const last = await site.run('sis', rows(3));
  expect(await lastGoodOf(site.store, 'sis')).toBe(last.startedAt);
  const runs = await site.store.runs.list({ source: 'sis', limit: 10 });
  await site.store.runs.forget(runs.map(({ run }) => run));
  for (let n = 0; n < 120; n += 1) await site.run('sis', 'incomplete');
  expect(await lastGoodOf(site.store, 'sis')).toBe(runs[1]!.startedAt);
});

test('a store that cannot be read leaves its gauges out, and says so', async () => {
  const site = siteOf();
  await site.run('sis', rows(3));
  await scrape(site);
  await site.store.close();
  const { value, families } = await scrape(site);
  expect(value('rosterd_store_up')).toBe(0);
  expect(families.get('rosterd_outbox_items')?.samples).toEqual([]);
  expect(families.get('rosterd_source_fresh_seconds')?.samples).toEqual([]);
  expect(value('rosterd_runs_total', { source: 'sis', status: 'applied' })).toBe(1);
  await site.restart();
});

test('labels are names of the configuration: a target that is gone from it is gone', async () => {
  const site = siteOf();
  await site.run('sis', rows(3));
  site.rosterd.config = { ...site.rosterd.config, targets: [canvas], sources: site.rosterd.config.sources.slice(1) };
  newProcess(site);
  const { families } = await scrape(site);
  const seen = new Set(
    [...families.values()].flatMap(({ samples }) => samples.flatMap(({ labels }) => labels['target'])),
  );
  expect([...seen].filter(Boolean)).toEqual(['canvas']);
  expect(JSON.stringify([...families])).not.toMatch(/"sis"|id1|example\.edu|First|\b95\d{8}\b/);
});

test('a run tells by its id when it began', () => {
  expect(startOf('20260115-021501-sis-students-a1b2c3')).toEqual(new Date('2026-01-15T02:15:01Z'));
  expect(startOf('20260115-021501-sis-a1b2c3:3:9500000001:canvas')).toEqual(new Date('2026-01-15T02:15:01Z'));
  expect(startOf('p1')).toBeNull();
});

test('the reader of the format refuses what breaks it', () => {
  for (const text of ['a 1', 'a 1\na 2\n', 'a{b="1} 1\n', '# TYPE a counter\nb 1\n', 'a x\n', 'a{b="1",b="2"} 1\n'])
    expect(() => parseMetrics(text), text).toThrow();
});
