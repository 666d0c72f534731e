import { Incomplete } from '../../base/errors.ts';
import type { RowSink } from '../source.ts';

/**
 * Where records begin and end, found over bytes. No cell is made here: a sync of a million rows of which none changed
 * must cost little more than reading them. Line ends and quotes are found by the native search (memchr); only the
 * inside of quoted fields is walked byte by byte.
 *
 * Quotes are RFC 4180's: one opens at the start of a field only, `""` stands for one, and behind the closing one comes
 * a delimiter or the line end. Where a line breaks that, only this one physical line is given as a row (which `decode`
 * then reports) and reading goes on at the next line. Taking the quote at its word was refused: one stray quote would
 * swallow its neighbours, and people who vanish silently are worse than a few more broken rows.
 */

const LF = 10;
const CR = 13;
const QUOTE = 34;

/** How a record ended. */
export type Verdict =
  /** A whole record. */
  | 'whole'
  /** A quote that opens inside a field, or something other than a delimiter behind a closing one. */
  | 'stray-quote'
  /** A quote that is not closed within `maxRowBytes`. */
  | 'unclosed-quote'
  /** A quote that is still open where the bytes end. */
  | 'cut-in-quote'
  /** A line of more than `maxRowBytes`. */
  | 'too-long';

/** A walk over the records of one buffer. `step` moves it on by one record. */
export interface Walk {
  bytes: Buffer;
  /** How much of `bytes` is filled. */
  filled: number;
  /** True when nothing follows what is filled. */
  last: boolean;
  delimiter: number;
  maxRowBytes: number;
  /** The record found: bytes without the line end; the start of the one behind it; physical lines that it spans. */
  start: number;
  end: number;
  next: number;
  lines: number;
  verdict: Verdict;
  /** Where a broken record breaks. */
  breaksAt: number;
  /** The record ran to the end of the bytes without a line end. */
  openEnd: boolean;
  /** Next line feed and next quote at or behind `next`, remembered so that nothing is searched twice; -1: not known. */
  lineFeed: number;
  quote: number;
}

/** A walk that has not begun. */
export function walk(bytes: Buffer, delimiter: string, maxRowBytes: number): Walk {
  return {
    bytes,
    filled: bytes.length,
    last: true,
    delimiter: delimiter.charCodeAt(0),
    maxRowBytes,
    start: 0,
    end: 0,
    next: 0,
    lines: 0,
    verdict: 'whole',
    breaksAt: -1,
    openEnd: false,
    lineFeed: -1,
    quote: -1,
  };
}

function find(w: Walk, byte: number, from: number): number {
  const found = w.bytes.indexOf(byte, from);
  return found === -1 ? w.bytes.length : found;
}

/**
 * Finds the record at `w.next`, which must lie before `w.filled`. Unless `w.last`, at least `maxRowBytes + 3` bytes must
 * be filled from there on, so that every record that is short enough ends inside the buffer.
 */
export function step(w: Walk): void {
  const start = w.next;
  if (w.lineFeed < start) w.lineFeed = find(w, LF, start);
  if (w.quote < start) w.quote = find(w, QUOTE, start);
  w.start = start;
  w.lines = 1;
  w.verdict = 'whole';
  w.openEnd = false;
  const line = w.lineFeed < w.filled ? w.lineFeed : w.filled;
  if (w.quote < line && quoted(w, line)) return;
  endAt(w, line);
  if (w.end - start > w.maxRowBytes) tooLong(w);
}

/**
 * Keeps one byte more than allowed, so that the length alone says later why the row is refused. A row of just that length
 * keeps the first byte of its line end, too: with its own bytes alone it would be known again, and not be read, once the
 * limit is raised. (Without a line end it is the last one, and no row.)
 */
function tooLong(w: Walk): void {
  const end = w.start + w.maxRowBytes + 1;
  w.verdict = 'too-long';
  w.end = w.end === end && !w.openEnd ? end + 1 : end;
}

/** Ends the record at the line feed at `line`, or where the bytes end. */
function endAt(w: Walk, line: number): void {
  w.openEnd = line >= w.filled;
  w.next = w.openEnd ? w.filled : line + 1;
  w.end = line > w.start && w.bytes[line - 1] === CR ? line - 1 : line;
}

/** Walks the quoted fields of a record. False: the record is one too long physical line, quotes do not matter. */
function quoted(w: Walk, firstLine: number): boolean {
  const { bytes, start, filled, delimiter } = w;
  if (firstLine - start > w.maxRowBytes + 1) return false;
  const limit = Math.min(filled, start + w.maxRowBytes + 1);
  let quote = w.quote;
  let line = firstLine;
  for (;;) {
    if (quote !== start && bytes[quote - 1] !== delimiter) return broken(w, firstLine, 'stray-quote', quote);
    let i = quote + 1;
    for (;;) {
      while (i < limit && bytes[i] !== QUOTE) if (bytes[i++] === LF) w.lines++;
      if (i >= limit) {
        const cut = limit === filled && w.last;
        return broken(w, firstLine, cut ? 'cut-in-quote' : 'unclosed-quote', quote);
      }
      if (i + 1 >= filled || bytes[i + 1] !== QUOTE) break;
      i += 2;
    }
    const after = i + 1;
    const byte = after < filled ? bytes[after] : LF;
    if (byte === delimiter) {
      if (line <= after) line = Math.min(find(w, LF, after + 1), filled);
      quote = find(w, QUOTE, after + 1);
      if (quote < line) continue;
    } else if (byte === LF) {
      line = after;
      quote = -1;
    } else if (byte === CR && (after + 1 >= filled || bytes[after + 1] === LF)) {
      line = Math.min(after + 1, filled);
      quote = -1;
    } else return broken(w, firstLine, 'stray-quote', after);
    endAt(w, line);
    if (w.end - start > w.maxRowBytes && w.lines > 1) return broken(w, firstLine, 'unclosed-quote', w.quote);
    w.quote = quote;
    w.lineFeed = line;
    if (w.end - start > w.maxRowBytes) tooLong(w);
    return true;
  }
}

