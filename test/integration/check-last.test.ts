import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startStubs } from '../../src/daemon.ts';
import { DaemonSite } from '../support/daemon-site.ts';
import { Installation } from '../support/installation.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { changed, set, small } from '../support/oneroster-zip.ts';
import { requireServer } from '../support/requirements.ts';

/** `check --connect` says what the next run would say: it knows the snapshot in force, and changes nothing. */

/** Every file of an installation with its content; what SQLite shares between processes is no content. */
function filesIn(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const named = files.map(({ parentPath, name }) => join(parentPath, name)).filter((name) => !/-(shm|wal)$/.test(name));
  return Object.fromEntries(
    named.sort().map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]),
  );
}

async function deltasIn(store: string): Promise<void> {
  const site = new Installation();
  onTestFinished(() => site.close());
  writeFileSync(
    site.config,
    `version: 1
institution: example-university
stateDir: ${join(site.directory, 'var')}
store: ${store}
sources:
  sis:
    kind: csv-drop
    from: 'file://${site.drops}'
    files: '*.zip'
    settle: 0s
    contents: oneroster
    format: oneroster
    archive: done
targets:
  lms: { kind: canvas, enabled: false, url: 'http://127.0.0.1:9', account: 1, token: { env: HOME } }
`,
  );
  const check = async () => {
    const before = filesIn(site.directory);
    const { stdout, stderr } = await site.rosterd('check', '--connect', '--json');
    expect(filesIn(site.directory), stderr).toEqual(before);
    type Finding = { name: string; error: unknown; warnings: string[]; answer?: { rows: number } | null };
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    warnings = findings.flatMap((finding) => finding.warnings);
    const { error, answer } = findings.find(({ name }) => name.startsWith('sis'))!;
    return error ?? (answer ? answer.rows : answer);
  };
  let warnings: string[] = [];
  const delta = set({ users: [changed(small.users[2]!, 'tobedeleted')] }, { kind: 'delta' });
  // nothing to build on yet, and nothing is made
  site.drop(delta, 'a.zip');
  expect(await check()).toMatchObject({ kind: 'Incomplete', message: expect.stringContaining('no whole set') });
  expect(existsSync(join(site.directory, 'var/rosterd.db'))).toBe(false);
  site.drop(set(small), 'a.zip');
  expect(await check()).toBe(3);
  expect(await site.sync()).toMatchObject({ status: 'applied', snapshot: { records: 3 } });
  // all is archived: rightly nothing new
  expect(await check()).toBeNull();
  site.drop(delta, 'b.zip');
  expect(await check()).toBe(2);
  // and the run finds it all as it was
  expect(await site.sync()).toMatchObject({ snapshot: { records: 2 } });
  expect(await check()).toBeNull();
  expect(warnings).toEqual([]);
  // under another name it is another source, and what this one said counts on; and nobody fetches a target's queue
  writeFileSync(
    site.config,
    readFileSync(site.config, 'utf8').replace('  sis:', '  sis-students:').replace('  lms:', '  canvas:'),
  );
  await check();
  expect(warnings).toEqual([
    expect.stringMatching(/^sis: the configuration does not name this source.* 2 rows/),
    expect.stringMatching(/^lms: the configuration does not name this target, and \d+ items/),
  ]);
}

test('a delta alone is whole with what is kept, in the embedded store', () => deltasIn('{ kind: embedded }'));

/** What was sent went elsewhere: the target may be there, and the next delivery would be stopped all the same. */
async function movedIn(store: string): Promise<void> {
  const stubs = await startStubs({});
  onTestFinished(async () => {
    await Promise.all(stubs.map((stub) => stub.close()));
  });
  const [from, to] = [
    stubs.find(({ kind }) => kind === 'salesforce')!.url,
    stubs.find(({ kind }) => kind === 'canvas')!.url,
  ];
  const site = new DaemonSite({
    store,
    top: `targets:
  crm: { kind: salesforce, url: '${from}', clientId: c, clientSecret: { file: ./secret } }`,
  });
  writeFileSync(join(site.directory, 'secret'), 'stub');
  for (const source of ['sis', 'hr']) site.drop(source, 0, 3);
  const check = async () => {
    const { status, stdout } = await site.rosterd('check', '--connect', '--json');
    const { findings } = JSON.parse(stdout) as { findings: { name: string; error: { message: string } | null }[] };
    return [status, findings.find(({ name }) => name === 'crm')!.error?.message ?? null];
  };
  expect((await site.rosterd('sync')).status).toBe(0);
  expect(await check()).toEqual([0, null]);
  site.rewrite((yaml) => yaml.replace(from, `${from}/`));
  expect(await check()).toEqual([0, null]);
  site.rewrite((yaml) =>
    yaml.replace(/crm: .*/, `crm: { kind: canvas, url: '${to}', token: { file: ./secret }, pollEvery: 20ms }`),
  );
  const words = `crm is canvas at ${to}, account self now, but what was sent went to salesforce at ${from}; `;
  expect(await check()).toEqual([2, expect.stringContaining(words)]);
}

test('that a target has moved is said, in the embedded store', () => movedIn('{ kind: embedded }'));

const missing = await mongodbMissing();

requireServer('mongodb', () => missing)('in MongoDB', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo();
  }, 240_000);
  afterAll(() => server?.stop());

  test('a delta alone is whole with what is kept', { timeout: 400_000 }, () =>
    deltasIn(`{ kind: mongodb, uri: '${server.uri}', database: check_last }`),
  );

  test('that a target has moved is said', { timeout: 400_000 }, () =>
    movedIn(`{ kind: mongodb, uri: '${server.uri}', database: check_moved }`),
  );
});
