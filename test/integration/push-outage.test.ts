import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startProxy } from '../support/mongodb/proxy.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { PushSite, students } from '../support/pushing.ts';
import { requireServer } from '../support/requirements.ts';

/** A push that was answered is run when the store is back, however long that took, and nobody has to push or start again. */

const missing = await mongodbMissing();
/** A daemon that tries again soon. */
const soon = [`--import=${pathToFileURL(join(import.meta.dirname, '../support/quick-minute.ts')).href}`];

test('a lock that cannot be asked for, again and again', async () => {
  const site = await PushSite.make();
  await site.start(soon);
  const lock = join(site.stateDir, 'lock.db');
  rmSync(lock, { force: true });
  mkdirSync(lock);
  expect((await site.push(students(0, 2))).status).toBe(202);
  await site.says('schedule.threw', 3);
  rmdirSync(lock);
  await site.says('run.applied');
  expect(await site.stop()).toBe(0);
  expect(readdirSync(join(site.keepDir, 'inbox'))).toEqual([]);
  expect(await site.active()).toEqual(['id0', 'id1']);
});

requireServer('mongodb', () => missing)('on MongoDB', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo();
  });
  afterAll(() => server?.stop());

  test('a lock that cannot be given back after a run that failed', async () => {
    const proxy = await startProxy(server.ports[0]!);
    onTestFinished(() => proxy.stop());
    const site = await PushSite.make();
    site.rewrite((yaml) =>
      yaml.replace(/store: .*/, `store: { kind: mongodb, uri: '${proxy.uri}', database: ${server.database()} }`),
    );
    await site.start(soon);
    let [away, givesBack] = [true, false];
    proxy.fault((command) => {
      const { name, collection } = command;
      if (collection === 'leases') {
        if (name === 'update') givesBack ||= JSON.stringify(command.statements()).includes('"holder":null');
        // the next one who asks for the lock: the store is back
        else if (givesBack) away = false;
        return away && givesBack ? 'cutBefore' : 'pass';
      }
      return away && name === 'insert' && collection === 'rows' ? 'cutBefore' : 'pass';
    });
    expect((await site.push(students(0, 2))).status).toBe(202);
    await site.says('run.failed');
    await site.says('run.applied');
    expect(await site.stop()).toBe(0);
    expect(readdirSync(join(site.keepDir, 'inbox'))).toEqual([]);
  });
});
