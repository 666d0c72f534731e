import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cellsOfRecord, cutCells, decodeBatch } from '../../../../src/connector/csv/decode.ts';
import type { DecodedRow } from '../../../../src/connector/source.ts';

function decoded(rows: readonly (string | Buffer)[], columns = 2, delimiter = ',', maxRowBytes = 1024): DecodedRow[] {
  const bytes = rows.map((row) => Buffer.from(row as string));
  const batch = Buffer.concat(bytes.flatMap((row) => [row, Buffer.from('\n')]));
  const lengths = bytes.map((row) => row.length);
  return decodeBatch(batch, lengths, { name: 'x.csv', delimiter, columns, maxRowBytes });
}
const broken = (row: DecodedRow | undefined) => (row && 'broken' in row ? `${row.column}: ${row.broken}` : row);

test('cells come as they are written: spaces stay, quotes go', () => {
  expect(decoded([' a , b', '"say ""hi""","x\r\ny"', ',', '"",ü€😀'])).toEqual([
    { cells: [' a ', ' b'] },
    { cells: ['say "hi"', 'x\r\ny'] },
    { cells: ['', ''] },
    { cells: ['', 'ü€😀'] },
  ]);
});

test.each([';', '\t', '|'])('delimiter %j', (delimiter) => {
  expect(decoded([`a,1${delimiter}"b${delimiter}c"`], 2, delimiter)).toEqual([{ cells: ['a,1', `b${delimiter}c`] }]);
});

test('a wrong number of cells names the first that is missing or too many', () => {
  const rows = decoded(['a', 'a,b,c', 'a,b', 'a,b,c,d']);
  expect(rows.map(broken)).toEqual([
    '2: has 1 cell, the header has 2',
    '3: has 3 cells, the header has 2',
    { cells: ['a', 'b'] },
    '3: has 4 cells, the header has 2',
  ]);
});

test('stray quotes are told with their cell, and the rows around them are read', () => {
  const rows = decoded(['a,b', 'a,5" disk', '"a"x,b', '"open,b', 'a, "b"', 'c,d']);
  expect(rows[0]).toEqual({ cells: ['a', 'b'] });
  expect(broken(rows[1])).toMatch(/^2: a quote stands where none may be/);
  expect(broken(rows[2])).toMatch(/^1: a quote stands where none may be/);
  expect(broken(rows[3])).toMatch(/^1: a quoted field is opened and not properly closed/);
  expect(broken(rows[4])).toMatch(/^2: a quote stands/);
  expect(rows[5]).toEqual({ cells: ['c', 'd'] });
});

test('a row is never completed by the one behind it, even where the two together would be well formed', () => {
  // joined by a line feed these are one record of two cells, and then another
  const rows = decoded(['a,"b', 'c"', 'd,e']);
  expect(rows.map((row) => 'broken' in row)).toEqual([true, true, false]);
});

test('bytes that are not UTF-8 are told with their cell and the way out', () => {
  const rows = decoded(['a,b', Buffer.from('a,M\xfcller', 'latin1'), 'ü,b']);
  expect(rows[0]).toEqual({ cells: ['a', 'b'] });
  expect(broken(rows[1])).toMatch(/^2: is not valid UTF-8.*windows-1252/);
  expect(rows[2]).toEqual({ cells: ['ü', 'b'] });
});

test('NUL characters are refused', () => {
  const rows = decoded(['a,b', 'a,b\0c', 'x,y']);
  expect(broken(rows[1])).toBe('2: contains a NUL character');
  expect(rows[2]).toEqual({ cells: ['x', 'y'] });
});

test('a row that is too long says so', () => {
  const rows = decoded(['a,b', 'x'.repeat(65), 'c,d'], 2, ',', 64);
  expect(broken(rows[1])).toBe('null: longer than 64 bytes (maxRowBytes)');
  expect(rows[2]).toEqual({ cells: ['c', 'd'] });
});

test('a refusal names only settings that the source has', () => {
  const rows = [Buffer.from('x'.repeat(65)), Buffer.from([0xff])];
  const batch = Buffer.concat(rows.flatMap((row) => [row, Buffer.from('\n')]));
  const shape = { name: 'upload', delimiter: ',', columns: 1, maxRowBytes: 64, limit: 'maxRecordBytes' };
  const lengths = rows.map((row) => row.length);
  expect(decodeBatch(batch, lengths, { ...shape, encodings: false }).map(broken)).toEqual([
    'null: longer than 64 bytes (maxRecordBytes)',
    '1: is not valid UTF-8',
  ]);
  expect(broken(decodeBatch(batch, lengths, shape)[1])).toContain('set encoding');
});

test('text that only looks like a byte order mark or a comment is text', () => {
  expect(decoded(['\ufeffa,b', '#a,b'])).toEqual([{ cells: ['\ufeffa', 'b'] }, { cells: ['#a', 'b'] }]);
});

test('a whole record is cut into the cells that a parser finds in it', () => {
  const cell = fc.array(fc.constantFrom('a', ' ', '"', ',', ';', '\n', '\r', 'é', '😀'), { maxLength: 6 });
  const written = fc.tuple(cell, fc.boolean()).map(([pieces, quoted]) => {
    const text = pieces.join('');
    return quoted || /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  fc.assert(
    fc.property(fc.array(written, { minLength: 1, maxLength: 6 }), fc.constantFrom(',', ';'), (cells, delimiter) => {
      const record = cells.join(delimiter);
      fc.pre(record !== '');
      expect(cutCells(record, delimiter)).toEqual(cellsOfRecord(Buffer.from(record), delimiter));
    }),
    { numRuns: 1000 },
  );
});
