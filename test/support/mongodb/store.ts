import type { MongoClient } from 'mongodb';
import { systemClock } from '../../../src/base/clock.ts';
import type { MongoSettings } from '../../../src/store/mongodb/connect.ts';
import { openMongoStore } from '../../../src/store/mongodb/index.ts';
import type { Store } from '../../../src/store/port.ts';

/** The institution of every test's database. */
export const institution = 'example-university';

/** Settings for a database of a server, with leases and time-outs that suit a test. */
export function mongoSettings(uri: string, database: string, changes: Partial<MongoSettings> = {}): MongoSettings {
  const none = { username: null, password: null, authSource: null, authMechanism: null, tls: null };
  return { uri, database, ...none, leaseMs: 1_000, timeoutMs: 10_000, ...changes };
}

/** Opens a store as a process of its own would. */
export function openStore(settings: MongoSettings): Promise<Store> {
  return openMongoStore(settings, institution, { clock: systemClock, signal: new AbortController().signal });
}

/** Makes the leases of a database short, whose holder is dead: to wait for their end would be most of a test's time. */
export async function buryLeases(client: MongoClient, database: string): Promise<void> {
  await client
    .db(database)
    .collection('leases')
    .updateMany({}, { $set: { ttlMs: 150 } });
}
