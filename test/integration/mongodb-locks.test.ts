import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import type { Lock, Store } from '../../src/store/port.ts';
import { goodRow } from '../conformance/store/samples.ts';
import { codes, failNext } from '../support/mongodb/failures.ts';
import { type Command, type FaultyProxy, startProxy } from '../support/mongodb/proxy.ts';
import { mongodbMissing } from '../support/mongodb/server.ts';
import { sharedMongo } from '../support/mongodb/shared.ts';
import { mongoSettings, openStore } from '../support/mongodb/store.ts';
import { requireServer } from '../support/requirements.ts';

/** Locks whose database fails around them: what one process has lost, or never had, is in nobody's way. */

const missing = await mongodbMissing();
const tooLarge = { errorCode: codes.DocumentTooLarge };
/** The beats of a lease, and what gives it back. */
const ofLeases = ({ name, collection }: Command): boolean => name === 'update' && collection === 'leases';

requireServer('mongodb', () => missing)('locks on MongoDB', () => {
  const mongo = sharedMongo();

  /** Two processes on one database, the first on a line that can be disturbed. */
  async function pair(leaseMs: number): Promise<{ proxy: FaultyProxy; first: Store; second: Store }> {
    const proxy = await startProxy(mongo.server.ports[0]!);
    const database = mongo.server.database();
    const first = await openStore(mongoSettings(proxy.uri, database, { leaseMs }));
    const second = await openStore(mongoSettings(mongo.server.uri, database, { leaseMs }));
    onTestFinished(async () => {
      await proxy.heal();
      await Promise.all([first.close(), second.close()]);
      await proxy.stop();
    });
    return { proxy, first, second };
  }

  /** No beat gets through any more, until the holder sees that it is too late. */
  async function lose(proxy: FaultyProxy, { lost }: Lock): Promise<void> {
    const told = once(lost, 'abort');
    proxy.fault((command) => (ofLeases(command) ? 'cutBefore' : 'pass'));
    await told;
  }

  test.for(['roster', 'source:sis'] as const)(
    '%s: one whose fence could not be written is free',
    async (on, { skip }) => {
      if (!mongo.server.ours) skip('this server has no fail points for us');
      // so long that no beat meets the failure instead
      const { first, second } = await pair(60_000);
      await failNext(mongo.client, tooLarge, { commands: ['update'] });
      await expect(first.lock(on)).rejects.toThrow('does not take a document');
      const again = await first.lock(on);
      expect(again).not.toBeNull();
      await again!.release();
      expect(await second.lock(on)).not.toBeNull();
    },
  );

  test('one that was lost is not kept by beats that get through again', async () => {
    const { proxy, first, second } = await pair(1_000);
    const lock = (await first.lock('roster'))!;
    await lose(proxy, lock);
    proxy.fault(null);
    expect(await second.lock('roster')).not.toBeNull();
  });

  test('what failed of a snapshot that another process has thrown away is not told to the next one', async ({
    skip,
  }) => {
    if (!mongo.server.ours) skip('this server has no fail points for us');
    const { proxy, first, second } = await pair(1_000);
    const lock = (await first.lock('source:sis'))!;
    await failNext(mongo.client, tooLarge, { commands: ['insert'] });
    await first.rows.add('sis', 1, [goodRow(1, 'S1')]);
    await lose(proxy, lock);
    const heir = (await second.lock('source:sis'))!;
    await expect(first.rows.discard('sis', 1)).rejects.toThrow('another rosterd took over');
    await second.rows.discard('sis', 1);
    await heir.release();
    proxy.fault(null);
    await lock.release();

    const next = (await first.lock('source:sis'))!;
    await first.rows.add('sis', 2, [goodRow(1, 'S1')]);
    await next.release();
  });
});
