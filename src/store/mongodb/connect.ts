import { MongoClient, type MongoClientOptions } from 'mongodb';
import type { Clock } from '../../base/clock.ts';
import { Misconfigured } from '../../base/errors.ts';
import type { StoreConfig } from '../../configure/config.ts';
import { translated, withoutPassword } from './errors.ts';
import { Presence } from './presence.ts';

/** How the database is reached: what the configuration says of it. */
export type MongoSettings = Omit<Extract<StoreConfig, { kind: 'mongodb' }>, 'kind'>;

/** Milliseconds to find a server that takes writes; a step-down is waited out by repeating. */
const findMs = 8_000;

/** Opens a client and proves that the server lets us in. Throws the errors of the house. */
export async function connect(
  settings: MongoSettings,
  clock: Clock,
): Promise<{ client: MongoClient; place: string; presence: Presence }> {
  const uri = typeof settings.uri === 'string' ? settings.uri : settings.uri.reveal();
  const place = placeOf(uri, settings.database);
  let client: MongoClient | null = null;
  try {
    client = new MongoClient(uri, optionsOf(settings));
    const presence = new Presence(client, place, clock);
    await client.connect();
    // Credentials are only asked for by the first command.
    await client.db(settings.database).command({ ping: 1 });
    return { client, place, presence };
  } catch (error) {
    await client?.close();
    const known = translated(error, place);
    if (known !== error || !(error instanceof Error) || error.name === 'MongoServerError') throw known;
    throw new Misconfigured(`the MongoDB at ${place} cannot be used: ${withoutPassword(error.message)}`, {
      remedy: 'check store.uri and the settings beside it',
      cause: error,
    });
  }
}

function optionsOf(settings: MongoSettings): MongoClientOptions {
  const { username, password, authSource, authMechanism, tls, timeoutMs } = settings;
  return {
    appName: 'rosterd',
    writeConcern: { w: 'majority', wtimeoutMS: timeoutMs },
    // What a majority has cannot be rolled back: nobody goes on from what a lost primary alone was told.
    readConcern: { level: 'majority' },
    readPreference: 'primary',
    retryWrites: true,
    retryReads: true,
    maxPoolSize: 16,
    connectTimeoutMS: findMs,
    serverSelectionTimeoutMS: findMs,
    // A peer that is gone without a word would otherwise be waited for for ever.
    socketTimeoutMS: timeoutMs,
    ignoreUndefined: true,
    ...(username === null ? {} : { auth: { username, ...(password ? { password: password.reveal() } : {}) } }),
    ...(authSource === null ? {} : { authSource }),
    ...(authMechanism === null ? {} : { authMechanism }),
    ...(tls === null
      ? {}
      : {
          tls: true,
          ...(tls.ca === null ? {} : { tlsCAFile: tls.ca }),
          ...(tls.certificateKey === null ? {} : { tlsCertificateKeyFile: tls.certificateKey }),
        }),
  };
}

/** Hosts and database, as messages show them. */
export function placeOf(uri: string, database: string): string {
  const hosts = /^mongodb(?:\+srv)?:\/\/(?:.*@)?([^/?]*)/.exec(uri)?.[1] ?? '';
  return `mongodb://${hosts || '?'}/${database}`;
}
