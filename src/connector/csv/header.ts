import { isUtf8 } from 'node:buffer';
import { closest, distance } from 'fastest-levenshtein';
import { Incomplete } from '../../base/errors.ts';
import type { ColumnExpectation } from '../source.ts';
import { cellsOfRecord } from './decode.ts';
import { step, type Verdict, walk } from './scan.ts';
import { decoderFor, type Encoding } from './transcode.ts';

/** The first record of a file: it decides whether the file is what it should be before a row is believed. */
export interface Header {
  columns: string[];
  /** Where the next record begins in the file as UTF-8, and on which line. */
  offset: number;
  line: number;
}

/** What the header is read with. */
export interface HeaderRules {
  delimiter: string;
  encoding: Encoding;
  maxRowBytes: number;
  /** A header without a line end may be whole. */
  openEndAllowed: boolean;
  columns: ColumnExpectation;
}

/** So many bytes of the file hold every header that is short enough, in any encoding and with a byte order mark. */
export const headBytes = (maxRowBytes: number): number => 2 * maxRowBytes + 8;

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Reads and proves the header from a file's first bytes; `whole` when they are all of it. Throws `Incomplete`. */
export function readHeader(name: string, head: Buffer, whole: boolean, rules: HeaderRules): Header {
  if (head.length === 0)
    throw new Incomplete(`${name} is empty`, {
      remedy: 'an export without people still has a header; have the exporter write the file again',
    });
  const bytes = inUtf8(name, head, whole, rules.encoding);
  const w = walk(bytes, rules.delimiter, rules.maxRowBytes);
  w.last = whole;
  if (bytes.subarray(0, 3).equals(BOM)) w.next = 3;
  let line = 1;
  do {
    if (w.next >= w.filled) throw refused(name, line, 'there is no header');
    if (w.lines > 0) line += w.lines;
    step(w);
  } while (w.end === w.start);

  const record = bytes.subarray(w.start, w.end);
  // a header that was cut may still look like one, with a shorter last name
  if (w.openEnd && whole && !rules.openEndAllowed) throw cutLine(name, line);
  if (w.verdict === 'too-long' || (w.openEnd && !whole))
    throw refused(
      name,
      line,
      `the header is longer than ${rules.maxRowBytes} bytes`,
      'is this a CSV file with line ends?',
    );
  if (record.includes(0)) throw refused(name, line, 'the header contains NUL characters', 'set encoding: utf-16');
  if (!isUtf8(record))
    throw refused(name, line, 'the header is not valid UTF-8', 'set encoding: windows-1252 or utf-16');
  if (record.includes(13))
    throw refused(name, line, 'the lines end in a bare carriage return', 'have the exporter end lines in LF or CRLF');
  const cells = w.verdict === 'whole' ? cellsOfRecord(record, rules.delimiter) : null;
  if (!cells) throw refused(name, line, 'the header cannot be read as CSV: a quote stands where none may be');
  const columns = cells.map((cell) => cell.trim());
  prove(name, line, columns, rules);
  return { columns, offset: w.next, line: line + w.lines };
}

/** What is said of a file whose last line has no line end. */
function cutLine(name: string, line: number): Incomplete {
  return new Incomplete(`the file ends in the middle of line ${line}: its last line has no line end`, {
    remedy: 'set finalNewline: optional if this exporter never writes one',
    where: { file: name, line },
  });
}

/** A last line without a line end is believed only where none is written as a rule, and only when it is a whole row. */
export function judgeOpenEnd(
  file: { name: string; columns: readonly string[]; delimiter: string; allowed: boolean },
  row: Buffer,
  line: number,
  verdict: Verdict,
): void {
  if (!file.allowed) throw cutLine(file.name, line);
  const cells = verdict === 'whole' ? cellsOfRecord(row, file.delimiter) : null;
  if (cells?.length === file.columns.length) return;
  throw new Incomplete(`the file ends in the middle of line ${line}: its last line is not a whole row`, {
    remedy: 'have the exporter write the file again',
    where: { file: file.name, line },
  });
}

