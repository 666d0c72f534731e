import { Misconfigured } from '../base/errors.ts';
import type { ChangeType } from '../connector/target.ts';
import type { Change, Note } from '../reconcile/model.ts';
import { changeOf } from '../reconcile/plan.ts';
import type { Rosterd } from '../run/rosterd.ts';
import type { Plan, PlanPosition, Run } from '../store/port.ts';
import type { Daemon } from './control/client.ts';

/** What happened, as commands read it: from the store, or from the daemon that has it in hand. */
export interface History {
  /** Newest first. */
  runs(filter: { source?: string; limit: number }): Promise<Run[]>;
  /** Throws `Misconfigured` when there is none of that id: a typing error, not a failure. */
  run(id: string): Promise<Run>;
  notes(run: Run): Promise<readonly Note[]>;
  /** Every change of the run's plan in order; none without a plan. */
  changes(run: Run): AsyncGenerator<Change>;
}

/** Notes of a plan that are shown; there are never many. */
export const mostNotes = 10_000;

/** What a store knows. */
export function historyOf(rosterd: Rosterd): History {
  const { store } = rosterd;
  return {
    runs: (filter) => store.runs.list(filter),
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
    runs: async ({ source, limit }) => (await daemon.call('runs', { query: { source, limit } })).runs,
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

/** The run of that id. Throws `Misconfigured` when there is none: a typing error, not a failure. */
export async function findRun({ store }: Rosterd, id: string): Promise<Run> {
  const run = await store.runs.get(id);
  if (!run) throw new Misconfigured(`there is no run ${id}`, { remedy: 'rosterd runs lists them' });
  return run;
}

/** The types of change that a plan has. */
export function typesIn(plan: Plan): ChangeType[] {
  return Object.keys(plan.counts) as ChangeType[];
}
