import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { parse } from 'csv-parse';
import { type Entry, fromFdPromise, type ZipFile } from 'yauzl';
import { Incomplete } from '../../src/base/errors.ts';
import type { EntityName } from '../../src/connector/oneroster/entities.ts';
import type { Held } from './folder.ts';
import { tablesOf, type Version, versions } from './oneroster-tables.ts';

/** One zip of OneRoster CSV files: what is in it is proved against its manifest before a row is read. */

/** Files of a set; a zip with more is something else. */
const mostFiles = 100;
const manifestName = 'manifest.csv';
/** Larger than any manifest. */
const manifestBytes = 1024 * 1024;

/** What the manifest says of a file. */
export type FileKind = 'absent' | 'bulk' | 'delta';

/** A zip that is open, and whose manifest has been proved. */
export interface RosterZip {
  version: Version;
  kinds: ReadonlyMap<EntityName, FileKind>;
  /** It is a whole set: every table of its version, in full. */
  isWhole: boolean;
  /**
   * The rows of one of its files, each with its line; the first one is the header. Throws `Incomplete` when the file is
   * not whole.
   */
  rows(table: EntityName, signal: AbortSignal): AsyncGenerator<{ cells: string[]; line: number }>;
}

/** What a zip may be, and how its files may end. */
export interface Limits {
  maxFileSize: number;
  maxRowBytes: number;
  openEndAllowed: boolean;
}

/** Opens a zip over bytes that are held. `name` is what a person looks it up under. */
export async function openZip(name: string, held: Held, limits: Limits, signal: AbortSignal): Promise<RosterZip> {
  const { zip, entries } = await listed(name, held, limits.maxFileSize);
  const file = (one: string) => `${name}/${one}`;
  const found = entries.get(manifestName);
  if (found === undefined)
    throw new Incomplete(`${name} has no ${manifestName}`, {
      remedy:
        'a OneRoster zip has its files at the top, in no folder, and names are in lower case as the standard has them',
    });
  if (found.uncompressedSize > manifestBytes)
    throw new Incomplete(`${file(manifestName)} is larger than a manifest is`);
  const { version, kinds } = await readManifest(zip, found, file(manifestName), limits, signal);
  for (const [one, kind] of kinds) {
    const there = entries.has(`${one}.csv`);
    if (kind === 'absent' && there)
      throw new Incomplete(`${file(`${one}.csv`)} is there, and the manifest says that it is absent`);
    if (kind !== 'absent' && !there)
      throw new Incomplete(`${file(`${one}.csv`)} is missing, and the manifest says that it is there (${kind})`);
  }
  for (const one of entries.keys())
    if (one !== manifestName && !kinds.has(one.replace(/\.csv$/, '')))
      throw new Incomplete(`${file(one)} is not in the manifest`, { remedy: 'names of files are told apart by case' });
  const tables = tablesOf(version);
  return {
    version,
    kinds: new Map(tables.map((table) => [table, kinds.get(table)!])),
    isWhole: tables.every((table) => kinds.get(table) === 'bulk'),
    rows: (table, stop) => rowsOf(zip, entries.get(`${table}.csv`)!, file(`${table}.csv`), limits, stop),
  };
}

async function listed(
  name: string,
  held: Held,
  maxFileSize: number,
): Promise<{ zip: ZipFile; entries: Map<string, Entry> }> {
  const refuse = (what: string, remedy?: string) => new Incomplete(`${name} ${what}`, remedy ? { remedy } : {});
  const entries = new Map<string, Entry>();
  let size = 0;
  try {
    // the file is ours to close; names with backslashes are not mended
    const zip = await fromFdPromise(held.handle.fd, { autoClose: false, lazyEntries: true, strictFileNames: true });
    for await (const entry of zip.eachEntry()) {
      const one = entry.fileName;
      if (one.includes('/')) throw refuse(`has a folder in it (${one.slice(0, 80)})`, 'a OneRoster zip is flat');
      if (!one.endsWith('.csv')) throw refuse(`has something else than CSV files in it (${one.slice(0, 80)})`);
      if (entry.isEncrypted())
        throw refuse('is encrypted', 'have it written without a password; SFTP protects it on its way');
      if (entries.has(one)) throw refuse(`has ${one} twice`);
      entries.set(one, entry);
      size += entry.uncompressedSize;
      if (size > maxFileSize)
        throw refuse(
          `unpacks to more than maxFileSize allows (${maxFileSize} bytes)`,
          'raise maxFileSize if it is really so large',
        );
      if (entries.size > mostFiles) throw refuse(`has more than ${mostFiles} files in it`);
    }
    return { zip, entries };
  } catch (cause) {
    if (cause instanceof Incomplete) throw cause;
    throw new Incomplete(`${name} is no whole zip file: ${(cause as Error).message}`, {
      remedy: 'have it written again; an upload that was cut looks like this',
      cause,
    });
  }
}

