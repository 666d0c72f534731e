import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * A Debian with a real systemd, in a container of systemd-nspawn. Everything it writes is in memory and gone with it; it
 * shares the network of this machine, so that servers of a test are on its loopback.
 */

const cache = join(import.meta.dirname, '../../../node_modules/.cache/rosterd-systemd');
const release = 'bookworm';
const tree = join(cache, release);

/** Why no systemd can be run here; null when one can. Makes the tree of files, once: it takes a minute and a network. */
export function systemdMissing(): string | null {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'only root may boot a systemd in a container';
  for (const [program, packaged] of [
    ['systemd-nspawn', 'systemd-container'],
    ['nsenter', 'util-linux'],
    ['dpkg-deb', 'dpkg'],
  ] as const)
    if (spawnSync(program, ['--version']).error) return `${program} is not installed (package ${packaged})`;
  return existsSync(tree) ? null : debootstrap();
}

function debootstrap(): string | null {
  mkdirSync(cache, { recursive: true });
  const made = mkdtempSync(join(cache, 'new-'));
  const args = ['--variant=minbase', '--include=systemd,systemd-sysv,dbus', release, made];
  const run = spawnSync('debootstrap', args, { encoding: 'utf8', timeout: 300_000 });
  if (run.status === 0) {
    renameSync(made, tree);
    return null;
  }
  rmSync(made, { recursive: true, force: true });
  if (run.error) return `debootstrap does not run (package debootstrap): ${run.error.message}`;
  return `debootstrap failed: ${run.stdout.trim().split('\n').at(-1)}`;
}

const bootMs = 90_000;

/** How a command went. */
export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A Debian that has been booted. */
export class Machine {
  readonly #nspawn: ChildProcess;
  readonly #leader: number;

  private constructor(nspawn: ChildProcess, leader: number) {
    this.#nspawn = nspawn;
    this.#leader = leader;
  }

  /** Boots; `shared` is a folder of this machine that is at `/shared` in there, to be read only. */
  static async boot(shared: string): Promise<Machine> {
    const said: string[] = [];
    const options = [
      '--boot',
      '--register=no',
      '--keep-unit',
      '--volatile=overlay',
      '--link-journal=no',
      '--settings=no',
      '--console=pipe',
    ];
    const name = `--machine=rosterd-test-${process.pid}`;
    // shut down with this process, however that ends; killed it would leave the systemd in there behind
    const nspawn = spawn(
      'setpriv',
      ['--pdeathsig=TERM', 'systemd-nspawn', '-D', tree, ...options, name, `--bind-ro=${shared}:/shared`],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [nspawn.stdout, nspawn.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => said.push(text));
    let leader: number | undefined;
    for (const end = performance.now() + bootMs; performance.now() < end; await wait(100)) {
      if (nspawn.exitCode !== null || nspawn.signalCode !== null) break;
      [leader] = children(nspawn.pid!);
      if (leader === undefined) continue;
      const machine = new Machine(nspawn, leader);
      // waits for the end of the boot once the bus is there
      const { stdout } = machine.try('systemctl', 'is-system-running', '--wait');
      if (/^(running|degraded)/.test(stdout)) return machine;
    }
    nspawn.kill('SIGKILL');
    if (leader !== undefined) process.kill(leader, 'SIGKILL');
    throw new Error(`the machine does not boot: ${said.join('').slice(-2000)}`);
  }

  /** Runs a command in there as root; throws when it fails. */
  run(...command: readonly string[]): string {
    const { status, stdout, stderr } = this.try(...command);
    if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr || stdout}`);
    return stdout;
  }

  /** Runs a command in there as root. */
  try(...command: readonly string[]): Ran {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
    const run = spawnSync('nsenter', ['-t', String(this.#leader), '-a', '--', ...command], {
      ...{ encoding: 'utf8', env, timeout: 120_000 },
    } as const);
    return { status: run.status, stdout: run.stdout ?? '', stderr: run.stderr ?? String(run.error) };
  }

  write(file: string, content: string, mode = '0644'): void {
    const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
    const args = ['-t', String(this.#leader), '-a', '--', 'sh', '-c', script, 'sh', file, mode];
    execFileSync('nsenter', args, { input: content });
  }

  /** Properties of a unit. */
  show<P extends string>(unit: string, ...properties: readonly P[]): Record<P, string> {
    const printed = this.run('systemctl', 'show', unit, ...properties.flatMap((name) => ['-p', name]));
    const pairs = printed
      .trimEnd()
      .split('\n')
      .map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)] as const;
      });
    return Object.fromEntries(pairs) as Record<P, string>;
  }

  /** Waits until something is so. */
  async until(what: string, isSo: () => boolean, withinMs = 60_000): Promise<void> {
    for (const end = performance.now() + withinMs; !isSo(); await wait(200))
      if (performance.now() > end) throw new Error(`after ${withinMs} ms not yet: ${what}`);
  }

  /** Shuts down, and kills what does not. */
  async stop(): Promise<void> {
    const ended = once(this.#nspawn, 'exit');
    this.#nspawn.kill('SIGTERM');
    const late = new AbortController();
    void wait(15_000, undefined, { signal: late.signal }).then(
      () => process.kill(this.#leader, 'SIGKILL'),
      () => {},
    );
    await ended;
    late.abort();
  }
}

function children(of: number): number[] {
  try {
    const text = readFileSync(`/proc/${of}/task/${of}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
