import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { neededActions } from '../../src/store/mongodb/probe.ts';
import type { Store } from '../../src/store/port.ts';
import { approveOf, expectSame, finish, syncOf, workplace } from '../support/kill-days.ts';
import { History } from '../support/kill-history.ts';
import type { Keep } from '../support/kill-keeping.ts';
import { type Ended, makeSite, remains, type Site, sourceName, start } from '../support/kill-site.ts';
import { type LockedDown, startLockedDown } from '../support/mongodb/locked-down.ts';
import { chosen } from '../support/mongodb/run.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { mongoSettings, openStore } from '../support/mongodb/store.ts';
import { keptBy } from '../support/mongodb/together.ts';
import { requireServer } from '../support/requirements.ts';

/** What only MongoDB itself can show: elections, a primary that dies, users with rights, and TLS. */

const noReplicaSet = await mongodbMissing({ replicaSet: true });
const noServer = await mongodbMissing();
const choice = chosen();
const notOurs =
  noServer ??
  (choice?.kind === 'mongod' ? null : `${choice && 'name' in choice ? choice.name : 'it'} is no mongod of our own`);

const notKillable =
  noReplicaSet ?? (choice?.kind === 'uri' ? 'the server at ROSTERD_TEST_MONGODB_URI is not ours to kill' : null);

/** Moments of a sync, as the store shows them. */
const moments: Record<string, (store: Store) => Promise<boolean>> = {
  pull: async ({ sources }) => (await sources.get(sourceName)).staging !== null,
  apply: async ({ sources, roster }) => {
    const { applying } = await sources.get(sourceName);
    return applying !== null && (await roster.applied(applying.plan, applying.part)) !== null;
  },
  delivery: async ({ outbox }) => Object.values(await outbox.counts()).some(({ sent }) => sent > 0),
};

async function pairOf(server: MongoServer): Promise<{ site: Site; reference: Site }> {
  const { base, drops, drop } = workplace();
  // big enough to be met in the middle
  drop(0, new History(7, 1_500).next());
  const make = (name: string): Promise<Site> => makeSite(base, name, drops, keptBy(server));
  const [site, reference] = [await make('disturbed'), await make('well')];
  onTestFinished(async () => void (await Promise.all([site.close(), reference.close()])));
  return { site, reference };
}

/** A sync that is disturbed at a moment, and how it ended. */
async function disturbed(site: Site, moment: string, disturb: () => Promise<void>): Promise<Ended> {
  const store = await site.keeping.open();
  const running = start(site, syncOf(site.config.open));
  await vi.waitFor(async () => expect(await moments[moment]!(store)).toBe(true), { timeout: 60_000, interval: 2 });
  await disturb();
  const ended = await running.ended;
  await store.close();
  return ended;
}

requireServer('mongodb-replica-set', () => noReplicaSet)('a replica set', () => {
  let server: MongoServer;
  let admin: MongoClient;
  beforeAll(async () => {
    server = await startMongo({ replicaSet: true });
    admin = new MongoClient(server.uri);
  });
  afterAll(async () => {
    await admin?.close();
    await server?.stop();
  });

  test.each(Object.keys(moments))('a step-down in the middle of %s is waited out', { timeout: 240_000 }, async (at) => {
    const { site, reference } = await pairOf(server);
    const ended = await disturbed(site, at, async () => {
      // the connection may end before the answer
      await admin
        .db('admin')
        .command({ replSetStepDown: 5, force: true })
        .catch(() => {});
    });
    expect(ended.status, ended.err).toBe(0);
    await finish(reference, syncOf(reference.config.open));
    await expectSame(site, reference, `step-down at ${at}`);
  });
});

requireServer('mongodb-replica-set', () => notKillable)('a replica set whose primary dies', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo({ replicaSet: true });
  });
  afterAll(() => server?.stop());

  test.each(Object.keys(moments))('in the middle of %s loses nothing', { timeout: 240_000 }, async (at) => {
    const { site, reference } = await pairOf(server);
    const ended = await disturbed(site, at, () => server.kill());
    await server.restart();
    // an election within the patience of a run; a lease that ran out meanwhile is said
    if (ended.status !== 0) expect(ended.out + ended.err).toMatch(/took over|did not finish|no MongoDB answers/);
    await finish(site, syncOf(site.config.open));
    await finish(reference, syncOf(reference.config.open));
    await expectSame(site, reference, `death of the primary at ${at}`);
  });
});

