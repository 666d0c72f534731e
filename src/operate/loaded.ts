import { realpathSync } from 'node:fs';
import { Misconfigured } from '../base/errors.ts';
import type { Config } from '../configure/config.ts';
import type { StatusBody } from './control/api.ts';
import type { Daemon } from './control/client.ts';

/**
 * What a daemon says of the configuration that it runs. Older ones say only the path: they are taken at their word, as
 * before.
 */
export type Loaded = Pick<StatusBody['service'], 'config'> &
  Partial<Pick<StatusBody['service'], 'configDigest' | 'reloadRefused'>>;

/**
 * Throws `Misconfigured` when the daemon has loaded another text than the file that was given. A command finds it by the
 * socket alone, and runs are worked out by what the daemon has loaded: a trial of new rules would show the old ones.
 */
export async function refuseOther(daemon: Daemon, config: Config): Promise<void> {
  const error = otherText((await daemon.call('status')).service, config, daemon.socket);
  if (error) throw error;
}

/** The same for a reload: a daemon reads its own file again, whichever one is given here. */
export async function refuseOtherFile(daemon: Daemon, config: Config): Promise<void> {
  const loaded: Loaded = (await daemon.call('status')).service;
  if (loaded.configDigest === undefined || isSameFile(loaded.config, config.file)) return;
  throw new Misconfigured(`the daemon at ${daemon.socket} runs ${loaded.config}, and reads only that again`, {
    remedy: `write into that file what shall be in force, then: rosterd reload -c ${loaded.config}`,
    where: { file: config.file },
  });
}

/** Why a daemon is not to run anything for whoever gave this file; null: both have the same text. Pure but for links. */
export function otherText(
  loaded: Loaded,
  { file, digest }: Pick<Config, 'file' | 'digest'>,
  socket: string,
): Misconfigured | null {
  const { config, configDigest, reloadRefused } = loaded;
  if (configDigest === undefined || configDigest === digest) return null;
  const trial = 'to try it out, stop the daemon, or give it a stateDir, store and socket with a copy of the state';
  const refused = reloadRefused ? `; its reload at ${reloadRefused.at} was refused: ${reloadRefused.reason}` : '';
  const [text, remedy] = isSameFile(config, file)
    ? [
        `the daemon at ${socket} runs ${config} as it loaded it, and the file has changed since${refused}`,
        `to have it in force: rosterd reload -c ${file}; ${trial}`,
      ]
    : [
        `the daemon at ${socket} runs ${config}, which it loaded with another text than this file has${refused}`,
        `to have it in force, write it to ${config}, then: rosterd reload -c ${config}; ${trial}`,
      ];
  return new Misconfigured(text, { remedy, where: { file } });
}

/** Also by another name, such as a link. One that cannot be looked at is another. */
function isSameFile(one: string, other: string): boolean {
  try {
    return one === other || realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}
