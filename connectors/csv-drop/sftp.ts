import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { Denied, Incomplete, Misconfigured, RosterdError, Unavailable } from '../../src/base/errors.ts';
import { changed } from '../../src/connector/csv/scan.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { codeOf, type Entry, type Folder } from './folder.ts';
import { connect, type Sftp, type SftpPlace } from './login.ts';
import type { CsvDropSettings } from './schema.ts';

/** What the protocol tells of a file. */
type Attributes = Parameters<NonNullable<Parameters<Sftp['stat']>[1]>>[1];

/** Status codes of the protocol (version 3) that mean something in particular. */
const EOF = 1;
const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const FAILURE = 4;

/**
 * Reads under way at once. OpenSSH answers up to 255 KB at a time, which halves the time that the library's 32 KB took;
 * for other servers the library cuts a read to what every server must answer.
 */
const inFlight = { concurrency: 32, chunkSize: 255 * 1024 };

/** A folder on an SFTP server. Files are fetched whole into the spool and proved unchanged on the server afterwards. */
export async function sftpFolder(place: SftpPlace, settings: CsvDropSettings, context: SourceContext): Promise<Folder> {
  // the protocol has no `~`, but a relative path is relative to the home
  const folder = place.path.replace(/^\/~(?=\/|$)/, '.').replace(/(?<=.)\/+$/, '');
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  const port = place.port === 22 ? '' : `:${place.port}`;
  const label = `sftp://${place.username}@${host}${port}${place.path.replace(/\/+$/, '')}`;
  const connection = await connect(place, settings, context);
  const nameOf = (name: string): string => posix.join(folder, name);

  /** One call, its failure told by what happens next. */
  const call = async <T>(what: string, run: Parameters<typeof connection.call<T>>[0]): Promise<T> => {
    try {
      return await connection.call(run);
    } catch (error) {
      throw translated(error, what, context.signal);
    }
  };
  const stateOf = (found: Attributes): string => `${found.size} ${found.mtime}`;
  const stat = (path: string): Promise<Attributes> => call(`${label}: ${path}`, (sftp, done) => sftp.stat(path, done));
  const orNull = (error: unknown): null | Promise<never> => (isMissing(error) ? null : Promise.reject(error));
  const find = (path: string): Promise<Attributes | null> => stat(path).catch(orNull);
  /** A link itself, should it be one that leads to nothing. */
  const findLink = (path: string): Promise<Attributes | null> =>
    call<Attributes>(`${label}: ${path}`, (sftp, done) => sftp.lstat(path, done)).catch(orNull);

  return {
    label,
    async list(wanted) {
      const found = await call<readonly { filename: string; attrs: Attributes }[]>(
        `the drop folder ${label}`,
        (sftp, done) => sftp.readdir(folder, done),
      );
      const entries: Entry[] = [];
      for (const { filename: name, attrs } of found) {
        if (!wanted(name) || attrs.isDirectory()) continue;
        // links, and servers that do not tell the kind in a listing
        const target = attrs.isFile() ? attrs : await find(nameOf(name));
        const file = target ?? (await findLink(nameOf(name)));
        const dangling = target === null && file?.isSymbolicLink() === true;
        if (!file || !(file.isFile() || dangling)) continue;
        const state = `${stateOf(file)}${dangling ? ' link' : ''}`;
        entries.push({
          name,
          bytes: file.size,
          modifiedMs: file.mtime * 1000,
          state,
          ...(dangling ? { dangling } : {}),
        });
      }
      return entries;
    },

    async head(entry, bytes) {
      const what = `${label}/${entry.name}`;
      const wanted = Math.min(bytes, entry.bytes);
      const buffer = Buffer.alloc(wanted);
      const handle = await call<Buffer>(what, (sftp, done) => sftp.open(nameOf(entry.name), 'r', done));
      let filled = 0;
      while (filled < wanted) {
        const read = await call<number>(what, (sftp, done) =>
          sftp.read(handle, buffer, filled, Math.min(wanted - filled, 32 * 1024), filled, done),
        );
        if (read === 0) throw changed(what);
        filled += read;
      }
      await call(what, (sftp, done) => sftp.close(handle, done));
      return buffer;
    },

    async hold(entry, spoolFile, onBytes) {
      const what = `${label}/${entry.name}`;
      const same = async (): Promise<void> => {
        const now = await find(nameOf(entry.name));
        if (!now || stateOf(now) !== entry.state) throw changed(what);
      };
      await same();
      // parallel reads into a file: a read stream waits for each answer and took 25 times as long
      await call(what, (sftp, done, heard) => {
        const step = (total: number, chunk: number): void => {
          heard();
          // behind the end of a file that has shrunk the library gets nothing, and asks again for ever
          if (chunk > 0) onBytes(total);
          else done(Object.assign(new Error('the file has become shorter'), { code: EOF }));
        };
        sftp.fastGet(nameOf(entry.name), spoolFile, { ...inFlight, step }, done);
      }).catch((error) => {
        throw isMissing(error) || codeOf((error as Error).cause) === EOF ? changed(what) : error;
      });
      await same();
      const handle = await open(spoolFile, constants.O_RDONLY);
      const { size } = await handle.stat();
      if (size !== entry.bytes) {
        await handle.close();
        throw changed(what);
      }
      // the copy is ours alone, in a directory of this pull
      return { handle, bytes: size, check: async () => {} };
    },

    async move(name, archive, names) {
      const target = posix.isAbsolute(archive) ? archive : posix.join(folder, archive);
      await makeFolder(target);
      for (const free of names) {
        const to = posix.join(target, free);
        // some servers replace, OpenSSH refuses: both are kept from replacing anything
        if (await find(to)) continue;
        try {
          await call(`${label}/${name} (to be archived in ${target})`, (sftp, done) =>
            sftp.rename(nameOf(name), to, done),
          );
          return;
        } catch (error) {
          if (codeOf((error as Error).cause) !== FAILURE || !(await find(to))) throw error;
        }
      }
      throw new Incomplete(`${label}/${name} cannot be archived: every name in ${target} is taken`);
    },

    close: connection.close,
  };

  async function makeFolder(path: string): Promise<void> {
    if (await find(path)) return;
    const parent = posix.dirname(path);
    if (parent !== path) await makeFolder(parent);
    await call(`the archive folder ${path}`, (sftp, done) => sftp.mkdir(path, done));
  }
}

const isMissing = (error: unknown): boolean => codeOf((error as Error).cause) === NO_SUCH_FILE;

/** A failed call, by what happens next. */
function translated(cause: unknown, what: string, signal: AbortSignal): unknown {
  if (signal.aborted || cause instanceof RosterdError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  switch (codeOf(cause)) {
    case NO_SUCH_FILE:
      return new Misconfigured(`${what} does not exist`, { cause, remedy: 'correct from, or make the folder' });
    case PERMISSION_DENIED:
      return new Denied(`no permission for ${what}`, {
        cause,
        remedy: 'have the server give this account the right to it',
      });
    default:
      return new Unavailable(`${what}: ${reason}`, { cause });
  }
}
