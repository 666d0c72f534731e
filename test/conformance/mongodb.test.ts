import { afterAll } from 'vitest';
import { mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { mongoSettings, openStore } from '../support/mongodb/store.ts';
import { requireServer } from '../support/requirements.ts';
import { hardOrder, storeConformance } from './store.ts';

const missing = await mongodbMissing();

requireServer('mongodb', () => missing)('MongoDB', () => {
  const starting = startMongo();
  afterAll(async () => (await starting).stop());

  storeConformance('mongodb', async () => {
    const server = await starting;
    const settings = mongoSettings(server.uri, server.database());
    let store = await openStore(settings);
    return {
      store,
      async reopen() {
        await store.close();
        store = await openStore(settings);
        return store;
      },
      dispose: () => store.close(),
      holder: ['mongodb', JSON.stringify(settings)],
      lockLapseMs: 10_000,
      hardOrder: server.real ? hardOrder : null,
    };
  });
});
