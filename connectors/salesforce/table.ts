import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { Unavailable } from '../../src/base/errors.ts';
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

/**
 * Reads a set of results, row by row; the cells of the wanted columns, in the order in which they are wanted. Columns are
 * known by their names, in any order and case: those of Salesforce stand before or behind ours.
 */
export async function* readResults(
  file: string,
  wanted: readonly string[],
  what: string,
): AsyncGenerator<readonly string[]> {
  let places: number[] | null = null;
  // without `columns`, which costs half as much again: these rows are as many as the records
  const parser = parse({ bom: true });
  // its errors are thrown by the parser, too, and it is closed with the parser: by an error, or when nobody reads on
  pipeline(createReadStream(file), parser, () => {});
  try {
    for await (const row of parser as AsyncIterable<string[]>) {
      if (places) yield places.map((place) => row[place]!);
      else places = placesOf(row, wanted, what);
    }
  } catch (error) {
    // its own words quote the row
    if (error instanceof CsvError) throw new Unavailable(`${what} cannot be read: ${error.code}`);
    throw error;
  }
}

function placesOf(header: readonly string[], wanted: readonly string[], what: string): number[] {
  const found = header.map((name) => name.toLowerCase());
  const lost = wanted.filter((name) => !found.includes(name.toLowerCase()));
  if (lost.length) throw new Unavailable(`${what} cannot be read: no column ${lost.join(', ')}`);
  return wanted.map((name) => found.indexOf(name.toLowerCase()));
}
