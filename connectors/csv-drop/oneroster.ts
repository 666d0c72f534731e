import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Incomplete } from '../../src/base/errors.ts';
import { oneRosterColumns } from '../../src/connector/oneroster/columns.ts';
import type { EntityName } from '../../src/connector/oneroster/entities.ts';
import { joinRows, wantedColumns } from '../../src/connector/oneroster/join.ts';
import { keepWhole, openKept } from '../../src/connector/oneroster/kept.ts';
import { joinSettings } from '../../src/connector/oneroster/settings.ts';
import { Whole } from '../../src/connector/oneroster/whole.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import { SpoolWriter, spoolAnswer } from '../../src/connector/spool.ts';
import { type Choice, settled } from './choose.ts';
import { type Entry, type Folder, type Held, timeOf } from './folder.ts';
import { columnsOf, DirtyCell, rowReader } from './oneroster-tables.ts';
import { openZip, type RosterZip } from './oneroster-zip.ts';
import type { CsvDropSettings } from './schema.ts';

/**
 * Zips of OneRoster CSV. The newest whole (bulk) set counts, and every delta after it, in the order of their times; what
 * they come to is kept, so that the next delta needs no whole set again. A delta that was never read is never passed over,
 * so `pick` says nothing here.
 */

const mergedFact = z.array(z.object({ name: z.string(), bytes: z.number(), modified: z.string() }));
/** A zip as it is known again. */
type Merged = z.output<typeof mergedFact>[number];

/** A zip that is held and read. */
interface Opened {
  entry: Entry;
  name: string;
  held: Held;
  zip: RosterZip;
}

const mergedOf = (entry: Entry): Merged => ({ name: entry.name, bytes: entry.bytes, modified: timeOf(entry) });
const inOrder = (entries: readonly Entry[]): Entry[] =>
  entries.toSorted((a, b) => a.modifiedMs - b.modifiedMs || a.name.localeCompare(b.name, 'en', { numeric: true }));

/** Pulls what the zips of the folder come to. `archive` moves them, once the snapshot is committed. */
export async function pullSets(
  folder: Folder,
  settings: CsvDropSettings,
  context: SourceContext,
  archive: (choice: Choice) => Promise<void>,
): Promise<Answer | null> {
  const columns = wantedColumns(context.columns);
  const choice = await settled(folder, { ...settings, pick: 'sets' }, context);
  if (choice === null) return null;
  const entries = inOrder(choice.entries);
  const file = join(context.spoolDir, 'oneroster.db');
  const kept = await openKept(context, file, (set) => mergedFact.parse(JSON.parse(set.fact('merged') ?? '')));
  const opened: Opened[] = [];
  let whole: Whole | null = null;
  let writer: SpoolWriter | null = null;
  try {
    const base = await toMerge(folder, entries, kept?.known ?? null, settings, context, opened);
    if (base === 'kept') whole = kept!.whole;
    else {
      kept?.whole.abandon();
      await rm(file, { force: true });
      whole = new Whole(file);
    }
    const merged = base === 'kept' ? [...kept!.known] : [];
    for (const one of opened) {
      await mergeSet(whole, one, settings, context);
      await one.held.check();
      merged.push(mergedOf(one.entry));
    }
    whole.setFact('merged', JSON.stringify(merged));
    const newest = entries.at(-1)!;
    const name = `${folder.label}/${newest.name}`;
    writer = await SpoolWriter.create(join(context.spoolDir, 'rows'));
    const rules = { ...joinSettings(settings), now: context.clock.now(), name };
    await joinRows(whole, columns, rules, writer, () => context.signal.throwIfAborted());
    whole.finish();
    const spooled = await writer.finish();
    const answer: Answer = await spoolAnswer([{ spooled, name, modified: timeOf(newest), columns }], context.signal, {
      accepted: async () => {
        // first what later deltas need, then the files that it was made of
        await keepWhole(context, file, answer.content);
        await archive(choice);
      },
    });
    return answer;
  } catch (error) {
    whole?.abandon();
    kept?.whole.abandon();
    await writer?.abandon();
    throw error;
  } finally {
    for (const { held } of opened) await held.handle.close().catch(() => {});
  }
}

