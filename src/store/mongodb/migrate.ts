import type { CreateIndexesOptions, Db, Document, Filter, IndexSpecification } from 'mongodb';
import { Misconfigured } from '../../base/errors.ts';
import { personOf } from '../../outbox/items.ts';
import type { MetaDoc, OutboxDoc } from './documents.ts';
import type { Collections, Mongo } from './mongo.ts';
import { itemOf } from './outbox/queued.ts';

/** What the database looks like, step by step. A step may be made twice, by two daemons at once, and after a cut. */

type Index = [keyof Collections, IndexSpecification, CreateIndexesOptions?];

interface Migration {
  /** From 1 on, without a gap. */
  layout: number;
  indexes: readonly Index[];
  step?(m: Mongo): Promise<void>;
}

const migrations: readonly Migration[] = [
  {
    layout: 1,
    indexes: [
      ['runs', { startedAt: -1, written: -1 }],
      ['runs', { source: 1, startedAt: -1, written: -1 }],
      ['runs', { source: 1, endedAt: 1 }],
      ['snapshots', { at: -1, number: -1 }],
      ['snapshots', { source: 1, at: -1, number: -1 }],
      // Sparse: each of these fields is missing where it says nothing, and nearly all rows are in few of them.
      ['snapshots', { discarded: 1 }, { sparse: true }],
      ['rows', { digest: 1 }],
      ['rows', { person: 1 }, { sparse: true }],
      ['rows', { email: 1 }, { sparse: true }],
      ['rows', { number: 1 }, { sparse: true }],
      ['rows', { course: 1, department: 1, faculty: 1 }],
      ['rows', { bad: 1 }, { sparse: true }],
      ['rows', { last: 1 }, { sparse: true }],
      ['accounts', { email: 1 }, { unique: true }],
      ['accounts', { id: 1 }, { unique: true, sparse: true }],
      ['accounts', { 'enrolments.course': 1 }],
      ['outbox', { target: 1, status: 1, seq: 1 }],
      ['outbox', { plan: 1, seq: 1 }],
      ['outbox', { seq: 1 }],
    ],
  },
  {
    layout: 2,
    indexes: [
      ['rows', { alias: 1 }, { sparse: true }],
      ['accounts', { alias: 1 }, { sparse: true }],
    ],
  },
  { layout: 3, indexes: [['outbox', { person: 1, seq: 1 }]], step: namePeople },
  // Plans may say `account.kind`, which an older version would pass over, and it does not know which platform a target is.
  { layout: 4, indexes: [] },
];

/** Items of older versions do not say whom they are about. */
async function namePeople(m: Mongo): Promise<void> {
  const unnamed = { person: { $exists: false } } as Filter<OutboxDoc>;
  for (;;) {
    const docs = await m.attempt(() => m.outbox.find(unnamed).limit(1000).toArray());
    if (!docs.length) return;
    const writes = docs.map((doc) => ({
      updateOne: { filter: { _id: doc._id }, update: { $set: { person: personOf(itemOf(doc)) } } },
    }));
    await m.attempt(() => m.outbox.bulkWrite(writes, { ordered: false }));
  }
}

/** The layout that this version writes. */
export const layout = migrations.length;

/** Oldest server whose answers this version understands: MongoDB 4.4 ends its support before it does ours. */
const oldestWire = 9;

/**
 * Brings a database to the layout of this version and makes sure that it is ours. Throws `Misconfigured` for a database
 * of a newer version or of another institution.
 */
export async function migrate(m: Mongo, institution: string): Promise<void> {
  const found = await m.attempt(() => m.meta.findOne({ _id: 'rosterd' }));
  if (found) refuseForeign(found, institution, m.place);
  if (found?.layout === layout) return;
  for (const migration of migrations) {
    if (found && migration.layout <= found.layout) continue;
    for (const [collection, keys, options] of migration.indexes)
      await m.attempt(() => m[collection].createIndex(keys, options));
    await migration.step?.(m);
    const made = { $set: { layout: migration.layout }, $setOnInsert: { institution, made: m.clock.now() } };
    await m.attempt(() => m.meta.updateOne({ _id: 'rosterd' }, made, { upsert: true }));
  }
}

/** Throws `Misconfigured` for a database of a newer version or of another institution. */
export function refuseForeign(found: MetaDoc, institution: string, place: string): void {
  if (found.layout > layout)
    throw new Misconfigured(`the database ${place} was written by a newer rosterd (layout ${found.layout})`, {
      remedy: 'use that version, or another database',
    });
  if (found.institution === institution) return;
  throw new Misconfigured(
    `the database ${place} belongs to the institution ${found.institution}, not to ${institution}`,
    { remedy: 'set store.database to one of its own, or correct institution' },
  );
}

/** Refuses a server that is too old to be trusted with this. */
export async function checkServer(m: Mongo, db: Db): Promise<void> {
  refuseOld(await m.attempt(() => db.command({ isMaster: 1 })), m.place);
}

/** Throws `Misconfigured` for a server that says of itself that it is too old. */
export function refuseOld(hello: Document, place: string): void {
  const wire = Number(hello['maxWireVersion']);
  if (wire >= oldestWire) return;
  throw new Misconfigured(`the MongoDB at ${place} is too old (wire version ${wire})`, {
    remedy: 'rosterd needs MongoDB 4.4 or newer',
  });
}