requireServer('mongod', () => notOurs)('a mongod of our own', () => {
  test.each(Object.keys(moments))(
    'killed in the middle of %s and started again: what was acknowledged is there',
    {
      timeout: 240_000,
    },
    async (at) => {
      const server = await startMongo();
      onTestFinished(() => server.stop());
      const { site, reference } = await pairOf(server);
      await disturbed(site, at, async () => {
        await server.kill();
        await server.restart();
      });
      await finish(site, syncOf(site.config.open));
      await finish(reference, syncOf(reference.config.open));
      await expectSame(site, reference, `killed at ${at}`);
    },
  );

  describe('with TLS and users', () => {
    let server: LockedDown;
    const database = 'rosterd_least';
    const password = 'canary-2b81d0';
    beforeAll(async () => {
      process.env['ROSTERD_TEST_PASSWORD'] = password;
      process.env['ROSTERD_TEST_WRONG'] = `${password}-wrong`;
      server = await startLockedDown((choice as { file: string }).file);
      await server.user('rosterd', password, database, neededActions);
      for (const action of neededActions) {
        const others = neededActions.filter((one) => one !== action);
        await server.user(`without-${action}`, password, database, others);
      }
    });
    afterAll(() => server?.stop());

    const keptAs =
      (username: string, secret = 'ROSTERD_TEST_PASSWORD', trusts = true): Keep =>
      async () => {
        const tls = trusts ? `{ ca: ${server.ca} }` : '{}';
        const user = `username: ${username}, password: { env: ${secret} }`;
        const changes = {
          ...{ username: 'rosterd', password: { reveal: () => password } as never },
          tls: { ca: server.ca, certificateKey: null },
        };
        const open = () => openStore(mongoSettings(server.uri, database, changes));
        return {
          yaml: `{ kind: mongodb, uri: '${server.uri}', database: ${database}, ${user}, tls: ${tls}, lease: 1s }`,
          ...{ open, peek: open, watch: () => () => {}, close: async () => {} },
        };
      };

    async function siteOf(keep: Keep) {
      const { base, drops, drop } = workplace();
      const history = new History(9, 45);
      const next = (day: number): void => drop(day, history.next());
      next(0);
      const site = await makeSite(base, 'least', drops, keep);
      onTestFinished(() => site.close());
      return { site, next };
    }

    /** `check --connect` and `sync` both fail with these words, and show no password. */
    async function expectRefused(keep: Keep, words: RegExp): Promise<void> {
      const { site } = await siteOf(keep);
      for (const args of [['check', '--connect'], ['sync']]) {
        const { status, out, err } = await start(site, [...args, '-c', site.config.open]).ended;
        expect([status, out + err]).toEqual([1, expect.stringMatching(words)]);
        expect(out + err).not.toContain(password);
      }
    }

    test('the least rights are enough for everything', { timeout: 120_000 }, async () => {
      const { site, next } = await siteOf(keptAs('rosterd'));
      const check = await finish(site, ['check', '--connect', '-c', site.config.open]);
      expect(check.out).toMatch(/user rosterd \(of admin\) may read and write/);
      await finish(site, syncOf(site.config.open));
      next(1);
      expect((await finish(site, syncOf(site.config.strict))).status).toBe(3);
      const { newest } = await remains(site);
      await finish(site, approveOf(site.config.open, newest!));
      await finish(site, ['runs', '-c', site.config.open]);
      await finish(site, ['export', 'enrolments', '-c', site.config.open]);
    });

    test.each(neededActions)('one without %s is told so', { timeout: 120_000 }, (action) =>
      expectToldMissing(action, keptAs(`without-${action}`)),
    );

    async function expectToldMissing(action: string, keep: Keep): Promise<void> {
      const { site } = await siteOf(keep);
      const { status, out } = await start(site, ['check', '--connect', '-c', site.config.open]).ended;
      // without find it is refused before its rights are looked at
      const words = action === 'find' ? /refuses: not authorized/ : new RegExp(`may not ${action} in`);
      expect([status, out]).toEqual([1, expect.stringMatching(words)]);
    }

    test('a wrong password', { timeout: 120_000 }, () =>
      expectRefused(keptAs('rosterd', 'ROSTERD_TEST_WRONG'), /refuses: .*; check user, password and authSource/),
    );

    test('a certificate that nobody trusts', { timeout: 120_000 }, () =>
      expectRefused(keptAs('rosterd', 'ROSTERD_TEST_PASSWORD', false), /is not trusted: .*; check store\.tls/),
    );
  });
});
