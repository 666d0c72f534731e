import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Incomplete } from '../../src/base/errors.ts';
import { decodePlaces, readExactly } from '../../src/connector/csv/decode.ts';
import { type Header, headBytes, judgeOpenEnd, readHeader } from '../../src/connector/csv/header.ts';
import { type MaskRules, masking } from '../../src/connector/csv/mask.ts';
import { scanRows, type Verdict } from '../../src/connector/csv/scan.ts';
import { digestOf, transcode } from '../../src/connector/csv/transcode.ts';
import { keepNothing } from '../../src/connector/keep.ts';
import { isSecret } from '../../src/connector/passwords.ts';
import type { Answer, Part, SourceContext } from '../../src/connector/source.ts';
import { archive, leftOver } from './archive.ts';
import { type Choice, type ChooseBy, choose, nothing, refuseAwaited, refusePart, settled } from './choose.ts';
import { type Entry, type Folder, type Held, localFolder, timeOf } from './folder.ts';
import { probeSets, pullSets } from './oneroster.ts';
import type { CsvDropSettings } from './schema.ts';
import { sftpFolder } from './sftp.ts';

/** One file of an answer. */
interface Source {
  entry: Entry;
  held: Held;
  header: Header;
  part: Part;
  /** The file as UTF-8: itself, or a copy made when rows are first wanted (an unchanged file never gets that far). */
  text(): Promise<Held>;
  close(): Promise<void>;
}

function openFolder(settings: CsvDropSettings, context: SourceContext): Promise<Folder> {
  if (settings.from.kind === 'file') return Promise.resolve(localFolder(settings.from.path));
  return sftpFolder(settings.from, settings, context);
}

/** Pulls: choose, wait until it settles, hold the bytes, prove the header. Rows are read when they are asked for. */
export async function pull(settings: CsvDropSettings, context: SourceContext): Promise<Answer | null> {
  const sources: Source[] = [];
  const folder = await openFolder(settings, context);
  try {
    if (settings.contents === 'oneroster')
      return await pullSets(folder, settings, context, (choice) => archiveIn(choice, settings, context));
    const choice = await settled(folder, settings, context);
    if (choice === null) return null;
    if (choice.left.length > 0) return leftOver(folder, choice, context, () => archiveIn(choice, settings, context));
    warnWhenOlder(choice, settings, context);
    for (const entry of choice.entries) sources.push(await take(folder, entry, sources.length, settings, context));
    return answerOf(choice, sources, settings, context);
  } catch (error) {
    for (const source of sources) await source.close();
    throw error;
  } finally {
    // an SFTP connection is not kept idle while people decide about a plan; archiving makes a new one
    await folder.close();
  }
}

/** Moves what was taken over, on a connection of its own. */
async function archiveIn(choice: Choice, settings: CsvDropSettings, context: SourceContext): Promise<void> {
  if (settings.archive === undefined) return;
  const folder = await openFolder(settings, context);
  try {
    await archive(folder, choice, settings, settings.archive, context);
  } finally {
    await folder.close();
  }
}

/** The newest file may be older than the last one read: somebody took that one away. Guards decide; people should know. */
function warnWhenOlder(choice: Choice, settings: CsvDropSettings, context: SourceContext): void {
  const read = context.last
    ?.map((part) => part.modified ?? '')
    .sort()
    .at(-1);
  const now = choice.entries[0]!;
  if (settings.pick !== 'newest' || !read || timeOf(now) >= read) return;
  context.log.warn(
    { event: 'drop.older', source: context.source, file: now.name, modified: timeOf(now), lastModified: read },
    `${context.source}: the newest file is older than the one that was read last`,
  );
}

/** Logs in, looks, and says what a pull would read. */
export async function probe(settings: CsvDropSettings, context: SourceContext): Promise<string[]> {
  const folder = await openFolder(settings, context);
  try {
    const sets = settings.contents === 'oneroster';
    const by: ChooseBy = sets ? { ...settings, pick: 'sets' } : settings;
    const choice = await choose(folder, by, context);
    refuseAwaited(folder, by, choice);
    refusePart(folder, choice);
    if (choice.left.length > 0)
      return [
        `nothing new in ${folder.label || '/'}: ${choice.left[0]} is left of what has been taken, and is archived by the next run`,
      ];
    if (choice.entries.length === 0) {
      nothing(folder, settings, context, choice);
      return [`nothing new in ${folder.label || '/'}: everything that was there has been taken and archived`];
    }
    const count = choice.entries.length + choice.older.length;
    if (sets) return await probeSets(folder, choice, settings, context);
    const said = [
      `${count} ${count === 1 ? 'file matches' : 'files match'} ${settings.files} in ${folder.label || '/'}`,
    ];
    if (choice.unmarked.length > 0) said.push(`${choice.unmarked.length} more not marked as whole (${settings.done})`);
    for (const entry of choice.entries) {
      const name = `${folder.label}/${entry.name}`;
      const head = await folder.head(entry, headBytes(settings.maxRowBytes));
      const { columns } = readHeader(name, head, head.length === entry.bytes, headerRules(settings, context));
      said.push(
        `would read ${entry.name} (${entry.bytes.toLocaleString('en')} bytes, modified ${timeOf(entry)}); columns: ${columns.join(', ')}`,
      );
    }
    return said;
  } finally {
    await folder.close();
  }
}

