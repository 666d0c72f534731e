import { MongoClient } from 'mongodb';
import { afterAll, beforeAll } from 'vitest';
import { type MongoServer, startMongo } from './server.ts';

/** A server for the tests of a `describe`, and a client of it; both are there from the first test to the last. */
export function sharedMongo(): { readonly server: MongoServer; readonly client: MongoClient } {
  let server: MongoServer | undefined;
  let client: MongoClient | undefined;
  beforeAll(async () => {
    server = await startMongo();
    client = new MongoClient(server.uri, { serverSelectionTimeoutMS: 10_000 });
  });
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });
  return {
    get server() {
      return server!;
    },
    get client() {
      return client!;
    },
  };
}
