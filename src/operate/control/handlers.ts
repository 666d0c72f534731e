import { systemClock } from '../../base/clock.ts';
import { Misconfigured, Unavailable } from '../../base/errors.ts';
import type { SourceConfig } from '../../configure/config.ts';
import type { DeliveryEnd } from '../../deliver/drain.ts';
import { changeOf } from '../../reconcile/plan.ts';
import { selectSources } from '../../schedule/select.ts';
import type { Plan, PlanPosition, Run } from '../../store/port.ts';
import { approveHeld, rejectHeld } from '../approve.ts';
import { explain } from '../explain.ts';
import { fill, settleMove } from '../fill.ts';
import { compareSnapshots, mostNotes, snapshotLines, typesIn } from '../history.ts';
import { acknowledge, discrepancies, findItem, preview, replay, review, setPaused } from '../queue.ts';
import type { Service } from '../service.ts';
import { withSource } from '../session.ts';
import { exitOf, outboxCounts } from '../sync.ts';
import { version } from '../version.ts';
import { waitingRuns } from '../waiting.ts';
import type { Asked, EndpointName, PlanBody } from './api.ts';
import { errorJson, NotFound } from './errors.ts';
import { openapiDocument } from './openapi.ts';
import type { ComparisonBody } from './snapshot-api.ts';
import { statusTeller } from './status.ts';
import { Stream } from './stream.ts';

/** What answers to each endpoint: a value, which becomes JSON or text, or a stream of lines. */
export type Handlers = { [N in EndpointName]: (asked: Asked<N>) => Promise<unknown> };

/** The handlers of a service. */
export function handlersOf(service: Service): Handlers {
  const { scheduler, log } = service;
  const note = (reason: string): void => log.info({ event: 'control.decided', reason }, `asked: ${reason}`);
  return {
    status: statusTeller(service),
    async run({ body: { sources: names, dryRun, wait } }) {
      const sources = selectSources(scheduler.config, names);
      if (scheduler.life.state !== 'running') throw new Unavailable(`rosterd is ${scheduler.life.state}`);
      note(`${dryRun ? 'dry run' : 'run'} of ${sources.map(({ name }) => name).join(', ')}`);
      if (wait) return follow(service, sources, dryRun);
      for (const { name } of sources) void scheduler.runNow(name, { trigger: 'socket', dryRun });
      return { accepted: sources.map(({ name }) => name) };
    },
    runs: async ({ query: { source, skip, limit } }) => ({
      runs: await service.rosterd.store.runs.list({ skip, limit, ...(source === undefined ? {} : { source }) }),
      waiting: [...(await waitingRuns(service.rosterd))],
    }),
    show: ({ params }) => runOf(service, params.run),
    plan: async ({ params, query }) => planPage(service, await runOf(service, params.run), query),
    async approve({ params, body: { digest, deliver } }) {
      const { source } = await runOf(service, params.run);
      const run = await withSource(service.rosterd, source, (mine) => approveHeld(mine, params.run, digest));
      return { run, deliveries: deliver ? await scheduler.deliverAndWait('approval') : [] };
    },
    async reject({ params }) {
      const { source } = await runOf(service, params.run);
      return { run: await withSource(service.rosterd, source, (mine) => rejectHeld(mine, params.run)) };
    },
    explain: ({ query: { who, limit } }) => explain(service.rosterd, who, limit),
    snapshots: async ({ query: { source, skip, limit } }) => ({
      snapshots: await snapshotLines(service.rosterd, { skip, limit, ...(source === undefined ? {} : { source }) }),
    }),
    async compare({ params: { from, to }, query: { begin, limit } }) {
      const { head, differences } = await compareSnapshots(service.rosterd, from, to);
      return { ...head, ...(await differences.page(begin, limit)) } satisfies ComparisonBody;
    },
    async queue({ query: { target, status, plan, person, after, limit } }) {
      const filter = {
        ...{ limit, after, ...(target && { target }), ...(status && { status }), ...(plan && { plan }) },
        ...(person && { people: [person] }),
      };
      const items = await service.rosterd.store.outbox.list(filter);
      return { items, next: items.length === limit ? items.at(-1)!.seq : null };
    },
    item: ({ params: { item } }) => findItem(service.rosterd, item),
    preview: async ({ body }) => ({ requests: await preview(service.rosterd, body) }),
    async replay({ body: { deliver, ...selection } }) {
      const done = await replay(service.rosterd, selection);
      if (deliver && done.replayed.length) scheduler.deliverNow('replay');
      return done;
    },
    async ack({ body: { item, status, answer, target } }) {
      const acked = await acknowledge(service.rosterd, item, { status, answer, ...(target && { target }) });
      // what stood behind it may go now
      scheduler.deliverNow('ack');
      return acked;
    },
    pause: async ({ params: { target }, body: { reason } }) => ({
      target,
      changed: await setPaused(service.rosterd, target, true, reason),
    }),
    async resume({ params: { target } }) {
      const changed = await setPaused(service.rosterd, target, false, null);
      scheduler.deliverNow('resume');
      return { target, changed };
    },
    async fill({ params: { target }, body: { deliver } }) {
      const filled = await fill(service.rosterd, target);
      if (deliver) scheduler.deliverNow('fill');
      return { target, ...filled };
    },
    async moved({ params: { target }, body: { platform, deliver } }) {
      const filled = await settleMove(service.rosterd, target, platform);
      // asked for: it may be left alone after all the deliveries that were stopped
      if (deliver) void scheduler.deliverAndWait('moved').catch(() => {});
      return { target, ...filled };
    },
    discrepancies: async () => ({ discrepancies: await discrepancies(service.rosterd) }),
    async review({ body: { account, discrepancy, note } }) {
      const passed = await review(service.rosterd, account, { discrepancy, note });
      scheduler.deliverNow('review');
      return { discrepancies: passed };
    },
    async reload() {
      const result = await service.reload();
      if (!result.applied) throw new Misconfigured(result.reason, { remedy: 'correct it; the old one stays in force' });
      return { live: result.live, restart: result.restart };
    },
    metrics: () => service.metrics(),
    logLevel: async () => ({ level: log.level }),
    async setLogLevel({ body: { level } }) {
      note(`log level ${level}`);
      log.level = level;
      return { level };
    },
    openapi: async () => openapiDocument(version),
  };
}

