import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';

/** A real OpenSSH server on a free loopback port, with keys, configuration and (as root) an account of its own. */
export interface Sshd {
  port: number;
  user: string;
  /** Null when not root: no account could be made, so only keys log in. */
  password: string | null;
  /** A folder that the account owns. */
  drops: string;
  hostKeys: Record<'ed25519' | 'rsa', { fingerprint: string; line: string }>;
  /** Private key files that may log in. */
  key: string;
  lockedKey: { file: string; passphrase: string };
  rsaPemKey: string;
  /** A private key file that nobody knows. */
  strangeKey: string;
  /** Makes a file in `drops` belong to the account. */
  own(file: string): void;
  /** Ends every session at once, as a crash does; the server goes on listening. */
  dropSessions(): void;
  /** Stops every session in its tracks; connections stay open and nothing answers any more. */
  freezeSessions(): void;
  /** Stops only what serves files, where that is a program of its own: SSH goes on answering. */
  freezeSftp(): void;
  stop(): Promise<void>;
}

const SSHD = '/usr/sbin/sshd';
/** OpenSSH's own program for serving files; null where this system has it somewhere else. */
export const sftpServer =
  ['/usr/lib/openssh', '/usr/libexec/openssh', '/usr/lib/ssh', '/usr/libexec']
    .map((folder) => join(folder, 'sftp-server'))
    .find((file) => existsSync(file)) ?? null;

/** Why no server can be started here; null when one can. */
export function sshdMissing(): string | null {
  if (!existsSync(SSHD)) return `${SSHD} is not installed (package openssh-server)`;
  if (!existsSync('/proc/self/stat')) return 'its processes are found through /proc, and there is none';
  return null;
}

/** Starts the server; `config` are further lines of its configuration, which win over the usual ones. */
export async function startSshd(config: readonly string[] = []): Promise<Sshd> {
  const root = process.getuid?.() === 0;
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-sshd-'));
  chmodSync(folder, 0o755);
  const account = root ? makeAccount(folder) : { user: userInfo().username, password: null, remove() {} };
  const keygen = (name: string, ...args: string[]): string => {
    const file = join(folder, name);
    execFileSync('ssh-keygen', ['-q', '-N', '', '-C', name, '-f', file, ...args]);
    return file;
  };
  const hostKeys = {
    ed25519: keygen('host-ed25519', '-t', 'ed25519'),
    rsa: keygen('host-rsa', '-t', 'rsa', '-b', '2048'),
  };
  const key = keygen('user', '-t', 'ed25519');
  const passphrase = 'open sesame';
  const locked = keygen('user-locked', '-t', 'ed25519', '-N', passphrase);
  const rsaPem = keygen('user-rsa', '-t', 'rsa', '-b', '2048', '-m', 'PKCS8');
  const strange = keygen('strange', '-t', 'ed25519');
  const authorized = join(folder, 'authorized_keys');
  writeFileSync(authorized, [key, locked, rsaPem].map((file) => readFileSync(`${file}.pub`, 'utf8')).join(''));
  const drops = join(folder, 'drops');
  mkdirSync(drops);
  const own = (file: string): void => {
    if (!root) return;
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, account.user], { encoding: 'utf8' })),
    );
    chownSync(file, uid!, gid!);
  };
  own(drops);
  // sshd separates its privileges in there, and packages leave making it to the service manager
  if (root) mkdirSync('/run/sshd', { recursive: true });

  const port = await freePort();
  const configFile = join(folder, 'sshd_config');
  const usual = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...Object.values(hostKeys).map((file) => `HostKey ${file}`),
    'PidFile none',
    `AuthorizedKeysFile ${authorized}`,
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PasswordAuthentication yes',
    'KbdInteractiveAuthentication no',
    'MaxStartups 100',
    // a second one is refused
    ...(config.some((line) => line.startsWith('Subsystem ')) ? [] : ['Subsystem sftp internal-sftp']),
  ];
  writeFileSync(configFile, [...config, ...usual].join('\n'));
  const server = spawn(SSHD, ['-D', '-e', '-f', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  await listening(server);

  const signalSessions = (signal: NodeJS.Signals, which: (pid: number) => boolean = () => true): void => {
    for (const pid of descendants(server.pid!)) if (which(pid)) kill(pid, signal);
  };
  /** What is stopped outlives its session, and nobody's child can be found later. */
  const frozen: number[] = [];
  const publicKey = (file: string) => {
    const printed = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' });
    return {
      fingerprint: printed.split(' ')[1]!,
      line: readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' '),
    };
  };
  return {
    port,
    user: account.user,
    password: account.password,
    drops,
    hostKeys: { ed25519: publicKey(hostKeys.ed25519), rsa: publicKey(hostKeys.rsa) },
    key,
    lockedKey: { file: locked, passphrase },
    rsaPemKey: rsaPem,
    strangeKey: strange,
    own,
    dropSessions: () => signalSessions('SIGKILL'),
    freezeSessions: () => signalSessions('SIGSTOP'),
    freezeSftp: () =>
      signalSessions('SIGSTOP', (pid) => {
        const serves = nameOf(pid) === 'sftp-server';
        if (serves) frozen.push(pid);
        return serves;
      }),
    async stop() {
      signalSessions('SIGKILL');
      for (const pid of frozen) if (nameOf(pid) === 'sftp-server') kill(pid, 'SIGKILL');
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGKILL');
        await once(server, 'exit');
      }
      account.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A throwaway account, so that a real password is checked by the real server. */
function makeAccount(folder: string): { user: string; password: string; remove(): void } {
  const user = `rosterd${randomBytes(4).toString('hex')}`;
  const password = randomBytes(12).toString('base64url');
  execFileSync('useradd', ['--no-create-home', '--home-dir', join(folder, 'drops'), '--shell', '/bin/sh', user]);
  const remove = (): void => void execFileSync('userdel', ['--force', user], { stdio: 'ignore' });
  process.once('exit', () => {
    // a run that was cut short must not leave an account with a password behind
    try {
      remove();
    } catch {}
  });
  execFileSync('chpasswd', { input: `${user}:${password}\n` });
  return { user, password, remove };
}

/** Waits for the line that says so; everything the server says goes into the error when it ends instead. */
async function listening(server: ChildProcess): Promise<void> {
  const said: string[] = [];
  const lines = createInterface({ input: server.stderr! });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line);
      if (line.includes('Server listening')) resolve();
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`sshd ended: ${said.join(' | ')}`)));
  });
}

function descendants(of: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // ended while the list was read
    }
  }
  const found: number[] = [];
  const collect = (pid: number): void => {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      collect(child);
    }
  };
  collect(of);
  return found;
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ended already
  }
}
