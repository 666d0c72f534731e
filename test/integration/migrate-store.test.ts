import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { approveOf, finish, syncOf, workplace } from '../support/kill-days.ts';
import { History } from '../support/kill-history.ts';
import { inMongo, type Keep } from '../support/kill-keeping.ts';
import { type Ended, makeSite, picture, type Site, start } from '../support/kill-site.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { keptBy, work } from '../support/mongodb/together.ts';
import { requireServer } from '../support/requirements.ts';

/** A site with history moves from one store into another: there, back, and cut on its way. */

const missing = await mongodbMissing();

requireServer('mongodb', () => missing)('migrate-store', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo();
  });
  afterAll(() => server?.stop());

  /** A site with disabled people, quarantine, items sent, failed and queued, and a plan that is held. */
  async function siteWithHistory() {
    const { base, drops, drop } = workplace();
    const history = new History(21, 50);
    let day = 0;
    const next = (): void => drop(day++, history.next());
    const site = await makeSite(base, 'old', drops);
    onTestFinished(() => site.close());
    next();
    site.stubs.find(({ kind }) => kind === 'salesforce')!.setFaults([{ method: 'PATCH', status: 400, count: 1 }]);
    await start(site, syncOf(site.config.open)).ended;
    next();
    await start(site, syncOf(site.config.open)).ended;
    next();
    const held = await start(site, [...syncOf(site.config.strict), '--no-deliver']).ended;
    expect(held.status, held.err).toBe(3);
    const seen = await picture(site);
    expect(seen.unfinished).toMatchObject([{ held: true }]);
    for (const status of ['sent', 'queued'])
      expect(seen.outbox.some((item) => item.includes(` ${status} `))).toBe(true);
    expect(seen.roster.accounts).toContain('"disabled"');
    return { base, drops, site, next, run: runOf(held) };
  }

  /** A site on another store with the same drops; its targets are its own. */
  async function another(base: string, name: string, drops: string, keep?: Keep): Promise<Site> {
    const to = await makeSite(base, name, drops, keep);
    onTestFinished(() => to.close());
    return to;
  }

  const move = (to: Site, from: Site): string[] => ['migrate-store', '-c', to.config.open, '--from', from.config.open];

  async function exported(site: Site): Promise<string[]> {
    const all: string[] = [];
    for (const what of ['accounts', 'enrolments', 'courses'])
      all.push((await finish(site, ['export', what, '-c', site.config.open])).out);
    return all;
  }

  /** Without what the targets have: a new site has targets of its own. */
  async function inside(site: Site) {
    const { targets: _, ...rest } = await picture(site);
    return rest;
  }

  test('there and back: the same exports, the same next plan, and what is held can be approved', {
    timeout: 240_000,
  }, async () => {
    const { base, drops, site, next, run } = await siteWithHistory();
    const before = await exported(site);
    const mongo = await another(base, 'new', drops, inMongo(server));
    await finish(mongo, move(mongo, site));
    expect(await exported(mongo)).toEqual(before);
    expect(await inside(mongo)).toEqual(await inside(site));
    expect(await exported(site), 'the old one is as it was').toEqual(before);

    const back = await another(base, 'back', drops);
    await finish(back, move(back, mongo));
    expect(await exported(back)).toEqual(before);
    expect(await inside(back)).toEqual(await inside(site));

    // to none that has something, and not into itself
    const refused = await start(back, move(back, mongo)).ended;
    expect([refused.status, refused.err]).toEqual([2, expect.stringMatching(/is not empty; name an empty one/)]);
    const itself = await start(mongo, move(mongo, mongo)).ended;
    expect([itself.status, itself.err]).toEqual([2, expect.stringMatching(/are the same/)]);

    for (const one of [site, mongo, back]) {
      const approved = await start(one, [...approveOf(one.config.open, run), '--no-deliver']).ended;
      expect(approved.status, approved.err).toBe(0);
    }
    next();
    const digests: unknown[] = [];
    for (const one of [site, mongo, back])
      digests.push(runOf(await finish(one, [...syncOf(one.config.open), '--no-deliver'])).digest);
    expect(digests[0]).toMatch(/\w/);
    expect(new Set(digests).size).toBe(1);
    expect(await exported(mongo)).toEqual(await exported(site));
    expect(await exported(back)).toEqual(await exported(site));

    // where everything was sent has come along, and the targets of the new site are others
    const { status, out } = await start(back, syncOf(back.config.open)).ended;
    const { deliveryErrors } = JSON.parse(out) as { deliveryErrors: { error: { message: string } }[] };
    expect([status, deliveryErrors.length]).toEqual([1, site.stubs.length]);
    for (const { error } of deliveryErrors) expect(error.message).toContain('what was sent went to');
  });

  test('an empty database beside a file with a roster is not begun: account numbers would start again', {
    timeout: 240_000,
  }, async () => {
    const { site } = await siteWithHistory();
    const [before] = await exported(site);
    /** The site's configuration, whose `store` alone is another. */
    const changed = async (): Promise<string> => {
      const { yaml } = await keptBy(server)(site.stateDir);
      const file = join(site.directory, 'changed.yaml');
      writeFileSync(file, readFileSync(site.config.open, 'utf8').replace('{ kind: embedded }', yaml));
      return file;
    };
    const config = await changed();
    for (const args of [['check', '--connect'], ['sync', '--dry-run'], ['sync'], ['runs'], ['daemon']]) {
      const { status, out, err } = await start(site, [...args, '-c', config]).ended;
      const said = [status, out + err];
      const words =
        /has no account yet, and .*rosterd\.db has a roster.*; rosterd migrate-store, or move that file away/;
      expect(said, args.join(' ')).toEqual([2, expect.stringMatching(words)]);
    }
    // the file stays where it is after a move
    await finish(site, ['migrate-store', '-c', config]);
    expect((await finish(site, ['export', 'accounts', '-c', config])).out).toEqual(before);
    await finish(site, ['check', '--connect', '-c', config]);
    await finish(site, syncOf(config));

    const anew = await changed();
    expect((await start(site, syncOf(anew)).ended).status).toBe(2);
    renameSync(join(site.stateDir, 'rosterd.db'), join(site.directory, 'old.db'));
    await finish(site, ['check', '--connect', '-c', anew]);
    await finish(site, [...syncOf(anew), '--no-deliver']);
  });

  test('cut at any point: the half store is refused, and the same command makes it whole', {
    timeout: 240_000,
  }, async () => {
    const { base, drops, site } = await siteWithHistory();
    const before = await exported(site);
    const reference = await inside(site);
    const database = server.database();
    const mongo = await another(base, 'cut', drops, keptBy(server, database));
    // the beat of a lease is a write as well, and comes as often as the machine is slow
    const copies = ({ name, collection }: { name: string; collection: string | null }): boolean =>
      ['insert', 'update'].includes(name) && collection !== 'leases';
    let count = 0;
    const whole = await another(base, 'whole', drops, keptBy(server));
    const counting = await work(whole, server, move(whole, site));
    counting.proxy.fault((command) => {
      if (copies(command)) count += 1;
      return 'pass';
    });
    expect((await counting.ended).status).toBe(0);

    for (const share of [0.35, 0.6, 0.8, 0.9]) {
      const worker = await work(mongo, server, move(mongo, site));
      let left = Math.floor(count * share);
      worker.proxy.fault((command) => {
        if (copies(command)) left -= 1;
        if (left === 0) worker.signal('SIGKILL');
        return 'pass';
      });
      expect((await worker.ended).killed, `at ${share}`).toBe(true);
      const commands = [
        ['sync'],
        ['runs'],
        ['export', 'accounts'],
        ['check', '--connect'],
        ['approve', 'x', '--digest', 'y'],
      ];
      for (const args of share === 0.35 ? commands : commands.slice(0, 1)) {
        const { status, out, err } = await start(mongo, [...args, '-c', mongo.config.open]).ended;
        const said = [status, out + err];
        expect(said, args.join(' ')).toEqual([
          2,
          expect.stringMatching(/holds a part of .*: its move was cut; repeat rosterd/),
        ]);
      }
      expect(await exported(site), 'the old one is as it was').toEqual(before);
    }
    // of another old store it is not the rest
    const other = await another(base, 'other', drops);
    const foreign = await start(mongo, move(mongo, other)).ended;
    expect([foreign.status, foreign.err]).toEqual([2, expect.stringMatching(/waits for the rest of a move from/)]);

    await finish(mongo, move(mongo, site));
    expect(await exported(mongo)).toEqual(before);
    expect(await inside(mongo)).toEqual(reference);
  });
});

function runOf({ out }: Ended): { run: string; digest: string } {
  const [run] = (JSON.parse(out) as { runs: { run: string; plan: { digest: string } }[] }).runs;
  return { run: run!.run, digest: run!.plan.digest };
}
