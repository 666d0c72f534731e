import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import { hardOrder, storeConformance } from './store.ts';

storeConformance('embedded', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rosterd-store-'));
  let store = openEmbeddedStore(directory);
  return {
    store,
    async reopen() {
      await store.close();
      store = openEmbeddedStore(directory);
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
    holder: ['embedded', directory],
    lockLapseMs: 0,
    hardOrder,
  };
});