const headerRules = (settings: CsvDropSettings, context: SourceContext) => ({
  delimiter: settings.delimiter,
  encoding: settings.encoding,
  maxRowBytes: settings.maxRowBytes,
  openEndAllowed: openEndAllowed(settings),
  columns: context.columns,
});

/** A marker says that the upload has ended, so a missing last line end is the exporter's habit. */
const openEndAllowed = (settings: CsvDropSettings): boolean =>
  settings.finalNewline === 'optional' || settings.done !== undefined;

/** Holds one file, digests it and proves its header. */
async function take(
  folder: Folder,
  entry: Entry,
  index: number,
  settings: CsvDropSettings,
  context: SourceContext,
): Promise<Source> {
  const { signal } = context;
  const name = `${folder.label}/${entry.name}`;
  if (entry.bytes > settings.maxFileSize)
    throw new Incomplete(`${name} has ${entry.bytes} bytes, more than maxFileSize allows (${settings.maxFileSize})`, {
      remedy: 'raise maxFileSize when the export has really grown so much',
    });
  const report = (what: string) => (done: number) =>
    context.progress(`${mega(done)} of ${mega(entry.bytes)} MB of ${entry.name} ${what}`);
  const spool = join(context.spoolDir, `part-${index}`);
  const held = await folder.hold(entry, `${spool}.raw`, report('fetched'));
  let text: Promise<Held> | undefined;
  const source = {
    text: () => (text ??= settings.encoding === 'utf-8' ? Promise.resolve(held) : copy()),
    close: async () => {
      await held.handle.close().catch(() => {});
      const made = await text?.catch(() => undefined);
      if (made && made !== held) await made.handle.close().catch(() => {});
      await rm(`${spool}.raw`, { force: true }).catch(() => {});
      await rm(`${spool}.utf8`, { force: true }).catch(() => {});
    },
  };
  const copy = async (): Promise<Held> => {
    const handle = await open(`${spool}.utf8`, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600);
    try {
      const bytes = await transcode(
        { handle: held.handle, name, bytes: held.bytes },
        settings.encoding,
        handle,
        signal,
      );
      await held.check();
      return { handle, bytes, check: held.check };
    } catch (error) {
      await handle.close();
      throw error;
    }
  };
  try {
    const head = await readExactly(held.handle, name, 0, Math.min(held.bytes, headBytes(settings.maxRowBytes)));
    const header = readHeader(name, head, head.length === held.bytes, headerRules(settings, context));
    const sha256 = await digestOf(held.handle, name, held.bytes, signal, report('read'));
    await held.check();
    const part: Part = {
      name,
      bytes: held.bytes,
      sha256,
      modified: timeOf(entry),
      columns: header.columns,
      layout: JSON.stringify({ delimiter: settings.delimiter, columns: header.columns }),
    };
    return { entry, held, header, part, ...source };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function answerOf(
  choice: Choice,
  sources: readonly Source[],
  settings: CsvDropSettings,
  context: SourceContext,
): Answer {
  const { signal } = context;
  const parts = sources.map((source) => source.part);
  return {
    // names are left out: the same bytes dropped again under another name are nothing new
    content: createHash('sha256')
      .update(JSON.stringify([settings.encoding, settings.maxRowBytes, parts.map((p) => [p.sha256, p.layout]).sort()]))
      .digest('hex'),
    parts,

    async scan(taker) {
      let rows = 0;
      const sink = masking(
        taker,
        parts.map(({ columns }) => maskOf(columns, settings, context)),
      );
      for (const [part, source] of sources.entries()) {
        const { name } = source.part;
        const { handle, bytes, check } = await source.text();
        const options = {
          name,
          part,
          bytes,
          offset: source.header.offset,
          line: source.header.line,
          delimiter: settings.delimiter,
          maxRowBytes: settings.maxRowBytes,
          rowsLeft: settings.maxRows - rows,
          judgeOpenEnd: (row: Buffer, line: number, verdict: Verdict) =>
            judgeOpenEnd({ ...source.part, ...settings, allowed: openEndAllowed(settings) }, row, line, verdict),
          signal,
        };
        rows += await scanRows(handle, options, sink);
        await check();
      }
    },

    async decode(places) {
      const touched = new Set<Held>();
      const rows = await decodePlaces(
        places,
        async (index) => {
          const source = sources[index]!;
          const text = await source.text();
          touched.add(text);
          const columns = source.header.columns.length;
          return {
            handle: text.handle,
            shape: {
              name: source.part.name,
              delimiter: settings.delimiter,
              columns,
              maxRowBytes: settings.maxRowBytes,
            },
          };
        },
        signal,
      );
      for (const { check } of touched) await check();
      return rows;
    },

    async accepted() {
      // of a time when the files were sets
      await keepNothing(context);
      await archiveIn(choice, settings, context);
    },

    async close() {
      for (const source of sources) await source.close();
    },
  };
}

/** What is masked in a file with these columns; null when it has no passwords. */
function maskOf(columns: readonly string[], { delimiter }: CsvDropSettings, context: SourceContext): MaskRules | null {
  const at = columns.flatMap((column, index) => (isSecret(context.columns, column) ? [index] : []));
  return at.length ? { at, columns: columns.length, delimiter } : null;
}

const mega = (bytes: number): string => (bytes / 2 ** 20).toFixed(bytes < 2 ** 20 * 10 ? 1 : 0);
