import { constants } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Denied, Incomplete, Misconfigured, RosterdError, Unavailable } from '../../src/base/errors.ts';
import { readExactly } from '../../src/connector/csv/decode.ts';
import { changed } from '../../src/connector/csv/scan.ts';

/** A folder that files are dropped into. Two kinds: a local (or mounted) one here, and SFTP in `sftp.ts`. */
export interface Folder {
  /** As a person would look it up; file names are appended with a slash. Never contains a secret. */
  readonly label: string;
  /** Regular files whose name passes `wanted`, symbolic links followed, and links that lead to nothing. */
  list(wanted: (name: string) => boolean): Promise<Entry[]>;
  /** A file's first bytes, at most so many. */
  head(entry: Entry, bytes: number): Promise<Buffer>;
  /** The file, held so that what is read later are the bytes of `entry` and no others. */
  hold(entry: Entry, spoolFile: string, onBytes: (done: number) => void): Promise<Held>;
  /** Moves a file into another folder (made when missing) under the first of `names` that is free there. */
  move(name: string, folder: string, names: Iterable<string>): Promise<void>;
  /** Never throws. */
  close(): Promise<void>;
}

/** A file of a folder at one moment. */
export interface Entry {
  name: string;
  bytes: number;
  /** The file's time in milliseconds, by the clock of the machine that keeps it: compared with its like only. */
  modifiedMs: number;
  /** Everything that tells this state of the file from another one. */
  state: string;
  /** A link to nothing. The time is its own: when somebody made it. There are no bytes to be read. */
  dangling?: true;
}

/** A file that is open for reading. */
export interface Held {
  handle: FileHandle;
  bytes: number;
  /** Throws `Incomplete` when the bytes are not certainly the same any more. */
  check(): Promise<void>;
}

/** How a person sees a file's time. */
export const timeOf = (entry: Pick<Entry, 'modifiedMs'>): string => new Date(entry.modifiedMs).toISOString();

/** A folder of this machine. Nothing is copied: the file is held open, and proved unchanged after each reading. */
export function localFolder(path: string): Folder {
  const folder = resolve(path);
  const label = folder === '/' ? '' : folder;
  const nameOf = (name: string): string => join(folder, name);

  return {
    label,
    async list(wanted) {
      const names = await readdir(folder).catch((error) => {
        throw translated(error, `the drop folder ${folder}`);
      });
      const entries: Entry[] = [];
      for (const name of names.filter(wanted)) {
        // bigint: a file's time has nanoseconds, a number would lose some
        const orNull = (error: unknown): null => {
          if (codeOf(error) === 'ENOENT') return null;
          throw translated(error, nameOf(name));
        };
        const target = await stat(nameOf(name), { bigint: true }).catch(orNull);
        // gone since the folder was read, or a link to nothing
        const found = target ?? (await lstat(nameOf(name), { bigint: true }).catch(orNull));
        const dangling = target === null && found?.isSymbolicLink() === true;
        if (!found || !(found.isFile() || dangling)) continue;
        entries.push({
          name,
          bytes: Number(found.size),
          modifiedMs: Number(found.mtimeNs / 1_000_000n),
          state: `${found.size} ${found.mtimeNs} ${found.ino}`,
          ...(dangling ? { dangling } : {}),
        });
      }
      return entries;
    },

    async head(entry, bytes) {
      const handle = await openToRead(nameOf(entry.name));
      try {
        return await readExactly(handle, nameOf(entry.name), 0, Math.min(bytes, entry.bytes));
      } finally {
        await handle.close();
      }
    },

    async hold(entry) {
      const name = nameOf(entry.name);
      const handle = await openToRead(name);
      try {
        const before = await handle.stat({ bigint: true });
        if (`${before.size} ${before.mtimeNs} ${before.ino}` !== entry.state) throw changed(name);
        return { handle, bytes: entry.bytes, check: () => unchanged(handle, before, name) };
      } catch (error) {
        await handle.close();
        throw error instanceof RosterdError ? error : translated(error, name);
      }
    },

    async move(name, archive, names) {
      const target = resolve(folder, archive);
      try {
        await mkdir(target, { recursive: true });
        for (const free of names) if (await moved(nameOf(name), join(target, free))) return;
      } catch (error) {
        throw translated(error, `${nameOf(name)} (to be archived in ${target})`);
      }
      throw new Incomplete(`${nameOf(name)} cannot be archived: every name in ${target} is taken`);
    },

    async close() {},
  };
}

interface State {
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  ino: bigint;
}

/**
 * The same file, size and times as before. The change time is the one that no program can set back. A rename or a
 * new owner moves it as well: refusing then costs one run, trusting could cost people their accounts.
 */
async function unchanged(handle: FileHandle, before: State, name: string): Promise<void> {
  const now = await handle.stat({ bigint: true });
  for (const key of ['size', 'mtimeNs', 'ctimeNs', 'ino'] as const) if (now[key] !== before[key]) throw changed(name);
}

async function openToRead(name: string): Promise<FileHandle> {
  try {
    // non-blocking: should the file have become a pipe since it was listed, opening it must not wait for a writer
    return await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw changed(name);
    throw translated(error, name);
  }
}

/** Moves a file without ever replacing one; false when the name is taken. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    // a link fails on a name that is taken, a rename would replace it
    await link(from, to);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return false;
    // symbolic links, and file systems without hard links: looking first is the best that is left
    if (code !== 'EPERM' && code !== 'EXDEV' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK')
      throw error;
    const taken = await lstat(to).catch(() => null);
    if (taken) return false;
    await rename(from, to).catch((renaming) =>
      codeOf(renaming) === 'EXDEV' ? copied(from, to) : Promise.reject(renaming),
    );
    return true;
  }
  await leave(from, to);
  return true;
}

/** Across file systems: a copy that never replaces anything, then the original goes. */
async function copied(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') await rm(to, { force: true });
    throw error;
  }
  await leave(from, to);
}

/** Removes a file that has just been given the name `to` as well, or takes that back when it may not be removed. */
async function leave(from: string, to: string): Promise<void> {
  try {
    await unlink(from);
  } catch (cause) {
    const code = codeOf(cause);
    // by somebody else, or by a first try of which a network mount lost the answer
    if (code === 'ENOENT') return;
    // after any other error the file may be gone, and `to` all that is left of it
    if (code !== 'EPERM' && code !== 'EACCES') throw cause;
    // every run would leave one more there
    await rm(to, { force: true }).catch(() => {});
    throw new Denied(`no permission to take ${from} out of its folder: ${(cause as Error).message}`, {
      cause,
      remedy:
        'let the user that rosterd runs as delete files of that folder; where it has the sticky bit, only its owner may',
    });
  }
}

/** The `code` of a system error. */
export const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** A system error, by what happens next. */
function translated(cause: unknown, what: string): RosterdError {
  if (cause instanceof RosterdError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  switch (codeOf(cause)) {
    case 'ENOENT':
      return new Misconfigured(`${what} does not exist`, { cause, remedy: 'make it, mount it, or correct from' });
    case 'ENOTDIR':
      return new Misconfigured(`${what} is not a folder`, { cause, remedy: 'correct from' });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Denied(`no permission for ${what}: ${reason}`, {
        cause,
        remedy: 'give the user that rosterd runs as the right to it',
      });
    default:
      // a network mount that is away says ESTALE, EIO, EHOSTDOWN and more: all of them can pass
      return new Unavailable(`${what}: ${reason}`, { cause });
  }
}
