import type { Mongo } from '../mongo.ts';

/** People with items of a target that are failed, or in the hands of another system. */
export async function troubledPeople(m: Mongo, target: string): Promise<string[]> {
  const groups = await m.attempt(() =>
    m.outbox
      .aggregate<{ _id: string }>([
        {
          $match: { target, $or: [{ status: 'failed' }, { status: 'processing', because: { $exists: true } }] },
        },
        { $group: { _id: '$person' } },
        { $sort: { _id: 1 } },
      ])
      .toArray(),
  );
  return groups.map(({ _id }) => _id);
}
