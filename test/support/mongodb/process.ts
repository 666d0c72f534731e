import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

/** A server that ends with this process, whatever ends this process: it watches a pipe from here. */
export interface Guarded {
  child: ChildProcess;
  /** Waits for a line of its standard output that begins so; fails with what the server said when it ends instead. */
  said(beginning: string): Promise<string>;
  /** Nothing for the server to stand on any more: returns when it is gone. */
  end(): Promise<void>;
}

/** Starts a program that ends by itself when its standard input does. */
export function startGuarded(file: string, args: readonly string[]): Guarded {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const errors: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => {
    errors.push(line);
    if (errors.length > 20) errors.shift();
  });
  // writing to a server that has just ended is no error of the test
  child.stdin!.on('error', () => {});
  const lines: Interface = createInterface({ input: child.stdout! });
  const gone = once(child, 'exit').then(
    () => {},
    () => {},
  );
  return {
    child,
    said: (beginning) =>
      new Promise((resolve, reject) => {
        const check = (line: string): void => {
          if (!line.startsWith(beginning)) return;
          lines.off('line', check);
          resolve(line.slice(beginning.length).trim());
        };
        lines.on('line', check);
        child.once('error', reject);
        void gone.then(() => reject(new Error(`${file} ended: ${errors.join(' | ')}`)));
      }),
    async end() {
      child.stdin!.end();
      await gone;
    },
  };
}

/**
 * The same for a program that does not look at its standard input: a shell stands between and kills it. Says the number of
 * the process, in a line that begins with `pid`.
 */
export function startWatched(file: string, args: readonly string[]): Guarded {
  const script = `
    exec 3<&0
    "$@" </dev/null 3<&- &
    server=$!
    echo "pid $server"
    { cat <&3 >/dev/null; kill -9 $server; } 2>/dev/null &
    watcher=$!
    wait $server
    kill $watcher 2>/dev/null`;
  return startGuarded('/bin/sh', ['-c', script, 'sh', file, ...args]);
}

/** Where a program is on PATH; null when it is not. */
export function onPath(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not in this folder
    }
  }
  return null;
}

/** What a program printed; fails with its last words when it fails or takes longer than `timeout` milliseconds. */
export function output(file: string, args: readonly string[], timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout, killSignal: 'SIGKILL', encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const words = `${stderr}\n${stdout}`.trim().split('\n').slice(-3).join(' | ');
      reject(new Error(error.killed ? `took longer than ${timeout / 1000} s` : words || error.message));
    });
  });
}
