import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Database } from '../../../src/store/embedded/database.ts';
import { by, Finder, forgetRowsAbove, hashOfDigest, indexRows } from '../../../src/store/embedded/finder.ts';
import { hashOfText } from '../../../src/store/embedded/pairs.ts';

/** Rows are found through runs, however they came: in small steps, in large ones, some taken back in between. */

function database(): Database {
  const made = mkdtempSync(join(tmpdir(), 'rosterd-finder-'));
  const db = new Database(made);
  onTestFinished(() => {
    db.close();
    rmSync(made, { recursive: true, force: true });
  });
  return db;
}

interface Keyed {
  digest: number;
  id: string | null;
  email: string;
  course: number;
}

const digestOf = (n: number): Uint8Array => new Uint8Array(16).fill(n);

function add(db: Database, rows: readonly Keyed[]): number[] {
  return db.tx(() =>
    rows.map(({ digest, id, email, course }) => {
      db.run(
        `INSERT INTO rows (source, digest, first, person, number, email, course, file, line, bad, body)
         VALUES (1, ?, 1, ?, NULL, ?, ?, 1, 1, 0, '')`,
        ...[digestOf(digest), id === null ? `e:${email}` : `i:${id}`, email, course],
      );
      return Number(db.get('SELECT last_insert_rowid() AS id')!['id']);
    }),
  );
}

const keyed = fc.record({
  digest: fc.nat(20),
  id: fc.option(fc.constantFrom('a', 'b', 'c', 'd')),
  email: fc.constantFrom('x@example.edu', 'y@example.edu', 'z@example.edu'),
  course: fc.nat(3),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ add: fc.array(keyed, { maxLength: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ cut: fc.nat(15) }) },
  { weight: 3, arbitrary: fc.constant({ index: true as const }) },
);

test('every row is found by its digest, its keys and its course, as a list would have it', () => {
  const db = database();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      for (const table of ['rows', 'found_runs', 'found_pieces']) db.run(`DELETE FROM ${table}`);
      const rows = new Map<number, Keyed>();
      for (const one of [...steps, { index: true as const }]) {
        if ('add' in one) for (const [at, id] of add(db, one.add).entries()) rows.set(id, one.add[at]!);
        else if ('cut' in one) {
          // As when a staged snapshot is discarded: its numbers are given again, to other rows.
          const last = Math.max(0, ...rows.keys()) - one.cut;
          for (const id of rows.keys()) if (id > last) rows.delete(id);
          db.tx(() => {
            db.run('DELETE FROM rows WHERE id > ?', last);
            forgetRowsAbove(db);
          });
        } else {
          indexRows(db);
          const finder = new Finder(db);
          const found = (kind: 0 | 1 | 2, hash: number) =>
            finder.candidates(kind, Uint32Array.of(hash)).filter((id) => rows.has(id));
          for (const [id, row] of rows) {
            expect(found(by.digest, hashOfDigest(digestOf(row.digest)))).toContain(id);
            expect(found(by.key, hashOfText(`e:${row.email}`))).toContain(id);
            if (row.id !== null) expect(found(by.key, hashOfText(`i:${row.id}`))).toContain(id);
            expect(found(by.course, row.course)).toContain(id);
          }
          expect(finder.candidates(by.key, Uint32Array.of(hashOfText('i:nobody')))).toEqual([]);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('many small runs become few, and hold what they held', () => {
  const db = database();
  const one = (n: number): Keyed => ({ digest: n % 251, id: `p${n}`, email: `p${n}@example.edu`, course: n % 3 });
  let next = 0;
  for (let day = 0; day < 40; day += 1) {
    add(
      db,
      Array.from({ length: day === 0 ? 3000 : 50 }, () => one(next++)),
    );
    indexRows(db);
    for (const kind of Object.values(by)) {
      const runs = db.all('SELECT size FROM found_runs WHERE kind = ? ORDER BY first_row', kind);
      expect(runs.length).toBeLessThan(7);
    }
  }
  const orphans = 'SELECT count(*) AS n FROM found_pieces WHERE id / 16777216 NOT IN (SELECT id FROM found_runs)';
  expect(db.get(orphans)).toEqual({ n: 0 });
  const finder = new Finder(db);
  // One by one from pieces, then all of them from memory.
  for (let n = 0; n < next; n += 97)
    expect(finder.candidates(by.key, Uint32Array.of(hashOfText(`i:p${n}`)))).toContain(n + 1);
  const all = Uint32Array.from({ length: next }, (_, n) => hashOfText(`i:p${n}`));
  expect(finder.candidates(by.key, all)).toEqual(Array.from({ length: next }, (_, n) => n + 1));
  const third = finder.candidates(by.course, Uint32Array.of(1));
  expect(third).toEqual(Array.from({ length: next }, (_, n) => n + 1).filter((id) => (id - 1) % 3 === 1));
});

test('what a cut left out of the runs is added to them later, and only once', () => {
  const db = database();
  const row: Keyed = { digest: 7, id: 'a', email: 'x@example.edu', course: 1 };
  add(db, [row]);
  expect(new Finder(db).candidates(by.course, Uint32Array.of(1))).toEqual([]);
  indexRows(db);
  indexRows(db);
  add(db, [row]);
  indexRows(db);
  expect(new Finder(db).candidates(by.course, Uint32Array.of(1))).toEqual([1, 2]);
});

test.each([1, 400])(
  'whoever looks rows up, %i at a time, still finds them when another source has had the runs merged',
  (most) => {
    const db = database();
    const one = (n: number): Keyed => ({ digest: n % 251, id: `p${n}`, email: `p${n}@example.edu`, course: 1 });
    const days = (from: number, count: number): void => {
      for (let n = from; n < from + count; n += 20) {
        add(
          db,
          Array.from({ length: 20 }, (_, at) => one(n + at)),
        );
        indexRows(db);
      }
    };
    add(
      db,
      Array.from({ length: 3000 }, (_, n) => one(n)),
    );
    days(3000, 400);
    const finder = new Finder(db);
    const from = 3400 - most;
    const wanted = Uint32Array.from({ length: most }, (_, n) => hashOfText(`i:p${from + n}`));
    const all = Array.from({ length: most }, (_, n) => from + n + 1);
    expect(finder.candidates(by.key, wanted)).toEqual(all);
    const before = db.all('SELECT id FROM found_runs WHERE kind = ?', by.key);
    days(3400, 4000);
    expect(db.all('SELECT id FROM found_runs WHERE kind = ?', by.key)).not.toContainEqual(before.at(-1));
    expect(finder.candidates(by.key, wanted)).toEqual(all);
  },
);
