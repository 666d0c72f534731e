import fc from 'fast-check';
import {
  type Collection,
  Decimal128,
  type Document,
  type IndexDescription,
  Long,
  type MongoServerError,
  ObjectId,
} from 'mongodb';

/** Stories that are played to two collections, one of them without indexes: whatever is asked, both say the same. */

// few values, so that conditions meet them
const scalar: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 4, arbitrary: fc.constantFrom(null, null, 1.5, -1, 'a', 'b') },
  fc.constantFrom('', 'a\u0000b', 'ä', true, false, new Date(0), new Date(5), Decimal128.fromString('2')),
  fc.constantFrom(Long.fromString('9007199254740993'), 9007199254740992, new ObjectId('0'.repeat(24))),
);
const inner = fc.record({ x: scalar, y: scalar }, { requiredKeys: [] });
const document: fc.Arbitrary<Document> = fc.record(
  {
    a: fc.oneof({ weight: 8, arbitrary: scalar }, fc.array(scalar, { maxLength: 3 }), inner),
    b: fc.oneof({ weight: 3, arbitrary: scalar }, inner),
    c: fc.oneof(inner, fc.array(fc.oneof({ weight: 3, arbitrary: inner }, scalar), { maxLength: 3 }), scalar),
    t: fc.array(scalar, { maxLength: 4 }),
    s: scalar,
    p: scalar,
  },
  { requiredKeys: [] },
);
/** What is in a collection at the start. */
export const documents = fc.array(document, { minLength: 1, maxLength: 25, size: 'max' });
/** Few at a time, since the one that answers first wins. */
export const indexes: fc.Arbitrary<IndexDescription[]> = fc.subarray<IndexDescription>(
  [
    { key: { a: 1, _id: 1 } },
    { key: { b: 1, a: 1, _id: 1 } },
    { key: { b: 1, _id: 1 } },
    { key: { 'c.x': 1, 'c.y': 1 } },
    { key: { t: -1 } },
    { key: { s: 1 }, sparse: true },
    { key: { p: 1, _id: 1 }, partialFilterExpression: { b: { $gt: 1 } } },
  ],
  { minLength: 1, maxLength: 2 },
);
const range = fc.oneof(
  fc.record({ $gt: scalar, $gte: scalar, $lt: scalar, $lte: scalar }, { requiredKeys: [] }),
  fc.tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), scalar).map(([operator, end]) => ({ [operator]: end })),
);
const condition: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 4, arbitrary: range.filter((one) => Object.keys(one).length > 0) },
  { weight: 2, arbitrary: fc.record({ $in: fc.array(scalar, { maxLength: 4 }) }) },
  fc.record({ $eq: scalar }),
  fc.record({ $ne: scalar }),
  fc.record({ $exists: fc.boolean() }),
  inner.filter((one) => Object.keys(one).length > 0),
);
const path = fc.constantFrom('_id', 'a', 'b', 'c.x', 'c.y', 't', 's', 'p');
const conditions: fc.Arbitrary<Document> = fc.oneof(
  fc.tuple(path, condition).map(([one, of]) => ({ [one]: of })),
  fc.dictionary(path, condition, { maxKeys: 3 }),
  fc.record({ 'c.x': scalar, 'c.y': scalar }),
  fc.record({ b: condition, a: condition }),
  fc.record({ s: fc.constantFrom<unknown>(null, { $in: [null, 1] }, { $exists: false }) }),
  fc.record({ b: condition, p: condition }),
);
const filter: fc.Arbitrary<Document> = fc.oneof(
  { weight: 4, arbitrary: conditions },
  fc.tuple(conditions, conditions).map(([one, other]) => ({ $and: [one, other] })),
);
const sort = fc.constantFrom<Record<string, 1 | -1> | null>(
  null,
  { _id: 1 },
  { _id: -1 },
  { a: 1, _id: 1 },
  { a: -1, _id: -1 },
  { b: 1, _id: 1 },
  { b: 1, a: 1, _id: 1 },
  { p: 1, _id: 1 },
  { a: 1, b: 1, _id: 1 },
);
const change: fc.Arbitrary<Document> = document.chain((fields) =>
  fc.constantFrom('a', 'b', 'c', 't', 's', 'p').map((gone) => {
    const { [gone]: _, ...rest } = fields;
    return { ...(Object.keys(rest).length ? { $set: rest } : {}), $unset: { [gone]: 1 } };
  }),
);

/** One of them. */
export interface Step {
  /** The same in both collections; with `scan`, in a way that no index can help with. */
  run(rows: Collection, scan: boolean): Promise<unknown>;
}

/** An index answers only conditions that all must hold. */
const asked = (of: Document, scan: boolean): Document => (scan ? { $or: [of] } : of);
const byId = (rows: Document[]): Document[] => rows.sort((a, b) => a['_id'] - b['_id']);

/** Named by what it does, for the report of a counterexample. */
const named = (name: string, detail: unknown, run: Step['run']): Step => ({
  run,
  ...{ toString: () => `${name} ${JSON.stringify(detail)}` },
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(filter, sort, fc.nat(6), fc.nat(3)).map(([of, order, limit, skip]) =>
      named('find', [of, order, limit, skip], async (rows, scan) => {
        const found = rows.find(asked(of, scan));
        if (order === null) return byId(await found.toArray());
        return found.sort(order).skip(skip).limit(limit).toArray();
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(document, fc.nat(60)).map(([of, _id]) =>
      named('insert', [_id, of], (rows) =>
        rows.insertOne({ ...of, _id: _id as never }).then(
          () => 'inserted',
          (error: MongoServerError) => error.code,
        ),
      ),
    ),
  },
  filter.map((of) => named('count', of, (rows, scan) => rows.countDocuments(asked(of, scan)))),
  fc
    .tuple(filter, change)
    .map(([of, to]) =>
      named('updateMany', [of, to], async (rows, scan) => (await rows.updateMany(asked(of, scan), to)).matchedCount),
    ),
  fc
    .tuple(filter, change)
    .map(([of, to]) =>
      named('findOneAndUpdate', [of, to], (rows, scan) =>
        rows.findOneAndUpdate(asked(of, scan), to, { sort: { a: 1, _id: 1 } }),
      ),
    ),
  fc.tuple(fc.nat(30), conditions, fc.boolean()).map(([_id, of, gone]) =>
    named('one', [_id, of, gone], async (rows, scan) => {
      const one = asked({ ...of, _id }, scan);
      if (gone) return (await rows.deleteOne(one)).deletedCount;
      return (await rows.updateOne(one, { $set: { b: 3 } })).matchedCount;
    }),
  ),
  fc
    .tuple(conditions, fc.nat(20))
    .map(([of, above]) => ({ ...of, _id: { $gt: above } }))
    .map((of) => named('deleteMany', of, async (rows, scan) => (await rows.deleteMany(asked(of, scan))).deletedCount)),
);
/** A story of questions and changes. */
export const steps = fc.array(step, { minLength: 1, maxLength: 20, size: 'max' });
