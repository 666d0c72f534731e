import type { AnyBulkWriteOperation, MongoBulkWriteError } from 'mongodb';
import type { PlannedChange, PlanSink } from '../../../reconcile/plan.ts';
import type { PlanPosition } from '../../port.ts';
import { planNames } from '../behind.ts';
import type { ChangeDoc } from '../documents.ts';
import { alreadyThere, onlyThereAlready } from '../errors.ts';
import type { Mongo } from '../mongo.ts';
import { Ahead } from './ahead.ts';

const pageSize = 1000;
/** Batches of notes and pending keys on their way at once; they have no order. */
const atOnce = 2;

/** Where a plan is put while it is made. */
export function planSink(m: Mongo, plan: string): PlanSink {
  const [changesName, besideName] = planNames(plan);
  const ahead = new Ahead(m);
  let noted = 0;
  return {
    // In order, for of two at one place the last one counts.
    add: (changes) => m.behind.write(changesName, 1, () => addChanges(m, plan, changes)),
    async note(notes) {
      const docs = notes.map((note, at) => ({ _id: `${plan}/${String(noted + at).padStart(9, '0')}`, plan, ...note }));
      noted += notes.length;
      if (!docs.length) return;
      await m.behind.write(besideName, atOnce, () => insertNew(m, () => m.notes.insertMany(docs, { ordered: false })));
    },
    async pending(keys) {
      const docs = [...new Set(keys)].map((key) => ({ _id: pendingId(plan, key), plan, key }));
      if (!docs.length) return;
      await m.behind.write(besideName, atOnce, () =>
        insertNew(m, () => m.pending.insertMany(docs, { ordered: false })),
      );
    },
    async *inOrder() {
      await m.behind.settled(changesName);
      for (let after: PlanPosition | null = null; ; ) {
        const page: PlannedChange[] = await ahead.page(plan, null, after, pageSize);
        if (!page.length) return;
        yield page;
        if (page.length < pageSize) return;
        const { rank, key }: PlannedChange = page.at(-1)!;
        after = { rank, key };
      }
    },
  };
}

/** The id of a pending key. */
export function pendingId(plan: string, key: string): string {
  return `${plan}/${key}`;
}

/** The id of a change: its place in its plan. Ranks have one digit, so that ids sort as plans are ordered. */
export function changeId(plan: string, rank: number, key: string): string {
  return `${plan}/${rank}/${key}`;
}

/** Nearly every change is put once, so all are inserted, and only those that were there are replaced. */
async function addChanges(m: Mongo, plan: string, changes: readonly PlannedChange[]): Promise<void> {
  if (!changes.length) return;
  // Of two at one place in one batch the last one counts.
  const docs = [
    ...new Map(
      changes.map(({ rank, key, type, body, rows }): [string, ChangeDoc] => {
        const _id = changeId(plan, rank, key);
        return [_id, { _id, plan, rank, key, type, body, rows }];
      }),
    ).values(),
  ];
  await m.attempt(async () => {
    try {
      await m.changes.insertMany(docs, { ordered: false });
    } catch (error) {
      if (!onlyThereAlready(error)) throw error;
      const again = alreadyThere(error as MongoBulkWriteError).map((at): AnyBulkWriteOperation<ChangeDoc> => {
        const { _id, ...doc } = docs[at]!;
        return { replaceOne: { filter: { _id }, replacement: doc } };
      });
      await m.changes.bulkWrite(again, { ordered: false });
    }
  });
}

async function insertNew(m: Mongo, insert: () => Promise<unknown>): Promise<void> {
  await m.attempt(async () => {
    try {
      await insert();
    } catch (error) {
      if (!onlyThereAlready(error)) throw error;
    }
  });
}