/**
 * Opens, from the newest zip backwards, what has to be merged, until there is something to merge it into: a whole set, or
 * what was kept. `opened` is in the order of merging, and the caller's to close.
 */
async function toMerge(
  folder: Folder,
  entries: readonly Entry[],
  merged: readonly Merged[] | null,
  settings: CsvDropSettings,
  context: SourceContext,
  opened: Opened[],
): Promise<'new' | 'kept'> {
  const isMerged = (entry: Entry): boolean => {
    const { name, bytes, modified } = mergedOf(entry);
    return !!merged?.some((one) => one.name === name && one.bytes === bytes && one.modified === modified);
  };
  /** Of zips that have the time of a whole set, a delta: whether it came before or after, nobody can tell. */
  const deltaAmong = async (beside: readonly Entry[]): Promise<Entry | undefined> => {
    for (const entry of beside) {
      const { held, zip } = await open(folder, entry, opened.length, settings, context);
      await held.handle.close();
      if (!zip.isWhole) return entry;
    }
    return undefined;
  };
  for (const [at, entry] of [...entries.entries()].toReversed()) {
    if (isMerged(entry)) {
      const base = merged![0]!.modified;
      const others = entries.filter((one) => !isMerged(one));
      const late =
        others.find((one) => one.modifiedMs <= entry.modifiedMs && timeOf(one) > base) ??
        (await deltaAmong(others.filter((one) => timeOf(one) === base)));
      if (late !== undefined) throw tooLate(`${folder.label}/${late.name}`, entry.name);
      return 'kept';
    }
    const one = await open(folder, entry, opened.length, settings, context);
    opened.unshift(one);
    if (!one.zip.isWhole) continue;
    const beside = await deltaAmong(entries.slice(0, at).filter(({ modifiedMs }) => modifiedMs === entry.modifiedMs));
    if (beside === undefined) return 'new';
    throw new Incomplete(`${folder.label}/${beside.name} is no newer than ${entry.name}, the whole set, and no older`, {
      remedy: 'drop the whole set again, or remove the delta if the set has all of it',
    });
  }
  const first = opened[0]!;
  const last = merged?.at(-1);
  if (last === undefined)
    throw new Incomplete(`${first.name} is a delta, and there is no whole set to merge it into`, {
      remedy: 'drop a bulk set; each delta after it is merged into what rosterd keeps of it',
    });
  if (timeOf(first.entry) <= last.modified) throw tooLate(first.name, last.name);
  return 'kept';
}

function tooLate(name: string, merged: string): Incomplete {
  return new Incomplete(`${name} is no newer than ${merged}, which has been merged already`, {
    remedy: 'drop a bulk set: the order of the deltas is not certain any more',
  });
}

async function open(
  folder: Folder,
  entry: Entry,
  index: number,
  settings: CsvDropSettings,
  context: SourceContext,
): Promise<Opened> {
  const name = `${folder.label}/${entry.name}`;
  const { maxFileSize, maxRowBytes } = settings;
  if (entry.bytes > maxFileSize)
    throw new Incomplete(`${name} has ${entry.bytes} bytes, more than maxFileSize allows (${maxFileSize})`, {
      remedy: 'raise maxFileSize when the export has really grown so much',
    });
  const held = await folder.hold(entry, join(context.spoolDir, `set-${index}.zip`), () => {});
  try {
    const limits = { maxFileSize, maxRowBytes, openEndAllowed: settings.finalNewline === 'optional' };
    return { entry, name, held, zip: await openZip(name, held, limits, context.signal) };
  } catch (error) {
    await held.handle.close();
    throw error;
  }
}

