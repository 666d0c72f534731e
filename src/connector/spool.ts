import { createHash, type Hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Incomplete } from '../base/errors.ts';
import type { Answer, DecodedRow, Part, RowPlace, RowSink } from './source.ts';

/**
 * Rows of a source that has no file of its own (LDAP, HTTP, push), spooled to one, so that a million rows need no memory.
 * One line a row: what it is merged by and looked up by, a tab, its cells; both as JSON, which has no raw tab or line
 * feed. Only the cells are the row's bytes: an entry that moved is no other row. A broken row has no cells, so its name is
 * among its bytes: rows with the same bytes are one row to a snapshot, known by where the first of them came from, and the
 * same reason would make one of everybody's.
 */

/** Bytes that are written at a time. */
const flushAt = 256 * 1024;
const readAtOnce = 1024 * 1024;

/** One for all rows that only go into memory: there are millions of them. */
const nothingToWaitFor = Promise.resolve();

/** What a row is known by. `key`: rows of one thing (a person, an entry) have one, and are merged together. */
export interface RowName {
  key: string;
  /** See `DecodedRow`. */
  origin?: string;
}

/** What `finish` gives: a file that is whole. */
export interface Spooled {
  file: string;
  rows: number;
  bytes: number;
  /** Hex SHA-256 of the file. */
  sha256: string;
}

/** Writes a spool file row by row. */
export class SpoolWriter {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #lines: string[] = [];
  #waiting = 0;
  #rows = 0;
  #bytes = 0;
  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  /** Makes the file anew; nobody else may read it. */
  static async create(file: string): Promise<SpoolWriter> {
    return new SpoolWriter(file, await open(file, 'w', 0o600));
  }

  get rows(): number {
    return this.#rows;
  }

  /** Adds a row; wait for it, that memory stays flat. */
  add(name: RowName, cells: readonly string[]): Promise<void> {
    return this.addLine(spoolLine(name, cells));
  }

  /** Adds a row that cannot be read; it goes to quarantine. `column` from 1, or null. */
  async addBroken(name: RowName, broken: string, column: number | null = null): Promise<void> {
    await this.addLine(spoolLine(name, { broken, column, of: nameText(name) }));
  }

  /** Adds a line of another spool file as it is. */
  addLine(line: string): Promise<void> {
    this.#lines.push(line);
    this.#waiting += line.length + 1;
    this.#rows += 1;
    return this.#waiting < flushAt ? nothingToWaitFor : this.#flush();
  }

