import { open } from 'node:fs/promises';
import { Unavailable } from '../../src/base/errors.ts';
import { cellsOfRecord, decodeBatch } from '../../src/connector/csv/decode.ts';
import { scanRows } from '../../src/connector/csv/scan.ts';
import type { Fields, Prepared, Value } from './records.ts';

/** Records as the CSV of a job, and the CSV that its results are. */

/** How a job writes a value that is nothing; an empty cell leaves the field as it is. */
export const nothing = '#N/A';

/** True for records that a job would misread: a text that says `#N/A` would be taken for nothing. */
export function misread({ fields }: Prepared): boolean {
  return Object.values(fields).includes(nothing);
}

function cell(value: Value): string {
  if (value === undefined) return '';
  if (value === null || value === '') return nothing;
  const text = String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const line = (cells: readonly string[]): string => `${cells.join(',')}\n`;

const headerOf = ([first]: readonly Prepared[]): string => line(Object.keys((first as { fields: Fields }).fields));

/**
 * Cuts records into tables of at most `most` bytes, each with its header. A line that is longer by itself stands alone.
 * Records of one object have the same fields.
 */
export function* tables(
  prepared: readonly Prepared[],
  most: number,
): Generator<{ entries: Prepared[]; lines: readonly string[] }> {
  if (!prepared.length) return;
  const header = headerOf(prepared);
  let entries: Prepared[] = [];
  let lines = [header];
  let bytes = Buffer.byteLength(header);
  for (const entry of prepared) {
    const text = line(Object.values(entry.fields).map(cell));
    const size = Buffer.byteLength(text);
    if (entries.length && bytes + size > most) {
      yield { entries, lines };
      entries = [];
      lines = [header];
      bytes = Buffer.byteLength(header);
    }
    entries.push(entry);
    lines.push(text);
    bytes += size;
  }
  yield { entries, lines };
}

/** Writes text to a file, a mebibyte at a time. */
export async function writeText(file: string, text: Iterable<string>): Promise<void> {
  const handle = await open(file, 'w');
  try {
    let held: string[] = [];
    let length = 0;
    const flush = async (): Promise<void> => {
      await handle.writeFile(held.join(''));
      held = [];
      length = 0;
    };
    for (const piece of text) {
      held.push(piece);
      length += piece.length;
      if (length > 1024 * 1024) await flush();
    }
    await flush();
  } finally {
    await handle.close();
  }
}

/** No record of Salesforce is as long. */
const mostRowBytes = 1024 * 1024;
/** So many bytes of rows are decoded at once. */
const lotBytes = 256 * 1024;

/**
 * Reads a set of results, and gives the cells of the wanted columns of each row to `take`, in the order in which they are
 * wanted. Columns are known by their names, in any order and case: those of Salesforce stand before or behind ours. Rows are
 * as many as the records, and are found and cut as those of a drop: csv-parse takes four times as long.
 */
export async function readResults(
  file: string,
  wanted: readonly string[],
  what: string,
  signal: AbortSignal,
  take: (cells: readonly string[]) => void,
): Promise<void> {
  const shape = { name: what, delimiter: ',', columns: 0, maxRowBytes: mostRowBytes };
  let places: number[] = [];
  let rows: Buffer[] = [];
  let held = 0;
  const broken = (why: string): Unavailable => new Unavailable(`${what} cannot be read: ${why}`);
  const flush = (): void => {
    const lengths = rows.map((row) => row.length);
    const decoded = decodeBatch(Buffer.concat(rows.flatMap((row) => [row, lineFeed])), lengths, shape);
    for (const [at, row] of decoded.entries()) {
      // what is only strange in a text is no reason to know nothing of the record
      const cells = 'cells' in row ? row.cells : cellsOfRecord(rows[at]!, ',');
      if (cells?.length !== shape.columns) throw broken('broken' in row ? `a row ${row.broken}` : 'a row is no record');
      take(places.map((place) => cells[place]!));
    }
    rows = [];
    held = 0;
  };
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    await scanRows(
      handle,
      {
        ...{ name: what, part: 0, bytes: size, offset: 0, line: 1, delimiter: ',', maxRowBytes: mostRowBytes, signal },
        rowsLeft: Number.POSITIVE_INFINITY,
        judgeOpenEnd(_row, _line, verdict) {
          if (verdict !== 'whole') throw broken('its end is missing');
        },
      },
      {
        row(chunk, start, end) {
          const row = Buffer.from(chunk.subarray(start, end));
          if (shape.columns === 0) {
            const names = cellsOfRecord(withoutMark(row), ',') ?? [];
            places = placesOf(names, wanted, what);
            shape.columns = names.length;
            return;
          }
          rows.push(row);
          held += row.length;
          if (held >= lotBytes) flush();
        },
      },
    );
    flush();
  } finally {
    await handle.close();
  }
}

const lineFeed = Buffer.from('\n');
const byteOrderMark = Buffer.from('\uFEFF');

function withoutMark(head: Buffer): Buffer {
  return head.subarray(0, 3).equals(byteOrderMark) ? head.subarray(3) : head;
}

function placesOf(header: readonly string[], wanted: readonly string[], what: string): number[] {
  const found = header.map((name) => name.toLowerCase());
  const lost = wanted.filter((name) => !found.includes(name.toLowerCase()));
  if (lost.length) throw new Unavailable(`${what} cannot be read: no column ${lost.join(', ')}`);
  return wanted.map((name) => found.indexOf(name.toLowerCase()));
}
