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
  /** A matching file that is there and cannot be read yet, and without which the others are no answer. */
  awaited: Entry | null;
  /**
   * With `pick: all` and `archive`, of the last set: names that are still there just as they were read, while `archived`
   * has others that are in the folder no more. Both are empty, or none is.
   */
  left: readonly string[];
  archived: readonly string[];
  /** With `pick: all` and no `archive`: a file of the last set that is in the folder no more, while others of it are. */
  missing: string | null;
}

/**
 * What is chosen by. `sets` is for files that each stand for themselves and are merged in the order of their times: one
 * whose marker is not there yet is not there yet, and is refused later when its turn has passed.
 */
export type ChooseBy = Omit<CsvDropSettings, 'pick'> & { pick: CsvDropSettings['pick'] | 'sets' };

/** A marker this much older than its file is left from an earlier upload of the same name. Both times are the folder's. */
const STALE_MARKER_MS = 60_000;
/** How often an unfinished upload is looked at again before the pull gives up. */
const SETTLE_ROUNDS = 12;

const natural = new Intl.Collator('en', { numeric: true });
const byName = (a: Entry, b: Entry): number => natural.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);

/** Chooses from what is in the folder now. */
export async function choose(
  folder: Folder,
  settings: ChooseBy,
  { last }: Pick<SourceContext, 'last'>,
): Promise<Choice> {
  const { done, pick } = settings;
  const matches = picomatch(settings.files);
  const isMarker = (name: string): boolean => done !== undefined && name.endsWith(done);
  const isFile = (name: string): boolean => matches(name) && !isMarker(name);
  const here = last?.filter((part) => part.name.startsWith(`${folder.label}/`)) ?? [];
  const lastSet = new Map(here.map((part) => [part.name.slice(folder.label.length + 1), part]));
  const all = await folder.list(
    (name) => isFile(name) || (isMarker(name) && matches(name.slice(0, -done!.length))) || lastSet.has(name),
  );
  const written = all.filter((entry) => isMarker(entry.name) && !entry.dangling);
  const markers = new Map(written.map((entry) => [entry.name, entry]));
  const found = all.filter((entry) => isFile(entry.name)).sort(byName);
  const marked = (entry: Entry): boolean => {
    if (done === undefined) return true;
    const marker = markers.get(`${entry.name}${done}`);
    return marker !== undefined && marker.modifiedMs >= entry.modifiedMs - STALE_MARKER_MS;
  };
  const ready = found.filter((entry) => !entry.dangling && marked(entry));
  const unready = found.filter((entry) => !ready.includes(entry));
  const unmarked = found.filter((entry) => !marked(entry)).map((entry) => entry.name);
  const none = { older: [], left: [], archived: [], missing: null };
  if (pick === 'all') {
    const left = ready.filter((entry) => isKnown(folder, entry, last)).map((entry) => entry.name);
    const gone = [...lastSet.keys()].filter((name) => !all.some((entry) => entry.name === name));
    const chosen = { ...none, entries: ready, unmarked, awaited: unready[0] ?? null };
    if (settings.archive === undefined)
      return { ...chosen, missing: gone.length < lastSet.size ? (gone[0] ?? null) : null };
    return left.length > 0 && gone.length > 0 ? { ...chosen, left, archived: gone } : chosen;
  }
  const [newest, ...older] = ready.toSorted((a, b) => b.modifiedMs - a.modifiedMs || byName(b, a));
  /** When it would be the newest: a link to nothing has its own time only, and what was read last had one then. */
  const timeWhenWhole = (entry: Entry): number => {
    const before = newest && lastSet.get(entry.name)?.modified;
    return Math.max(marked(entry) ? entry.modifiedMs : -1, before ? Date.parse(before) : -1);
  };
  const awaited = unready.find(
    (entry) =>
      timeWhenWhole(entry) >= (newest?.modifiedMs ?? 0) || (pick === 'sets' && entry.dangling && marked(entry)),
  );
  if (pick === 'sets') return { ...none, entries: ready, unmarked, awaited: awaited ?? null };
  return { ...none, entries: newest ? [newest] : [], older, unmarked, awaited: awaited ?? null };
}

/**
 * Chooses, waits, and looks again until nothing about the choice has changed for the settling time. The file's time is
 * compared with itself only: the clocks of two machines are never compared, one that is wrong would make every
 * half-uploaded file look old enough. Null: everything that was there has been taken and archived.
 */
