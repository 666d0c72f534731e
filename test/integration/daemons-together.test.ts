import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askSocket, DaemonSite, type Process } from '../support/daemon-site.ts';
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

  /** A site, and the configuration of a second machine with a state directory of its own. */
  function pair(): { site: DaemonSite; second: string; socket: string } {
    const site = new DaemonSite({
      store: `{ kind: mongodb, uri: '${server.uri}', database: ${server.database()}, lease: 1s }`,
    });
    const second = join(site.directory, 'second.yaml');
    site.rewrite((yaml) => yaml.replace(/stateDir: (.*)/, 'stateDir: $1-second'), second);
    return { site, second, socket: join(site.directory, 'var-second', 'control.sock') };
  }

  /** Stops a daemon in its tracks while it applies what a run of `sis` brought. */
  async function asleepInRun(site: DaemonSite, daemon: Process): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      site
        .ask('POST', '/v1/run', { sources: ['sis'], wait: true }, (line) => {
          if (!/changes applied/.test(line)) return;
          daemon.child.kill('SIGSTOP');
          resolve();
        })
        .catch(() => {})
        .finally(() => reject(new Error(`it ended before it could be stopped:\n${daemon.stderr}`)));
    });
  }

  test('one that is killed in the middle of a run is taken over from by itself', { timeout: 120_000 }, async () => {
    const { site, second, socket } = pair();
    site.drop('sis', 0, 4000);
    const [first, heir] = await Promise.all([site.start(), site.start(second)]);
    await asleepInRun(site, first);
    first.child.kill('SIGCONT');
    // while it lives, the other one leaves the source alone, says so, and goes on with what is free
    const asked = await askSocket(socket, 'POST', '/v1/run', { sources: ['sis'], wait: true });
    expect(asked.text).toMatch(/another rosterd is at work on sis|"type":"run"/);
    first.child.kill('SIGKILL');
    await first.ended;
    site.drop('hr', 4000, 4005);
    const other = await askSocket(socket, 'POST', '/v1/run', { sources: ['hr'], wait: true });
    expect(other.text).toContain('"status":"applied"');
    const again = await askSocket(socket, 'POST', '/v1/run', { sources: ['sis'], wait: true });
    expect(again.text).toContain('"exit":0');
    const exported = await site.rosterd('export', 'accounts');
    expect(exported.stdout.trim().split('\n')).toHaveLength(4005);
    expect(await heir.stop()).toBe(0);
  });

  test('what was asked for while another was at work is made up for when that one dies', {
    timeout: 120_000,
  }, async () => {
    const { site, second, socket } = pair();
    site.drop('sis', 0, 4000);
    const [first, heir] = await Promise.all([site.start(), site.start(second)]);
    await asleepInRun(site, first);
    // its beats are awaited for the time of its lease: the run of the dead is found open, and finished here
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