/** Gives the first physical line alone, as broken. */
function broken(w: Walk, firstLine: number, verdict: Verdict, at: number): true {
  endAt(w, firstLine);
  w.lines = 1;
  w.verdict = verdict;
  w.breaksAt = at;
  w.lineFeed = -1;
  w.quote = -1;
  return true;
}

/** What bytes are read from: a file, or a body on its way in, which is read in order only. No bytes: that was all. */
export interface ByteReader {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** What a scan is told besides the bytes. */
export interface ScanOptions {
  /** The part's name, for messages. */
  name: string;
  part: number;
  /** Null: as many as come. */
  bytes: number | null;
  /** Where the first record behind the header begins, and its line. */
  offset: number;
  line: number;
  delimiter: string;
  maxRowBytes: number;
  /** Rows that may still come; more make the pull `Incomplete`. */
  rowsLeft: number;
  /** Judges a last record without a line end; throws `Incomplete` when it cannot be trusted. */
  judgeOpenEnd(row: Buffer, line: number, verdict: Verdict): void;
  signal: AbortSignal;
  /** Left out: 2 MB. Tests take less, so that rows cross its ends. */
  bufferBytes?: number;
}

/** Streams the rows of one file past `sink`, with one buffer for all of it. Gives the number of rows. */
export async function scanRows(handle: ByteReader, options: ScanOptions, sink: RowSink): Promise<number> {
  const { part, maxRowBytes } = options;
  const ahead = maxRowBytes + 3;
  const buffer = Buffer.allocUnsafe(Math.max(options.bufferBytes ?? 2 ** 21, ahead * 4));
  const w = walk(buffer, options.delimiter, maxRowBytes);
  w.filled = 0;
  w.last = false;
  let base = options.offset;
  let line = options.line;
  let rows = 0;
  /** Inside a line that was too long: everything up to the next line feed has been told already. */
  let skipping = false;

  const refill = async (): Promise<void> => {
    options.signal.throwIfAborted();
    buffer.copyWithin(0, w.next, w.filled);
    base += w.next;
    let filled = w.filled - w.next;
    const wanted = Math.min(buffer.length, (options.bytes ?? Number.POSITIVE_INFINITY) - base);
    let ended = false;
    while (filled < wanted && !ended) {
      const { bytesRead } = await handle.read(buffer, filled, wanted - filled, base + filled);
      if (bytesRead === 0 && options.bytes !== null) throw changed(options.name);
      ended = bytesRead === 0;
      filled += bytesRead;
    }
    w.next = 0;
    w.filled = filled;
    w.last = options.bytes === null ? ended : base + filled >= options.bytes;
    w.lineFeed = -1;
    w.quote = -1;
  };

  for (;;) {
    await refill();
    if (skipping) {
      const end = find(w, LF, 0);
      w.next = Math.min(end + 1, w.filled);
      skipping = end >= w.filled;
      if (skipping && w.last) options.judgeOpenEnd(buffer.subarray(0, 0), line, 'too-long');
      if (!skipping) line++;
    }
    while (!skipping && w.next < w.filled && (w.last || w.filled - w.next >= ahead)) {
      step(w);
      if (w.end > w.start) {
        if (w.openEnd && w.last) options.judgeOpenEnd(buffer.subarray(w.start, w.end), line, w.verdict);
        else if (w.verdict === 'cut-in-quote' && buffer[w.filled - 1] !== LF)
          options.judgeOpenEnd(buffer.subarray(w.start, w.end), line, w.verdict);
        if (++rows > options.rowsLeft) throw tooManyRows(options);
        sink.row(buffer, w.start, w.end, part, base + w.start, line);
      }
      if (w.openEnd && !w.last) skipping = true;
      else line += w.lines;
    }
    if (w.last && w.next >= w.filled) return rows;
  }
}

function tooManyRows(options: ScanOptions): Incomplete {
  return new Incomplete(`${options.name} brings more rows than maxRows allows`, {
    remedy: 'raise maxRows when the table has really grown so much',
  });
}

/** The verdict on a file that is not the same before and after reading. */
export function changed(name: string): Incomplete {
  return new Incomplete(`${name} changed while it was read`, {
    remedy: 'the next run reads it again; write files under another name and rename them when they are whole',
  });
}