/** Runs sources and delivers, and tells it line by line, whether or not anybody stays to hear it. */
function follow(service: Service, sources: readonly SourceConfig[], dryRun: boolean): Stream {
  const stream = new Stream(systemClock);
  const { scheduler } = service;
  const heard = new Set([...sources, ...scheduler.config.targets].map(({ name }) => name));
  const watcher = (who: string, text: string): void => {
    if (heard.has(who)) stream.progress(who, text);
  };
  service.watchers.add(watcher);
  const work = async (): Promise<void> => {
    const runs: Run[] = [];
    const busy: string[] = [];
    let deliveries: DeliveryEnd[] = [];
    stream.push({ type: 'accepted', sources: sources.map(({ name }) => name) });
    const run = async ({ name }: SourceConfig): Promise<void> => {
      try {
        const run = await scheduler.runNow(name, { trigger: 'socket', dryRun });
        runs.push(run);
        stream.push({ type: 'run', run });
      } catch (error) {
        busy.push(name);
        stream.push({ type: 'failed', who: name, ...errorJson(error) });
      }
    };
    await Promise.all(sources.map(run));
    if (!dryRun) deliveries = await scheduler.deliverAndWait('socket');
    for (const delivery of deliveries) stream.push({ type: 'delivery', delivery });
    const outbox = await outboxCounts(service.rosterd);
    const exit = exitOf({ runs, busy, notRun: [], deliveries, outbox }) as 0 | 1 | 3;
    stream.push({ type: 'end', exit, busy, outbox });
  };
  void work()
    .catch((error) => {
      stream.push({ type: 'failed', who: 'rosterd', ...errorJson(error) });
      stream.push({ type: 'end', exit: 1, busy: [], outbox: {} });
    })
    .finally(() => {
      service.watchers.delete(watcher);
      stream.end();
    });
  return stream;
}

async function runOf({ rosterd }: Service, id: string): Promise<Run> {
  const run = await rosterd.store.runs.get(id);
  if (!run) throw new NotFound(`there is no run ${id}`, { remedy: 'rosterd runs lists them' });
  return run;
}

async function planPage(
  { rosterd: { store } }: Service,
  run: Run,
  { after, limit }: Asked<'plan'>['query'],
): Promise<PlanBody> {
  const plan: Plan | null = run.plan === null ? null : await store.plans.get(run.plan);
  if (!plan) return { run: run.run, digest: null, changes: [], notes: [], next: null };
  const page = await store.plans.changes(plan.plan, typesIn(plan), after === undefined ? null : placeOf(after), limit);
  const notes = after === undefined ? await store.plans.notes(plan.plan, mostNotes) : [];
  const last = page.at(-1);
  return {
    run: run.run,
    digest: plan.digest,
    changes: page.map((planned) => ({ ...changeOf(planned), held: run.heldTypes.includes(planned.type) })) as never,
    notes: notes as never,
    next: last && page.length === limit ? placeText(last) : null,
  };
}

function placeText({ rank, key }: PlanPosition): string {
  return Buffer.from(JSON.stringify([rank, key])).toString('base64url');
}

function placeOf(text: string): PlanPosition {
  try {
    const [rank, key] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    if (typeof rank === 'number' && typeof key === 'string') return { rank, key };
  } catch {
    // told below
  }
  throw new Misconfigured('after is no place in a plan', { remedy: 'give what stands in `next` of the page before' });
}
