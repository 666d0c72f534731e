import { open } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { Incomplete } from '../../../../src/base/errors.ts';
import { decodePlaces } from '../../../../src/connector/csv/decode.ts';
import { type ScanOptions, scanRows } from '../../../../src/connector/csv/scan.ts';
import type { RowPlace } from '../../../../src/connector/source.ts';
import { drop, temporaryFolder } from '../../../support/drop.ts';

/** Rows as `line: text`, found in a real file. */
async function rowsOf(content: string | Buffer, changes: Partial<ScanOptions> = {}): Promise<string[]> {
  const bytes = Buffer.from(content as string);
  const handle = await open(drop(temporaryFolder(), 'x.csv', bytes));
  const found: string[] = [];
  try {
    const options: ScanOptions = {
      name: 'x.csv',
      part: 0,
      bytes: bytes.length,
      offset: 0,
      line: 1,
      delimiter: ',',
      maxRowBytes: 1024,
      rowsLeft: 1e6,
      judgeOpenEnd(_row, line, verdict) {
        throw new Incomplete(`cut at ${line} (${verdict})`);
      },
      signal: new AbortController().signal,
      bufferBytes: 0,
      ...changes,
    };
    const count = await scanRows(handle, options, {
      row(seen, start, end, _part, offset, line) {
        const text = Buffer.from(seen.subarray(start, end));
        // offsets are what decode reads by, so they must say the same as the bytes shown
        expect(bytes.subarray(offset, offset + end - start)).toEqual(text);
        found.push(`${line}: ${text}`);
      },
    });
    expect(count).toBe(found.length);
  } finally {
    await handle.close();
  }
  return found;
}

test('line ends of both kinds do not belong to the row, blank lines count as lines but are no rows', async () => {
  expect(await rowsOf('a,b\r\nc,d\n\n\r\ne,f\r\n')).toEqual(['1: a,b', '2: c,d', '5: e,f']);
});

test('a quoted field keeps line ends, delimiters and doubled quotes inside', async () => {
  const content = 'a,"1\r\n2\n3",x\n"say ""hi"", you",b\n"",""\nlast,row\n';
  expect(await rowsOf(content)).toEqual(['1: a,"1\r\n2\n3",x', '4: "say ""hi"", you",b', '5: "",""', '6: last,row']);
});

test('a quoted field at the end of a CRLF line ends there', async () => {
  expect(await rowsOf('a,"b"\r\n"c","d,"\r\ne,f\r\n')).toEqual(['1: a,"b"', '2: "c","d,"', '3: e,f']);
});

test.each([
  ['opened at the start', '"Ann,a@x\n2,b\n3,"c"\n4,d\n'],
  ['text behind the closing one', '"Ann"a,a@x\n2,b\n3,"c"\n4,d\n'],
  ['in the middle of a field', '5" disk,a@x\n2,b\n3,"c"\n4,d\n'],
  ['opened in the last field', 'Ann,"a@x\n2,b\n3,"c"\n4,d\n'],
  ['closed twice', '"Ann""",a"\n2,b\n3,"c"\n4,d\n'],
])('one stray quote spoils its own line only: %s', async (_name, content) => {
  const lines = content.trimEnd().split('\n');
  expect(await rowsOf(content)).toEqual(lines.map((line, i) => `${i + 1}: ${line}`));
});

test('a quote that stays open up to the end of the file spoils its own line only', async () => {
  expect(await rowsOf('1,a\n2,"b\n3,c\n4,d\n')).toEqual(['1: 1,a', '2: 2,"b', '3: 3,c', '4: 4,d']);
});

test('a quoted field may not be longer than a row', async () => {
  const lines = Array.from({ length: 50 }, (_, i) => `${i},xxxxxxxxxxxxxxxx`);
  const content = `1,"open\n${lines.join('\n')}\n2,closed"\n3,c\n`;
  const rows = await rowsOf(content, { maxRowBytes: 64 });
  expect(rows.length).toBe(53);
  expect(rows.slice(0, 2)).toEqual(['1: 1,"open', '2: 0,xxxxxxxxxxxxxxxx']);
  expect(rows.at(-1)).toBe('53: 3,c');
});

test('a row that is too long shows one byte more than allowed, and reading goes on behind it', async () => {
  const long = 'x'.repeat(100_000);
  for (const content of [`1,a\n${long},b\n3,c\n`, `1,a\n"${long}",b\n3,c\n`]) {
    const rows = await rowsOf(content, { maxRowBytes: 64 });
    expect(rows.map((row) => row.length - row.indexOf(' ') - 1)).toEqual([3, 65, 3]);
    expect(rows[2]).toBe('3: 3,c');
  }
});

test('a row of exactly the allowed length is a row', async () => {
  const rows = await rowsOf(`${'x'.repeat(64)}\r\n"${'y\n'.repeat(31)}"\nz\n`, { maxRowBytes: 64 });
  expect(rows).toEqual([`1: ${'x'.repeat(64)}`, `2: "${'y\n'.repeat(31)}"`, '34: z']);
});

test('rows are the same wherever the ends of the buffer fall', async () => {
  const lines = Array.from({ length: 400 }, (_, i) => (i % 3 ? `${i},plain` : `${i},"a\n""b"",${'c'.repeat(i % 17)}"`));
  const content = `${lines.join('\r\n')}\r\n`;
  const whole = await rowsOf(content, { bufferBytes: 2 ** 20, maxRowBytes: 64 });
  expect(whole.length).toBe(400);
  for (let bufferBytes = 260; bufferBytes < 300; bufferBytes++)
    expect(await rowsOf(content, { bufferBytes, maxRowBytes: 64 })).toEqual(whole);
});

