import { Misconfigured } from '../base/errors.ts';
import type { Change, Note, PlanType } from '../reconcile/model.ts';
import { changeOf } from '../reconcile/plan.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { Plan, PlanPosition, Run } from '../store/port.ts';
import type { Daemon } from './control/client.ts';

/** What happened, as commands read it: from the store, or from the daemon that has it in hand. */
export interface History {
  /** Newest first. */
  runs(filter: { source?: string; limit: number }): Promise<Run[]>;
  /** Which runs wait for a person; null: a daemon that does not say. */
  waiting(): Promise<ReadonlySet<string> | null>;
  /** Throws `Misconfigured` when there is none of that id: a typing error, not a failure. */
  run(id: string): Promise<Run>;
  notes(run: Run): Promise<readonly Note[]>;
  /** Every change of the run's plan in order; none without a plan. */
  changes(run: Run): AsyncGenerator<Change>;
}

/** Runs that are asked for at once; a daemon gives no more. */
const runsAtOnce = 500;

/** Notes of a plan that are shown; there are never many. */
export const mostNotes = 10_000;

/** What a store knows. */
export function historyOf(rosterd: Rosterd): History {
  const { store } = rosterd;
  return {
    runs: (filter) => store.runs.list(filter),
    waiting: () => waitingRuns(rosterd),
    run: (id) => findRun(rosterd, id),
    notes: async ({ plan }) => (plan === null ? [] : store.plans.notes(plan, mostNotes)),
    async *changes({ plan: id }) {
      const plan = id === null ? null : await store.plans.get(id);
      if (!plan) return;
      for (let after: PlanPosition | null = null; ; ) {
        const page = await store.plans.changes(plan.plan, typesIn(plan), after, 500);
        if (!page.length) return;
        for (const planned of page) yield changeOf(planned);
        const { rank, key } = page.at(-1)!;
        after = { rank, key };
      }
    },
  };
}

/** What a daemon knows. */
export function historyOver(daemon: Daemon): History {
  const page = (run: string, after?: string) => daemon.call('plan', { params: { run }, query: { after } });
  return {
    async runs({ source, limit }) {
      // by id: runs that begin meanwhile push others onto the next page; a small page could bring nothing new for ever
      const found = new Map<string, Run>();
      for (let skip = 0; found.size < limit; ) {
        const query = { source, skip, limit: found.size ? runsAtOnce : Math.min(limit, runsAtOnce) };
        const { runs } = await daemon.call('runs', { query });
        for (const run of runs) found.set(run.run, run);
        skip += runs.length;
        if (runs.length < query.limit) break;
      }
      return [...found.values()].slice(0, limit);
    },
    async waiting() {
      const { waiting }: { waiting?: string[] } = await daemon.call('runs', { query: { limit: 1 } });
      return waiting ? new Set(waiting) : null;
    },
    run: (id) => daemon.call('show', { params: { run: id } }),
    notes: async ({ run }) => (await page(run)).notes,
    async *changes({ run }) {
      for (let after: string | undefined; ; ) {
        const { changes, next } = await page(run, after);
        // its schema leaves open what a change has besides; this is one all the same
        for (const { held: _, ...change } of changes) yield change as unknown as Change;
        if (next === null) return;
        after = next;
      }
    },
  };
}

/** The runs that wait for a person: one of a source at most, for a newer snapshot replaces what waits. */
export async function waitingRuns({ store }: Rosterd): Promise<Set<string>> {
  return new Set((await store.sources.all()).flatMap(({ held }) => held ?? []));
}

/** The run of that id. Throws `Misconfigured` when there is none: a typing error, not a failure. */
export async function findRun({ store }: Rosterd, id: string): Promise<Run> {
  const run = await store.runs.get(id);
  if (!run) throw new Misconfigured(`there is no run ${id}`, { remedy: 'rosterd runs lists them' });
  return run;
}

/** The types of change that a plan has. */
export function typesIn(plan: Plan): PlanType[] {
  return Object.keys(plan.counts) as PlanType[];
}
