import { accessSync, constants, mkdirSync } from 'node:fs';
import { Misconfigured } from './errors.ts';

/**
 * Makes a directory of ours if it is not there. Throws `Misconfigured` when it cannot be had or this user may not write to
 * it: what would fail in it later would name a source, or nothing at all. `key`: where the configuration, `file`, names it.
 */
export function ownDir(path: string, key: 'stateDir' | 'control.socket', file: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      EACCES: 'this user has no right to',
      EPERM: 'this user has no right to',
      EROFS: 'the file system is read-only',
      EEXIST: 'something else is there',
      ENOTDIR: 'a part of the path is no directory',
      ENOSPC: 'there is no room',
    };
    const what = key === 'stateDir' ? 'the state directory' : 'the directory of control.socket';
    throw new Misconfigured(`${what} ${path} cannot be made or written to: ${reasons[code] ?? message}`, {
      remedy: `give a ${key} that this user may write to, or become the user that rosterd runs as`,
      where: { file },
      cause,
    });
  }
}
