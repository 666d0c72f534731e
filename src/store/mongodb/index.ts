import type { Clock } from '../../base/clock.ts';
import type { Lock, LockName, Store } from '../port.ts';
import { Behind, planNames, rowsName } from './behind.ts';
import { connect, type MongoSettings } from './connect.ts';
import type { AccountDoc, RowDoc } from './documents.ts';
import { accountsOf } from './evidence/accounts.ts';
import { coursesWithRows } from './evidence/courses-with-rows.ts';
import { enrolmentCounts } from './evidence/enrolment-counts.ts';
import type { Known } from './evidence/known.ts';
import { type Moment, momentOf } from './evidence/moment.ts';
import { pendingElsewhere } from './evidence/pending-elsewhere.ts';
import { removedSince } from './evidence/removed-since.ts';
import { rowsOf } from './evidence/rows.ts';
import { standingOf } from './evidence/standing.ts';
import { Leases } from './lease.ts';
import { checkServer, migrate } from './migrate.ts';
import { attempts, collectionsOf, type Mongo } from './mongo.ts';
import { move } from './move.ts';
import { ackItem } from './outbox/ack.ts';
import { allItems } from './outbox/all.ts';
import { outboxCounts } from './outbox/counts.ts';
import { forgetItems } from './outbox/forget.ts';
import { getItem } from './outbox/get.ts';
import { listItems } from './outbox/list.ts';
import { mergeItems } from './outbox/merge.ts';
import { pausesOf, pauseTarget } from './outbox/pauses.ts';
import { platformsOf, putPlatform } from './outbox/platforms.ts';
import { markProcessing } from './outbox/processing.ts';
import { queuedItems } from './outbox/queued.ts';
import { recoverItems } from './outbox/recover.ts';
import { replayItems } from './outbox/replay.ts';
import { restoreItems } from './outbox/restore.ts';
import { dropReviews, putReview, reviewsOf } from './outbox/reviews.ts';
import { settleItems } from './outbox/settle.ts';
import { supersedeItems } from './outbox/supersede.ts';
import { troubledPeople } from './outbox/troubled.ts';
import { Ahead } from './plans/ahead.ts';
import { allPlans } from './plans/all.ts';
import { discardPlan } from './plans/discard.ts';
import { getPlan } from './plans/get.ts';
import { notesOf } from './plans/notes.ts';
import { pendingKeys } from './plans/pending-keys.ts';
import { putPlan } from './plans/put.ts';
import { planSink } from './plans/sink.ts';
import { accounts } from './roster/accounts.ts';
import { appliedTo } from './roster/applied.ts';
import { apply } from './roster/apply.ts';
import { courseEntries } from './roster/courses.ts';
import { enrolments } from './roster/enrolments.ts';
import { rosterEntries } from './roster/entries.ts';
import { nextNumbers } from './roster/next-numbers.ts';
import { putCourses } from './roster/put-courses.ts';
import { putRosterRules } from './roster/put-rules.ts';
import { rosterRules } from './roster/rules.ts';
import { staleOf } from './roster/stale.ts';
import { addRows } from './rows/add.ts';
import { allRows } from './rows/all.ts';
import { discardRows } from './rows/discard.ts';
import { endRows } from './rows/end.ts';
import { endsOfRows } from './rows/ends.ts';
import { findRows } from './rows/find.ts';
import { forgetRows } from './rows/forget.ts';
import { personPage } from './rows/person-page.ts';
import { quarantinedRows } from './rows/quarantined.ts';
import { forgetRuns } from './runs/forget.ts';
import { getRun } from './runs/get.ts';
import { listRuns } from './runs/list.ts';
import { putRun } from './runs/put.ts';
import { forgetSnapshots } from './snapshots/forget.ts';
import { getSnapshot } from './snapshots/get.ts';
import { listSnapshots } from './snapshots/list.ts';
import { getPack } from './snapshots/pack.ts';
import { putSnapshot } from './snapshots/put.ts';
import { putPack } from './snapshots/put-pack.ts';
import { allSources } from './sources/all.ts';
import { getSource } from './sources/get.ts';
import { putSource } from './sources/put.ts';

/**
 * The store in MongoDB: connects, brings the database to this version's layout, and gives the port. Throws the errors
 * of the house. `signal` ends waits for a server that is away.
 */