async function mergeSet(whole: Whole, { name, zip }: Opened, settings: CsvDropSettings, context: SourceContext) {
  const before = whole.fact('version');
  if (before !== null && before !== zip.version)
    throw new Incomplete(`${name} is a delta of OneRoster ${zip.version}, and the whole set is of ${before}`, {
      remedy: 'drop a bulk set of the new version',
    });
  whole.setFact('version', zip.version);
  let rows = 0;
  for (const [table, kind] of zip.kinds) {
    if (kind === 'absent') continue;
    if (kind === 'bulk') whole.clear(table);
    const file = `${name}/${table}.csv`;
    let read: ReturnType<typeof rowReader> | null = null;
    let columns: readonly string[] = [];
    for await (const { cells, line } of zip.rows(table, context.signal)) {
      const refuse = (what: string, column?: number) =>
        new Incomplete(what, { where: column === undefined ? { file, line } : { file, line, column } });
      if (read === null) {
        columns = proveHeader(table, cells, zip, refuse);
        read = rowReader(table, columns, kind);
        continue;
      }
      if (cells.length !== columns.length)
        throw refuse(
          `has ${cells.length} cells, the header has ${columns.length}`,
          Math.min(cells.length, columns.length) + 1,
        );
      const entity = read(cells);
      if (entity instanceof DirtyCell) throw refuse(entity.reason, columns.indexOf(entity.column) + 1);
      if (kind === 'delta') whole.merge(table, entity as never);
      else if (!whole.add(table, entity as never)) throw refuse('has a sourcedId that came before in this file', 1);
      rows += 1;
      if (rows > settings.maxRows)
        throw new Incomplete(`${name} brings more rows than maxRows allows`, {
          remedy: 'raise maxRows when the set has really grown so much',
        });
      if (rows % 10_000 === 0) context.progress(`${rows.toLocaleString('en')} rows of ${name} read`);
    }
    if (read === null)
      throw new Incomplete(`${file} is empty`, { remedy: 'a table without rows still has its header' });
  }
}

/** Headers are normative: names and order, then `metadata.` columns. */
function proveHeader(
  table: EntityName,
  header: readonly string[],
  zip: RosterZip,
  refuse: (what: string, column?: number) => Incomplete,
): readonly string[] {
  const wanted = columnsOf(table, zip.version);
  // what has few of the names may be somebody's row: it is not quoted
  if (wanted.filter((name) => header.includes(name)).length * 2 < wanted.length)
    throw refuse(
      `the first line is no header: few of its ${header.length} values are the name of a column (OneRoster ${zip.version})`,
    );
  for (const [at, name] of wanted.entries())
    if (header[at] !== name)
      throw refuse(
        `column ${at + 1} is ${header[at] === undefined ? 'missing' : `"${header[at].slice(0, 80)}"`} and should be "${name}" (OneRoster ${zip.version})`,
        at + 1,
      );
  for (const [at, name] of header.entries())
    if (at >= wanted.length && !name.startsWith('metadata.'))
      throw refuse(`column ${at + 1} is "${name.slice(0, 80)}": only metadata. columns may follow`, at + 1);
  return header;
}

/** Says what a pull would read: which zips, and what their manifests say. */
export async function probeSets(
  folder: Folder,
  choice: Choice,
  settings: CsvDropSettings,
  context: SourceContext,
): Promise<string[]> {
  wantedColumns(context.columns);
  const newest = inOrder([...choice.entries, ...choice.older]).at(-1)!;
  const { name, zip, held } = await open(folder, newest, 0, settings, context);
  try {
    const files = [...zip.kinds].map(([table, kind]) => `${table} ${kind}`).join(', ');
    return [
      `${choice.entries.length + choice.older.length} zips match ${settings.files} in ${folder.label || '/'}`,
      `the newest is ${name} (${newest.bytes.toLocaleString('en')} bytes, modified ${timeOf(newest)}), OneRoster ${zip.version}: ${files}`,
      `columns for a map: ${oneRosterColumns.join(', ')}`,
    ];
  } finally {
    await held.handle.close();
  }
}
