import { copyFileSync, existsSync, mkdtempSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import type { Store } from '../../src/store/port.ts';
import { isWrite, startProxy } from './mongodb/proxy.ts';
import type { MongoServer } from './mongodb/server.ts';
import { buryLeases, mongoSettings, openStore } from './mongodb/store.ts';

/** Where a site keeps its state: what its configuration says, how to look at it, and how its writes are noticed. */
export interface Keeping {
  /** The value of `store` in the configuration. */
  yaml: string;
  /** Opens what the site's processes have. */
  open(): Promise<Store>;
  /** Opens it without leaving a trace. */
  peek(): Promise<Store>;
  /** Tells of every write of the site's processes until the function that it returns is called. */
  watch(onWrite: () => void): () => void;
  /** Ends the locks of a process that is dead; left out where its death does. */
  bury?(): Promise<void>;
  close(): Promise<void>;
}

export type Keep = (stateDir: string) => Promise<Keeping>;

/** One file in the state directory; its log grows with every write. */
export const embedded: Keep = async (stateDir) => ({
  yaml: '{ kind: embedded }',
  open: async () => openEmbeddedStore(stateDir),
  async peek() {
    const copy = mkdtempSync(join(stateDir, '..', 'copy-'));
    for (const file of ['rosterd.db', 'rosterd.db-wal'])
      if (existsSync(join(stateDir, file))) copyFileSync(join(stateDir, file), join(copy, file));
    const store = openEmbeddedStore(copy);
    return {
      ...store,
      async close() {
        await store.close();
        rmSync(copy, { recursive: true });
      },
    };
  },
  watch(onWrite) {
    const watcher = watch(stateDir, (_event, file) => {
      if (file === 'rosterd.db-wal') onWrite();
    });
    return () => watcher.close();
  },
  close: async () => {},
});

/** A database of its own, which the site's processes reach through a proxy that counts what they write. */
export function inMongo(server: MongoServer): Keep {
  return async () => {
    const proxy = await startProxy(server.ports[0]!);
    const database = server.database();
    const open = (): Promise<Store> => openStore(mongoSettings(server.uri, database));
    return {
      yaml: `{ kind: mongodb, uri: '${proxy.uri}', database: ${database}, lease: 20s }`,
      open,
      peek: open,
      watch(onWrite) {
        proxy.fault((command) => {
          if (isWrite(command)) onWrite();
          return 'pass';
        });
        return () => proxy.fault(null);
      },
      // leases that are short from the beginning are lost on a busy machine
      async bury() {
        const client = await new MongoClient(server.uri).connect();
        await buryLeases(client, database);
        await client.close();
      },
      close: () => proxy.stop(),
    };
  };
}
