import { open } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePlaces } from '../../../../src/connector/csv/decode.ts';
import { scanRows } from '../../../../src/connector/csv/scan.ts';
import type { DecodedRow, RowPlace } from '../../../../src/connector/source.ts';
import { drop, temporaryFolder } from '../../../support/drop.ts';

interface Written {
  cells: string[];
  /** Cells that are quoted although they need not be. */
  quoted: boolean[];
  lineEnd: string;
}

/** Serialised rows: the bytes, and the line that each row begins on. */
function serialised(rows: readonly Written[], delimiter: string): { text: string; lines: number[] } {
  let text = '';
  const lines: number[] = [];
  for (const { cells, quoted, lineEnd } of rows) {
    lines.push(text.split('\n').length);
    const needed = (cell: string): boolean =>
      /["\r\n]/.test(cell) || cell.includes(delimiter) || (cells.length === 1 && cell === '');
    text += cells
      .map((cell, i) => (needed(cell) || quoted[i] ? `"${cell.replaceAll('"', '""')}"` : cell))
      .join(delimiter);
    text += lineEnd;
  }
  return { text, lines };
}

async function read(text: string, delimiter: string, columns: number, bufferBytes: number) {
  const handle = await open(drop(temporaryFolder(), 'x.csv', text));
  const { signal } = new AbortController();
  const places: RowPlace[] = [];
  const options = {
    name: 'x.csv',
    part: 0,
    bytes: Buffer.byteLength(text),
    offset: 0,
    line: 1,
    delimiter,
    maxRowBytes: 512,
    rowsLeft: 1e6,
    judgeOpenEnd: () => expect.unreachable(),
    signal,
    bufferBytes,
  };
  await scanRows(handle, options, {
    row(_bytes, start, end, part, offset, line) {
      places.push({ part, offset, length: end - start, line });
    },
  });
  const shape = { name: 'x.csv', delimiter, columns, maxRowBytes: 512 };
  const rows: DecodedRow[] = await decodePlaces(places, async () => ({ handle, shape }), signal);
  await handle.close();
  return { rows, lines: places.map((place) => place.line) };
}

const cell = fc
  .array(fc.constantFrom('a', 'B', '7', ' ', '"', '""', ',', ';', '\n', '\r\n', '\r', 'é', '€', '😀'), { maxLength: 8 })
  .map((pieces) => pieces.join(''));
const table = (content: fc.Arbitrary<string>) =>
  fc.integer({ min: 1, max: 5 }).chain((columns) =>
    fc.array(
      fc.record({
        cells: fc.array(content, { minLength: columns, maxLength: columns }),
        quoted: fc.array(fc.boolean(), { minLength: columns, maxLength: columns }),
        lineEnd: fc.constantFrom('\n', '\r\n', '\n\n', '\r\n\r\n\n'),
      }),
      { minLength: 1, maxLength: 80 },
    ),
  );

test('any table, however it is quoted and its lines end, is read back exactly, each row with its line', async () => {
  await fc.assert(
    fc.asyncProperty(
      table(cell),
      fc.constantFrom(',', ';', '\t'),
      fc.integer({ min: 0, max: 4000 }),
      async (rows, delimiter, buffer) => {
        const { text, lines } = serialised(rows, delimiter);
        const result = await read(text, delimiter, rows[0]!.cells.length, buffer);
        expect(result.rows).toEqual(rows.map(({ cells }) => ({ cells })));
        expect(result.lines).toEqual(lines);
      },
    ),
    { numRuns: 300 },
  );
});

test('a quote too many anywhere breaks the row that it is in, and no other', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é'), minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      table(word),
      fc.nat(),
      fc.nat(),
      fc.integer({ min: 0, max: 4000 }),
      async (rows, which, where, buffer) => {
        const plain = rows.map((row) => ({ ...row, lineEnd: '\n' }));
        const texts = serialised(plain, ',').text.slice(0, -1).split('\n');
        const hit = which % texts.length;
        const at = where % (texts[hit]!.length + 1);
        texts[hit] = `${texts[hit]!.slice(0, at)}"${texts[hit]!.slice(at)}`;
        const result = await read(`${texts.join('\n')}\n`, ',', rows[0]!.cells.length, buffer);
        expect(result.lines).toEqual(texts.map((_, i) => i + 1));
        for (const [i, row] of result.rows.entries())
          if (i === hit) expect(row).toHaveProperty('broken');
          else expect(row).toEqual({ cells: plain[i]!.cells });
      },
    ),
    { numRuns: 300 },
  );
});
