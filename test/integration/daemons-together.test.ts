import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { askSocket, DaemonSite, type Process } from '../support/daemon-site.ts';
import { startProxy } from '../support/mongodb/proxy.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { requireServer } from '../support/requirements.ts';

/** Two daemons on one database: each source has one at work, and who dies in the middle is taken over from. */

const missing = await mongodbMissing();

requireServer('mongodb', () => missing)('two daemons on one MongoDB', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo();
  });
  afterAll(() => server?.stop());

  /** A site, and the configuration of a second machine with a state directory of its own, and a line to the database. */
  function pair(line = server.uri): { site: DaemonSite; second: string; socket: string } {
    const site = new DaemonSite({
      store: `{ kind: mongodb, uri: '${server.uri}', database: ${server.database()}, lease: 5s }`,
    });
    const second = join(site.directory, 'second.yaml');
    site.rewrite(
      (yaml) => yaml.replace(/stateDir: (.*)/, 'stateDir: $1-second').replace(`'${server.uri}'`, `'${line}'`),
      second,
    );
    return { site, second, socket: join(site.directory, 'var-second', 'control.sock') };
  }

  /** Has a daemon run `sis`, and waits for a word of that run; its end is nobody's business here. */
  async function inRun(site: DaemonSite, daemon: Process, word: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      site
        .ask('POST', '/v1/run', { sources: ['sis'], wait: true }, (line) => {
          if (word.test(line)) resolve();
        })
        .catch(() => {})
        .finally(() => reject(new Error(`it ended before:\n${daemon.stderr}`)));
    });
  }

  test('one that is killed in the middle of a run is taken over from, by itself', { timeout: 120_000 }, async () => {
    const { site, second, socket } = pair();
    site.drop('sis', 0, 8000);
    site.drop('hr', 8000, 8005);
    const [first, heir] = await Promise.all([site.start(), site.start(second)]);
    await inRun(site, first, /rows read/);
    // while it lives, the other one leaves the source alone, says so, and goes on with what is free
    const asked = await askSocket(socket, 'POST', '/v1/run', { sources: ['sis', 'hr'], wait: true });
    expect(asked.text).toContain('another rosterd is at work on sis');
    expect(asked.text).toMatch(/"source":"hr".*"status":"applied"/);
    expect(asked.text).toContain('"exit":1,"busy":["sis"]');
    expect(first.log('run.applied')).toEqual([]);
    first.child.kill('SIGKILL');
    await first.ended;
    await heir.says('schedule.taken-over');
    await heir.says('run.applied', 2);
    const { runs } = (await askSocket(socket, 'GET', '/v1/runs?source=sis')).json as { runs: { trigger: string }[] };
    expect(runs[0]!.trigger).toBe('catch-up');
    const exported = await site.rosterd('export', 'accounts');
    expect(exported.stdout.trim().split('\n')).toHaveLength(8005);
    expect(await heir.stop()).toBe(0);
  });

  test('one that is killed while the other one finds no store is taken over from when it does', {
    timeout: 120_000,
  }, async () => {
    const proxy = await startProxy(server.ports[0]!);
    onTestFinished(() => proxy.stop());
    const { site, second, socket } = pair(proxy.uri);
    site.drop('sis', 0, 8000);
    const [first, heir] = await Promise.all([site.start(), site.start(second)]);
    await inRun(site, first, /rows read/);
    await askSocket(socket, 'POST', '/v1/run', { sources: ['sis'], wait: true });
    const [look, anotherLook] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let requests = 0;
    proxy.fault(({ name, collection }) => {
      if (name !== 'find' || collection !== 'leases') return 'pass';
      requests += 1;
      look.resolve();
      // the store tries seven times, and the driver each of them twice
      if (requests > 14) anotherLook.resolve();
      return 'cutBefore';
    });
    await look.promise;
    first.child.kill('SIGKILL');
    await first.ended;
    await anotherLook.promise;
    await proxy.heal();
    await heir.says('schedule.taken-over');
    await heir.says('run.applied');
    expect(heir.log('schedule.threw')).toEqual([]);
    expect(await heir.stop()).toBe(0);
  });

  test('a plan that the dead one left half applied is finished by whoever runs the source next', {
    timeout: 120_000,
  }, async () => {
    const { site, second, socket } = pair();
    site.drop('sis', 0, 4000);
    const [first, heir] = await Promise.all([site.start(), site.start(second)]);
    await inRun(site, first, /changes applied/);
    first.child.kill('SIGKILL');
    await first.ended;
    const asked = await askSocket(socket, 'POST', '/v1/run', { sources: ['sis'], wait: true });
    expect(asked.text).toContain('"exit":0');
    const { runs } = (await askSocket(socket, 'GET', '/v1/runs?source=sis')).json as { runs: { status: string }[] };
    expect(runs.filter(({ status }) => status === 'running')).toEqual([]);
    const exported = await site.rosterd('export', 'accounts');
    expect(exported.stdout.trim().split('\n')).toHaveLength(4000);
    expect(await heir.stop()).toBe(0);
  });
});
