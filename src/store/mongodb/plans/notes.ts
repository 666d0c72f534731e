import type { Note } from '../../../reconcile/model.ts';
import { planNames } from '../behind.ts';
import { under } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** In the order of putting. */
export async function notesOf(m: Mongo, plan: string, limit: number): Promise<Note[]> {
  await m.behind.settled(...planNames(plan));
  const docs = await m.attempt(() =>
    m.notes
      .find({ _id: under(plan), plan })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray(),
  );
  return docs.map(({ _id: _, plan: __, ...note }) => note);
}
