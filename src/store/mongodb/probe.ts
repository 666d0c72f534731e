import type { Db, Document } from 'mongodb';
import type { Clock } from '../../base/clock.ts';
import { Denied, Misconfigured, messageOf } from '../../base/errors.ts';
import type { Snapshot, StoreLook } from '../port.ts';
import { connect, type MongoSettings } from './connect.ts';
import { translated } from './errors.ts';
import { refuseForeign, refuseOld } from './migrate.ts';
import { type Collections, collectionNames, collectionsOf } from './mongo.ts';
import { outboxCounts } from './outbox/counts.ts';
import { platformsOf } from './outbox/platforms.ts';
import { snapshotOf } from './snapshots/get.ts';
import { snapshotKey } from './snapshots/put.ts';

/** What a user of the database must be allowed to do in it. */
export const neededActions = ['find', 'insert', 'update', 'remove', 'createIndex'] as const;

/**
 * Looks at a database without changing anything: what server, whose database, and whether this user may write. Throws
 * the errors of the house, at once: whoever looks is there and can look again. `begun`: it has an account.
 */
export async function probeMongo(
  settings: MongoSettings,
  institution: string,
  clock: Clock,
): Promise<{ look: StoreLook; begun: boolean }> {
  const { client, place } = await connect(settings, clock);
  const db = client.db(settings.database);
  const collections = collectionsOf(db);
  try {
    const hello = await db.command({ isMaster: 1 });
    refuseOld(hello, place);
    const meta = await collections.meta.findOne({ _id: 'rosterd' });
    if (meta) refuseForeign(meta, institution, place);
    if (meta?.moving)
      throw new Misconfigured(`the store ${place} holds a part of ${meta.moving}: its move was cut`, {
        remedy: 'repeat rosterd migrate-store',
      });
    const found = [
      `${await versionOf(db)}${formOf(hello)}${skewOf(hello, clock)}`,
      meta
        ? `database ${settings.database}: layout ${meta.layout}, since ${meta.made.toISOString().slice(0, 10)}`
        : `database ${settings.database}: empty, the first sync prepares it`,
      await rightsIn(db, settings.database, place),
    ];
    const begun = (await collections.accounts.findOne({}, { projection: { _id: 1 } })) !== null;
    const asked = { ...collections, attempt: <T>(ask: () => Promise<T>) => ask() };
    const [outbox, platforms] = [await outboxCounts(asked), await platformsOf(asked)];
    return { look: { found, last: await lastIn(collections), outbox, platforms }, begun };
  } catch (error) {
    throw translated(error, place);
  } finally {
    await client.close();
  }
}

/** The snapshots in force, by source. */
async function lastIn({ sources, snapshots }: Collections): Promise<Map<string, Snapshot>> {
  const last = new Map<string, Snapshot>();
  for (const { _id: source, current } of await sources.find().toArray()) {
    const doc = typeof current === 'number' ? await snapshots.findOne({ _id: snapshotKey(source, current) }) : null;
    const snapshot = doc && snapshotOf(doc);
    if (snapshot) last.set(source, snapshot);
  }
  return last;
}

async function versionOf(db: Db): Promise<string> {
  try {
    return `MongoDB ${(await db.command({ buildInfo: 1 }))['version']}`;
  } catch {
    // some services do not tell
    return 'MongoDB';
  }
}

function formOf({ setName, msg }: Document): string {
  if (typeof setName === 'string') return `, replica set ${setName}`;
  return msg === 'isdbgrid' ? ', sharded' : ', standalone';
}

/** No clocks are compared; people who read times may wonder all the same. */
function skewOf({ localTime }: Document, clock: Clock): string {
  if (!(localTime instanceof Date)) return '';
  const minutes = Math.round(Math.abs(localTime.getTime() - clock.now().getTime()) / 60_000);
  return minutes < 2 ? '' : `, its clock differs by ${minutes} minutes (which does no harm)`;
}

/** Says who we are there; throws `Denied` when a right is missing. */
async function rightsIn(db: Db, database: string, place: string): Promise<string> {
  let status: Document;
  try {
    status = await db.command({ connectionStatus: 1, showPrivileges: true });
  } catch (error) {
    return `what this user may do was not told: ${messageOf(translated(error, place))}`;
  }
  const { authenticatedUsers: users = [], authenticatedUserPrivileges: privileges = [] } = status['authInfo'] ?? {};
  if (!users.length) return 'nobody is asked for a password: everybody may read and write';
  const missing = missingActions(privileges as Privilege[], database);
  const name = `${users[0].user} (of ${users[0].db})`;
  if (missing.length)
    throw new Denied(`the user ${name} may not ${missing.join(', ')} in ${place}`, {
      remedy: `give it a role with ${neededActions.join(', ')} on that database`,
    });
  return `user ${name} may read and write`;
}

/** As `connectionStatus` shows them. */
export interface Privilege {
  resource: { db?: string; collection?: string; anyResource?: boolean };
  actions: string[];
}

/** The needed actions that are not granted for every collection of ours. */
export function missingActions(privileges: readonly Privilege[], database: string): string[] {
  const covers = ({ resource: { db, collection, anyResource } }: Privilege, name: string): boolean =>
    anyResource === true || ((db === '' || db === database) && (collection === '' || collection === name));
  return neededActions.filter((action) =>
    collectionNames.some((name) => !privileges.some((one) => one.actions.includes(action) && covers(one, name))),
  );
}
