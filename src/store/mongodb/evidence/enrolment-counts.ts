import pLimit from 'p-limit';
import type { Mongo } from '../mongo.ts';

const atOnce = 8;

/** Number of enrolments in the roster for each of the courses; an account is in a course once. */
export async function enrolmentCounts(m: Mongo, courses: readonly string[]): Promise<Map<string, number>> {
  const limit = pLimit(atOnce);
  const counts = await limit.map([...courses], async (key): Promise<[string, number]> => {
    const [faculty, department, course] = key.split('\u001f') as [string, string, string];
    const where = { 'enrolments.course': course, enrolments: { $elemMatch: { faculty, department, course } } };
    return [key, await m.attempt(() => m.accounts.countDocuments(where))];
  });
  return new Map(counts);
}
