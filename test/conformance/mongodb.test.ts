import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { systemClock } from '../../src/base/clock.ts';
import type { MongoSettings } from '../../src/store/mongodb/connect.ts';
import { openMongoStore } from '../../src/store/mongodb/index.ts';
import { storeConformance } from './store.ts';

const uri = process.env['ROSTERD_TEST_MONGODB_URI']!;
storeConformance('mongodb', async () => {
  const settings: MongoSettings = {
    uri,
    database: `test-${randomBytes(6).toString('hex')}`,
    username: null,
    password: null,
    authSource: null,
    authMechanism: null,
    tls: null,
    leaseMs: 1000,
    timeoutMs: 10_000,
  };
  const open = () =>
    openMongoStore(settings, 'example-university', { clock: systemClock, signal: new AbortController().signal });
  let store = await open();
  return {
    store,
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    async dispose() {
      await store.close();
      const client = new MongoClient(uri);
      await client.db(settings.database).dropDatabase();
      await client.close();
    },
    holder: ['mongodb', JSON.stringify(settings)],
    lockLapseMs: 3000,
  };
});
