import type { RowDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { discardedOf } from './discarded.ts';

const lotSize = 1000;

/** Every end of a row of a source, by the snapshots that ended them, ascending. */
export async function* endsOfRows(m: Mongo, source: string): AsyncGenerator<{ number: number; digests: Uint8Array[] }> {
  const discarded = await discardedOf(m, source);
  for (let number = 0; ; ) {
    const [next] = await m.attempt(() =>
      m.rows
        .find({ last: { $gt: number }, source })
        .sort({ last: 1 })
        .limit(1)
        .project<Pick<RowDoc, 'last'>>({ last: 1 })
        .toArray(),
    );
    if (!next) return;
    number = next.last!;
    if (!discarded.has(number)) yield* endsWith(m, source, number, discarded);
  }
}

async function* endsWith(m: Mongo, source: string, last: number, discarded: ReadonlySet<number>) {
  for (let after = ''; ; ) {
    const docs = await m.attempt(() =>
      m.rows
        .find({ last, source, _id: { $gt: after } })
        .sort({ _id: 1 })
        .limit(lotSize)
        .project<Pick<RowDoc, '_id' | 'digest' | 'first'>>({ digest: 1, first: 1 })
        .toArray(),
    );
    if (!docs.length) return;
    const digests = docs.filter(({ first }) => !discarded.has(first)).map(({ digest }) => digest.value());
    if (digests.length) yield { number: last, digests };
    after = docs.at(-1)!._id;
  }
}