export async function openMongoStore(
  settings: MongoSettings,
  institution: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Store> {
  const { client, place, presence } = await connect(settings, clock);
  const db = client.db(settings.database);
  const collections = collectionsOf(db);
  const attempt = attempts(place, presence, clock, signal);
  const leases = new Leases(collections.leases, attempt, clock, settings.leaseMs);
  const m: Mongo = {
    ...collections,
    ...{ place, clock, attempt, behind: new Behind() },
    fence: (on) => leases.fence(on),
    confirm: (on) => leases.confirm(on),
  };
  try {
    await checkServer(m, db);
    await migrate(m, institution);
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    kind: 'mongodb',
    place,
    get away() {
      return presence.away;
    },
    ...parts(m),
    lock: (on) => lock(m, leases, on),
    move: move(m),
    async close() {
      await m.behind.allOver();
      await leases.close();
      await client.close();
    },
  };
}

/** A lock, and its fence on what it protects. One that cannot be fenced is given back: nobody else could do it. */
async function lock(m: Mongo, leases: Leases, on: LockName): Promise<Lock | null> {
  const taken = await leases.take(on);
  if (!taken) return null;
  const { lock, fence } = taken;
  try {
    await putFence(m, on, fence);
  } catch (error) {
    await lock.release().catch(() => {});
    throw error;
  }
  return lock;
}

/** From here on the holder before, should it wake up, finds no document that it could write. */
async function putFence(m: Mongo, on: LockName, fence: number): Promise<void> {
  const update = { $max: { fence } };
  if (on === 'roster') await m.attempt(() => m.roster.updateOne({ _id: on }, update, { upsert: true }));
  if (on.startsWith('source:')) {
    const source = on.slice('source:'.length);
    await m.attempt(() => m.sources.updateOne({ _id: source }, update, { upsert: true }));
  }
}

/** One operation, one file; here they only get their names. */
function parts(m: Mongo): Omit<Store, 'kind' | 'place' | 'away' | 'lock' | 'move' | 'close'> {
  const ahead = new Ahead(m);
  return {
    sources: {
      get: (source) => getSource(m, source),
      put: (state) => putSource(m, state),
      all: () => allSources(m),
    },
    runs: {
      put: (run) => putRun(m, run),
      get: (run) => getRun(m, run),
      list: (filter) => listRuns(m, filter),
      forget: (runs) => forgetRuns(m, runs),
    },
    snapshots: {
      put: (snapshot) => putSnapshot(m, snapshot),
      get: (source, number) => getSnapshot(m, source, number),
      list: (filter) => listSnapshots(m, filter),
      putPack: (source, number, kind, digests) => putPack(m, source, number, kind, digests),
      pack: (source, number, kind) => getPack(m, source, number, kind),
      forget: (source, numbers) => forgetSnapshots(m, source, numbers),
    },
    rows: {
      add: (source, number, rows) => addRows(m, source, number, rows),
      end: (source, number, digests) => endRows(m, source, number, digests),
      discard: (source, number) => discardRows(m, source, number),
      forget: (source, oldest) => forgetRows(m, source, oldest),
      all: (source) => allRows(m, source),
      ends: (source) => endsOfRows(m, source),
      find: (source, number, digests) => findRows(m, source, number, digests),
      quarantined: (source, number, limit) => quarantinedRows(m, source, number, limit),
      personPage: (source, number, after, limit) => personPage(m, source, number, after, limit),
      evidence: (source, number) => evidence(m, source, number),
    },
    plans: {
      sink(plan) {
        ahead.forget();
        return planSink(m, plan);
      },
      put: (plan) => putPlan(m, plan),
      get: (plan) => getPlan(m, plan),
      discard(plan) {
        ahead.forget();
        return discardPlan(m, plan);
      },
      all: () => allPlans(m),
      async changes(plan, types, after, limit) {
        await m.behind.settled(...planNames(plan));
        return ahead.page(plan, types, after, limit);
      },
      notes: (plan, limit) => notesOf(m, plan, limit),
      pendingKeys: (plan) => pendingKeys(m, plan),
    },
    roster: {
      rules: () => rosterRules(m),
      putRules: (rules) => putRosterRules(m, rules),
      apply: (plan, part, changes, targets) => apply(m, plan, part, changes, targets),
      applied: (plan, part) => appliedTo(m, plan, part),
      putCourses: (entries) => putCourses(m, entries),
      nextNumbers: () => nextNumbers(m),
      accounts: () => accounts(m),
      entries: () => rosterEntries(m),
      enrolments: () => enrolments(m),
      async *courses() {
        yield* await courseEntries(m);
      },
      stale: (changes) => staleOf(m, changes),
    },
    outbox: {
      recover: (target) => recoverItems(m, target),
      queued: (target, after, limit) => queuedItems(m, target, after, limit),
      processing: (target, items) => markProcessing(m, target, items),
      settle: (target, results, at) => settleItems(m, target, results, at),
      merge: (target, merges) => mergeItems(m, target, merges),
      supersede: (target, items) => supersedeItems(m, target, items),
      replay: (items) => replayItems(m, items),
      ack: (item, status, answer, at) => ackItem(m, item, status, answer, at),
      get: (item) => getItem(m, item),
      troubled: (target) => troubledPeople(m, target),
      counts: () => outboxCounts(m),
      list: (filter) => listItems(m, filter),
      all: () => allItems(m),
      restore: (items) => restoreItems(m, items),
      forget: (target, keep, except) => forgetItems(m, target, keep, except),
      pauses: () => pausesOf(m),
      pause: (target, pause) => pauseTarget(m, target, pause),
      platforms: () => platformsOf(m),
      putPlatform: (platform) => putPlatform(m, platform),
      reviews: () => reviewsOf(m),
      review: (review) => putReview(m, review),
      unreview: (reviews) => dropReviews(m, reviews),
    },
  };
}

/** What planning may ask; the moment is looked at once, with the first question. */
function evidence(m: Mongo, source: string, number: number): ReturnType<Store['rows']['evidence']> {
  let looked: Promise<Moment> | null = null;
  const rows: Known<RowDoc> = new Map();
  const accounts: Known<AccountDoc> = new Map();
  const moment = async (): Promise<Moment> => {
    await m.behind.settled(rowsName(source));
    looked ??= momentOf(m, source, number);
    return looked;
  };
  return {
    rows: async (keys) => (keys.length ? rowsOf(m, await moment(), keys, rows) : []),
    accounts: (keys) => accountsOf(m, keys, accounts),
    pendingElsewhere: async (keys) => pendingElsewhere(m, await moment(), keys),
    courses: () => courseEntries(m),
    coursesWithRows: async (courses) => coursesWithRows(m, await moment(), courses),
    enrolmentCounts: (courses) => enrolmentCounts(m, courses),
    standing: () => standingOf(m, source),
    removedSince: (since) => removedSince(m, source, since),
  };
}
