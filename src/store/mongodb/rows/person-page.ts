import { rowsName } from '../behind.ts';
import type { RowDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { discardedOf, lastOf } from './discarded.ts';

const life = { person: 1, first: 1, last: 1 } as const;
type Life = Required<Pick<RowDoc, 'person'>> & Pick<RowDoc, 'first' | 'last'>;

/** Keys of people in a snapshot or ended by it; MongoDB compares text by its bytes in UTF-8. */
export async function personPage(
  m: Mongo,
  source: string,
  number: number,
  after: string,
  limit: number,
): Promise<string[]> {
  await m.behind.settled(rowsName(source));
  const discarded = await discardedOf(m, source);
  const page: string[] = [];
  for (let from = after; ; ) {
    const docs = await m.attempt(() =>
      m.rows
        .find({ person: { $gt: from }, source })
        .sort({ person: 1 })
        .limit(2 * limit)
        .batchSize(2 * limit)
        .project<Life>(life)
        .toArray(),
    );
    const full = docs.length === 2 * limit;
    const last = docs.at(-1)?.person;
    // The last person of a full answer may have more rows behind it, one of which counts.
    let whole = full ? docs.filter(({ person }) => person !== last) : docs;
    if (full && !whole.length)
      whole = await m.attempt(() => m.rows.find({ person: last!, source }).project<Life>(life).toArray());
    for (const { person, first, last: end } of whole) {
      if (first > number || discarded.has(first) || lastOf(end, discarded) < number) continue;
      if (page.at(-1) !== person) page.push(person);
      if (page.length === limit) return page;
    }
    if (!full) return page;
    from = whole.at(-1)!.person;
  }
}
