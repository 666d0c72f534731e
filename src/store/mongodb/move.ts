import type { Collection, Document } from 'mongodb';
import type { Move } from '../port.ts';
import { collectionNames, type Mongo } from './mongo.ts';

/** What a move does not throw away: what the database is, and who is at work on it. */
const lasting = new Set<string>(['meta', 'leases']);
const kept = collectionNames.filter((name) => !lasting.has(name));

/** A move into this store; its mark is in the one document of `meta`. */
export function move(m: Mongo): Move {
  return {
    async from() {
      const meta = await m.attempt(() => m.meta.findOne({ _id: 'rosterd' }));
      return meta?.moving ?? null;
    },
    async empty() {
      // Locks mark the documents that they protect, in an empty database too.
      const marks: Partial<Record<string, Document>> = {
        sources: { next: { $exists: true } },
        roster: { nextSeq: { $exists: true } },
      };
      for (const name of kept) {
        const collection = m[name] as unknown as Collection;
        if (await m.attempt(() => collection.findOne(marks[name] ?? {}))) return false;
      }
      return true;
    },
    async begin(from) {
      await m.attempt(() => m.meta.updateOne({ _id: 'rosterd' }, { $set: { moving: from } }));
      for (const name of kept) await m.attempt(() => m[name].deleteMany({}));
    },
    async end() {
      await m.attempt(() => m.meta.updateOne({ _id: 'rosterd' }, { $unset: { moving: '' } }));
    },
  };
}
