import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { DOWNLOAD_MS, downloadFolder, downloadProgram } from './mongodb/download.ts';
import { javaMissing } from './mongodb/java.ts';
import { onPath } from './mongodb/process.ts';

/** Debian packages of the servers that integration tests run. */
const servers = [
  { packages: 'openssh-server', isThere: () => existsSync('/usr/sbin/sshd') },
  { packages: 'slapd ldap-utils', isThere: () => existsSync('/usr/sbin/slapd') && onPath('ldapmodify') !== null },
  { packages: 'samba-ad-dc samba-ad-provision', isThere: () => existsSync('/usr/sbin/samba') },
  {
    packages: 'debootstrap systemd-container',
    isThere: () => existsSync('/usr/sbin/debootstrap') && existsSync('/usr/bin/systemd-nspawn'),
  },
  // Debian has no MongoDB; these are for the one in Java
  { packages: 'maven default-jdk-headless', isThere: () => mongodbIsThere() },
] as const;

/**
 * Installs the servers that integration tests need: on Debian and its children, as root, and where no service manager
 * would start them. Elsewhere says why not; the tests are then left out. Never throws: a machine without a network
 * still runs all other tests.
 */
export function installServers(say: (line: string) => void = (line) => process.stderr.write(`${line}\n`)): void {
  const reason = whyNot();
  const missing = servers.filter((server) => !server.isThere());
  if (missing.length === 0) return;
  const names = missing.map((server) => server.packages).join(' ');
  if (reason) {
    say(`${names} not installed: ${reason}`);
    return;
  }
  say(`installing ${names} with apt-get, for the integration tests`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-q'],
    ['install', '-q', '-y', '--no-install-recommends', ...names.split(' ')],
  ]) {
    const run = spawnSync('apt-get', args, { env, encoding: 'utf8', timeout: 300_000 });
    if (run.status === 0) continue;
    const tail = (run.stderr || run.error?.message || run.stdout || '').trim().split('\n').slice(-3).join(' | ');
    say(`apt-get ${args[0]} failed: ${tail}`);
    return;
  }
  say(`installed ${names}`);
}

function whyNot(): string | null {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release)) return 'this is not Debian';
  if (process.getuid?.() !== 0) return 'only root may install packages';
  // installing a server also starts it, unless there is no service manager or a policy against it
  if (existsSync('/run/systemd/system') && !existsSync('/usr/sbin/policy-rc.d'))
    return 'systemd would start them as services of this machine; install them by hand';
  return null;
}

/** Whether a server can be had without packages; the download is tried last, and only where it decides something. */
function mongodbIsThere(): boolean {
  if (process.env['ROSTERD_TEST_MONGODB_URI'] || onPath('mongod') !== null || javaMissing() === null) return true;
  if (whyNot() !== null) return true;
  return spawnSync(process.execPath, [downloadProgram, downloadFolder], { timeout: DOWNLOAD_MS }).status === 0;
}
