import type { AnyBulkWriteOperation } from 'mongodb';
import { courseKey } from '../../../connector/target.ts';
import type { CourseEntry } from '../../../reconcile/model.ts';
import type { CourseDoc } from '../documents.ts';
import { fenced, type Mongo } from '../mongo.ts';

/** Writes entries of the course table. */
export async function putCourses(m: Mongo, entries: readonly CourseEntry[]): Promise<void> {
  if (!entries.length) return;
  const fence = m.fence('roster');
  const writes = entries.map(({ faculty, department, course, status }): AnyBulkWriteOperation<CourseDoc> => {
    const _id = courseKey({ faculty, department, course });
    return {
      replaceOne: {
        filter: { _id, fence: { $lte: fence } },
        replacement: { faculty, department, course, status, fence },
        upsert: true,
      },
    };
  });
  await m.attempt(() => fenced('the roster', () => m.courses.bulkWrite(writes, { ordered: false })));
}
