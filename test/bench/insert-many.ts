import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { MongoClient } from 'mongodb';

/**
 * The least that anybody needs to have the rows of a file in MongoDB: the driver's own insertMany, unordered, a thousand
 * documents at a time, into a collection without a further index. Usage: insert-many.ts URI DATABASE FILE
 */
const [uri, database, file] = process.argv.slice(2) as [string, string, string];
const client = new MongoClient(uri);
const people = client.db(database).collection('inserted');
let batch: Record<string, string>[] = [];
const rows = createReadStream(file).pipe(parse({ columns: true, bom: true }));
for await (const row of rows as AsyncIterable<Record<string, string>>) {
  batch.push(row);
  if (batch.length < 1000) continue;
  await people.insertMany(batch, { ordered: false });
  batch = [];
}
if (batch.length) await people.insertMany(batch, { ordered: false });
await client.close();
