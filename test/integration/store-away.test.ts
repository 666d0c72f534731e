import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openapiFile } from '../../src/operate/control/openapi.ts';
import { Contract } from '../support/contract.ts';
import { DaemonSite } from '../support/daemon-site.ts';
import { csv, lines } from '../support/installation.ts';
import { startProxy } from '../support/mongodb/proxy.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { requireServer } from '../support/requirements.ts';

/** The store is away: that is when people ask a daemon how it is, so it tells what it knows by itself. */

const missing = await mongodbMissing();
const schemas = join(import.meta.dirname, '../../config/schemas');
const contract = new Contract(JSON.parse(readFileSync(join(schemas, openapiFile), 'utf8')));

requireServer('mongodb', () => missing)('a daemon whose store goes away', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo();
  });
  afterAll(() => server?.stop());

  /** A site with a source that is well, one that fails, and a target that a person keeps closed. */
  function siteAt(uri: string): DaemonSite {
    const site = new DaemonSite({
      store: `{ kind: mongodb, uri: '${uri}', database: ${server.database()} }`,
      source: '    schedule: "0 4 * * *"',
      top: `targets:
  crm: { kind: salesforce, enabled: false, url: 'http://127.0.0.1:9', clientId: c, clientSecret: { file: ./secret } }`,
    });
    writeFileSync(join(site.directory, 'secret'), 'stub');
    site.drop('sis', 0, 3);
    // not whole: its last line has no end
    writeFileSync(join(site.drops, 'hr-1.csv'), csv(lines(3, 6)).trimEnd());
    return site;
  }

  const statusOf = async (site: DaemonSite) => {
    const began = performance.now();
    const answer = await site.ask('GET', '/v1/status');
    const tookMs = performance.now() - began;
    expect(answer.status, answer.text).toBe(200);
    contract.holds('get', '/v1/status', answer);
    return { ...answer.json, tookMs };
  };

  /** A question that is still on its way to the store is waited for: a few seconds. */
  const answering = async (site: DaemonSite) => {
    for (;;) {
      const status = await statusOf(site);
      if (status.store.state === 'answers') return status;
    }
  };

  test('it tells what it does, why it cannot tell more, and since when', { timeout: 180_000 }, async ({ skip }) => {
    if (!server.ours) skip('this server is not ours to kill');
    const site = siteAt(server.uri);
    const daemon = await site.start();
    await site.ask('POST', '/v1/run', { wait: true });
    const before = await statusOf(site);
    expect(before).toMatchObject({
      store: { state: 'answers' },
      sources: [{ lastRun: { status: 'applied' } }, { lastRun: { status: 'failed' } }],
      targets: [{ queue: { queued: 6 }, paused: null }],
    });
    const killed = Date.now();
    await server.kill();
    // one that cannot go on is at work meanwhile
    site.drop('sis', 0, 4);
    await site.ask('POST', '/v1/run', { sources: ['sis'] });
    const away = await statusOf(site);
    expect(away.tookMs, 'nobody waits long for it').toBeLessThan(15_000);
    const [sis, hr] = before.sources;
    expect(away).toMatchObject({
      service: { state: 'running', healthy: true },
      store: { state: 'away', error: { kind: 'Unavailable', message: expect.stringContaining('ECONNREFUSED') } },
      atWork: [{ who: 'source sis' }],
      sources: [
        { lastRun: null, held: null, next: sis.next, freshness: { state: 'fresh', at: sis.freshness.at } },
        { lastRun: null, held: null, breaker: { ...hr.breaker, failures: 1 } },
      ],
      targets: [{ name: 'crm', enabled: false, queue: null, paused: null }],
    });
    expect(away.sources[0].running).toMatchObject({ trigger: 'socket' });
    expect(Date.parse(away.store.since)).toBeGreaterThanOrEqual(killed);
    // known by now, it is told at once, and said in the log once
    const again = await statusOf(site);
    expect(again.tookMs).toBeLessThan(4_000);
    expect(again.store.since).toBe(away.store.since);
    expect(await daemon.says('status.store')).toMatchObject({ level: 'warn', error: { kind: 'Unavailable' } });
    const { status, stdout } = await site.rosterd('status', '--json');
    expect([status, JSON.parse(stdout).store.state]).toEqual([1, 'away']);
    expect((await site.ask('GET', '/v1/metrics')).text).toMatch(/^rosterd_store_up 0$/m);
    // away for longer than an election takes: what needs it is refused at once
    while (Date.now() - Date.parse(away.store.since) < 10_000) await statusOf(site);
    const refused = await site.ask('GET', '/v1/runs');
    expect([refused.status, refused.json.error.kind]).toEqual([503, 'Unavailable']);
    expect(refused.json.error.message).toMatch(/^the store is away since .*ECONNREFUSED/);

    expect(daemon.log('status.store')).toHaveLength(1);

    await server.restart();
    await daemon.says('run.applied', 2);
    expect(await answering(site)).toMatchObject({
      sources: [{ lastRun: { status: 'applied' } }, { lastRun: { status: 'failed' } }],
    });
    expect((await site.rosterd('status', '--json')).status).toBe(0);
    expect(daemon.log('control.bug')).toEqual([]);
    expect(await daemon.stop()).toBe(0);
  });

  test('one that hangs is not waited for either', { timeout: 120_000 }, async () => {
    const proxy = await startProxy(server.ports[0]!);
    onTestFinished(() => proxy.stop());
    const site = siteAt(proxy.uri);
    const daemon = await site.start();
    expect(await statusOf(site)).toMatchObject({ store: { state: 'answers' } });
    proxy.swallow('answer');
    const hangs = await statusOf(site);
    expect(hangs.store).toMatchObject({ state: 'away', error: { kind: 'Unavailable' } });
    expect(hangs.tookMs).toBeLessThan(15_000);
    const again = await statusOf(site);
    expect(again.tookMs, 'it is not asked again on top').toBeLessThan(4_000);
    expect(again.store).toMatchObject({ state: 'away', since: hangs.store.since });
    await proxy.heal();
    await answering(site);
    expect(await daemon.stop()).toBe(0);
  });
});
