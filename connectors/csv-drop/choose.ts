import picomatch from 'picomatch';
import { Incomplete } from '../../src/base/errors.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { type Entry, type Folder, timeOf } from './folder.ts';
import type { CsvDropSettings } from './schema.ts';

/** Which files of a folder a pull reads, and whether they are finished. */
export interface Choice {
  /** To be read, in order. */
  entries: readonly Entry[];
  /** Older files that the newest one replaces; read by nobody. */
  older: readonly Entry[];
  /** Names of matching files whose marker is missing. */
  unmarked: readonly string[];
}

/** A marker this much older than its file is left from an earlier upload of the same name. Both times are the folder's. */
const STALE_MARKER_MS = 60_000;
/** How often an unfinished upload is looked at again before the pull gives up. */
const SETTLE_ROUNDS = 12;

const natural = new Intl.Collator('en', { numeric: true });
const byName = (a: Entry, b: Entry): number => natural.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);

/** Chooses from what is in the folder now. */
export async function choose(folder: Folder, settings: CsvDropSettings): Promise<Choice> {
  const { done, pick } = settings;
  const matches = picomatch(settings.files);
  const isMarker = (name: string): boolean => done !== undefined && name.endsWith(done);
  const all = await folder.list(
    (name) => (matches(name) && !isMarker(name)) || (isMarker(name) && matches(name.slice(0, -done!.length))),
  );
  const markers = new Map(all.filter((entry) => isMarker(entry.name)).map((entry) => [entry.name, entry]));
  const found = all.filter((entry) => !isMarker(entry.name));
  const finished = (entry: Entry): boolean => {
    const marker = markers.get(`${entry.name}${done}`);
    return marker !== undefined && marker.modifiedMs >= entry.modifiedMs - STALE_MARKER_MS;
  };
  const ready = done === undefined ? found : found.filter(finished);
  const unmarked = found.filter((entry) => !ready.includes(entry)).map((entry) => entry.name);
  if (pick === 'all') return { entries: ready.sort(byName), older: [], unmarked };
  const [newest, ...older] = ready.sort((a, b) => b.modifiedMs - a.modifiedMs || byName(b, a));
  return { entries: newest ? [newest] : [], older, unmarked };
}

/**
 * Chooses, waits, and looks again until nothing about the choice has changed for the settling time. The file's time is
 * compared with itself only: the clocks of two machines are never compared, one that is wrong would make every
 * half-uploaded file look old enough. Null: everything that was there has been taken and archived.
 */
export async function settled(
  folder: Folder,
  settings: CsvDropSettings,
  context: SourceContext,
): Promise<Choice | null> {
  let choice = await choose(folder, settings);
  for (let round = 0; round < SETTLE_ROUNDS; round++) {
    if (choice.entries.length === 0) return nothing(folder, settings, context, choice);
    // what the last snapshot was made of has been seen at rest before
    if (choice.entries.every((entry) => isKnown(folder, entry, context.last))) return choice;
    if (settings.settle > 0) {
      context.progress(`waiting ${settings.settle / 1000} s for ${choice.entries[0]!.name} to settle`);
      await context.clock.wait(settings.settle, context.signal);
    }
    const again = await choose(folder, settings);
    if (same(choice, again)) return again;
    choice = again;
  }
  const name = `${folder.label}/${choice.entries[0]?.name ?? settings.files}`;
  throw new Incomplete(`${name} is still being written: it changed at each of ${SETTLE_ROUNDS} looks`, {
    remedy: 'schedule the pull later, or raise settle',
  });
}

/** Of a folder without a file to read: null when everything has been taken and archived; else it throws. */
export function nothing(folder: Folder, settings: CsvDropSettings, context: SourceContext, choice: Choice): null {
  if (settings.archive !== undefined && context.last !== null) return null;
  throw noFile(folder, settings, choice);
}

/** What is said when there is no file to read. An empty folder is no empty roster. */
function noFile(folder: Folder, settings: CsvDropSettings, choice: Choice): Incomplete {
  const where = folder.label || '/';
  if (choice.unmarked.length > 0)
    return new Incomplete(
      `no file in ${where} is marked as whole: ${choice.unmarked[0]} has no ${choice.unmarked[0]}${settings.done}, or one from an earlier upload`,
      { remedy: 'have the exporter write the marker when the upload has ended, or leave out done' },
    );
  return new Incomplete(`no file in ${where} matches ${settings.files}`, {
    remedy: 'look whether the export ran and where it wrote to; correct from or files if it wrote elsewhere',
  });
}

function isKnown(folder: Folder, entry: Entry, last: SourceContext['last']): boolean {
  const name = `${folder.label}/${entry.name}`;
  return !!last?.some((part) => part.name === name && part.bytes === entry.bytes && part.modified === timeOf(entry));
}

function same(a: Choice, b: Choice): boolean {
  const states = (choice: Choice): string => choice.entries.map((entry) => `${entry.name}\0${entry.state}`).join('\0');
  return states(a) === states(b);
}