  async #flush(): Promise<void> {
    if (!this.#lines.length) return;
    const bytes = Buffer.from(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#waiting = 0;
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    await this.#handle.appendFile(bytes);
  }

  /** Ends the file, on the disk. */
  async finish(): Promise<Spooled> {
    await this.#flush();
    await this.#handle.sync();
    await this.#handle.close();
    return { file: this.#file, rows: this.#rows, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** Closes a file that will not be finished. Never throws. */
  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }
}

const nameText = ({ key, origin }: RowName): [string, string?] => (origin === undefined ? [key] : [key, origin]);

/** One row as a line of a spool file: its cells, or why it is broken. */
export function spoolLine(name: RowName, row: unknown): string {
  return `${JSON.stringify(nameText(name))}\t${JSON.stringify(row)}`;
}

/** One row as it lies in a spool file. */
export interface SpoolLine {
  key: string;
  line: string;
  /** Where the line begins, and its length without the line feed. */
  at: number;
  bytes: number;
}

/** The lines of a spool file, each with the key of its row, in order. */
export async function* spoolLines(file: string): AsyncGenerator<SpoolLine> {
  const handle = await open(file, 'r');
  try {
    for await (const { held, start } of wholeLines(handle))
      for (let from = 0; from < held.length; ) {
        const end = held.indexOf(LF, from);
        const line = held.toString('utf8', from, end);
        const [key] = JSON.parse(line.slice(0, line.indexOf('\t'))) as [string];
        yield { key, line, at: start + from, bytes: end - from };
        from = end + 1;
      }
  } finally {
    await handle.close();
  }
}

/**
 * The bytes of a spool file, cut behind line feeds; `start` is where they begin. Node's own `readLines` would not do:
 * it also cuts at line ends that are characters of a value (U+2028).
 */
async function* wholeLines(handle: FileHandle): AsyncGenerator<{ held: Buffer; start: number }> {
  let rest = Buffer.alloc(0);
  for (let position = 0; ; ) {
    const chunk = Buffer.allocUnsafe(readAtOnce);
    const { bytesRead } = await handle.read(chunk, 0, readAtOnce, position);
    if (!bytesRead) break;
    const start = position - rest.length;
    position += bytesRead;
    const held = rest.length ? Buffer.concat([rest, chunk.subarray(0, bytesRead)]) : chunk.subarray(0, bytesRead);
    const end = held.lastIndexOf(LF) + 1;
    rest = held.subarray(end);
    if (end) yield { held: held.subarray(0, end), start };
  }
  if (rest.length) throw new Incomplete('the spool file was cut', { remedy: 'run again; is the disk full?' });
}

/** A spooled part of an answer, and how a person would look it up. */
export interface SpooledPart {
  spooled: Spooled;
  /** See `Part`. */
  name: string;
  modified: string | null;
  columns: readonly string[];
}

/**
 * An answer over spool files. `ends` is what the connector does when the snapshot is committed, and when all is over; the
 * files are not removed here.
 */
export async function spoolAnswer(
  spooledParts: readonly SpooledPart[],
  signal: AbortSignal,
  ends: Partial<Pick<Answer, 'accepted' | 'close'>> = {},
): Promise<Answer> {
  const handles: FileHandle[] = [];
  const parts: Part[] = spooledParts.map(({ spooled, name, modified, columns }) => {
    const { bytes, sha256 } = spooled;
    return { name, bytes, sha256, modified, columns, lists: true, layout: JSON.stringify({ spool: 1, columns }) };
  });
  const close = async (): Promise<void> => {
    for (const handle of handles) await handle.close().catch(() => {});
    await ends.close?.();
  };
  try {
    for (const { spooled } of spooledParts) handles.push(await open(spooled.file, 'r'));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    content: createHash('sha256')
      .update(JSON.stringify(parts.map((part) => [part.sha256, part.layout])))
      .digest('hex'),
    parts,
    async scan(sink) {
      for (const [at, handle] of handles.entries()) await scanSpool(handle, at, sink, signal);
    },
    decode: async (places) => places.map((place) => decodeRow(handles[place.part]!, place)),
    async accepted() {
      await ends.accepted?.();
    },
    close,
  };
}

const LF = 10;
const TAB = 9;

async function scanSpool(handle: FileHandle, part: number, sink: RowSink, signal: AbortSignal): Promise<void> {
  let line = 1;
  for await (const { held, start } of wholeLines(handle)) {
    signal.throwIfAborted();
    for (let from = 0; from < held.length; line += 1) {
      const end = held.indexOf(LF, from);
      const cells = held.indexOf(TAB, from) + 1;
      sink.row(held, cells, end, part, start + cells, line);
      from = end + 1;
    }
  }
}

/** A row that cannot be read, as it is written; rows kept from earlier have no `of`. */
interface Broken {
  broken: string;
  column: number | null;
  of?: [string, string?];
}

/** Bytes before the cells that are read first: most names are shorter. */
const nameRoom = 256;

function decodeRow(handle: FileHandle, { offset, length }: RowPlace): DecodedRow {
  for (let room = nameRoom; ; room *= 8) {
    const before = Math.min(offset, room);
    const bytes = Buffer.allocUnsafe(before + length);
    for (let filled = 0; filled < bytes.length; ) {
      const more = readSync(handle.fd, bytes, filled, bytes.length - filled, offset - before + filled);
      if (!more) throw new Incomplete('the spool file was cut', { remedy: 'run again; is the disk full?' });
      filled += more;
    }
    const lineEnd = bytes.lastIndexOf(LF, before - 1);
    if (lineEnd < 0 && before < offset) continue;
    const name = bytes.toString('utf8', lineEnd + 1, before - 1);
    const row = JSON.parse(bytes.toString('utf8', before)) as string[] | Broken;
    const known = (JSON.parse(name) as [string, string?])[1];
    const origin = known === undefined ? {} : { origin: known };
    if (Array.isArray(row)) return { cells: row, ...origin };
    // whose it is was written to tell it from others, and is told by its origin
    const { of: _, ...broken } = row;
    return { ...broken, ...origin };
  }
}
