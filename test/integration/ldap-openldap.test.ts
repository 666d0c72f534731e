import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ldap } from '../../connectors/ldap/connector.ts';
import { failure } from '../support/drop.ts';
import { as, cellsFrom, ldapContext, ldapSettings, pulledFrom, rowsOf, secretFile } from '../support/ldap/pull.ts';
import { person, type Slapd, slapdMissing, startSlapd } from '../support/ldap/slapd.ts';
import { requireServer } from '../support/requirements.ts';

const COUNT = 20_000;
const columns = ['cn', 'mail', 'sn', 'givenName'];

requireServer('ldap', slapdMissing)('a real OpenLDAP server', () => {
  let server: Slapd;
  let people: string;
  let staff: string;
  beforeAll(async () => {
    const below = (unit: string): string => `ou=${unit},dc=example,dc=edu`;
    const some = [
      person(1, below('staff')),
      person(2, below('staff'), { employeeType: ['Zoology', 'Art, modern', 'Botany'] }),
      person(3, below('staff'), { userAccountControl: '514', employeeType: [] }),
      person(4, below('staff'), { userAccountControl: '512', givenName: 'Zoë', 'jpegPhoto:': '/9j/4AA=' }),
    ];
    server = await startSlapd([...Array.from({ length: COUNT }, (_, n) => person(n)), ...some].join(''));
    people = `ou=people,${server.suffix}`;
    staff = `ou=staff,${server.suffix}`;
  }, 60_000);
  afterAll(() => server?.stop());

  const settings = (more: Record<string, unknown> = {}) =>
    ldapSettings({ url: server.ldaps, ca: server.ca, ...as(server.reader), base: staff, ...more });
  const pull = (more: Record<string, unknown> = {}, wanted: readonly string[] = columns) =>
    ldap.pull(settings(more), ldapContext(wanted));

  test('20,000 entries come over whole, with progress, and the same answer has the same content', async () => {
    const seen: string[] = [];
    const context = ldapContext([...columns, '@stableId'], { progress: (text) => seen.push(text) });
    const answer = await pulledFrom(settings({ base: people }), context);
    const rows = await rowsOf(answer);
    expect(rows).toHaveLength(COUNT);
    expect(new Set(rows.map((row) => row.cells![0])).size).toBe(COUNT);
    expect(new Set(rows.map((row) => row.cells![4])).size).toBe(COUNT);
    expect(rows[17]).toMatchObject({ origin: `cn=${rows[17]!.cells![0]},${people}` });
    expect(seen).toContain('12,000 entries read');
    const again = await pulledFrom(settings({ base: people }), ldapContext([...columns, '@stableId']));
    expect(again.content).toBe(answer.content);
    expect(answer.parts).toMatchObject([{ name: `${server.ldaps}/${people}??sub?(objectClass=person)`, lists: true }]);
  });

  describe('rows', () => {
    const cn = (n: number): string => `p00000${n}`;

    test('names of attributes have no case; a missing attribute is a blank cell; people of all kinds of letters', async () => {
      const more = { mayBeMissing: ['TelephoneNumber'] };
      const rows = await cellsFrom(settings(more), ldapContext(['CN', 'GIVENNAME', 'telephoneNumber']));
      expect(rows).toEqual([
        [cn(1), 'Given 1', ''],
        [cn(2), 'Given 2', ''],
        [cn(4), 'Zoë', ''],
      ]);
    });

    test('an attribute that the format wants and nobody has makes the answer incomplete', async () => {
      expect(await failure(pull({}, ['cn', 'pager']))).toMatchObject({
        kind: 'Incomplete',
        line: expect.stringContaining('not one has the attribute pager; spelled as the server spells it?'),
      });
    });

    test('several values are sorted into one cell, or give a row each', async () => {
      const one = await cellsFrom(settings({ filter: '(cn=p000002)' }), ldapContext(['cn', 'employeeType']));
      expect(one).toEqual([[cn(2), 'Art, modern\u001fBotany\u001fZoology']]);
      const each = await cellsFrom(
        settings({ each: 'employeetype', disabledAccounts: 'keep' }),
        ldapContext(['cn', 'employeeType']),
      );
      expect(each).toEqual([
        [cn(1), 'Course 1'],
        [cn(2), 'Art, modern'],
        [cn(2), 'Botany'],
        [cn(2), 'Zoology'],
        [cn(3), ''],
        [cn(4), 'Course 4'],
      ]);
    });

    test('disabled accounts are left out, or kept and told apart', async () => {
      const wanted = ['cn', '@disabled'];
      expect(await cellsFrom(settings(), ldapContext(wanted))).toEqual([
        [cn(1), ''],
        [cn(2), ''],
        [cn(4), 'false'],
      ]);
      const kept = await cellsFrom(settings({ disabledAccounts: 'keep' }), ldapContext(wanted));
      expect(kept).toContainEqual([cn(3), 'true']);
    });

    test('bytes that are no text are base64 where that is said, and break their row where it is not', async () => {
      const only = { filter: '(cn=p000004)' };
      expect(await cellsFrom(settings({ ...only, binary: ['jpegphoto'] }), ldapContext(['jpegPhoto']))).toEqual([
        ['/9j/4AA='],
      ]);
      const [row] = await rowsOf(await pulledFrom(settings(only), ldapContext(['cn', 'jpegPhoto'])));
      expect(row).toEqual({
        broken: 'a value of jpegphoto is no text in UTF-8; list it under binary',
        column: 2,
        origin: `cn=p000004,${staff}`,
      });
    });

    test('a renamed entry keeps its stable id, and its row says where it is now', async () => {
      const ids = async () => {
        const rows = await rowsOf(
          await pulledFrom(settings({ filter: '(sn=Family 1)' }), ldapContext(['@stableId', 'cn', '@dn'])),
        );
        return rows[0]!.cells!;
      };
      const [before] = await ids();
      server.modify(`dn: cn=p000001,${staff}\nchangetype: modrdn\nnewrdn: cn=renamed\ndeleteoldrdn: 1\n`);
      const after = await ids();
      server.modify(`dn: cn=renamed,${staff}\nchangetype: modrdn\nnewrdn: cn=p000001\ndeleteoldrdn: 1\n`);
      expect(before).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(after).toEqual([before, 'renamed', `cn=renamed,${staff}`]);
    });
  });

  describe('an answer that is not whole is no answer', () => {
    test.each([
      ['an account without rights', () => ({ ...as(server.blind), base: people }), 'found nobody; no rights to read?'],
      ['a filter that fits nobody', () => ({ filter: '(objectClass=organizationalPersson)' }), 'found nobody'],
      ['an empty unit', () => ({ base: `ou=empty,${server.suffix}` }), 'found nobody'],
      ['a base that is not there', () => ({ base: `ou=nobody,${server.suffix}` }), 'there is no such base'],
      [
        'one of two bases that is not there',
        () => ({ base: undefined, searches: [{ base: staff }, { base: `ou=gone,${server.suffix}` }] }),
        'below ou=gone,dc=example,dc=edu for (objectClass=person): there is no such base',
      ],
      [
        'one of two searches that finds nobody',
        () => ({ base: undefined, searches: [{ base: staff }, { base: staff, filter: '(cn=nobody)' }] }),
        'for (cn=nobody) found nobody',
      ],
      [
        'a size limit, with entries before it',
        () => ({ ...as(server.limited), base: people, pageSize: 200 }),
        'a part of the entries and ended at its size limit (code 4)',
      ],
    ])('%s', async (_name, more, says) => {
      expect(await failure(pull(more()))).toMatchObject({
        kind: 'Incomplete',
        line: expect.stringContaining(says),
      });
    });

    test('a base that is no DN is the configuration’s mistake', async () => {
      expect(await failure(pull({ base: 'people' }))).toMatchObject({ kind: 'Misconfigured' });
    });

    test('more entries than maxEntries are refused', async () => {
      expect(await failure(pull({ base: people, maxEntries: 1500 }))).toMatchObject({
        kind: 'Incomplete',
        line: 'more than 1500 entries; raise maxEntries if that is right',
      });
    });

    test('a search that may be empty is no doubt', async () => {
      const searches = [{ base: staff }, { base: `ou=empty,${server.suffix}`, allowEmpty: true }];
      expect(await cellsFrom(settings({ base: undefined, searches }), ldapContext(['cn']))).toHaveLength(3);
    });
  });

  test('an entry that two searches find counts once', async () => {
    const searches = [
      { base: staff, scope: 'one' },
      { base: server.suffix, filter: '(cn=p00000*)' },
    ];
    const rows = await rowsOf(await pulledFrom(settings({ base: undefined, searches }), ldapContext(['cn'])));
    const among = rows.map((row) => row.origin!);
    expect(new Set(among).size).toBe(among.length);
    // three of staff, and ten of the people
    expect(among).toHaveLength(13);
  });

  test('probe logs in, and says what would be read', async () => {
    const said = await ldap.probe(settings({ incremental: 'on' }), ldapContext(columns));
    expect(said).toEqual([
      `logged in to ${server.ldaps} as ${server.reader.dn}; it is OpenLDAP`,
      'naming contexts: dc=example,dc=edu',
      `would read all below ${staff} for (objectClass=person); attributes: userAccountControl, objectGUID, entryUUID, cn, mail, sn, givenName`,
      'between full pulls would read changes by modifyTimestamp',
    ]);
    expect(await failure(ldap.probe(settings({ base: 'ou=x,dc=example,dc=edu' }), ldapContext(columns)))).toMatchObject(
      {
        kind: 'Incomplete',
        line: expect.stringContaining('there is no ou=x,dc=example,dc=edu'),
      },
    );
  });

  describe('login and trust', () => {
    const startTls = () => ({ url: server.ldap, startTLS: true });

    test.each([
      ['LDAPS', () => ({})],
      ['LDAPS by name', () => ({ url: server.ldaps.replace('127.0.0.1', 'localhost') })],
      ['StartTLS', startTls],
      ['StartTLS by name', () => ({ ...startTls(), url: server.ldap.replace('127.0.0.1', 'localhost') })],
      ['plain LDAP on this machine', () => ({ url: server.ldap, ca: undefined })],
    ])('%s logs in', async (_name, more) => {
      expect(await ldap.probe(settings(more()), ldapContext(columns))).toHaveLength(3);
    });

    test.each([
      ['LDAPS, a certificate of a strange authority', () => ({ ca: server.strangeCa }), 'is not trusted'],
      ['LDAPS, no authority given', () => ({ ca: undefined }), 'is not trusted'],
      ['LDAPS, another name', () => ({ url: server.ldaps.replace('127.0.0.1', '127.0.0.2') }), 'another name'],
      ['StartTLS, a strange authority', () => ({ ...startTls(), ca: server.strangeCa }), 'is not trusted'],
      [
        'StartTLS, another name',
        () => ({ ...startTls(), url: server.ldap.replace('127.0.0.1', '127.0.0.2') }),
        'another name',
      ],
      ['a wrong password', () => ({ password: secretFile('wrong') }), 'does not let'],
      ['an unknown account', () => ({ bindDN: 'cn=who,dc=example,dc=edu' }), 'does not let'],
    ])('%s is denied', async (_name, more, says) => {
      const forwarded = JSON.stringify(more()).includes('127.0.0.2') ? await forward(server) : null;
      const written = { ...more() } as { url?: string };
      if (forwarded && written.url)
        written.url = written.url.replace(/:\d+$/, `:${forwarded[written.url.startsWith('ldaps') ? 'ldaps' : 'ldap']}`);
      const refused = await failure(pull(written));
      expect(refused).toMatchObject({ kind: 'Denied', line: expect.stringContaining(says) });
      expect(refused.line).not.toContain('secret');
    });

    test('an account that may not log in anonymously is not asked to: nobody is found, and that is no truth', async () => {
      expect(await failure(pull({ bindDN: undefined, password: undefined }))).toMatchObject({ kind: 'Incomplete' });
    });

    test('a file of certificates that is none is the configuration’s mistake', async () => {
      expect(await failure(pull({ ca: secretFile('nothing').file }))).toMatchObject({ kind: 'Misconfigured' });
      expect(await failure(pull({ ca: '/nowhere/ca.pem' }))).toMatchObject({ kind: 'Misconfigured' });
    });

    test('a port without TLS, or nobody at the address: later, perhaps', async () => {
      expect(await failure(pull({ url: server.ldap.replace('ldap:', 'ldaps:') }))).toMatchObject({
        kind: 'Unavailable',
        line: expect.stringContaining('not for TLS?'),
      });
      expect(await failure(pull({ url: 'ldaps://127.0.0.1:1' }))).toMatchObject({ kind: 'Unavailable' });
    });
  });

  test('an abort ends a pull in the middle', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const context = ldapContext(columns, {
      signal: stop.signal,
      progress(text) {
        seen.push(text);
        stop.abort(new Error('stopped'));
      },
    });
    await expect(ldap.pull(settings({ base: people }), context)).rejects.toThrow('stopped');
    expect(seen).toEqual(['1,000 entries read']);
  });
});

/** The server's ports at 127.0.0.2, an address that its certificate does not name. */
async function forward(server: Slapd): Promise<{ ldap: number; ldaps: number }> {
  const to = async (target: number): Promise<number> => {
    const proxy = createServer((socket) => {
      const other = connect(target, '127.0.0.1');
      socket.on('error', () => {}).on('close', () => other.destroy());
      other.on('error', () => {}).on('close', () => socket.destroy());
      socket.pipe(other).pipe(socket);
    }).listen(0, '127.0.0.2');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    return (proxy.address() as { port: number }).port;
  };
  return { ldap: await to(server.port), ldaps: await to(Number(server.ldaps.split(':').at(-1))) };
}
