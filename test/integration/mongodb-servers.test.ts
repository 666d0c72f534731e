import fc from 'fast-check';
import { type Collection, type Document, MongoBulkWriteError, MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codes, failNext } from '../support/mongodb/failures.ts';
import { type FaultyProxy, isWrite, startProxy } from '../support/mongodb/proxy.ts';
import { mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { sharedMongo } from '../support/mongodb/shared.ts';
import { documents, indexes, steps } from '../support/mongodb/stories.ts';
import { requireServer } from '../support/requirements.ts';

/** The servers and faults that other tests stand on, seen by a real driver. */

const missing = await mongodbMissing();
const noReplicaSet = await mongodbMissing({ replicaSet: true });

requireServer('mongodb', () => missing)('a MongoDB server for tests', () => {
  const mongo = sharedMongo();
  let database: string;
  const collection = (name: string): Collection => mongo.client.db(database).collection(name);

  beforeAll(() => {
    database = mongo.server.database();
  });

  test('says what it is', () => {
    expect(mongo.server.name).toMatch(/^(mongod|mongo-java-server|MongoDB) \S*\d/);
    expect(mongo.server.ports.every((port) => port > 0)).toBe(true);
  });

  test('keeps its data when it is killed and started again', async ({ skip }) => {
    if (!mongo.server.ours) skip('this server is not ours to kill');
    const rows = collection('kept');
    await rows.insertOne({ _id: 'a' as never }, { writeConcern: { journal: true } });
    await mongo.server.kill();
    const other = new MongoClient(mongo.server.uri, { serverSelectionTimeoutMS: 3000 });
    await expect(other.db(database).command({ ping: 1 })).rejects.toThrow('ECONNREFUSED');
    await other.close();
    await mongo.server.restart();
    expect(await rows.countDocuments()).toBe(1);
  });

  describe('indexes', () => {
    test('give what a scan gives', async () => {
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(indexes, documents, steps, async (keys, rows, steps) => {
          runs += 1;
          const [indexed, plain] = [collection(`indexed${runs}`), collection(`plain${runs}`)];
          await indexed.createIndexes(keys);
          const withIds = rows.map((row, _id) => ({ _id: _id as never, ...row }));
          await Promise.all([indexed, plain].map((one) => one.insertMany(withIds)));
          for (const one of steps) {
            const [found, wanted] = await Promise.all([one.run(indexed, false), one.run(plain, true)]);
            expect(found).toEqual(wanted);
          }
          const everything = (one: Collection): Promise<Document[]> => one.find().sort({ _id: 1 }).toArray();
          expect(await everything(indexed)).toEqual(await everything(plain));
          await Promise.all([indexed.drop(), plain.drop()]);
        }),
        { numRuns: 300 },
      );
    });

    test('forget what was deleted, also when its place is used again', async () => {
      const rows = collection('places');
      await rows.createIndex({ a: 1 });
      await rows.insertMany([{ a: 1 }, { a: 2 }]);
      await rows.deleteOne({ a: 1 });
      await rows.insertOne({ a: 3 });
      const found = await Promise.all([1, 2, 3].map((a) => rows.find({ a }).toArray()));
      expect(found.map((one) => one.length)).toEqual([0, 1, 1]);
    });

    test('sort what has an order of its own', async () => {
      const values = [{ x: 'a' }, { y: 1 }, { x: 1, y: 1 }, null, 'a', 1, new Date(0), true, {}];
      const [indexed, plain] = [collection('sorted'), collection('unsorted')];
      await indexed.createIndex({ b: 1, _id: 1 });
      const documents = values.map((b, _id) => ({ _id: _id as never, b }));
      await Promise.all([indexed, plain].map((one) => one.insertMany(documents)));
      for (const way of [1, -1] as const) {
        const [found, wanted] = await Promise.all(
          [indexed, plain].map((one) => one.find().sort({ b: way, _id: way }).limit(7).toArray()),
        );
        expect(found).toEqual(wanted);
      }
    });

    test('hold what is unique, in documents that they have', async () => {
      const rows = collection('unique');
      await rows.createIndex({ u: 1 }, { unique: true, partialFilterExpression: { u: { $type: 'string' } } });
      await rows.createIndex({ v: 1, w: 1 }, { unique: true, sparse: true });
      await rows.insertMany([{ u: 'one', v: 1 }, { u: 'two', v: 1, w: 1 }, { u: 1 }, { u: 1 }, {}, {}]);
      const refused = await rows.insertOne({ u: 'one' }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 11000, keyPattern: { u: 1 }, keyValue: { u: 'one' } });
      await expect(rows.updateOne({ u: 'two' }, { $set: { u: 'one' } })).rejects.toMatchObject({ code: 11000 });
      await expect(rows.updateOne({ u: 'two' }, { $unset: { w: 1 } })).rejects.toMatchObject({ code: 11000 });
      await rows.updateOne({ u: 'one' }, { $set: { u: 'free' } });
      await rows.insertOne({ u: 'one' });
      await expect(rows.createIndex({ x: 1 }, { unique: true })).rejects.toMatchObject({ code: 11000 });
    });

    test('answer a page and a look-up of many keys at once among many documents', async () => {
      const rows = collection('many');
      const count = 20_000;
      await rows.createIndex({ key: 1 });
      for (let at = 0; at < count; at += 1000)
        await rows.insertMany(
          Array.from({ length: 1000 }, (_, i) => ({ _id: (at + i) as never, key: `k${at + i}`, fence: 1 })),
        );
      const started = performance.now();
      for (let at = 0; at < count; at += 500) {
        const keys = Array.from({ length: 500 }, (_, i) => `k${at + i}`);
        expect(await rows.countDocuments({ key: { $in: keys }, fence: { $lte: 5 } })).toBe(500);
        const page = await rows
          .find({ _id: { $gt: at as never } })
          .sort({ _id: 1 })
          .limit(3)
          .toArray();
        expect(page.map((row) => row._id)).toEqual([at + 1, at + 2, at + 3].filter((id) => id < count));
      }
      // scans would take a minute
      expect(performance.now() - started).toBeLessThan(40_000);
    });
  });

  describe('answers to writes', () => {
    test('an ordered command ends with its first error, an unordered one goes on', async () => {
      const rows = collection('order');
      const four = [1, 1, 2, 3].map((_id) => ({ _id: _id as never }));
      const ordered = await rows.insertMany(four).catch((error: unknown) => error);
      expect(ordered).toBeInstanceOf(MongoBulkWriteError);
      expect(ordered).toMatchObject({ code: 11000, insertedCount: 1, writeErrors: [{ index: 1 }] });
      const rest = await rows.insertMany(four, { ordered: false }).catch((error: unknown) => error);
      expect(rest).toMatchObject({ insertedCount: 2, writeErrors: [{ index: 0 }, { index: 1 }] });
      const update = (_id: number): Parameters<Collection['bulkWrite']>[0][number] => ({
        updateOne: { filter: { _id: _id as never, not: 1 }, update: { $set: { x: 1 } }, upsert: true },
      });
      await expect(rows.bulkWrite([update(1), update(9)])).rejects.toMatchObject({ upsertedCount: 0 });
      await expect(rows.bulkWrite([update(1), update(9)], { ordered: false })).rejects.toMatchObject({
        upsertedCount: 1,
      });
    });

    test('a document over 16 MiB is refused', async () => {
      const rows = collection('large');
      const half = 'x'.repeat(9 * 1024 * 1024);
      await rows.insertOne({ _id: 1 as never, half });
      const grown = rows.updateOne({ _id: 1 as never }, { $set: { other: half } });
      await expect(grown).rejects.toMatchObject({ code: codes.DocumentTooLarge });
      // above 17 MiB the driver fails with a RangeError of its own
      const above = 'x'.repeat(16.2 * 1024 * 1024);
      await expect(rows.insertOne({ above })).rejects.toMatchObject({ name: 'MongoServerError' });
      await expect(rows.insertMany([{ above }])).rejects.toThrow('larger than the maximum size');
      expect(await rows.countDocuments()).toBe(1);
    });

    test.each([
      ['DuplicateKey', codes.DuplicateKey],
      ['NotWritablePrimary', codes.NotWritablePrimary],
      ['OutOfDiskSpace', codes.OutOfDiskSpace],
    ])('a command can be made to fail: %s', async (codeName, errorCode) => {
      const rows = collection(codeName);
      await failNext(mongo.client, { errorCode }, { times: 2 });
      await expect(rows.insertMany([{ _id: 1 as never }])).rejects.toMatchObject({ code: errorCode, codeName });
      await expect(rows.updateOne({}, { $set: { x: 1 } })).rejects.toMatchObject({ code: errorCode, codeName });
      await rows.insertOne({ _id: 1 as never });
    });

    test('a write concern can fail after the write', async () => {
      const rows = collection('concern');
      const error = { code: codes.WriteConcernTimeout, codeName: 'WriteConcernTimeout', errmsg: 'nobody follows' };
      await failNext(mongo.client, { writeConcernError: error }, { times: 2 });
      await expect(rows.insertMany([{ _id: 1 as never }])).rejects.toMatchObject({ code: 64, insertedCount: 1 });
      await expect(rows.updateOne({ _id: 1 as never }, { $set: { x: 1 } })).rejects.toMatchObject({ code: 64 });
      expect(await rows.findOne()).toEqual({ _id: 1, x: 1 });
    });

    test('single documents can be refused', async ({ skip }) => {
      if (mongo.server.real) skip('a real server has no fail point for it');
      await failNext(mongo.client, { writeErrors: [{ index: 1, code: codes.OutOfDiskSpace, errmsg: 'disk full' }] });
      const refused = collection('refused').insertMany([{}, {}], { ordered: false });
      await expect(refused).rejects.toMatchObject({ writeErrors: [{ index: 1, code: codes.OutOfDiskSpace }] });
    });

    test('what is read is not changed while it is sent', async () => {
      const rows = collection('busy');
      await rows.insertMany(Array.from({ length: 200 }, (_, i) => ({ _id: i as never, n: 0 })));
      const change = (i: number): Promise<unknown> => rows.updateMany({}, { $set: { n: i, [`f${i % 50}`]: i } });
      const jobs = Array.from({ length: 60 }, (_, i) => (i % 2 ? change(i) : rows.find().batchSize(20).toArray()));
      expect((await Promise.all(jobs)).length).toBe(60);
    });
  });

  describe('a proxy in between', () => {
    let proxy: FaultyProxy;
    let through: MongoClient;
    let rows: Collection;
    const named =
      (name: string) =>
      (command: { name: string; collection: string | null }): boolean =>
        command.name === name && command.collection === 'rows';

    beforeAll(async () => {
      proxy = await startProxy(mongo.server.ports[0]!);
      // a server that is a replica set would do a lost write once more by itself
      const quick = { serverSelectionTimeoutMS: 2000, socketTimeoutMS: 3000, connectTimeoutMS: 3000 };
      through = new MongoClient(proxy.uri, { ...quick, retryWrites: false, retryReads: false });
      rows = through.db(database).collection('rows');
    });
    beforeEach(async () => {
      await proxy.heal();
      await rows.deleteMany({});
      proxy.forget();
    });
    afterAll(async () => {
      await through?.close();
      await proxy?.stop();
    });

    const ids = async (): Promise<unknown[]> =>
      (await collection('rows').find().sort({ _id: 1 }).toArray()).map((row) => row._id);
    const insert = (_id: number): Promise<unknown> => rows.insertMany([{ _id: _id as never }]);

    test('counts requests by command', async () => {
      await insert(1);
      await insert(2);
      await rows.findOneAndUpdate({ _id: 1 as never }, { $set: { x: 1 } });
      for await (const _ of rows.find().batchSize(1));
      expect(proxy.requests).toMatchObject({ insert: 2, findAndModify: 1, find: 1 });
      expect(proxy.roundTrips()).toBe(4 + (proxy.requests['getMore'] ?? 0));
    });

    test('loses the answer to a write that was done', async () => {
      const lost = proxy.loseAnswer(2);
      await insert(1);
      await expect(insert(2)).rejects.toThrow(/ECONNRESET|closed/);
      await lost;
      expect(await ids()).toEqual([1, 2]);
      await insert(3);
    });

    test('cuts before a write arrives', async () => {
      const cut = proxy.cutAtRequest(1, isWrite);
      await expect(insert(1)).rejects.toThrow(/ECONNRESET|closed/);
      await cut;
      expect(await ids()).toEqual([]);
    });

    test('aims at a command and a collection', async () => {
      proxy.fault((command) => (named('update')(command) ? 'cutBefore' : 'pass'));
      await insert(1);
      await through
        .db(database)
        .collection('others')
        .updateOne({}, { $set: { x: 1 } });
      await expect(rows.updateOne({}, { $set: { x: 1 } })).rejects.toThrow(/ECONNRESET|closed/);
    });

    test('swallows a request: nothing happens until the driver has waited enough', async () => {
      proxy.fault(({ name, n }) => (name === 'insert' && n === 1 ? 'swallow' : 'pass'));
      await expect(insert(1)).rejects.toMatchObject({ errorResponse: { name: 'MongoNetworkTimeoutError' } });
      expect(await ids()).toEqual([]);
      await insert(2);
    });

    test('swallows all answers of a half-open connection, and the writes are done', async () => {
      await insert(1);
      proxy.swallow('answer');
      await expect(insert(2)).rejects.toMatchObject({ errorResponse: { name: 'MongoNetworkTimeoutError' } });
      expect(await ids()).toEqual([1, 2]);
    });

    test('is late', async () => {
      proxy.fault((command) => (named('find')(command) ? 120 : 'pass'));
      const started = performance.now();
      await rows.findOne();
      expect(performance.now() - started).toBeGreaterThan(100);
    });

    test('cuts within a message', async () => {
      await insert(1);
      const within = proxy.cutAfter(30, 'answer');
      await expect(insert(2)).rejects.toThrow(/ECONNRESET|closed/);
      await within;
      expect(await ids()).toEqual([1, 2]);
      const before = proxy.cutAfter(30, 'request');
      await expect(insert(3)).rejects.toThrow(/ECONNRESET|closed/);
      await before;
      expect(await ids()).toEqual([1, 2]);
    });

    test('refuses new connections, and takes them again', async () => {
      await insert(1);
      await proxy.refuse(true);
      const late = new MongoClient(proxy.uri, { serverSelectionTimeoutMS: 3000 });
      await expect(late.db(database).command({ ping: 1 })).rejects.toThrow('ECONNREFUSED');
      await late.close();
      // a connection that is there goes on
      await insert(2);
      await proxy.refuse(false);
      proxy.cut();
      expect(await rows.countDocuments().catch(() => rows.countDocuments())).toBe(2);
    });
  });
});

requireServer('mongodb-replica-set', () => noReplicaSet)('a replica set for tests', () => {
  test('takes writes after its primary was killed', async () => {
    const set = await startMongo({ replicaSet: true });
    const client = new MongoClient(set.uri, { serverSelectionTimeoutMS: 30_000 });
    try {
      const rows = client.db(set.database()).collection('rows');
      await rows.insertOne({ _id: 1 as never }, { writeConcern: { w: 'majority' } });
      if (!set.ours) return;
      await set.kill();
      await rows.insertOne({ _id: 2 as never }, { writeConcern: { w: 'majority' } });
      await set.restart();
      expect(await rows.countDocuments()).toBe(2);
    } finally {
      await client.close();
      await set.stop();
    }
  });
});
