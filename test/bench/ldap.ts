import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ldap } from '../../connectors/ldap/connector.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { person, type Slapd, slapdMissing, startSlapd } from '../support/ldap/slapd.ts';
import { ratio, say } from './cases.ts';
import { timed } from './measure.ts';

/**
 * What a pull costs (from connecting to rows on the disk) beside `ldapsearch`, which writes the same entries of the same
 * server to a file, by pages of the same size and all at once. Each is measured in turn and the shortest time counts:
 * what is more was the machine's. The first pull of a process has still to be compiled, and is shown by itself.
 */

const rounds = 7;
const pageSize = 1000;
const columns = ['cn', '@stableId', 'mail', 'givenName', 'sn', 'departmentNumber', 'employeeType'];
const attributes = ['cn', 'mail', 'givenName', 'sn', 'departmentNumber', 'employeeType', 'entryUUID', 'objectGUID'];

/** Measures and prints; `sizes` are numbers of entries. */
export async function benchLdap(sizes: readonly number[]): Promise<void> {
  const missing = slapdMissing();
  if (missing) return say(`ldap: not measured, ${missing}`);
  say('\nldap: a pull, as a multiple of ldapsearch for the same answer (OpenLDAP, LDAPS)');
  say('entries    first pull  later pulls  ldapsearch at once  memory');
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
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-bench-ldap-'));
  writeFileSync(join(folder, 'secret'), server.reader.password);
  const settings = ldap.settings.parse({
    url: server.ldaps,
    ca: server.ca,
    bindDN: server.reader.dn,
    password: { file: join(folder, 'secret') },
    base: `ou=people,${server.suffix}`,
    pageSize,
  });
  const context: SourceContext = {
    source: 'bench',
    spoolDir: folder,
    keepDir: join(folder, 'keep'),
    lastContent: null,
    columns: { required: columns, optional: [], exact: false },
    last: null,
    signal: new AbortController().signal,
    clock: systemClock,
    log: silentLog,
    progress() {},
  };
  const pulls: number[] = [];
  const search = { paged: [] as number[], whole: [] as number[] };
  try {
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      const answer = (await ldap.pull(settings, context))!;
      pulls.push((performance.now() - began) / 1000);
      await answer.close();
      search.paged.push(await ldapsearch(server, folder, ['-E', `pr=${pageSize}/noprompt`]));
      search.whole.push(await ldapsearch(server, folder, []));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const floor = Math.min(...search.paged);
  const cells = [pulls[0]!, Math.min(...pulls.slice(1)), Math.min(...search.whole)].map((one) => ratio(one / floor));
  const megabytes = `${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`;
  say(
    `${size.toLocaleString('en').padEnd(10)} ${cells[0]!.padEnd(11)} ${cells[1]!.padEnd(12)} ${cells[2]!.padEnd(19)} ${megabytes}`,
  );
}

async function ldapsearch(server: Slapd, folder: string, more: readonly string[]): Promise<number> {
  const { dn } = server.reader;
  const login = [
    '-x',
    '-LLL',
    '-H',
    server.ldaps,
    '-D',
    dn,
    '-y',
    join(folder, 'secret'),
    '-b',
    `ou=people,${server.suffix}`,
  ];
  const args = [...login, ...more, '(objectClass=person)', ...attributes, 'userAccountControl'];
  const script = `exec ldapsearch "$@" > '${join(folder, 'out')}'`;
  const { seconds } = await timed('env', [`LDAPTLS_CACERT=${server.ca}`, 'sh', '-c', script, 'sh', ...args]);
  return seconds;
}