test('a row that was too long has other bytes than when the limit is raised, by which it would be known again', async () => {
  for (const length of [65, 66, 67])
    for (const end of ['\n', '\r\n'])
      for (const row of ['x'.repeat(length), `"${'x'.repeat(length - 2)}"`]) {
        const content = `1,a${end}${row}${end}3,c${end}`;
        const [, before, behind] = await rowsOf(content, { maxRowBytes: 64 });
        const [, raised] = await rowsOf(content, { maxRowBytes: 67 });
        expect(raised).toBe(`2: ${row}`);
        expect(before).not.toBe(raised);
        expect(before!.length).toBeGreaterThan('2: '.length + 64);
        expect(behind).toBe('3: 3,c');
      }
});

test('a last line without a line end is judged, whatever it looks like', async () => {
  await expect(rowsOf('1,a\n2,b')).rejects.toThrow('cut at 2 (whole)');
  await expect(rowsOf('1,a\n2,"b"')).rejects.toThrow('cut at 2 (whole)');
  await expect(rowsOf('1,a\n2,"b\nc')).rejects.toThrow('cut at 2 (cut-in-quote)');
  await expect(rowsOf(`1,a\n${'x'.repeat(5000)}`)).rejects.toThrow('cut at 2 (too-long)');
  expect(await rowsOf('1,a\n2,b\r', { judgeOpenEnd() {} })).toEqual(['1: 1,a', '2: 2,b']);
});

test('more rows than allowed are no answer', async () => {
  await expect(rowsOf('1\n2\n3\n', { rowsLeft: 2 })).rejects.toThrow(/more rows than maxRows/);
});

test('a file that is shorter than it was is no answer', async () => {
  await expect(rowsOf('1,a\n', { bytes: 10 })).rejects.toThrow(/changed while it was read/);
});

test.each([
  'x,"open and never closed\n',
  'x,"open and never closed\nplain,line\n',
  'x,"",y\nx,"\n',
  '"\n"",""\n',
  '"""\n',
  ',"\n,"",\n,"",\n',
])(
  'bad quotes cost no more than the bytes: %j a hundred thousand times',
  async (line) => {
    const handle = await open(drop(temporaryFolder(), 'x.csv', line.repeat(100_000)));
    const options = {
      name: 'x.csv',
      part: 0,
      bytes: line.length * 100_000,
      offset: 0,
      line: 1,
      delimiter: ',',
      maxRowBytes: 2 ** 20,
      rowsLeft: 1e9,
      judgeOpenEnd() {},
      signal: new AbortController().signal,
    };
    // looking a megabyte ahead from every line would take minutes
    expect(await scanRows(handle, options, { row() {} })).toBeGreaterThan(0);
    await handle.close();
  },
  5_000,
);

test('an abort ends a scan', async () => {
  const signal = AbortSignal.abort(new Error('stop'));
  await expect(rowsOf('1\n', { signal })).rejects.toThrow('stop');
});

test('scan and decode agree on what is broken', async () => {
  const content = '1,a\n2,"b\n3,c\n';
  const handle = await open(drop(temporaryFolder(), 'x.csv', content));
  const places: RowPlace[] = [
    { part: 0, offset: 9, length: 3, line: 3 },
    { part: 0, offset: 0, length: 3, line: 1 },
    { part: 0, offset: 4, length: 4, line: 2 },
  ];
  const shape = { name: 'x.csv', delimiter: ',', columns: 2, maxRowBytes: 64 };
  const rows = await decodePlaces(places, async () => ({ handle, shape }), new AbortController().signal);
  await handle.close();
  expect(rows[0]).toEqual({ cells: ['3', 'c'] });
  expect(rows[1]).toEqual({ cells: ['1', 'a'] });
  expect(rows[2]).toMatchObject({ column: 2, broken: expect.stringContaining('not properly closed') });
});

test('a body whose length nobody knows gives the same rows, however it is cut', async () => {
  const content = Buffer.from(`1,a\n"2\n2",b\r\n3,"c\n4,d\n${'x'.repeat(200)}\n5,"e""e"\n`);
  const expected = await rowsOf(content, { maxRowBytes: 64 });
  expect(expected).toHaveLength(6);
  for (let piece = 1; piece < 60; piece++) {
    let at = 0;
    const found: string[] = [];
    await scanRows(
      {
        async read(buffer, offset, length) {
          const bytesRead = content.copy(buffer, offset, at, at + Math.min(length, piece));
          at += bytesRead;
          return { bytesRead };
        },
      },
      {
        ...{ name: 'x', part: 0, bytes: null, offset: 0, line: 1, delimiter: ',', maxRowBytes: 64, rowsLeft: 99 },
        judgeOpenEnd: (_row, line) => {
          throw new Incomplete(`cut at ${line}`);
        },
        signal: new AbortController().signal,
        bufferBytes: 0,
      },
      {
        row: (bytes, start, end, _part, _offset, line) =>
          void found.push(`${line}: ${Buffer.from(bytes.subarray(start, end))}`),
      },
    );
    expect(found).toEqual(expected);
  }
});
