import { describe, expect, onTestFinished, test } from 'vitest';
import { layout, refuseOld } from '../../src/store/mongodb/migrate.ts';
import { missingActions, neededActions } from '../../src/store/mongodb/probe.ts';
import { freePort } from '../support/free-port.ts';
import { expectSame, finish, syncOf, workplace } from '../support/kill-days.ts';
import { History } from '../support/kill-history.ts';
import { type Ended, makeSite, type Site, start } from '../support/kill-site.ts';
import { codes, type Failure, failNext, failNoMore } from '../support/mongodb/failures.ts';
import { type Command, isWrite } from '../support/mongodb/proxy.ts';
import { mongodbMissing } from '../support/mongodb/server.ts';
import { sharedMongo } from '../support/mongodb/shared.ts';
import { keptBy, lineVariable, work, writes } from '../support/mongodb/together.ts';
import { requireServer } from '../support/requirements.ts';

/** What a MongoDB refuses, and what rosterd says of it: repeated and well, or told with a remedy and made whole later. */

const missing = await mongodbMissing();
const password = 'canary-7f3a9c';

requireServer('mongodb', () => missing)('a MongoDB that refuses', () => {
  const mongo = sharedMongo();

  async function siteWith(days: number): Promise<{ site: Site; reference: Site; next(): void }> {
    const { base, drops, drop } = workplace();
    const history = new History(5, 45);
    let day = 0;
    const next = (): void => drop(day++, history.next());
    const [site, reference] = [
      await makeSite(base, 'refused', drops, keptBy(mongo.server)),
      await makeSite(base, 'well', drops, keptBy(mongo.server)),
    ];
    onTestFinished(async () => void (await Promise.all([site.close(), reference.close()])));
    for (let n = 0; n < days; n += 1) {
      next();
      for (const one of [site, reference]) await finish(one, syncOf(one.config.open));
    }
    return { site, reference, next };
  }

  /** A sync whose first write that fits fails so. */
  async function failingSync(site: Site, fits: (command: Command) => boolean, failure: Failure): Promise<Ended> {
    const worker = await work(site, mongo.server, syncOf(site.config.open));
    let armed = false;
    const { promise: answered, resolve: tell } = Promise.withResolvers<void>();
    let meant: string | null = null;
    worker.proxy.observe(({ collection }) => {
      if (collection === meant) tell();
    });
    worker.proxy.fault((command) => {
      // a lease's beat, or another target's write, must not meet the failure instead
      if (armed) return isWrite(command) ? answered : 'pass';
      if (!fits(command)) return 'pass';
      armed = true;
      meant = command.collection;
      if (!('closeConnection' in failure)) return failNext(mongo.client, failure, { commands: [command.name] });
      tell();
      return 'cutBefore';
    });
    const ended = await worker.ended;
    await failNoMore(mongo.client);
    expect(armed, 'the write came').toBe(true);
    return ended;
  }

  const moments = {
    staging: writes('rows'),
    'coming into force': writes('sources', ({ u }) => u?.$set?.applying),
    accounts: writes('accounts'),
    outbox: writes('outbox', ({ u }) => u?.$setOnInsert),
    settling: writes('outbox', ({ u }) => u?.$set?.settled),
  };

  test('for a moment: the write is repeated, and nobody notices', { timeout: 240_000 }, async ({ skip }) => {
    if (!mongo.server.ours) skip('this server has no fail points for us');
    const { site, reference, next } = await siteWith(1);
    const late = { code: codes.WriteConcernTimeout, codeName: 'WriteConcernTimeout', errmsg: 'waiting timed out' };
    const failures: [keyof typeof moments, Failure][] = [
      ['staging', { writeConcernError: late }],
      ['coming into force', { errorCode: codes.NotWritablePrimary }],
      ['accounts', { writeConcernError: late }],
      ['outbox', { closeConnection: true }],
      ['settling', { writeConcernError: late }],
      ['accounts', { errorCode: codes.OutOfDiskSpace }],
    ];
    for (const [moment, failure] of failures) {
      next();
      const when = `${moment}: ${JSON.stringify(failure)}`;
      const { status, err } = await failingSync(site, moments[moment], failure);
      expect(status, `${when} ${err}`).toBe(0);
      await finish(reference, syncOf(reference.config.open));
      await expectSame(site, reference, when);
    }
  });

  test('for good: told with a remedy, and the next run makes it whole', { timeout: 240_000 }, async ({ skip }) => {
    if (!mongo.server.ours) skip('this server has no fail points for us');
    const { site, reference, next } = await siteWith(1);
    const twice =
      'E11000 duplicate key error collection: x.accounts index: email_1 dup key: { email: "ada@example.edu" }';
    const duplicate: Failure = mongo.server.real
      ? { errorCode: codes.DuplicateKey }
      : { writeErrors: [{ index: 0, code: codes.DuplicateKey, errmsg: twice }] };
    const failures: [keyof typeof moments, Failure, RegExp][] = [
      ['staging', { errorCode: codes.DocumentTooLarge }, /does not take a document.*; a document holds 16 MB/],
      ['accounts', duplicate, /has such a document already.*; look who else writes/],
      ['outbox', { errorCode: codes.DocumentTooLarge }, /does not take a document.*; a document holds 16 MB/],
      ['settling', { errorCode: codes.DocumentTooLarge }, /does not take a document.*; a document holds 16 MB/],
    ];
    for (const [moment, failure, words] of failures) {
      next();
      const { status, out, err } = await failingSync(site, moments[moment], failure);
      expect(status, `${moment}: ${err}`).toBe(1);
      expect(out + err, moment).toMatch(words);
      expect(out + err, moment).not.toContain('ada@example.edu');
      await finish(site, syncOf(site.config.open));
      await finish(reference, syncOf(reference.config.open));
      await expectSame(site, reference, moment);
    }
  });

  describe('at the door', () => {
    /** `check --connect` and other commands with that URI. */
    async function saidBy(uri: string, commands: readonly string[][], database?: string) {
      const { base, drops, drop } = workplace();
      drop(0, new History(5, 45).next());
      const site = await makeSite(base, 'door', drops, keptBy(mongo.server, database));
      onTestFinished(() => site.close());
      const all: Ended[] = [];
      for (const [name, ...rest] of commands) {
        const args = [name!, ...rest, '-c', site.config.open];
        all.push(await start(site, args, null, { [lineVariable]: uri }).ended);
      }
      for (const { out, err } of all) expect(out + err).not.toContain(password);
      return all;
    }
    const usual = [['check', '--connect', '--json'], ['sync'], ['runs']];
    const everything = [...usual, ['export', 'accounts'], ['migrate-store']];
    const withPassword = (rest: string): string => `mongodb://rosterd:${password}@${rest}`;

    /** All say it with the same status; `check` as its finding of the store. */
    function expectTold(all: readonly Ended[], status: number, words: RegExp): void {
      const [check, ...others] = all;
      const { findings } = JSON.parse(check!.out) as { findings: { direction: string; error: { message: string } }[] };
      expect(findings.find(({ direction }) => direction === 'store')!.error.message).toMatch(words);
      for (const { err } of others) expect(err).toMatch(words);
      expect(all.map((one) => one.status)).toEqual(all.map(() => status));
    }

    test('a server that is well, and an empty database', async () => {
      const [check] = await saidBy(mongo.server.uri, [usual[0]!]);
      const { ok, findings } = JSON.parse(check!.out) as { ok: boolean; findings: { found: string[] }[] };
      expect([ok, check!.status]).toEqual([true, 0]);
      expect(findings[0]).toMatchObject({ name: 'store', kind: 'mongodb', direction: 'store', error: null });
      expect(findings[0]!.found[0]).toMatch(/^MongoDB \d.*, (standalone|replica set)/);
      expect(findings[0]!.found[1]).toMatch(/empty, the first sync prepares it/);
    });

    test('no connection string', async () => {
      expectTold(await saidBy(`mongo//rosterd:${password}@x`, everything), 2, /check store\.uri/);
      expectTold(await saidBy(withPassword('127.0.0.1:99999/'), usual), 2, /check store\.uri/);
    });

    test('nobody at that port', { timeout: 240_000 }, async () => {
      const uri = withPassword(`127.0.0.1:${await freePort()}/?serverSelectionTimeoutMS=500`);
      expectTold(
        await saidBy(uri, everything),
        1,
        /no MongoDB answers at mongodb:\/\/127\.0\.0\.1:\d+\/.*; check that/,
      );
    });

    test('a user that it does not know', { timeout: 240_000 }, async ({ skip }) => {
      if (!mongo.server.ours) skip('this server may know that user');
      const uri = withPassword(`127.0.0.1:${mongo.server.ports[0]}/?serverSelectionTimeoutMS=2000`);
      for (const { status, out, err } of await saidBy(uri, everything)) expect([1, out + err]).toContain(status);
    });

    test('a database of a newer version, and one of another institution', { timeout: 240_000 }, async () => {
      const [newer, other] = [mongo.server.database(), mongo.server.database()];
      const made = new Date();
      const meta = (name: string) => mongo.client.db(name).collection<{ _id: string }>('meta');
      const mine = { _id: 'rosterd', layout, institution: 'example-university', made };
      await meta(newer).insertOne({ ...mine, layout: layout + 1 } as never);
      await meta(other).insertOne({ ...mine, institution: 'another-college' } as never);
      const foreign = await saidBy(mongo.server.uri, everything, newer);
      expectTold(foreign, 2, /written by a newer rosterd \(layout \d+\); use that version/);
      expectTold(
        await saidBy(mongo.server.uri, everything, other),
        2,
        /belongs to the institution another-college, not to/,
      );
      for (const name of [newer, other]) {
        const found = await mongo.client.db(name).listCollections().toArray();
        expect(found.map((one) => one.name).filter((one) => !one.startsWith('system.'))).toEqual(['meta']);
      }
    });
  });

  test('a server that is too old is refused', () => {
    expect(() => refuseOld({ maxWireVersion: 8 }, 'mongodb://old/x')).toThrow(/too old \(wire version 8\)/);
    expect(() => refuseOld({ maxWireVersion: 9 }, 'mongodb://old/x')).not.toThrow();
  });

  test('rights are counted for every collection of ours', () => {
    const all = { resource: { db: 'r', collection: '' }, actions: [...neededActions] };
    expect(missingActions([all], 'r')).toEqual([]);
    expect(missingActions([all], 'other')).toEqual([...neededActions]);
    expect(missingActions([{ ...all, actions: ['find'] }], 'r')).toEqual(neededActions.slice(1));
    expect(missingActions([{ ...all, resource: { db: 'r', collection: 'rows' } }], 'r')).toEqual([...neededActions]);
  });
});
