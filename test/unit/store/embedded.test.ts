import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { Misconfigured } from '../../../src/base/errors.ts';
import { changeTypes, courseKey } from '../../../src/connector/target.ts';
import { Database } from '../../../src/store/embedded/database.ts';
import { openEmbeddedStore } from '../../../src/store/embedded/index.ts';
import type { StoredRow } from '../../../src/store/port.ts';
import { account, all, change, course, goodRow, inForce, plan } from '../../conformance/store/samples.ts';

/** What the embedded store promises beyond the port: one file, and plain words when it cannot be used. */

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'rosterd-embedded-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test('a directory that is not there is made', async () => {
  const store = openEmbeddedStore(join(directory(), 'a', 'b'));
  expect(await store.sources.all()).toEqual([]);
  await store.close();
});

test('a place where nobody can write is a mistake in the configuration, and says where', () => {
  const file = join(directory(), 'file');
  writeFileSync(file, '');
  expect(() => openEmbeddedStore(join(file, 'var'))).toThrow(Misconfigured);
  expect(() => openEmbeddedStore(join(file, 'var'))).toThrow(join(file, 'var', 'rosterd.db'));
});

test('a file that is no database is not written over', () => {
  const place = directory();
  writeFileSync(join(place, 'rosterd.db'), 'something else, long enough to be no empty database');
  expect(() => openEmbeddedStore(place)).toThrow(Misconfigured);
});

test('the store of one institution is refused to another, also when it was begun before anybody asked', async () => {
  const place = directory();
  await openEmbeddedStore(place).close();
  // a look takes nothing for itself
  await openEmbeddedStore(place, 'uni-typo', true).close();
  await openEmbeddedStore(place, 'uni-a').close();
  expect(() => openEmbeddedStore(place, 'uni-typo', true)).toThrow(Misconfigured);
  const [wrong, right] = [() => openEmbeddedStore(place, 'uni-b'), () => openEmbeddedStore(place, 'uni-a')];
  expect(wrong).toThrow(Misconfigured);
  expect(wrong).toThrow(`the store ${place} belongs to the institution uni-a, not to uni-b`);

  // a move throws away what is there, and not whose it is
  const store = right();
  await store.move.begin('elsewhere');
  await store.move.end();
  expect(await store.move.empty()).toBe(true);
  await store.close();
  expect(wrong).toThrow(Misconfigured);
  await right().close();
});

test('a newer layout is refused, and left as it is', async () => {
  const place = directory();
  await openEmbeddedStore(place).close();
  const file = join(place, 'rosterd.db');
  const db = new DatabaseSync(file);
  db.exec('PRAGMA user_version = 99');
  db.close();
  expect(() => openEmbeddedStore(place)).toThrow(Misconfigured);
  expect(() => openEmbeddedStore(place)).toThrow(/newer rosterd \(layout 99\)/);
  const again = new DatabaseSync(file);
  onTestFinished(() => again.close());
  expect(again.prepare('PRAGMA user_version').get()).toEqual({ user_version: 99 });
});

test('an older layout is refused too, in plain words, and left as it is', async () => {
  const place = directory();
  await openEmbeddedStore(place).close();
  const file = join(place, 'rosterd.db');
  const db = new DatabaseSync(file);
  db.exec('PRAGMA user_version = 1');
  db.close();
  expect(() => openEmbeddedStore(place)).toThrow(Misconfigured);
  expect(() => openEmbeddedStore(place)).toThrow(/an older rosterd \(layout 1\)/);
});

/** Takes away what layout 6 has more than 5. */
const withoutPlatforms = 'DROP TABLE owner; DROP TABLE platforms;';

/** Takes away what layout 6 has more than 4. */
const withoutBodies = `${withoutPlatforms} ALTER TABLE outbox ADD COLUMN body TEXT NOT NULL DEFAULT '';
  UPDATE outbox SET body = (SELECT body FROM outbox_bodies WHERE outbox_bodies.seq = outbox.seq);
  DROP TRIGGER outbox_forgotten; DROP TABLE outbox_bodies;`;

/** Takes away what layout 6 has more than 3. */
const withoutQueue = `${withoutBodies} DROP INDEX outbox_person; DROP TABLE pauses; DROP TABLE reviews; ALTER TABLE outbox DROP COLUMN person;
  ALTER TABLE outbox DROP COLUMN because; ALTER TABLE outbox DROP COLUMN trail;`;

