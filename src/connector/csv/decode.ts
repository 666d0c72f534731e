import { isUtf8 } from 'node:buffer';
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import type { DecodedRow, RowPlace } from '../source.ts';
import { changed, step, type Verdict, type Walk, walk } from './scan.ts';

/**
 * Cells of named rows. Rows that lie near each other are read at once; each row is proved to stand alone before it is
 * cut into cells, so that a broken one can never reach into its neighbours.
 */

/** How the rows of one part are to be read. */
export interface RowShape {
  name: string;
  delimiter: string;
  columns: number;
  maxRowBytes: number;
  /** What the settings of the source call `maxRowBytes`, where they have another word. */
  limit?: string;
  /** False: the source has no setting for another encoding. */
  encodings?: false;
}

/** Reading a few kilobytes that nobody asked for is cheaper than another call; much more is not. */
const GAP = 4 * 1024;
const WINDOW = 2 ** 20;
const BATCH = 1000;
const QUOTE = 34;

/** Parses rows that are joined by line feeds. */
function cellsOf(bytes: Buffer, delimiter: string, encoding: 'utf8' | 'latin1' = 'utf8'): string[][] {
  return parse(bytes, { delimiter, encoding, record_delimiter: '\n', relax_column_count: true }) as string[][];
}

/** Cells of one record that stands alone, or null when they cannot be parsed. */
export function cellsOfRecord(record: Buffer, delimiter: string): string[] | null {
  try {
    const records = cellsOf(record, delimiter);
    return records.length === 1 ? records[0]! : null;
  } catch {
    return null;
  }
}

/** Decodes rows of one part: `batch` holds them one behind the other, each followed by a line feed. */
export function decodeBatch(batch: Buffer, lengths: readonly number[], shape: RowShape): DecodedRow[] {
  const results: DecodedRow[] = new Array(lengths.length);
  const allUtf8 = isUtf8(batch);
  const anyNul = batch.includes(0);
  const w = walk(batch, shape.delimiter, shape.maxRowBytes);
  let at = 0;
  for (const [index, length] of lengths.entries()) {
    const rowEnd = at + length;
    w.next = at;
    w.filled = rowEnd + 1;
    step(w);
    let problem: DecodedRow | null = null;
    if (w.verdict !== 'whole' || w.next !== rowEnd + 1) {
      problem = brokenByForm(batch.subarray(at, rowEnd), w, at, shape);
      w.lineFeed = -1;
      w.quote = -1;
    } else if (!allUtf8 || anyNul) problem = brokenByText(batch.subarray(at, rowEnd), shape);
    results[index] = problem ?? counted(cutCells(batch.toString('utf8', at, rowEnd), shape.delimiter), shape.columns);
    at = rowEnd + 1;
  }
  return results;
}

/**
 * The cells of one record of which `step` says that it is whole: what is left is to cut it. The parser was refused here:
 * it proves the quotes once more, byte by byte, and takes longer than all the rest that is done with a changed row.
 */
export function cutCells(record: string, delimiter: string): string[] {
  const cells: string[] = [];
  for (let at = 0; ; at += 1) {
    let end: number;
    if (record.charCodeAt(at) === QUOTE) {
      let close = record.indexOf('"', at + 1);
      const doubled = record.charCodeAt(close + 1) === QUOTE;
      while (record.charCodeAt(close + 1) === QUOTE) close = record.indexOf('"', close + 2);
      const cell = record.slice(at + 1, close);
      cells.push(doubled ? cell.replaceAll('""', '"') : cell);
      end = close + 1;
    } else {
      end = record.indexOf(delimiter, at);
      if (end === -1) end = record.length;
      cells.push(record.slice(at, end));
    }
    if (end >= record.length) return cells;
    at = end;
  }
}

function counted(cells: string[], columns: number): DecodedRow {
  if (cells.length === columns) return { cells };
  const count = cells.length === 1 ? '1 cell' : `${cells.length} cells`;
  return { broken: `has ${count}, the header has ${columns}`, column: Math.min(cells.length, columns) + 1 };
}

const forms: Record<Exclude<Verdict, 'whole' | 'too-long'>, string> = {
  'stray-quote': 'a quote stands where none may be: fields that contain a quote are quoted, the quote inside doubled',
  'unclosed-quote': 'a quoted field is opened and not properly closed',
  'cut-in-quote': 'a quoted field is opened and not properly closed',
};

function brokenByForm(row: Buffer, w: Walk, at: number, shape: RowShape): DecodedRow {
  if (row.length > shape.maxRowBytes || w.verdict === 'too-long')
    return { broken: `longer than ${shape.maxRowBytes} bytes (${shape.limit ?? 'maxRowBytes'})`, column: null };
  if (w.verdict === 'whole') return { broken: 'is not one CSV record', column: null };
  const breaksAt = Math.min(w.breaksAt - at, row.length);
  return { broken: forms[w.verdict], column: columnAt(row, breaksAt, shape.delimiter) };
}

