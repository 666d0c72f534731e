import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation } from '../support/installation.ts';
import { person, type Slapd, slapdMissing, startSlapd } from '../support/ldap/slapd.ts';
import { requireServer } from '../support/requirements.ts';

/** The whole way from a real directory to the roster, by the command line; each test goes on from the one before. */

requireServer('ldap', slapdMissing)('a university whose people are in a directory', () => {
  let server: Slapd;
  let people: string;
  let site: Installation;
  beforeAll(async () => {
    server = await startSlapd(Array.from({ length: 60 }, (_, n) => person(n)).join(''));
    people = `ou=people,${server.suffix}`;
    site = new Installation();
    configure(server.reader);
  }, 60_000);
  afterAll(async () => {
    site?.close();
    await server?.stop();
  });

  function configure(account: { dn: string; password: string }, settings = '', fields = ''): void {
    const secret = join(site.directory, 'secret');
    writeFileSync(secret, account.password);
    writeFileSync(
      site.config,
      `version: 1
institution: example-university
stateDir: ${join(site.directory, 'var')}
store: { kind: embedded }
sources:
  directory:
    kind: ldap
    url: ${server.ldaps}
    ca: ${server.ca}
    bindDN: ${account.dn}
    password: { file: ${secret} }
    base: ${people}
    incremental: on
    ${settings}
    map: { faculty: { constant: University }, department: departmentNumber, course: employeeType ${fields} }
`,
    );
  }
  const modify = (n: number, change: string): void =>
    server.modify(`dn: cn=p${String(n).padStart(6, '0')},${people}\nchangetype: ${change}\n`);

  test('everybody gets an account, with the fields that a directory always has', async () => {
    expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied', snapshot: { records: 60, quarantined: 0 } });
    const { active, text } = await site.accounts();
    expect(active).toHaveLength(60);
    expect(JSON.parse(text.split('\n')[0]!)).toMatchObject({
      id: expect.stringMatching(/^p0000\d\d$/),
      email: expect.stringMatching(/^p0000\d\d@example\.edu$/),
      firstName: expect.stringMatching(/^Given \d+$/),
      lastName: expect.stringMatching(/^Family \d+$/),
    });
    expect(await site.sync()).toMatchObject({ status: 'unchanged' });
  });

  test('a changed entry is a changed account, by an incremental pull', async () => {
    modify(3, 'modify\nreplace: sn\nsn: Changed');
    const { stderr, stdout } = await site.rosterd('sync', '--json');
    expect(stderr).toContain('only changes were read');
    expect(JSON.parse(stdout).runs[0]).toMatchObject({ status: 'applied', plan: { changes: { 'account.update': 1 } } });
  });

  test('a renamed entry is the same account', async () => {
    modify(4, 'modrdn\nnewrdn: cn=renamed\ndeleteoldrdn: 1');
    expect(await site.sync()).toMatchObject({ status: 'applied', plan: { changes: { 'account.update': 1 } } });
    const { active, disabled } = await site.accounts();
    expect([active.length, disabled, active.includes('renamed')]).toEqual([60, [], true]);
  });

  test('an account that lost its rights removes nobody', async () => {
    configure(server.blind);
    expect(await site.sync()).toMatchObject({
      exit: 1,
      status: 'failed',
      error: { kind: 'Incomplete', message: expect.stringContaining('found nobody') },
    });
    expect((await site.accounts()).active).toHaveLength(60);
    configure(server.reader);
  });

  test('a leaver is disabled, and so is whom the directory has disabled', async () => {
    modify(5, 'delete');
    modify(6, 'modify\nadd: userAccountControl\nuserAccountControl: 514');
    // a change of what is asked for makes the pull a full one
    configure(server.admin);
    const run = await site.sync();
    expect(run).toMatchObject({ status: 'applied', plan: { changes: { 'account.disable': 2 } } });
    expect((await site.accounts()).disabled).toEqual(['p000005', 'p000006']);
  });

  test('whom the directory has disabled goes by an incremental pull too where such entries are kept', async () => {
    const byFlag = ", provision: { column: '@disabled', values: { 'true': no }, otherwise: yes }";
    configure(server.admin, 'disabledAccounts: keep', byFlag);
    // the entry is there again, and is no reason for an account
    expect(await site.sync()).toMatchObject({ snapshot: { records: 59 }, plan: { changes: {} } });
    modify(7, 'modify\nadd: userAccountControl\nuserAccountControl: 514');
    modify(6, 'modify\nreplace: userAccountControl\nuserAccountControl: 512');
    expect(await site.sync()).toMatchObject({
      status: 'applied',
      plan: { changes: { 'account.disable': 1, 'account.enable': 1 } },
    });
    expect((await site.accounts()).disabled).toEqual(['p000005', 'p000007']);
  });
});
