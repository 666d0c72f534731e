import { createHash } from 'node:crypto';
import { lots } from '../base/lots.ts';
import type { Work } from '../base/work.ts';
import { changeRank, type PlanType, planTypes } from '../reconcile/model.ts';
import type { PlannedChange } from '../reconcile/plan.ts';
import type { OutboxItem, Plan, PlanPosition, RosterEntry, Store } from './port.ts';

/** How many of each were copied. */
export interface Copied {
  snapshots: number;
  rows: number;
  runs: number;
  plans: number;
  accounts: number;
  items: number;
}

const lotSize = 500;
/** More than any store has of it. */
const all = 2 ** 31 - 1;

/**
 * Copies everything that a store knows into an empty one, by the port alone: any store into any other. States of
 * sources come last, so that nothing of a copy that was cut is in force. The caller holds all locks of both.
 */
export async function copyStore(from: Store, to: Store, work: Work): Promise<Copied> {
  const copied: Copied = { snapshots: 0, rows: 0, runs: 0, plans: 0, accounts: 0, items: 0 };
  const count = (what: keyof Copied, by: number): void => {
    work.signal.throwIfAborted();
    copied[what] += by;
    work.progress('migrate-store', `${copied[what].toLocaleString('en')} ${what} copied`);
  };
  const states = await from.sources.all();
  for (const { source } of states) {
    await copySnapshots(from, to, source, count);
    for await (const { number, rows } of from.rows.all(source)) {
      await to.rows.add(source, number, rows);
      count('rows', rows.length);
    }
    for await (const { number, digests } of from.rows.ends(source)) await to.rows.end(source, number, digests);
  }
  const runs = await from.runs.list({ limit: all });
  // Oldest first: of one start the one written later counts as newer.
  for (const run of runs.toReversed()) {
    await to.runs.put(run);
    count('runs', 1);
  }
  for await (const plan of from.plans.all()) {
    await copyPlan(from, to, plan);
    count('plans', 1);
  }
  await copyRoster(from, to, count);
  for await (const courses of lots(from.roster.courses(), lotSize)) await to.roster.putCourses(courses);
  for await (const items of lots(from.outbox.all(), lotSize)) {
    await to.outbox.restore(items);
    count('items', items.length);
  }
  for (const { target, ...pause } of await from.outbox.pauses()) await to.outbox.pause(target, pause);
  for (const platform of await from.outbox.platforms()) await to.outbox.putPlatform(platform);
  for (const review of await from.outbox.reviews()) await to.outbox.review(review);
  await to.roster.putRules(await from.roster.rules());
  for (const state of states) await to.sources.put(state);
  return copied;
}

async function copySnapshots(
  from: Store,
  to: Store,
  source: string,
  count: (what: 'snapshots', by: number) => void,
): Promise<void> {
  for (const snapshot of await from.snapshots.list({ source, limit: all })) {
    await to.snapshots.put(snapshot);
    for (const number of new Set([snapshot.number, snapshot.base]))
      for (const kind of ['full', 'added', 'gone'] as const) {
        const pack = await from.snapshots.pack(source, number, kind);
        if (pack.length) await to.snapshots.putPack(source, number, kind, pack);
      }
    count('snapshots', 1);
  }
}

async function copyPlan(from: Store, to: Store, plan: Plan): Promise<void> {
  const sink = to.plans.sink(plan.plan);
  for (let after: PlanPosition | null = null; ; ) {
    const changes: PlannedChange[] = await from.plans.changes(plan.plan, planTypes, after, lotSize);
    if (!changes.length) break;
    await sink.add(changes);
    const { rank, key }: PlannedChange = changes.at(-1)!;
    after = { rank, key };
  }
  const notes = await from.plans.notes(plan.plan, all);
  if (notes.length) await sink.note(notes);
  const pending = await from.plans.pendingKeys(plan.plan);
  if (pending.length) await sink.pending(pending);
  await to.plans.put(plan);
}

/**
 * Accounts and enrolments enter as if each source had just given its own: the effect of a change is the one way into
 * the roster, and what stands for whom is counted on that way. No target hears of it.
 */
async function copyRoster(from: Store, to: Store, count: (what: 'accounts', by: number) => void): Promise<void> {
  let lot = 0;
  for await (const entries of lots(from.roster.entries(), lotSize)) {
    lot += 1;
    const enter = async (what: string, pick: (entry: RosterEntry) => [string, PlannedChange][]): Promise<void> => {
      const bySource = Map.groupBy(entries.flatMap(pick), ([source]) => source);
      for (const [source, changes] of [...bySource].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const plan = movePlan(`move-${String(lot).padStart(9, '0')}-${what}-${source}`, source);
        await to.roster.apply(
          plan,
          'free',
          changes.map(([, change]) => change),
          [],
        );
      }
    };
    await enter('accounts', (entry) => [[entry.source, changeFor('account.create', entry.account.account, entry)]]);
    await enter('enrolments', (entry) =>
      entry.enrolments.map((course, at): [string, PlannedChange] => [
        course.source,
        changeFor('enrolment.add', `${entry.account.account}/${at}`, entry, at),
      ]),
    );
    count('accounts', entries.length);
  }
}

function movePlan(plan: string, source: string): Plan {
  const none = { snapshot: 0, digest: '', heldTypes: [], counts: {}, courseEntries: [] };
  return { plan, run: plan, source, ...none, courseEntriesWith: 'free' };
}

function changeFor(type: PlanType, key: string, { account, enrolments }: RosterEntry, at?: number): PlannedChange {
  const its = at === undefined ? null : enrolments[at]!;
  const course = its && { faculty: its.faculty, department: its.department, course: its.course };
  const none = { before: null, after: null, emailConfirmed: false, rule: 'moved' };
  return { rank: changeRank[type], key, type, body: JSON.stringify({ type, account, course, ...none }), rows: [] };
}

/** Digests of what people and targets see of a store, and counts of what they do not. */
export interface Picture {
  accounts: string;
  enrolments: string;
  courses: string;
  outbox: string;
  snapshots: string;
  runs: string;
  states: string;
  standing: string;
  platforms: string;
}

/** See `Picture`. */
export async function pictureOf(store: Store): Promise<Picture> {
  const digestOf = async (values: AsyncIterable<unknown> | Iterable<unknown>): Promise<string> => {
    const digest = createHash('sha256');
    for await (const value of values) digest.update(JSON.stringify(value)).update('\n');
    return digest.digest('hex');
  };
  const states = await store.sources.all();
  const standing = states.map(({ source, current }) => store.rows.evidence(source, current ?? 0).standing());
  return {
    accounts: await digestOf(store.roster.accounts()),
    enrolments: await digestOf(store.roster.enrolments()),
    courses: await digestOf(store.roster.courses()),
    outbox: await digestOf(outline(store.outbox.all())),
    snapshots: await digestOf((await store.snapshots.list({ limit: all })).map(valuesOf)),
    runs: await digestOf((await store.runs.list({ limit: all })).map(({ run }) => run)),
    states: await digestOf(states.map(valuesOf)),
    standing: await digestOf(await Promise.all(standing)),
    platforms: await digestOf((await store.outbox.platforms()).map(valuesOf)),
  };
}

/** Fields by their names: two stores may give them in another order. */
function valuesOf(of: object): unknown[] {
  return Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function* outline(items: AsyncIterable<OutboxItem>): AsyncGenerator<unknown> {
  for await (const { item, target, status, attempts, answer, because, trail } of items)
    yield [item, target, status, attempts, answer, because, trail.map(valuesOf)];
}
