import { mkdtempSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecodedRow, RowPlace } from '../../../src/connector/source.ts';
import { SpoolWriter, spoolAnswer, spoolLines } from '../../../src/connector/spool.ts';

const folder = mkdtempSync(join(tmpdir(), 'rosterd-spool-'));
const signal = new AbortController().signal;

interface Row {
  key: string;
  origin: string | undefined;
  cells: string[] | null;
}

async function write(rows: readonly Row[], name = 'rows') {
  const writer = await SpoolWriter.create(join(folder, name));
  for (const { key, origin, cells } of rows) {
    const named = origin === undefined ? { key } : { key, origin };
    if (cells) await writer.add(named, cells);
    else await writer.addBroken(named, 'cannot be read', 2);
  }
  return writer.finish();
}

async function readBack(rows: readonly Row[]): Promise<{ rows: DecodedRow[]; lines: number[]; bytes: string[] }> {
  const spooled = await write(rows);
  const answer = await spoolAnswer([{ spooled, name: 'x', modified: null, columns: ['a', 'b'] }], signal);
  const places: RowPlace[] = [];
  const bytes: string[] = [];
  await answer.scan({
    row(chunk, start, end, part, offset, line) {
      bytes.push(Buffer.from(chunk.subarray(start, end)).toString());
      places.push({ part, offset, length: end - start, line });
    },
  });
  const decoded = await answer.decode(places.toReversed());
  await answer.close();
  return { rows: decoded.toReversed(), lines: places.map((place) => place.line), bytes };
}

const anyRow: fc.Arbitrary<Row> = fc.record({
  key: fc.string({ unit: 'grapheme' }),
  origin: fc.option(fc.string({ unit: 'grapheme', maxLength: 400 }), { nil: undefined }),
  cells: fc.option(fc.array(fc.string({ unit: 'grapheme' }))),
});

describe('a spool file', () => {
  test('gives back every row that was put into it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRow, { maxLength: 30 }), async (rows) => {
        const back = await readBack(rows);
        expect(back.lines).toEqual(rows.map((_, at) => at + 1));
        expect(back.rows).toEqual(
          rows.map(({ origin, cells }) => ({
            ...(cells ? { cells } : { broken: 'cannot be read', column: 2 }),
            ...(origin === undefined ? {} : { origin }),
          })),
        );
      }),
    );
  });

  test('larger than what is read at once, and with a name longer than what is looked at first', async () => {
    const long = 'x'.repeat(40_000);
    const rows = Array.from({ length: 60 }, (_, n) => ({ key: `${n}`, origin: `${long}${n}`, cells: [`${n}`, long] }));
    const back = await readBack(rows);
    expect(back.rows).toEqual(rows.map(({ origin, cells }) => ({ cells, origin })));
  });

  test('a row that moved has the same bytes: they are its cells alone', async () => {
    const here = await readBack([{ key: '1', origin: 'ou=here', cells: ['a', 'b'] }]);
    const there = await readBack([{ key: '1', origin: 'ou=there', cells: ['a', 'b'] }]);
    expect(there.bytes).toEqual(here.bytes);
  });

  test('rows that are broken for the same reason are rows of their own', async () => {
    const back = await readBack([
      { key: '1', origin: 'users/1', cells: null },
      { key: '2', origin: 'users/2', cells: null },
      { key: '3', origin: undefined, cells: null },
      { key: '4', origin: undefined, cells: null },
    ]);
    expect(new Set(back.bytes).size).toBe(4);
    // an entry that moved is named by its new place
    const [moved] = (await readBack([{ key: '1', origin: 'users/one', cells: null }])).bytes;
    expect(back.bytes).not.toContain(moved);
  });

  test('lines go into another file as they are', async () => {
    const first = await write([
      { key: 'a', origin: undefined, cells: ['1'] },
      // what Node's readline takes for the end of a line
      { key: 'b', origin: 'dn', cells: ['2\u2028\u2029'] },
    ]);
    const writer = await SpoolWriter.create(join(folder, 'copy'));
    const keys: string[] = [];
    for await (const { key, line } of spoolLines(first.file)) {
      keys.push(key);
      await writer.addLine(line);
    }
    expect(keys).toEqual(['a', 'b']);
    expect(await writer.finish()).toMatchObject({ rows: 2, sha256: first.sha256, bytes: first.bytes });
  });

  test('one that was cut is no answer', async () => {
    const spooled = await write([{ key: 'a', origin: undefined, cells: ['1', '2'] }]);
    truncateSync(spooled.file, spooled.bytes - 3);
    const answer = await spoolAnswer([{ spooled, name: 'x', modified: null, columns: ['a'] }], signal);
    await expect(answer.scan({ row() {} })).rejects.toMatchObject({ kind: 'Incomplete' });
    await answer.close();
  });
});
