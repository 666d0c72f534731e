import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Denied, Misconfigured } from '../../base/errors.ts';
import { ownDir } from '../../base/state-dir.ts';
import type { Config } from '../../configure/config.ts';

/** What is at the path of a socket: nobody, what a dead process left behind, or somebody who answers. */
export type Found = 'nobody' | 'stale' | 'alive';

/** Looks who is at a socket. Throws `Denied` when we may not know, `Misconfigured` when something else is there. */
export function lookAt(path: string): Promise<Found> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve('nobody');
      else if (error.code === 'EACCES' || error.code === 'EPERM') reject(denied(path, error));
      else if (error.code === 'ECONNREFUSED' && lstatSync(path).isSocket()) resolve('stale');
      // its queue is full: there is somebody, and busy
      else if (error.code === 'EAGAIN') resolve('alive');
      else
        reject(
          new Misconfigured(`control.socket ${path} is no socket: ${error.message}`, {
            remedy: 'give another path, or take away what is there',
            cause: error,
          }),
        );
    });
  });
}

/** Makes room for the socket of a configuration. Throws `Misconfigured` when somebody answers there, or it cannot be had. */
export async function makeRoom({
  control: { socket: path },
  stateDir,
  file,
}: Pick<Config, 'control' | 'stateDir' | 'file'>): Promise<void> {
  const directory = dirname(path);
  ownDir(directory, directory === stateDir ? 'stateDir' : 'control.socket', file);
  const found = await lookAt(path);
  if (found === 'alive') throw taken(path);
  if (found === 'stale') rmSync(path);
}

/** Somebody else has it. */
export function taken(path: string, cause?: unknown): Misconfigured {
  return new Misconfigured(`another rosterd answers at ${path}`, {
    remedy: 'stop it, or give this one a control.socket and a stateDir of its own',
    cause,
  });
}

function denied(path: string, cause: unknown): Denied {
  return new Denied(`the control socket ${path} may not be used by this user`, {
    remedy: 'become the user that rosterd runs as, or a member of its group',
    cause,
  });
}
