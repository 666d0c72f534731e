import type { AnyBulkWriteOperation, MongoBulkWriteError } from 'mongodb';
import type { PlannedChange, PlanSink } from '../../../reconcile/plan.ts';
import type { PlanPosition } from '../../port.ts';
import type { ChangeDoc } from '../documents.ts';
import { alreadyThere, onlyThereAlready } from '../errors.ts';
import type { Mongo } from '../mongo.ts';
import { changesOf } from './changes.ts';

const pageSize = 1000;

/** Where a plan is put while it is made. */
export function planSink(m: Mongo, plan: string): PlanSink {
  let noted = 0;
  return {
    add: (changes) => addChanges(m, plan, changes),
    async note(notes) {
      const docs = notes.map((note, at) => ({ _id: `${plan}/${String(noted + at).padStart(9, '0')}`, plan, ...note }));
      noted += notes.length;
      await insertNew(m, () => m.notes.insertMany(docs, { ordered: false }), docs.length);
    },
    async pending(keys) {
      const docs = [...new Set(keys)].map((key) => ({ _id: pendingId(plan, key), plan, key }));
      await insertNew(m, () => m.pending.insertMany(docs, { ordered: false }), docs.length);
    },
    async *inOrder() {
      for (let after: PlanPosition | null = null; ; ) {
        const page: PlannedChange[] = await changesOf(m, plan, null, after, pageSize);
        if (!page.length) return;
        yield page;
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

async function insertNew(m: Mongo, insert: () => Promise<unknown>, count: number): Promise<void> {
  if (!count) return;
  await m.attempt(async () => {
    try {
      await insert();
    } catch (error) {
      if (!onlyThereAlready(error)) throw error;
    }
  });
}
