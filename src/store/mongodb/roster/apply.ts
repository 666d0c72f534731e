import type { AnyBulkWriteOperation, MongoBulkWriteError } from 'mongodb';
import { type CourseName, courseKey } from '../../../connector/target.ts';
import { deliveryOf, itemId, type Moment, personOf } from '../../../outbox/items.ts';
import { type Change, toldAs } from '../../../reconcile/model.ts';
import { changeOf, type PlannedChange } from '../../../reconcile/plan.ts';
import type { Plan, PlanPart, TargetInterest } from '../../port.ts';
import { type AccountDoc, type BatchMark, type OutboxDoc, whole } from '../documents.ts';
import { alreadyThere, onlyThereAlready } from '../errors.ts';
import { fenced, type Mongo } from '../mongo.ts';
import { factsOf } from './accounts.ts';
import { appliedId } from './applied.ts';
import { beginBatch, endBatch, placeOf, rosterDoc, seqOf } from './batch.ts';
import { effectsOf } from './effects.ts';
import { putCourses } from './put-courses.ts';

/**
 * Applies a batch of a plan. Each arrow is a write; a cut at any of them is mended by the same batch again, which finds
 * accounts that are as they shall be, items that are queued, and counts that are marked:
 *
 *     (mark) → accounts → courses → outbox → counts → position
 */
export async function apply(
  m: Mongo,
  plan: Plan,
  part: PlanPart,
  changes: readonly PlannedChange[],
  targets: readonly TargetInterest[],
): Promise<void> {
  const last = changes.at(-1);
  if (!last) return;
  const fence = m.fence('roster');
  const read = changes.map(changeOf);
  const numbers = [...new Set(read.flatMap(({ account }) => account?.account ?? []))];
  const [docs, roster] = await Promise.all([
    m.attempt(() => m.accounts.find({ _id: { $in: numbers } }, { batchSize: whole }).toArray()),
    rosterDoc(m),
  ]);
  const before = new Map(docs.map((doc) => [doc._id, doc]));
  const effects = effectsOf(read, before, plan.source, fence);
  const place = placeOf(plan, part, last);
  const { mark, counted } = await beginBatch(m, fence, roster, place, effects.standing, changes.length);
  await putAccounts(m, effects.accounts, before, fence);
  await putCourses(m, effects.courses);
  const after = new Map(effects.accounts.map((doc) => [doc._id, doc]));
  await queue(m, plan, changes, targets, mark, {
    facts(account) {
      const doc = after.get(account);
      return doc && factsOf(doc);
    },
    enrolments: enrolledBefore(read, before),
  });
  if (!counted) await endBatch(m, fence, mark);
  await m.attempt(() =>
    fenced('the roster', () =>
      m.applied.updateOne(
        { _id: appliedId(plan.plan, part), fence: { $lte: fence } },
        { $set: { ...place, fence } },
        { upsert: true },
      ),
    ),
  );
}

/**
 * Each account whole: whoever reads it sees a change or does not, and whoever slept does not find its document. New ones
 * are inserted, which is cheaper; one that is there all the same, from a write whose answer was lost or from somebody
 * else, is replaced like the others, by its fence.
 */
async function putAccounts(
  m: Mongo,
  accounts: readonly AccountDoc[],
  before: ReadonlyMap<string, AccountDoc>,
  fence: number,
): Promise<void> {
  const fresh = accounts.filter(({ _id }) => !before.has(_id));
  const there = accounts.filter(({ _id }) => before.has(_id));
  if (fresh.length)
    await m.attempt(async () => {
      try {
        await m.accounts.insertMany(fresh, { ordered: false });
      } catch (error) {
        if (!onlyThereAlready(error)) throw error;
        there.push(...alreadyThere(error as MongoBulkWriteError).map((at) => fresh[at]!));
      }
    });
  if (!there.length) return;
  const writes = there.map(
    ({ _id, ...doc }): AnyBulkWriteOperation<AccountDoc> => ({
      replaceOne: { filter: { _id, fence: { $lte: fence } }, replacement: doc, upsert: true },
    }),
  );
  await m.attempt(() => fenced('the roster', () => m.accounts.bulkWrite(writes, { ordered: false })));
}

/**
 * What somebody was enrolled in before the batch. A repeat after a cut finds accounts that the batch has changed already,
 * so its own enrolments are worked out of it again.
 */
function enrolledBefore(
  changes: readonly Change[],
  accounts: ReadonlyMap<string, AccountDoc>,
): (account: string) => readonly CourseName[] {
  return (account) => {
    const courses = new Map(
      (accounts.get(account)?.enrolments ?? []).map(({ faculty, department, course }) => [
        courseKey({ faculty, department, course }),
        { faculty, department, course },
      ]),
    );
    for (const change of changes) {
      if (change.account?.account !== account || !change.course) continue;
      if (change.type === 'enrolment.remove') courses.set(courseKey(change.course), change.course);
      else courses.delete(courseKey(change.course));
    }
    return [...courses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, course]) => course);
  };
}

/** Items that are there are left alone: they may have been sent. */
async function queue(
  m: Mongo,
  plan: Plan,
  changes: readonly PlannedChange[],
  targets: readonly TargetInterest[],
  mark: BatchMark,
  moment: Moment,
): Promise<void> {
  const writes: AnyBulkWriteOperation<OutboxDoc>[] = [];
  changes.forEach((planned, at) => {
    targets.forEach(({ target, accepts }, to) => {
      const type = toldAs(planned.type);
      if (!accepts.includes(type)) return;
      const _id = itemId(plan.plan, planned, target);
      const sent = deliveryOf(_id, planned, moment);
      const { item: _, ...delivery } = sent;
      const doc: Omit<OutboxDoc, '_id'> = {
        seq: seqOf(mark, at, to),
        ...{ target, plan: plan.plan, type, person: personOf(sent), status: 'queued', attempts: 0 },
        ...{ answer: null, delivery },
        fence: 0,
      };
      writes.push({ updateOne: { filter: { _id }, update: { $setOnInsert: doc }, upsert: true } });
    });
  });
  if (!writes.length) return;
  await m.attempt(() => {
    // Items have no fence of this lock: one who slept must not queue again what was sent and forgotten since.
    m.fence('roster');
    return m.outbox.bulkWrite(writes, { ordered: false });
  });
}
