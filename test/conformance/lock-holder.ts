import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import type { MongoSettings } from '../../src/store/mongodb/connect.ts';
import type { Store } from '../../src/store/port.ts';
import { openStore } from '../support/mongodb/store.ts';

/**
 * A process that opens a store, takes its lock, says `held` or `refused` on a line, and keeps it until it is killed:
 * `node lock-holder.ts KIND PLACE`.
 */
const open: Record<string, (place: string) => Store | Promise<Store>> = {
  embedded: openEmbeddedStore,
  mongodb: (place) => openStore(JSON.parse(place) as MongoSettings),
};

const [kind, place] = process.argv.slice(2);
const store = await open[kind!]!(place!);
process.stdout.write((await store.lock('roster')) ? 'held\n' : 'refused\n');
setInterval(() => {}, 60_000);