/** The number of the cell at `position`: one more than the delimiters outside of quotes before it. */
function columnAt(row: Buffer, position: number, delimiter: string): number {
  let column = 1;
  let inside = false;
  for (let i = 0; i < position; i++) {
    if (row[i] === 34) inside = !inside;
    else if (!inside && row[i] === delimiter.charCodeAt(0)) column++;
  }
  return column;
}

function brokenByText(row: Buffer, shape: RowShape): DecodedRow | null {
  const nul = row.indexOf(0);
  if (nul !== -1) return { broken: 'contains a NUL character', column: columnAt(row, nul, shape.delimiter) };
  if (isUtf8(row)) return null;
  const cells = cellsOf(row, shape.delimiter, 'latin1')[0] ?? [];
  const cell = cells.findIndex((text) => !isUtf8(Buffer.from(text, 'latin1')));
  return {
    broken: `is not valid UTF-8${shape.encodings === false ? '' : '; if the whole file is in another encoding, set encoding (windows-1252, utf-16)'}`,
    column: cell === -1 ? null : cell + 1,
  };
}

/** A file that rows are read from. */
export interface RowFile {
  handle: FileHandle;
  shape: RowShape;
}

/** Decodes the rows at `places`, in any order, over any number of parts. Memory holds one batch at a time. */
export async function decodePlaces(
  places: readonly RowPlace[],
  fileOf: (part: number) => Promise<RowFile>,
  signal: AbortSignal,
): Promise<DecodedRow[]> {
  const order = inFileOrder(places);
  const placeAt = (i: number): RowPlace => places[order ? order[i]! : i]!;
  const results: DecodedRow[] = new Array(places.length);
  for (let from = 0; from < places.length; ) {
    signal.throwIfAborted();
    const { part } = placeAt(from);
    const lengths: number[] = [];
    let total = 0;
    for (let i = from; i < places.length && i - from < BATCH; i++) {
      const place = placeAt(i);
      if (place.part !== part || (total + place.length > WINDOW && i > from)) break;
      lengths.push(place.length);
      total += place.length + 1;
    }
    const { handle, shape } = await fileOf(part);
    const batch = Buffer.allocUnsafe(total);
    const to = from + lengths.length;
    readRows(handle, shape.name, placeAt, from, to, batch);
    const rows = decodeBatch(batch, lengths, shape);
    for (let i = from; i < to; i++) results[order ? order[i]! : i] = rows[i - from]!;
    from = to;
  }
  return results;
}

/**
 * Copies the rows from `from` to `to` into `batch`; rows that lie near each other are read at once. The file is a local
 * one, read from end to end a moment ago: thousands of small reads take less time than handing them to other threads.
 */
function readRows(
  handle: FileHandle,
  name: string,
  placeAt: (i: number) => RowPlace,
  from: number,
  to: number,
  batch: Buffer,
): void {
  let copied = 0;
  let bytes = Buffer.allocUnsafe(GAP);
  for (let i = from; i < to; ) {
    const { offset } = placeAt(i);
    let end = offset + placeAt(i).length;
    let next = i + 1;
    for (; next < to; next++) {
      const place = placeAt(next);
      const reach = place.offset + place.length;
      if (place.offset - end > GAP || reach - offset > WINDOW) break;
      end = Math.max(end, reach);
    }
    if (bytes.length < end - offset) bytes = Buffer.allocUnsafe(end - offset);
    for (let filled = 0; filled < end - offset; ) {
      const more = readSync(handle.fd, bytes, filled, end - offset - filled, offset + filled);
      if (more === 0) throw changed(name);
      filled += more;
    }
    for (; i < next; i++) {
      const place = placeAt(i);
      copied += bytes.copy(batch, copied, place.offset - offset, place.offset - offset + place.length);
      batch[copied++] = 10;
    }
  }
}

/** Reads exactly so many bytes; `Incomplete` when the file has become shorter. */
export async function readExactly(handle: FileHandle, name: string, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw changed(name);
    filled += bytesRead;
  }
  return bytes;
}

/** Positions of `places` sorted by part and offset; null when they are sorted already, as after a scan. */
function inFileOrder(places: readonly RowPlace[]): Uint32Array | null {
  const before = (a: RowPlace, b: RowPlace): number => a.part - b.part || a.offset - b.offset;
  if (places.every((place, i) => i === 0 || before(places[i - 1]!, place) <= 0)) return null;
  return Uint32Array.from(places.keys()).sort((a, b) => before(places[a]!, places[b]!));
}
