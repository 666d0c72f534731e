import pLimit from 'p-limit';
import type { Mongo } from '../mongo.ts';
import type { Moment } from './moment.ts';

/** Questions on their way at once. */
const atOnce = 8;

/** Which of the courses still have a row in a snapshot that counts; one short question a course and source. */
export async function coursesWithRows(m: Mongo, moment: Moment, courses: readonly string[]): Promise<Set<string>> {
  const limit = pLimit(atOnce);
  const alive = await limit.map([...courses], async (key) => {
    for (const [source, number] of moment.numbers) if (await hasRow(m, moment, key, source, number)) return key;
    return null;
  });
  return new Set(alive.filter((key) => key !== null));
}

async function hasRow(m: Mongo, moment: Moment, key: string, source: string, number: number): Promise<boolean> {
  const [faculty, department, course] = key.split('\u001f') as [string, string, string];
  const discarded = [...moment.discarded.get(source)!];
  const row = await m.attempt(() =>
    m.rows.findOne(
      {
        ...{ course, department, faculty, source },
        first: { $lte: number, $nin: discarded },
        $or: [{ last: { $exists: false } }, { last: { $gt: number } }, { last: { $in: discarded } }],
      },
      { projection: { _id: 1 } },
    ),
  );
  return row !== null;
}
