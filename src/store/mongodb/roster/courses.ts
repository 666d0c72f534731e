import type { CourseEntry } from '../../../reconcile/model.ts';
import { whole } from '../documents.ts';
import type { Mongo } from '../mongo.ts';

/** The course table by faculty, department, course. */
export async function courseEntries(m: Mongo): Promise<CourseEntry[]> {
  const docs = await m.attempt(() => m.courses.find({}, { batchSize: whole }).sort({ _id: 1 }).toArray());
  return docs.map(({ faculty, department, course, status }) => ({ faculty, department, course, status }));
}