async function readManifest(
  zip: ZipFile,
  entry: Entry,
  file: string,
  limits: Limits,
  signal: AbortSignal,
): Promise<{ version: Version; kinds: Map<string, FileKind> }> {
  const said = new Map<string, string>();
  let header = false;
  for await (const { cells, line } of rowsOf(zip, entry, file, { ...limits, openEndAllowed: true }, signal)) {
    const refuse = (what: string) => new Incomplete(what, { where: { file, line } });
    if (!header) {
      if (cells.join() !== 'propertyName,value') throw refuse('the header of a manifest is propertyName,value');
      header = true;
      continue;
    }
    const [property, value, ...more] = cells as [string, string];
    if (value === undefined || more.length) throw refuse(`has ${cells.length} cells, a manifest has 2`);
    if (said.has(property)) throw refuse(`${property} is there twice`);
    if (!/^(manifest\.version|oneroster\.version|file\.\w+|source\.\w+)$/.test(property))
      throw refuse(`${property.slice(0, 80)} is no property of a manifest`);
    if (property.startsWith('file.') && !['absent', 'bulk', 'delta'].includes(value))
      throw refuse(`${property} is neither absent nor bulk nor delta`);
    said.set(property, value);
  }
  const wrong = (what: string) => new Incomplete(`${file}: ${what}`);
  if (said.get('manifest.version') !== '1.0') throw wrong('manifest.version is not 1.0');
  const version = versions.find((one) => one === said.get('oneroster.version'));
  if (version === undefined) throw wrong(`oneroster.version is none of ${versions.join(', ')}`);
  const kinds = new Map<string, FileKind>();
  for (const [property, value] of said)
    if (property.startsWith('file.')) kinds.set(property.slice('file.'.length), value as FileKind);
  for (const table of tablesOf(version)) if (!kinds.has(table)) throw wrong(`says nothing about file.${table}`);
  return { version, kinds };
}

async function* rowsOf(
  zip: ZipFile,
  entry: Entry,
  file: string,
  { maxRowBytes, openEndAllowed }: Limits,
  signal: AbortSignal,
): AsyncGenerator<{ cells: string[]; line: number }> {
  const parser = parse({
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    // a quote that is never closed would take the rest of the file for one cell
    max_record_size: maxRowBytes,
  });
  let last = '\n';
  async function* text(chunks: AsyncIterable<Buffer>) {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let sum = 0;
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      sum = crc32(chunk, sum);
      last = chunk.length ? String.fromCharCode(chunk.at(-1)!) : last;
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
    if (sum !== entry.crc32) throw new Incomplete(`${file} is damaged: its checksum is not the one in the zip`);
  }
  let running: Promise<void> = Promise.resolve();
  try {
    running = pipeline(await zip.openReadStreamPromise(entry), text, parser);
    // what goes wrong in it is thrown by the parser, too
    running.catch(() => {});
    for await (const { record, info } of parser)
      yield { cells: record as string[], line: (info as { lines: number }).lines };
    await running;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof Incomplete) throw cause;
    const { lines, code } = cause as { lines?: number; code?: string };
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw new Incomplete(`${file} is not valid UTF-8`, { cause });
    // the parser's own message quotes the row
    const what =
      code === 'CSV_MAX_RECORD_SIZE'
        ? `a row is longer than maxRowBytes allows (${maxRowBytes}); is a quote not closed?`
        : code?.startsWith('CSV_')
          ? 'is no CSV: a quote stands where none may be, or is not closed'
          : (cause as Error).message;
    throw new Incomplete(what, { where: lines === undefined ? { file } : { file, line: lines }, cause });
  }
  if (last !== '\n' && !openEndAllowed)
    throw new Incomplete(`${file} ends in the middle of a line: its last line has no line end`, {
      remedy: 'set finalNewline: optional if this exporter never writes one',
    });
}
