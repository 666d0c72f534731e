import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { person, type Slapd, slapdMissing, startSlapd } from '../support/ldap/slapd.ts';
import { ratio, say } from './cases.ts';
import { measureNode } from './measure.ts';

/**
 * What a pull costs (from connecting to rows on the disk) beside `ldapsearch`, which writes the same entries of the same
 * server to a file on the disk, by pages of the same size and all at once. Each is measured in turn and the shortest time
 * counts: what is more was the machine's. The first pull of a process has still to be compiled, and is shown by itself.
 */

const rounds = 7;
const pageSize = 1000;
const columns = ['cn', '@stableId', 'mail', 'givenName', 'sn', 'departmentNumber', 'employeeType'];
const attributes = ['cn', 'mail', 'givenName', 'sn', 'departmentNumber', 'employeeType'];
const alsoAsked = ['entryUUID', 'objectGUID', 'userAccountControl'];

/** Measures and prints; `sizes` are numbers of entries. */
export async function benchLdap(sizes: readonly number[]): Promise<void> {
  const missing = slapdMissing();
  if (missing) {
    say(`ldap: not measured, ${missing}`);
    return;
  }
  say('\nldap: a pull, as a multiple of ldapsearch for the same answer (OpenLDAP, LDAPS, by pages)');
  say('entries    first pull  later pulls  ldapsearch all at once  memory of the pulls');
  for (const size of sizes) {
    const server = await startSlapd(Array.from({ length: size }, (_, n) => person(n)).join(''));
    try {
      await measure(server, size);
    } finally {
      await server.stop();
    }
  }
}

async function measure(server: Slapd, size: number): Promise<void> {
  const secret = join(server.folder, 'secret');
  writeFileSync(secret, server.reader.password);
  const base = `ou=people,${server.suffix}`;
  const { dn: bindDN } = server.reader;
  const settings = { url: server.ldaps, ca: server.ca, bindDN, password: { file: secret }, base, pageSize };
  const login = ['-x', '-LLL', '-H', server.ldaps, '-D', bindDN, '-y', secret, '-b', base];
  const search = (...more: string[]): string[] => [
    'env',
    `LDAPTLS_CACERT=${server.ca}`,
    'sh',
    '-c',
    // on the disk, as the rows of a pull are: else the next pull would wait for these bytes too
    'ldapsearch "$@" > "$0" && sync "$0"',
    join(server.folder, 'out'),
    ...login,
    ...more,
    '(objectClass=person)',
    ...attributes,
    ...alsoAsked,
  ];
  const commands = [search('-E', `pr=${pageSize}/noprompt`), search()];
  const file = join(server.folder, 'bench.json');
  writeFileSync(file, JSON.stringify({ settings, columns, rounds, commands }));
  const run = await measureNode([
    '--max-old-space-size=256',
    '--max-semi-space-size=16',
    join(import.meta.dirname, 'ldap-pull.ts'),
    file,
  ]);
  const { pulls, others } = JSON.parse(run.stdout) as { pulls: number[]; others: [number[], number[]] };
  const floor = Math.min(...others[0]);
  const [first, later, whole] = [pulls[0]!, Math.min(...pulls.slice(1)), Math.min(...others[1])];
  const [a, b, c] = [first, later, whole].map((one) => ratio(one / floor));
  const memory = `${Math.round(run.peakMb)} MB`;
  say(`${size.toLocaleString('en').padEnd(10)} ${a!.padEnd(11)} ${b!.padEnd(12)} ${c!.padEnd(23)} ${memory}`);
}
