import { lutimesSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import { drop, failure, temporaryFolder } from '../support/drop.ts';
import {
  changed,
  context,
  days,
  type SetOptions,
  set,
  settings,
  small,
  type Tables,
} from '../support/oneroster-zip.ts';

describe('deltas', () => {
  const delta = (tables: Tables, options: SetOptions = {}) => set(tables, { kind: 'delta', ...options });
  const [u1, u2, u3] = small.users;
  const [e1] = small.enrollments;

  test('are merged, one after the other, into the whole before them, whatever pick says', async () => {
    const { folder, next } = days();
    drop(folder, 'a.zip', set(small), 1000);
    drop(folder, 'b.zip', delta({ users: [changed(u2!, 'tobedeleted'), changed({ ...u3!, sourcedId: 'u4' })] }), 2000);
    drop(folder, 'c.zip', delta({ enrollments: [changed({ ...e1!, role: 'aide' })] }), 3000);
    expect(await next()).toEqual(['u1 c1 aide', 'u3  ', 'u4  ']);
    // what is kept serves the next one; nothing new gives the same again
    expect(await next()).toEqual(['u1 c1 aide', 'u3  ', 'u4  ']);
    drop(folder, 'd.zip', delta({ users: [changed(u1!, 'tobedeleted')] }), 4000);
    expect(await next()).toEqual(['u3  ', 'u4  ']);
    // a whole set begins anew
    drop(folder, 'e.zip', set(small), 5000);
    expect(await next()).toEqual(['u1 c1 student', 'u2 c1 teacher', 'u3  ']);
  });

  test('are merged into what is kept once the files are archived, and refused when that is lost', async () => {
    const { folder, next } = days({ archive: 'done' });
    drop(folder, 'a.zip', set(small), 1000);
    await next();
    expect(readdirSync(folder)).toEqual(['done']);
    expect(await next()).toEqual(['nothing']);
    drop(folder, 'b.zip', delta({ users: [changed(u3!, 'tobedeleted')] }), 2000);
    expect(await next()).toEqual(['u1 c1 student', 'u2 c1 teacher']);
    drop(folder, 'c.zip', delta({ users: [changed(u3!)] }), 3000);
    expect((await failure(next({ keepDir: temporaryFolder() }))).line).toContain('no whole set to merge it into');
    expect((await failure(next({ lastContent: 'another' }))).line).toContain('no whole set to merge it into');
    expect(await next()).toHaveLength(3);
  });

  test('of the past are refused', async () => {
    const { folder, next } = days({ archive: 'done' });
    drop(folder, 'a.zip', set(small), 3000);
    await next();
    drop(folder, 'b.zip', delta({ users: [changed(u3!, 'tobedeleted')] }), 2000);
    expect((await failure(next())).line).toContain('b.zip is no newer than a.zip, which has been merged already');
  });

  test('that come late, between two that were merged, are not passed over', async () => {
    const { folder, next } = days();
    drop(folder, '0.zip', delta({ users: [changed(u1!)] }), 500);
    drop(folder, 'a.zip', set(small), 1000);
    drop(folder, 'c.zip', delta({ users: [changed(u3!, 'tobedeleted')] }), 3000);
    expect(await next()).toHaveLength(2);
    // before the whole set it means nothing
    expect(await next()).toHaveLength(2);
    drop(folder, 'b.zip', delta({ users: [changed(u2!, 'tobedeleted')] }), 2000);
    expect((await failure(next())).line).toContain('b.zip is no newer than c.zip, which has been merged already');
    drop(folder, 'd.zip', set(small), 4000);
    expect(await next()).toHaveLength(3);
  });

  test('of the same time as the whole set are not passed over, by whatever name', async () => {
    const gone = delta({ users: [changed(u3!, 'tobedeleted')] });
    const behind = days();
    drop(behind.folder, 'a.zip', set(small), 1000);
    drop(behind.folder, 'b.zip', gone, 1000);
    expect(await behind.next()).toEqual(['u1 c1 student', 'u2 c1 teacher']);
    const before = days();
    drop(before.folder, 'b.zip', set(small), 1000);
    expect(await before.next()).toHaveLength(3);
    drop(before.folder, 'a.zip', gone, 1000);
    expect((await failure(before.next())).line).toContain('a.zip is no newer than b.zip');
    const together = days();
    drop(together.folder, 'b.zip', set(small), 1000);
    drop(together.folder, 'a.zip', gone, 1000);
    expect((await failure(together.next())).line).toContain('a.zip is no newer than b.zip');
  });

  test('of the same time as one that was merged, and archived, are refused', async () => {
    const { folder, next } = days({ archive: 'done' });
    drop(folder, 'a.zip', set(small), 1000);
    await next();
    drop(folder, 'b.zip', delta({ users: [changed(u3!, 'tobedeleted')] }), 1000);
    expect((await failure(next())).line).toContain('b.zip is no newer than a.zip');
  });

  test('of whole sets of one time the last by name counts, and the others mean nothing', async () => {
    const { folder, next } = days();
    drop(folder, '9.zip', set({ ...small, users: [u1!], enrollments: [e1!] }), 1000);
    drop(folder, '10.zip', set(small), 1000);
    expect(await next()).toHaveLength(3);
    expect(await next()).toHaveLength(3);
  });

  test('whose marker is not there yet are not there yet, and are refused when their turn has passed', async () => {
    const { folder, next } = days({ done: '.done' });
    const marked = (name: string, content: Buffer, time: number) => {
      drop(folder, name, content, time);
      drop(folder, `${name}.done`, '', time);
    };
    marked('a.zip', set(small), 1000);
    drop(folder, 'b.zip', delta({ users: [changed(u2!, 'tobedeleted')] }), 2000);
    expect(await next()).toHaveLength(3);
    drop(folder, 'b.zip.done', '', 2000);
    expect(await next()).toEqual(['u1 c1 student', 'u3  ']);
    drop(folder, 'c.zip', delta({ users: [changed(u1!, 'tobedeleted')] }), 3000);
    marked('d.zip', delta({ users: [changed(u3!, 'tobedeleted')] }), 4000);
    expect(await next()).toEqual(['u1 c1 student']);
    drop(folder, 'c.zip.done', '', 3000);
    expect((await failure(next())).line).toContain('c.zip is no newer than d.zip, which has been merged already');
  });

  test('an older whole set is no answer while the one that was read is written again', async () => {
    const { folder, next } = days({ done: '.done' });
    drop(folder, 'a.zip', set({ ...small, users: [u1!], enrollments: [e1!] }), 1000);
    drop(folder, 'a.zip.done', '', 1000);
    const file = drop(folder, 'b.zip', set(small), 2000);
    drop(folder, 'b.zip.done', '', 2000);
    expect(await next()).toHaveLength(3);
    drop(folder, 'b.zip', 'half of it', 90_000);
    expect((await failure(next())).line).toContain(`${file} is there and not marked as whole`);
  });

  test('a set behind a link that leads to nothing is passed over by none that came later', async () => {
    const { folder, next } = days();
    drop(folder, 'a.zip', set(small), 1000);
    symlinkSync('/nowhere/at/all', join(folder, 'b.zip'));
    lutimesSync(join(folder, 'b.zip'), 2000, 2000);
    drop(folder, 'c.zip', delta({ users: [changed(u3!, 'tobedeleted')] }), 3000);
    expect((await failure(next())).line).toContain('b.zip is a link that leads to nothing');
  });

  test('may bring one table in full', async () => {
    const { folder, next } = days();
    drop(folder, 'a.zip', set(small), 1000);
    await next();
    drop(folder, 'b.zip', set({ enrollments: [e1!] }, { kinds: { enrollments: 'bulk' } }), 2000);
    expect(await next()).toEqual(['u1 c1 student', 'u2  ', 'u3  ']);
  });

  test('have status and time in each row, and the version of the whole', async () => {
    const { folder, next } = days();
    drop(folder, 'a.zip', set(small), 1000);
    await next();
    drop(folder, 'b.zip', delta({ users: [{ ...changed(u1!), status: '' }] }), 2000);
    expect((await failure(next())).line).toMatch(/b\.zip\/users\.csv:\d+:2: status is neither/);
    drop(folder, 'b.zip', delta({ users: [{ ...u1!, status: 'active' }] }), 2000);
    expect((await failure(next())).line).toMatch(/users\.csv:\d+:3: dateLastModified is no date/);
    drop(folder, 'b.zip', delta({ users: [changed(u1!)] }, { version: '1.2' }), 2000);
    expect((await failure(next())).line).toContain('is a delta of OneRoster 1.2, and the whole set is of 1.1');
    expect(readdirSync(folder)).toEqual(['a.zip', 'b.zip']);
  });

  test('a set that was not committed leaves no trace', async () => {
    const folder = temporaryFolder();
    const keepDir = join(temporaryFolder(), 'keep');
    drop(folder, 'a.zip', set(small), 1000);
    const answer = await csvDrop.pull(settings(folder), context({ keepDir }));
    await answer!.close();
    expect(readdirSync(join(keepDir, '..'))).toEqual([]);
    await answer!.accepted();
    writeFileSync(join(keepDir, `${answer!.content}.oneroster`), 'damaged');
    const again = await csvDrop.pull(settings(folder), context({ keepDir, lastContent: answer!.content }));
    expect(again!.content).toBe(answer!.content);
    await again!.close();
  });
});
