import { expect, test } from 'vitest';
import { courseKey } from '../../../src/connector/target.ts';
import type { QuarantinedRow } from '../../../src/store/port.ts';
import type { OpenStore } from '../store.ts';
import { badRow, course, digest, goodRow, inForce, snapshot } from './samples.ts';

const lineOf = ({ line }: QuarantinedRow): number => line;

/** Rows of snapshots: what is staged, ended, discarded, paged and quarantined. */
export function rowsConformance(open: OpenStore): void {
  test('rows that end are given back in the order asked, with person, course and quarantine', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [
      goodRow(1, 'S1'),
      goodRow(2, null, { number: '9500000001' }),
      badRow(3, { email: 'x@example.edu' }, course('Statics')),
      badRow(4, {}),
    ]);
    expect(await store.rows.end('sis', 2, [4, 2, 3, 1].map(digest))).toEqual([
      { person: null, course: null, quarantined: true },
      { person: 'n:9500000001', course: courseKey(course('Statics')), quarantined: false },
      { person: 'e:x@example.edu', course: courseKey(course('Statics')), quarantined: true },
      { person: 'i:S1', course: courseKey(course('Statics')), quarantined: false },
    ]);
  });

  test('ending the same rows again gives the same', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1'), goodRow(2, 'S2')]);
    const once = await store.rows.end('sis', 2, [digest(1)]);
    expect(await store.rows.end('sis', 2, [digest(1)])).toEqual(once);
    expect(await store.rows.personPage('sis', 2, '', 10)).toEqual(['i:S1', 'i:S2']);
    expect(await store.rows.personPage('sis', 3, '', 10)).toEqual(['i:S2']);
  });

  test('ending a row that the snapshot before does not have is an error, not a guess', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await expect(store.rows.end('sis', 2, [digest(9)])).rejects.toThrow(/sis-2/);
    await store.rows.add('sis', 2, [goodRow(5, 'S5')]);
    await expect(store.rows.end('sis', 2, [digest(5)])).rejects.toThrow(/sis-2/);
    await store.rows.discard('sis', 2);
    // The number of a discarded snapshot is never given again.
    await inForce(store, 'sis', 3, [], [digest(1)]);
    await expect(store.rows.end('sis', 4, [digest(1)])).rejects.toThrow(/sis-4/);
  });

  test('a row of another source with the same digest stays', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await inForce(store, 'hr', 1, [goodRow(1, 'S1')]);
    await store.rows.end('sis', 2, [digest(1)]);
    expect(await store.rows.personPage('sis', 3, '', 10)).toEqual([]);
    expect(await store.rows.personPage('hr', 3, '', 10)).toEqual(['i:S1']);
  });

  test('a row that went and came back lives in both times, and not in between', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await inForce(store, 'sis', 2, [], [digest(1)]);
    await inForce(store, 'sis', 3, [goodRow(2, 'S2')]);
    await inForce(store, 'sis', 4, [goodRow(1, 'S1')]);
    // A page has those whom the snapshot ended as well; they are gone in the next one.
    const pages = await Promise.all([1, 2, 3, 4].map((number) => store.rows.personPage('sis', number, '', 10)));
    expect(pages).toEqual([['i:S1'], ['i:S1'], ['i:S2'], ['i:S1', 'i:S2']]);
    expect(await store.rows.end('sis', 5, [digest(1)])).toHaveLength(1);
    expect(await store.rows.personPage('sis', 6, '', 10)).toEqual(['i:S2']);
    expect(await store.rows.personPage('sis', 1, '', 10)).toEqual(['i:S1']);
  });

  test('rows of a snapshot are found by their digests, in the order asked, in the life that was asked for', async () => {
    const { store } = await open();
    const bad = badRow(3, { email: 'x@example.edu' }, course('Statics'));
    await inForce(store, 'sis', 1, [goodRow(1, 'S1'), goodRow(2, 'S2'), bad]);
    await inForce(store, 'hr', 1, [goodRow(4, 'S4')]);
    await inForce(store, 'sis', 2, [], [digest(1)]);
    await inForce(store, 'sis', 3, [{ ...goodRow(1, 'S1'), line: 77 }]);
    const asked = [3, 1, 9, 4, 2].map(digest);
    const lines = async (number: number) =>
      (await store.rows.find('sis', number, asked)).map((row) => row?.line ?? null);
    const line = { 1: goodRow(1, 'S1').line, 2: goodRow(2, 'S2').line, 3: bad.line };
    expect(await lines(1)).toEqual([line[3], line[1], null, null, line[2]]);
    expect(await lines(2)).toEqual([line[3], null, null, null, line[2]]);
    expect(await lines(3)).toEqual([line[3], 77, null, null, line[2]]);
    const found = await store.rows.find('sis', 1, asked);
    const plain = found.map((row) => row && { ...row, digest: Uint8Array.from(row.digest) });
    expect(plain).toEqual([bad, goodRow(1, 'S1'), null, null, goodRow(2, 'S2')]);
    expect(await store.rows.find('nobody', 1, asked)).toEqual([null, null, null, null, null]);
    expect(await store.rows.find('sis', 1, [])).toEqual([]);
  });

  test('discard takes back a staged snapshot: its rows, its ends, its packs, its document', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1'), badRow(2, { id: 'S2' })]);
    await inForce(store, 'hr', 2, [goodRow(1, 'S1')]);
    await store.snapshots.put(snapshot('sis', 1));
    await store.snapshots.putPack('sis', 1, 'full', digest(1));
    const before = {
      page: await store.rows.personPage('sis', 1, '', 10),
      bad: await store.rows.quarantined('sis', 1, 10),
    };

    await store.rows.add('sis', 2, [goodRow(3, 'S3'), goodRow(1, 'S1')]);
    await store.rows.end('sis', 2, [digest(1), digest(2)]);
    await store.snapshots.put(snapshot('sis', 2));
    await store.snapshots.putPack('sis', 2, 'added', digest(3));
    // Repeated, as after a cut.
    await store.rows.discard('sis', 2);
    await store.rows.discard('sis', 2);

    expect(await store.rows.personPage('sis', 1, '', 10)).toEqual(before.page);
    expect(await store.rows.personPage('sis', 2, '', 10)).toEqual(before.page);
    expect(await store.rows.quarantined('sis', 2, 10)).toEqual(before.bad);
    expect(await store.snapshots.get('sis', 2)).toBeNull();
    expect(await store.snapshots.pack('sis', 2, 'added')).toHaveLength(0);
    expect(await store.snapshots.get('sis', 1)).toEqual(snapshot('sis', 1));
    expect(await store.snapshots.pack('sis', 1, 'full')).toEqual(digest(1));
    expect(await store.rows.personPage('hr', 2, '', 10)).toEqual(['i:S1']);
    // The rows can end again, under the next number.
    expect(await store.rows.end('sis', 3, [digest(1), digest(2)])).toHaveLength(2);
  });

  test('discard of a snapshot that wrote nothing is nothing', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1')]);
    await store.rows.discard('sis', 2);
    await store.rows.discard('other', 1);
    expect(await store.rows.personPage('sis', 1, '', 10)).toEqual(['i:S1']);
  });

  test('an end that was discarded does not reach rows that ended before', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [goodRow(1, 'S1'), goodRow(2, 'S2')]);
    await inForce(store, 'sis', 2, [], [digest(1)]);
    await store.rows.end('sis', 3, [digest(2)]);
    await store.rows.discard('sis', 3);
    expect(await store.rows.personPage('sis', 3, '', 10)).toEqual(['i:S2']);
  });

  test('people are paged by key, in the order of the bytes of UTF-8, each once', async () => {
    const { store, hardOrder } = await open();
    const ids = ['b', 'a', 'Z', 'é', 'ä', ...(hardOrder ?? []), 'a'];
    await inForce(
      store,
      'sis',
      1,
      ids.map((id, n) => goodRow(n, id, { email: `p${n}@example.edu`, ...course(`Course ${n}`) })),
    );
    const sorted = [...new Set(ids.map((id) => `i:${id}`))].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
    expect(await store.rows.personPage('sis', 1, '', 100)).toEqual(sorted);
    const paged: string[] = [];
    for (let after = ''; ; after = paged.at(-1)!) {
      const page = await store.rows.personPage('sis', 1, after, 3);
      if (!page.length) break;
      expect(page.length).toBeLessThanOrEqual(3);
      paged.push(...page);
    }
    expect(paged).toEqual(sorted);
  });

  test('a page has quarantined people as well, those that the snapshot ended, and nobody of another source', async () => {
    const { store } = await open();
    await inForce(store, 'hr', 1, [goodRow(9, 'S9')]);
    await inForce(store, 'sis', 1, [
      goodRow(1, 'S1'),
      goodRow(2, 'S2'),
      badRow(3, { email: 'x@example.edu' }),
      badRow(4, {}),
    ]);
    await store.rows.add('sis', 2, [goodRow(5, 'S5')]);
    await store.rows.end('sis', 2, [digest(1)]);
    expect(await store.rows.personPage('sis', 2, '', 10)).toEqual(['e:x@example.edu', 'i:S1', 'i:S2', 'i:S5']);
    expect(await store.rows.personPage('sis', 1, '', 10)).toEqual(['e:x@example.edu', 'i:S1', 'i:S2']);
    expect(await store.rows.personPage('sis', 3, '', 10)).toEqual(['e:x@example.edu', 'i:S2', 'i:S5']);
  });

  test('quarantined rows are listed whole, by file and line, as far as the limit', async () => {
    const { store, reopen } = await open();
    const hints = { id: 'S7', email: 's7@example.edu', number: '9500000007' };
    await inForce(store, 'sis', 1, [
      badRow(30, hints, course('Statics')),
      { ...badRow(50, {}), file: 'b.csv' },
      badRow(4, {}),
      goodRow(1, 'S1'),
    ]);
    const rows = await (await reopen()).rows.quarantined('sis', 1, 10);
    expect(rows.map(({ file, line }) => `${file}:${line}`)).toEqual(['b.csv:50', 'students.csv:4', 'students.csv:30']);
    expect({ ...rows[2], digest: [...rows[2]!.digest] }).toEqual({
      ...{ reason: 'year is 9', column: 'year', hints, course: course('Statics') },
      ...{ digest: [...digest(30)], file: 'students.csv', line: 30 },
    });
  });

  test('the limit of quarantined rows takes the first ones', async () => {
    const { store } = await open();
    await inForce(
      store,
      'sis',
      1,
      [5, 3, 4].map((n) => badRow(n, {})),
    );
    expect((await store.rows.quarantined('sis', 1, 2)).map(lineOf)).toEqual([3, 4]);
  });

  test('a quarantined row is listed in every snapshot that it is in, and in no other', async () => {
    const { store } = await open();
    await inForce(store, 'sis', 1, [badRow(1, {}), badRow(2, {})]);
    await store.rows.add('sis', 2, [badRow(3, {})]);
    await store.rows.end('sis', 2, [digest(1)]);
    const listed = await Promise.all(
      [1, 2, 3].map(async (n) => (await store.rows.quarantined('sis', n, 10)).map(lineOf)),
    );
    expect(listed).toEqual([
      [1, 2],
      [2, 3],
      [2, 3],
    ]);
    expect(await store.rows.quarantined('hr', 2, 10)).toEqual([]);
  });
}
