import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { type AnyBulkWriteOperation, MongoClient } from 'mongodb';

/**
 * The script that IT would write today for MongoDB: parse the whole file, upsert every row in batches, delete what was
 * not seen. It has no completeness check, no guard, no plan, no history and no outbox. Usage: plain-mongodb.ts URI
 * DATABASE FILE
 */
const [uri, database, file] = process.argv.slice(2) as [string, string, string];
type Person = Record<string, string | number>;
const client = new MongoClient(uri);
const people = client.db(database).collection<Person>('people');
await people.createIndex({ id: 1, course: 1 }, { unique: true });
const seen = Date.now();
let batch: AnyBulkWriteOperation<Person>[] = [];
const rows = createReadStream(file).pipe(parse({ columns: true, bom: true }));
for await (const row of rows as AsyncIterable<Record<string, string>>) {
  const { id, course, ...rest } = row;
  const filter = { id: id!, course: course! };
  batch.push({ updateOne: { filter, update: { $set: { ...rest, seen } }, upsert: true } });
  if (batch.length < 1000) continue;
  await people.bulkWrite(batch, { ordered: false });
  batch = [];
}
if (batch.length) await people.bulkWrite(batch, { ordered: false });
await people.deleteMany({ seen: { $ne: seen } });
await client.close();