export async function settled(folder: Folder, settings: ChooseBy, context: SourceContext): Promise<Choice | null> {
  let choice = await choose(folder, settings, context);
  for (let round = 0; round < SETTLE_ROUNDS; round++) {
    const { entries, awaited, left } = choice;
    if (awaited === null && entries.length === 0) return nothing(folder, settings, context, choice);
    // what the last snapshot was made of has been seen at rest before; a part of it may be the beginning of an upload
    if (awaited === null && left.length === 0 && entries.every((entry) => isKnown(folder, entry, context.last))) {
      refusePart(folder, choice);
      return choice;
    }
    if (settings.settle > 0) {
      const { name, bytes } = awaited ?? entries[0]!;
      // other words each time, for a long wait is not to pass for being stuck
      context.progress(
        `waiting ${settings.settle / 1000} s for ${name} to settle, ${bytes.toLocaleString('en')} bytes now (look ${round + 1} of ${SETTLE_ROUNDS})`,
      );
      await context.clock.wait(settings.settle, context.signal);
    }
    const again = await choose(folder, settings, context);
    if (again.awaited === null && again.entries.length > 0 && same(choice, again)) {
      refusePart(folder, again);
      return again;
    }
    choice = again;
  }
  refuseAwaited(folder, settings, choice);
  const name = `${folder.label}/${choice.entries[0]?.name ?? settings.files}`;
  throw new Incomplete(`${name} is still being written: it changed at each of ${SETTLE_ROUNDS} looks`, {
    remedy: 'schedule the pull later, or raise settle',
  });
}

/** Throws when a file is missing among those that could be read: what is there is not all, and people would be. */
export function refuseAwaited(folder: Folder, { done }: ChooseBy, { awaited }: Choice): void {
  if (awaited === null) return;
  const name = `${folder.label}/${awaited.name}`;
  if (awaited.dangling)
    throw new Incomplete(`${name} is a link that leads to nothing`, {
      remedy: 'bring back what it leads to (is it mounted?), or remove the link',
    });
  throw new Incomplete(
    `${name} is there and not marked as whole: it has no ${awaited.name}${done}, or one from an earlier upload`,
    { remedy: 'have the exporter write the marker when the upload has ended; remove the file if nobody writes it' },
  );
}

/** Throws when what was chosen may be a part of a set, with `pick: all`. */
export function refusePart(folder: Folder, choice: Choice): void {
  refuseMixture(folder, choice);
  refuseMissing(folder, choice);
}

/**
 * Throws when an archiving was interrupted and new files have come since: whether what is left of the last set belongs
 * to them, only a person can tell.
 */
function refuseMixture(folder: Folder, { entries, left, archived }: Choice): void {
  if (left.length === 0 || left.length === entries.length) return;
  const added = entries.find(({ name }) => !left.includes(name))!.name;
  throw new Incomplete(
    `${folder.label}/${left[0]} is as it was read last time, beside ${added}, which is new, and ${archived[0]} of that time is gone: an archiving may have been interrupted`,
    {
      remedy:
        'move it into the archive if it is left over, or give it a new time (touch) if it belongs to the new ones',
    },
  );
}

/**
 * Throws when a file of the last set is gone and others of it are there: an exporter may be at work that takes all away first
 * and writes one after the other, or has died half-way. That a file has rightly gone can only a person tell; the people of
 * a file that is late would be taken for gone.
 */
function refuseMissing(folder: Folder, { missing }: Choice): void {
  if (missing === null) return;
  throw new Incomplete(
    `${folder.label}/${missing} was read last time and is gone, while others of that time are there`,
    {
      remedy:
        'wait until the exporter is done; where it has rightly gone, put a file with the header alone in its place',
    },
  );
}

/** Of a folder without a file to read: null when everything has been taken and archived; else it throws. */
export function nothing(folder: Folder, settings: ChooseBy, context: SourceContext, choice: Choice): null {
  if (settings.archive !== undefined && context.last !== null) return null;
  throw noFile(folder, settings, choice);
}

/** What is said when there is no file to read. An empty folder is no empty roster. */
function noFile(folder: Folder, settings: ChooseBy, choice: Choice): Incomplete {
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