test.each([
  ['5', withoutPlatforms, 5],
  ['4', withoutBodies, 4],
  ['3: items say whom they are about', withoutQueue, 3],
])('layout %s is brought up', async (_what, older, layout) => {
  const place = directory();
  const before = openEmbeddedStore(place);
  const canvas = { target: 'canvas', accepts: changeTypes };
  const [person, taught] = [account(1), course('Welding')];
  const changes = [change('account.create', person), change('course.create', null, taught)];
  await before.roster.apply(plan('p1'), 'free', changes, [canvas]);
  const items = await all(before.outbox.all());
  await before.close();
  const db = new DatabaseSync(join(place, 'rosterd.db'));
  db.exec(`${older} PRAGMA user_version = ${layout}`);
  db.close();
  const store = openEmbeddedStore(place);
  onTestFinished(() => store.close());
  expect(await all(store.outbox.all())).toEqual(items);
  expect(items.map(({ person: whose }) => whose)).toEqual([person.account, `course ${courseKey(taught)}`]);
  expect(await store.outbox.pauses()).toEqual([]);
  expect(await store.outbox.platforms()).toEqual([]);
});

test('layout 2 is brought up, with what it has', async () => {
  const place = directory();
  const before = openEmbeddedStore(place);
  await inForce(before, 'sis', 1, [goodRow(1, 'S1')]);
  await before.close();
  const db = new DatabaseSync(join(place, 'rosterd.db'));
  db.exec(`DROP INDEX accounts_alias; ALTER TABLE rows DROP COLUMN alias; ALTER TABLE accounts DROP COLUMN alias;
    ${withoutQueue} PRAGMA user_version = 2`);
  db.close();
  const store = openEmbeddedStore(place);
  onTestFinished(() => store.close());
  await inForce(store, 'sis', 2, [goodRow(2, 'S2', { alias: 'guid' })]);
  const rows = await store.rows.evidence('sis', 2).rows(['i:S1', 'a:guid']);
  expect(rows.map(({ record }) => record?.id).sort()).toEqual(['S1', 'S2']);
});

test('processes that open a new directory at the same moment all get a store', async () => {
  const place = join(directory(), 'new');
  const index = join(import.meta.dirname, '../../../src/store/embedded/index.ts');
  // Each says that it is ready, waits for a line, and opens.
  const script = `import { openEmbeddedStore } from ${JSON.stringify(index)};
    process.stdout.write('ready\\n');
    process.stdin.once('data', async () => {
      await openEmbeddedStore(${JSON.stringify(place)}).close();
      process.exit(0);
    });`;
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const codes = children.map(async (child) => ((await once(child, 'exit')) as [number])[0]);
  await Promise.all(children.map((child) => once(child.stdout, 'data')));
  for (const child of children) child.stdin.write('go\n');
  expect(await Promise.all(codes)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('a write that fails leaves no number behind that another course could get', async () => {
  const store = openEmbeddedStore(directory());
  onTestFinished(() => store.close());
  const [first, second] = [course('First'), course('Second')];
  const unwritable: StoredRow = { ...goodRow(2, 'S2'), line: null as unknown as number };
  await expect(store.rows.add('sis', 1, [goodRow(1, 'S1', first), unwritable])).rejects.toThrow();
  await inForce(store, 'sis', 1, [goodRow(3, 'S3', second)]);
  const evidence = store.rows.evidence('sis', 1);
  expect([...(await evidence.coursesWithRows([courseKey(first), courseKey(second)]))]).toEqual([courseKey(second)]);
  await inForce(store, 'sis', 2, [goodRow(4, 'S4', first)]);
  const later = await store.rows.evidence('sis', 2).coursesWithRows([courseKey(first), courseKey(second)]);
  expect([...later].sort()).toEqual([courseKey(first), courseKey(second)].sort());
});

test('a full disk is said, leaves no number behind either, and gives back what the log takes', () => {
  const place = directory();
  const db = new Database(place);
  onTestFinished(() => db.close());
  const room = (pages: number) => db.get(`PRAGMA max_page_count = ${pages}`);
  room(Number(db.get('PRAGMA page_count')!['page_count']));
  const filled = (): number => {
    const id = db.idOf('course_names', 'First');
    for (let n = 0; n < 100; n += 1) db.idOf('file_names', `${'long '.repeat(1000)}${n}`);
    return id;
  };
  const log = (): number => statSync(join(place, 'rosterd.db-wal')).size;
  expect(log()).toBeGreaterThan(0);
  expect(() => db.tx(filled)).toThrow('database or disk is full');
  expect(log()).toBe(0);
  const long = 'INSERT INTO notes (plan, doc) VALUES (?, ?)';
  expect(() => db.run(long, 'p', 'long '.repeat(100_000))).toThrow('database or disk is full');
  expect(log()).toBe(0);
  room(100_000);
  const second = db.tx(() => db.idOf('course_names', 'Second'));
  expect(db.tx(filled)).not.toBe(second);
  expect(db.nameOf('course_names', second)).toBe('Second');
});