function inUtf8(name: string, head: Buffer, whole: boolean, encoding: Encoding): Buffer {
  const mark = head.subarray(0, 2).toString('hex');
  if (encoding === 'utf-8') {
    if (mark === 'fffe' || mark === 'feff')
      throw refused(name, 1, 'the file begins with the byte order mark of UTF-16', 'set encoding: utf-16');
    return head;
  }
  if (head.subarray(0, 3).equals(BOM))
    throw refused(name, 1, 'the file begins with the byte order mark of UTF-8', 'set encoding: utf-8');
  return Buffer.from(decoderFor(encoding, name)(head, whole), 'utf8');
}

function refused(name: string, line: number, message: string, remedy?: string, column?: number): Incomplete {
  const where = column === undefined ? { file: name, line } : { file: name, line, column };
  return new Incomplete(message, remedy === undefined ? { where } : { where, remedy });
}

const listed = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** Proves the names: every required one there, none twice, and none beside them when the format is exact. */
function prove(name: string, line: number, columns: readonly string[], rules: HeaderRules): void {
  const { required, optional, exact, objects = [] } = rules.columns;
  const known = [...required, ...optional];
  // A first line in which nothing is a known name, nor near to one, may be somebody's row: it is not quoted.
  const isHeader = columns.some((column) => known.includes(column) || nearest(column, known) !== undefined);
  if (!isHeader && required.length > 0 && columns.length > 1)
    throw refused(
      name,
      line,
      `the first line is no header: none of its ${columns.length} values is the name of a column`,
      `it must have ${listed(required)}`,
    );
  for (const [index, column] of columns.entries()) {
    const first = columns.indexOf(column);
    if (column !== '' && first !== index)
      throw refused(
        name,
        line,
        `the column "${column}" is there twice, as column ${first + 1} and ${index + 1}`,
        undefined,
        index + 1,
      );
  }
  const object = columns.findIndex((column) => objects.includes(column));
  if (object >= 0)
    throw refused(
      name,
      line,
      `the column "${columns[object]}" is an object, which a table does not have`,
      `its parts are columns: ${columns[object]}.NAME`,
      object + 1,
    );
  const missing = required.filter((column) => !columns.includes(column));
  const strangers = columns.filter((column) => !known.includes(column));
  if (missing.length > 0) {
    const other = [';', ',', '\t', '|'].find(
      (mark) => mark !== rules.delimiter && columns.length === 1 && columns[0]!.includes(mark),
    );
    const remedy = other
      ? `the columns seem to be separated by ${JSON.stringify(other)}: set delimiter: ${JSON.stringify(other)}`
      : missing.map((column) => suggestion(column, strangers)).find((text) => text !== undefined);
    const what = `required ${missing.length === 1 ? 'column' : 'columns'} ${listed(missing)} missing${isHeader ? `; the header has ${listed(columns)}` : ''}`;
    throw refused(name, line, what, remedy);
  }
  if (exact && strangers.length > 0) {
    const column = columns.indexOf(strangers[0]!) + 1;
    const what =
      strangers[0] === ''
        ? `column ${column} has no name`
        : `unexpected ${strangers.length === 1 ? 'column' : 'columns'} ${listed(strangers)}`;
    const free = optional.filter((candidate) => !columns.includes(candidate));
    const near = nearest(strangers[0]!, free);
    throw refused(name, line, what, near ? `did you mean "${near}"?` : `known columns are ${listed(known)}`, column);
  }
}

function suggestion(missing: string, strangers: readonly string[]): string | undefined {
  const near = nearest(missing, strangers);
  return near && `is "${near}" meant to be "${missing}"?`;
}

/** The candidate that `name` was probably meant to be; case, spaces and marks count for nothing. */
function nearest(name: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[\s_.-]/g, '');
  const usable = candidates.filter((candidate) => candidate !== '');
  if (usable.length === 0 || name === '') return undefined;
  const near = closest(plain(name), usable.map(plain));
  if (distance(plain(name), near) > Math.max(1, Math.floor(name.length / 3))) return undefined;
  return usable.find((candidate) => plain(candidate) === near);
}
