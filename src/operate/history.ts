import { Misconfigured } from '../base/errors.ts';
import type { Change, Note, PlanType } from '../reconcile/model.ts';
import { changeOf } from '../reconcile/plan.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { Differences, type RowDifference } from '../snapshot/differences.ts';
import { type Plan, type PlanPosition, type Run, type Snapshot, type Store, snapshotId } from '../store/port.ts';
import type { Daemon } from './control/client.ts';
import { NotFound } from './control/errors.ts';
import { type Explanation, explain } from './explain.ts';
import { waitingRuns } from './waiting.ts';

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
  /** Newest first. */
  snapshots(filter: { source?: string; limit: number }): Promise<SnapshotLine[]>;
  /** What the second snapshot has that the first has not, and the other way round. Throws `Misconfigured`. */
  compare(from: string, to: string): Promise<Compared>;
  /** Why a person or a course is as it is. Throws `Misconfigured` when nothing is known under that name. */
  explain(who: string, limit: number): Promise<Explanation>;
}

/** A snapshot as commands and the socket tell it. */
export interface SnapshotLine extends Omit<Snapshot, 'number' | 'content' | 'reading' | 'base'> {
  /** See `snapshotId`. */
  snapshot: string;
  /** True: what the roster goes by now. */
  inForce: boolean;
}

/** Two snapshots of one source, side by side. */
export interface Compared {
  from: SnapshotLine;
  to: SnapshotLine;
  /** Rows that only `to` has, and that only `from` has. */
  added: number;
  gone: number;
  /** Row by row; see `Differences`. */
  rows(): AsyncGenerator<RowDifference>;
}

/** Runs or snapshots that are asked for at once; a daemon gives no more. */
const mostAtOnce = 500;

/** Rows of a comparison that are asked for at once. */
const rowsAtOnce = 2000;

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
    explain: (who, limit) => explain(rosterd, who, limit),
    snapshots: (filter) => snapshotLines(rosterd, filter),
    async compare(from, to) {
      const found = await compareSnapshots(rosterd, from, to);
      return { ...found.head, rows: () => pageByPage((begin) => found.differences.page(begin, rowsAtOnce)) };
    },
  };
}

async function* pageByPage(
  page: (begin: number) => Promise<{ differences: RowDifference[]; next: number | null }>,
): AsyncGenerator<RowDifference> {
  for (let begin: number | null = 0; begin !== null; ) {
    const { differences, next }: { differences: RowDifference[]; next: number | null } = await page(begin);
    yield* differences;
    begin = next;
  }
}

/** What a daemon knows. */
export function historyOver(daemon: Daemon): History {
  const page = (run: string, after?: string) => daemon.call('plan', { params: { run }, query: { after } });
  return {
    runs: ({ source, limit }) =>
      newest(
        limit,
        async (query) => (await daemon.call('runs', { query: { source, ...query } })).runs,
        ({ run }) => run,
      ),
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
    snapshots: ({ source, limit }) =>
      newest(
        limit,
        async (query) => (await daemon.call('snapshots', { query: { source, ...query } })).snapshots,
        ({ snapshot }) => snapshot,
      ),
    async explain(who, limit) {
      return (await daemon.call('explain', { query: { who, limit } })) as unknown as Explanation;
    },
    async compare(from, to) {
      const ask = (begin: number) =>
        daemon.call('compare', { params: { from, to }, query: { begin, limit: rowsAtOnce } });
      const first = await ask(0);
      const { differences: _, next: __, ...head } = first;
      return { ...head, rows: () => pageByPage(async (begin) => (begin === 0 ? first : ask(begin))) };
    },
  };
}

/**
 * The newest of what a daemon gives in pages, by id: what begins meanwhile pushes others onto the next page, and a small page
 * could bring nothing new for ever.
 */
async function newest<T>(
  limit: number,
  ask: (query: { skip: number; limit: number }) => Promise<readonly T[]>,
  idOf: (one: T) => string,
): Promise<T[]> {
  const found = new Map<string, T>();
  for (let skip = 0; found.size < limit; ) {
    const asked = found.size ? mostAtOnce : Math.min(limit, mostAtOnce);
    const page = await ask({ skip, limit: asked });
    for (const one of page) found.set(idOf(one), one);
    skip += page.length;
    if (page.length < asked) break;
  }
  return [...found.values()].slice(0, limit);
}

/** Snapshots that are kept, newest first. */
export async function snapshotLines(
  { store }: Rosterd,
  filter: { source?: string; skip?: number; limit: number },
): Promise<SnapshotLine[]> {
  const inForce = await idsInForce(store);
  return (await store.snapshots.list(filter)).map((snapshot) => lineOf(snapshot, inForce));
}

/** Compares two snapshots by their ids. Throws `Misconfigured` when one is not kept, or they cannot be compared. */
export async function compareSnapshots(
  { store }: Rosterd,
  from: string,
  to: string,
): Promise<{ head: Omit<Compared, 'rows'>; differences: Differences }> {
  const differences = await Differences.between(store, await findSnapshot(store, from), await findSnapshot(store, to));
  const { added, gone } = differences;
  const inForce = await idsInForce(store);
  return {
    head: { from: lineOf(differences.from, inForce), to: lineOf(differences.to, inForce), added, gone },
    differences,
  };
}

async function idsInForce(store: Store): Promise<ReadonlySet<string>> {
  const states = await store.sources.all();
  return new Set(states.flatMap(({ source, current }) => (current === null ? [] : snapshotId(source, current))));
}

function lineOf(snapshot: Snapshot, inForce: ReadonlySet<string>): SnapshotLine {
  const { source, number, run, at, parts, records, quarantined, added, gone } = snapshot;
  const id = snapshotId(source, number);
  return { snapshot: id, source, run, at, inForce: inForce.has(id), parts, records, quarantined, added, gone };
}

/** The snapshot of that id. Names of sources may have dashes, so the number is what stands behind the last one. */
async function findSnapshot(store: Store, id: string): Promise<Snapshot> {
  const [, source, number] = /^(.+)-(\d{1,15})$/.exec(id) ?? [];
  const snapshot = source === undefined ? null : await store.snapshots.get(source, Number(number));
  if (!snapshot)
    throw new NotFound(`there is no snapshot ${id}`, { remedy: 'rosterd snapshots lists those that are kept' });
  return snapshot;
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
