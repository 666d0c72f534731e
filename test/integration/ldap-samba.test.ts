import { afterAll, beforeAll, expect, test } from 'vitest';
import { ldap } from '../../connectors/ldap/connector.ts';
import { failure } from '../support/drop.ts';
import { KeptSource } from '../support/ldap/kept.ts';
import { as, cellsFrom, ldapContext, ldapSettings, pulledFrom, rowsOf, secretFile } from '../support/ldap/pull.ts';
import { type Samba, sambaMissing, startSamba } from '../support/ldap/samba.ts';
import { requireServer } from '../support/requirements.ts';

const columns = ['cn', '@stableId', 'mail', 'givenName', 'sn', '@disabled'];

requireServer('samba', sambaMissing)('a real Samba domain controller', () => {
  let server: Samba;
  let people: string;
  beforeAll(async () => {
    server = await startSamba();
    people = `OU=People,${server.suffix}`;
  }, 240_000);
  afterAll(() => server?.stop());

  const settings = (more: Record<string, unknown> = {}) =>
    ldapSettings({ url: server.ldaps, ca: server.ca, ...as(server.reader), base: people, ...more });
  const pull = (more: Record<string, unknown> = {}) => ldap.pull(settings(more), ldapContext(columns));

  test('all enabled people of the domain, by pages, without groups and computers', async () => {
    const rows = await cellsFrom(settings(), ldapContext(columns));
    expect(rows).toHaveLength(server.users - server.disabled);
    expect(new Set(rows.map(([cn]) => cn)).size).toBe(rows.length);
    expect(new Set(rows.map(([, id]) => id)).size).toBe(rows.length);
    expect(rows.every((row) => row[5] === 'false')).toBe(true);
    expect(await cellsFrom(settings({ disabledAccounts: 'keep' }), ldapContext(columns))).toHaveLength(server.users);
  });

  test('the stable id is the GUID as the server itself prints and finds it, and outlives a rename and a move', async () => {
    const find = async (filter: string) =>
      (await rowsOf(await pulledFrom(settings({ base: server.suffix, filter }), ldapContext(columns))))[0]!;
    const { cells } = await find('(sAMAccountName=u00007)');
    const guid = cells![1]!;
    expect(guid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    // Active Directory takes a GUID as text in a filter
    expect((await find(`(objectGUID=${guid})`)).cells).toEqual(cells);
    server.modify(
      `dn: CN=u00007,${people}\nchangetype: modrdn\nnewrdn: CN=Renamed\ndeleteoldrdn: 1\nnewsuperior: CN=Users,${server.suffix}\n`,
    );
    const after = await find('(sAMAccountName=u00007)');
    server.modify(
      `dn: CN=Renamed,CN=Users,${server.suffix}\nchangetype: modrdn\nnewrdn: CN=u00007\ndeleteoldrdn: 1\nnewsuperior: ${people}\n`,
    );
    expect(after).toEqual({ cells: ['Renamed', ...cells!.slice(1)], origin: `CN=Renamed,CN=Users,${server.suffix}` });
  });

  test('the root of a domain refers to parts without people, which is no doubt', async () => {
    const rows = await cellsFrom(settings({ base: server.suffix }), ldapContext(['cn', '@disabled']));
    const others = rows.map(([cn]) => cn).filter((cn) => !/^u\d{5}$/.test(cn!));
    expect(others.sort()).toEqual(['Administrator', 'dns-dc1', 'rosterd']);
    expect(rows).toHaveLength(server.users - server.disabled + others.length);
  });

  test('a large group comes whole', async () => {
    const group = { filter: '(cn=everybody)', each: 'member' };
    expect(await cellsFrom(settings(group), ldapContext(['cn', 'member']))).toHaveLength(server.users);
  });

  test('filters by matching rules of Active Directory', async () => {
    const off = { filter: '(userAccountControl:1.2.840.113556.1.4.803:=2)', disabledAccounts: 'keep' };
    expect(await cellsFrom(settings(off), ldapContext(['cn']))).toHaveLength(server.disabled);
  });

  test('a GUID may be read as an attribute of its own; a SID is bytes', async () => {
    const only = { filter: '(cn=u00001)', binary: ['objectSid'] };
    const [row] = await cellsFrom(settings(only), ldapContext(['objectGUID', '@stableId', 'objectSid']));
    expect(row![0]).toBe(row![1]);
    expect(Buffer.from(row![2]!, 'base64')).toHaveLength(28);
  });

  test('StartTLS and LDAPS by address', async () => {
    expect((await ldap.probe(settings(), ldapContext(columns)))[0]).toContain('it is Active Directory (Samba Team');
    const startTls = settings({ url: server.ldap, startTLS: true });
    expect(await ldap.probe(startTls, ldapContext(columns))).toHaveLength(3);
  });

  test('a login over plain LDAP is refused by the server, with the remedy', async () => {
    expect(await failure(pull({ url: server.ldap, ca: undefined }))).toMatchObject({
      kind: 'Denied',
      line: expect.stringMatching(/code 8.*use ldaps:\/\/, or ldap:\/\/ with startTLS: true/),
    });
  });

  test.each([
    ['a wrong password', () => ({ password: secretFile('wrong') }), 'Denied', 'check bindDN and password'],
    ['nobody logged in', () => ({ bindDN: undefined, password: undefined }), 'Denied', 'give bindDN and password'],
    ['a base that is not there', () => ({ base: `OU=Gone,${server.suffix}` }), 'Incomplete', 'no such base'],
    ['a filter that fits nobody', () => ({ filter: '(cn=nobody)' }), 'Incomplete', 'found nobody'],
  ])('%s', async (_name, more, kind, says) => {
    expect(await failure(pull(more()))).toMatchObject({ kind, line: expect.stringContaining(says) });
  });

  test('incremental pulls by uSNChanged: changes are merged, nobody goes before the next full pull', async () => {
    const source = new KeptSource(['cn', 'sn', '@stableId']);
    const some = settings({ filter: '(cn=u0001*)', incremental: 'on' });
    const first = await source.pull(some);
    expect(first).toMatchObject({ full: 'nothing is kept of the last answer', rows: { length: 10 } });
    expect(await source.pull(some)).toMatchObject({ full: null, content: first.content });
    const modify = (n: number, attribute: string, value: string): string =>
      `dn: CN=u0001${n},${people}\nchangetype: modify\nreplace: ${attribute}\n${attribute}: ${value}\n\n`;
    server.modify(modify(1, 'sn', 'Changed') + modify(2, 'userAccountControl', '546'));
    server.modify(`dn: CN=u00013,${people}\nchangetype: modrdn\nnewrdn: CN=u00013 renamed\ndeleteoldrdn: 1\n`);
    server.modify(`dn: CN=u00014,${people}\nchangetype: delete\n`);
    const merged = await source.cells(some);
    expect(merged.full).toBeNull();
    expect(merged.cells.map(([cn, sn]) => `${cn}: ${sn}`)).toEqual([
      'u00010: Family 10',
      'u00011: Changed',
      'u00012: Family 12',
      'u00013 renamed: Family 13',
      ...[14, 15, 16, 17, 18, 19].map((n) => `u000${n}: Family ${n}`),
    ]);
    source.aheadMs = 86_400_000;
    const all = await source.cells(some);
    expect(all.full).toBe('everything was read long ago');
    expect(all.cells).toHaveLength(8);
  });
});
