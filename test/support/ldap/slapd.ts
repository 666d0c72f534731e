import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { authority } from '../certificate.ts';
import { freePort } from '../free-port.ts';
import { type Guarded, startWatched } from '../mongodb/process.ts';

/** A real OpenLDAP on free loopback ports, with a configuration, a database and certificates of its own. */
export interface Slapd {
  ldap: string;
  ldaps: string;
  port: number;
  suffix: string;
  admin: { dn: string; password: string };
  /** May read everything, without limits. */
  reader: { dn: string; password: string };
  /** Logs in, and may read nothing below `ou=people`. */
  blind: { dn: string; password: string };
  /** May read, and gets 500 entries at most. */
  limited: { dn: string; password: string };
  /** Files in PEM: the authority that the server's certificate is of, and another one. */
  ca: string;
  strangeCa: string;
  /** A folder for files of the test. */
  folder: string;
  /** Changes entries, as LDIF with `changetype`. */
  modify(ldif: string): void;
  /** Deletes everything below an entry. */
  empty(dn: string): void;
  stop(): Promise<void>;
}

const SLAPD = '/usr/sbin/slapd';
const SLAPADD = '/usr/sbin/slapadd';
const SCHEMA = '/etc/ldap/schema';
const MODULES = '/usr/lib/ldap';
const suffix = 'dc=example,dc=edu';
const admin = { dn: `cn=admin,${suffix}`, password: 'admin secret' };
const account = (name: string) => ({ dn: `cn=${name},ou=services,${suffix}`, password: `${name} secret` });

/** Why no server can be started here; null when one can. */
export function slapdMissing(): string | null {
  for (const file of [SLAPD, `${SCHEMA}/inetorgperson.schema`, `${MODULES}/back_mdb.so`])
    if (!existsSync(file)) return `${file} is not installed (package slapd)`;
  if (spawnSync('ldapmodify', ['-VV']).error) return 'ldapmodify is not installed (package ldap-utils)';
  return null;
}

/** A person's entry as LDIF; `more` are further attributes. */
export function person(n: number, base = `ou=people,${suffix}`, more: Record<string, string | string[]> = {}): string {
  const number = String(n).padStart(6, '0');
  const facts: Record<string, string | string[]> = {
    objectClass: ['inetOrgPerson', 'rosterdPerson'],
    cn: `p${number}`,
    sn: `Family ${n}`,
    givenName: `Given ${n}`,
    mail: `p${number}@example.edu`,
    departmentNumber: `Department ${n % 20}`,
    employeeType: `Course ${n % 100}`,
    ...more,
  };
  const lines = Object.entries(facts).flatMap(([name, values]) => [values].flat().map((value) => line(name, value)));
  return [`dn: cn=${facts['cn']},${base}`, ...lines, '', ''].join('\n');
}

/** One line of LDIF; what is not plain is written as base64. */
function line(name: string, value: string): string {
  if (name.endsWith(':')) return `${name}: ${value}`;
  const plain = /^[!-9;=-~][ -~]*$/.test(value);
  return plain ? `${name}: ${value}` : `${name}:: ${Buffer.from(value).toString('base64')}`;
}

/** Starts a server with these entries below its suffix. */
export async function startSlapd(entries: string, { syncprov = true } = {}): Promise<Slapd> {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-slapd-'));
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  mkdirSync(join(folder, 'data'));
  const own = authority();
  const server = own.issue('localhost', '127.0.0.1');
  const ca = file('ca.pem', own.cert);
  const [port, securePort] = [await freePort(), await freePort()];
  const [reader, blind, limited] = [account('reader'), account('blind'), account('limited')];
  const config = file(
    'slapd.conf',
    `${['core', 'cosine', 'inetorgperson'].map((name) => `include ${SCHEMA}/${name}.schema`).join('\n')}
attributetype ( 1.3.6.1.4.1.55555.1 NAME 'userAccountControl' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.55555.2 NAME 'rosterdPerson' SUP top AUXILIARY MAY ( userAccountControl ) )
modulepath ${MODULES}
moduleload back_mdb
moduleload syncprov
TLSCACertificateFile ${ca}
TLSCertificateFile ${file('server.pem', server.cert)}
TLSCertificateKeyFile ${file('server.key', server.key)}
pidfile ${join(folder, 'slapd.pid')}
sizelimit 500
database mdb
suffix "${suffix}"
rootdn "${admin.dn}"
rootpw "${admin.password}"
directory ${join(folder, 'data')}
maxsize 1073741824
# nothing here outlives the test
dbnosync
index objectClass,cn eq
index entryCSN,entryUUID eq
limits dn.exact="${reader.dn}" size.soft=unlimited size.hard=unlimited size.prtotal=unlimited
limits dn.exact="${blind.dn}" size.soft=unlimited size.hard=unlimited size.prtotal=unlimited
access to dn.children="ou=people,${suffix}" attrs=entry
  by dn.exact="${blind.dn}" none
  by users read by * none
access to attrs=userPassword by anonymous auth
access to * by users read by * none
${syncprov ? 'overlay syncprov' : ''}
`,
  );
  const services = [reader, blind, limited].map(
    ({ dn, password }) =>
      `dn: ${dn}\nobjectClass: person\ncn: ${dn.slice(3).split(',')[0]}\nsn: service\nuserPassword: ${password}\n\n`,
  );
  const unit = (name: string): string => `dn: ou=${name},${suffix}\nobjectClass: organizationalUnit\n\n`;
  const tree = `dn: ${suffix}\nobjectClass: domain\n\n${unit('services')}${unit('people')}${unit('staff')}${unit('empty')}`;
  run(SLAPADD, ['-q', '-f', config, '-b', suffix], `${tree}${services.join('')}${entries}`);

  const urls = { ldap: `ldap://127.0.0.1:${port}`, ldaps: `ldaps://127.0.0.1:${securePort}` };
  const process = startWatched(SLAPD, ['-d', '0', '-f', config, '-h', `${urls.ldap}/ ${urls.ldaps}/`]);
  await reachable(port, process);
  return {
    ...urls,
    port,
    suffix,
    admin,
    reader,
    blind,
    limited,
    ca,
    strangeCa: file('strange.pem', authority().cert),
    folder,
    modify: (ldif) => run('ldapmodify', ['-c', '-x', '-H', urls.ldap, '-D', admin.dn, '-w', admin.password], ldif),
    empty(dn) {
      const as = ['-x', '-H', urls.ldap, '-D', admin.dn, '-w', admin.password];
      const { stdout } = spawnSync('ldapsearch', [...as, '-LLL', '-o', 'ldif-wrap=no', '-s', 'one', '-b', dn, '1.1'], {
        encoding: 'utf8',
      });
      const below = [...stdout.matchAll(/^dn: (.*)$/gm)].map((match) => match[1]!);
      if (below.length) run('ldapdelete', as, below.map((one) => `${one}\n`).join(''));
    },
    async stop() {
      await process.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a tool to its end; throws with what it said when it fails. */
export function run(command: string, args: readonly string[], input = ''): void {
  const { status, error, stderr, stdout } = spawnSync(command, args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** Waits until somebody listens; each refused connection is the next try. */
export async function reachable(port: number, { child }: Guarded, host = '127.0.0.1'): Promise<void> {
  const until = Date.now() + 150_000;
  for (;;) {
    const socket = connect(port, host);
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    if (child.exitCode !== null || Date.now() > until) throw new Error(`nobody listens on ${host}:${port}`);
    await wait(50);
  }
}
