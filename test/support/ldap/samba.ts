import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { fileURLToPath } from 'node:url';
import { authority } from '../certificate.ts';
import { startGuarded } from '../mongodb/process.ts';
import { reachable, run } from './slapd.ts';

/** A real Samba domain controller on a loopback address of its own, with users, a group of all of them, certificates. */
export interface Samba {
  /** By name of the address; its certificate is for the address and for `dc1.example.edu`. */
  ldap: string;
  ldaps: string;
  suffix: string;
  users: number;
  /** Every 50th user. */
  disabled: number;
  admin: { dn: string; password: string };
  /** An ordinary account. */
  reader: { dn: string; password: string };
  ca: string;
  folder: string;
  /** Changes entries, as LDIF with `changetype`. */
  modify(ldif: string): void;
  stop(): Promise<void>;
}

const SAMBA = '/usr/sbin/samba';
/** Samba's own modules are those of the system's Python, whatever else is first on the path. */
const PYTHON = '/usr/bin/python3';
const password = 'Rosterd.2026.secret';
const fill = fileURLToPath(new URL('fill-samba.py', import.meta.url));

/** Why no domain controller can be started here; null when one can. */
export function sambaMissing(): string | null {
  for (const file of [SAMBA, '/usr/share/samba/setup/provision.ldif', PYTHON])
    if (!existsSync(file)) return `${file} is not installed (packages samba-ad-dc, samba-ad-provision)`;
  if (spawnSync('ldapmodify', ['-VV']).error) return 'ldapmodify is not installed (package ldap-utils)';
  return getuid?.() === 0 ? null : 'a domain controller has fixed ports below 1024, which only root may open';
}

/** Makes a new domain and starts its controller. */
export async function startSamba(users = 2000): Promise<Samba> {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-samba-'));
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  // the ports are fixed, so the address is one of its own
  const host = `127.${randomInt(2, 250)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  const base = file('base.conf', `[global]\nlog file = ${join(folder, 'log')}\n`);
  const domain = ['--realm=EXAMPLE.EDU', '--domain=EXAMPLE', '--server-role=dc', '--dns-backend=NONE'];
  const machine = ['--host-name=dc1', '--host-ip=127.0.0.1', `--adminpass=${password}`];
  run('samba-tool', ['domain', 'provision', `--configfile=${base}`, `--targetdir=${folder}`, ...domain, ...machine]);
  const config = join(folder, 'etc/smb.conf');
  run(PYTHON, [fill, config, join(folder, 'private/sam.ldb'), password, String(users)]);

  const own = authority();
  const server = own.issue('dc1.example.edu', host);
  const ca = file('ca.pem', own.cert);
  const options = {
    'server services': 'ldap',
    interfaces: `${host}/8`,
    'bind interfaces only': 'yes',
    'pid directory': folder,
    'tls cafile': ca,
    'tls certfile': file('server.pem', server.cert),
    'tls keyfile': file('server.key', server.key),
  };
  const given = Object.entries(options).map(([name, value]) => `--option=${name}=${value}`);
  // interactive: it ends when its standard input does
  const process = startGuarded(SAMBA, ['-i', '-M', 'single', `--configfile=${config}`, ...given]);
  await reachable(636, process, host);
  const suffix = 'DC=example,DC=edu';
  const admin = { dn: `CN=Administrator,CN=Users,${suffix}`, password };
  return {
    ldap: `ldap://${host}`,
    ldaps: `ldaps://${host}`,
    suffix,
    users,
    disabled: Math.ceil(users / 50),
    admin,
    reader: { dn: `CN=rosterd,CN=Users,${suffix}`, password },
    ca,
    folder,
    modify: (ldif) =>
      run(
        'env',
        [`LDAPTLS_CACERT=${ca}`, 'ldapmodify', '-x', '-H', `ldaps://${host}`, '-D', admin.dn, '-w', password],
        ldif,
      ),
    async stop() {
      // what it would tidy up is thrown away with the folder
      process.child.kill('SIGKILL');
      await process.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
