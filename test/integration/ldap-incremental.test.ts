import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KeptSource } from '../support/ldap/kept.ts';
import { as, ldapSettings } from '../support/ldap/pull.ts';
import { person, type Slapd, slapdMissing, startSlapd } from '../support/ldap/slapd.ts';
import { rootEntry, startStub } from '../support/ldap/stub.ts';
import { requireServer } from '../support/requirements.ts';

const DAY = 86_400_000;
const noKept = 'nothing is kept of the last answer';

describe.each([
  ['that says how far it is', true],
  ['that does not', false],
])('incremental pulls from a real OpenLDAP server %s', (_name, syncprov) => {
  requireServer('ldap', slapdMissing)('between full ones', () => {
    let server: Slapd;
    let staff: string;
    beforeAll(async () => {
      server = await startSlapd('', { syncprov });
      staff = `ou=staff,${server.suffix}`;
    }, 60_000);
    afterAll(() => server?.stop());
    beforeEach(() => {
      server.modify(Array.from({ length: 5 }, (_, n) => added(n)).join(''));
      return () => server.empty(staff);
    });
    const added = (n: number, more = {}): string => person(n, staff, more).replace('\n', '\nchangetype: add\n');
    const changed = (n: number, attribute: string, ...values: string[]): string =>
      `dn: cn=p00000${n},${staff}\nchangetype: modify\nreplace: ${attribute}\n${values.map((one) => `${attribute}: ${one}\n`).join('')}\n`;
    const settings = (more: Record<string, unknown> = {}) =>
      ldapSettings({ url: server.ldap, ...as(server.reader), base: staff, incremental: 'on', ...more });

    test('nothing new is the same answer, and only changes are asked for', async () => {
      const source = new KeptSource(['cn', 'mail']);
      const first = await source.pull(settings());
      expect(first).toMatchObject({ full: noKept, rows: { length: 5 } });
      const second = await source.pull(settings());
      expect(second).toMatchObject({ full: null, content: first.content });
      expect(source.files()).toEqual([`${first.content}.rows`]);
    });

    test('what changed is merged, nobody goes before the next full pull', async () => {
      const source = new KeptSource(['cn', 'sn']);
      await source.pull(settings());
      server.modify(
        [
          changed(1, 'sn', 'Changed'),
          added(7),
          `dn: cn=p000002,${staff}\nchangetype: delete\n\n`,
          `dn: cn=p000003,${staff}\nchangetype: modrdn\nnewrdn: cn=renamed\ndeleteoldrdn: 1\n\n`,
          changed(4, 'userAccountControl', '514'),
        ].join(''),
      );
      const cells = [
        ['p000000', 'Family 0'],
        ['p000001', 'Changed'],
        ['p000002', 'Family 2'],
        ['p000004', 'Family 4'],
        ['p000007', 'Family 7'],
        ['renamed', 'Family 3'],
      ];
      expect(await source.cells(settings())).toEqual({ full: null, cells });
      expect(await source.cells(settings())).toEqual({ full: null, cells });
      source.aheadMs = DAY;
      expect(await source.cells(settings())).toEqual({
        full: 'everything was read long ago',
        cells: cells.filter(([cn]) => cn !== 'p000002' && cn !== 'p000004'),
      });
      source.aheadMs = DAY - 600_000;
      // the clock was set back
      expect((await source.pull(settings())).full).toBe('everything was read long ago');
    });

    test('all rows of an entry are replaced together', async () => {
      const source = new KeptSource(['cn', 'employeeType']);
      const each = settings({ each: 'employeeType', filter: '(|(cn=p000001)(cn=p000002))' });
      server.modify(changed(1, 'employeeType', 'Art', 'Botany'));
      await source.pull(each);
      server.modify(changed(1, 'employeeType', 'Botany', 'Chess', 'Dance'));
      expect(await source.cells(each)).toEqual({
        full: null,
        cells: [
          ['p000001', 'Botany'],
          ['p000001', 'Chess'],
          ['p000001', 'Dance'],
          ['p000002', 'Course 2'],
        ],
      });
    });

    test('what is kept counts only for the snapshot that it is of, and for the same question', async () => {
      const source = new KeptSource(['cn']);
      await source.pull(settings());
      expect((await source.pull(settings({ filter: '(objectClass=inetOrgPerson)' }))).full).toBe(
        'other things are read than last time',
      );
      source.lastContent = 'f'.repeat(64);
      expect((await source.pull(settings())).full).toBe(noKept);
      const { content } = await source.pull(settings());
      const file = join(source.keepDir, `${content}.rows`);
      const whole = readFileSync(file);
      const damaged = Buffer.from(whole);
      damaged[10]! ^= 1;
      const lineless = Buffer.concat([whole.subarray(0, whole.indexOf('\n') + 1), whole.subarray(-4096)]);
      for (const bytes of [
        Buffer.from('{"version":1,'),
        damaged,
        lineless,
        whole.subarray(0, -1),
        Buffer.alloc(9000),
      ]) {
        writeFileSync(file, bytes);
        const again = await source.pull(settings());
        expect([again.full, again.rows.length]).toEqual([noKept, 5]);
      }
      expect((await source.pull(settings())).full).toBeNull();
    });

    test('turned off, nothing is kept of anybody', async () => {
      const source = new KeptSource(['cn']);
      await source.pull(settings());
      expect(source.files()).toHaveLength(1);
      await source.pull(settings({ incremental: 'off' }));
      expect(source.files()).toEqual([]);
    });

    test('an answer that was not accepted leaves what is kept as it was', async () => {
      const source = new KeptSource(['cn', 'sn']);
      const { content } = await source.pull(settings());
      server.modify(changed(1, 'sn', 'Changed'));
      const refused = await source.pull(settings(), false);
      expect(refused.content).not.toBe(content);
      expect(source.files()).toEqual([`${content}.rows`]);
      expect((await source.cells(settings())).cells).toContainEqual(['p000001', 'Changed']);
    });
  });
});

describe('when changes cannot be trusted, everything is read', () => {
  const base = 'dc=example,dc=edu';
  const settings = (url: string) => ldapSettings({ url, base, incremental: 'on' });
  const entryUUID = ['6f4a0e0e-0000-4000-8000-000000000001'];

  test.each([
    ['a server of a kind that is not known', {}, {}, 'neither Active Directory nor OpenLDAP'],
    [
      'several servers that are written to',
      { objectClass: ['OpenLDAProotDSE'] },
      {
        contextCSN: ['20260115021500.000000Z#000000#001#000000', '20260115021500.000000Z#000000#002#000000'],
      },
      'several servers write here, and their changes come in late',
    ],
    [
      'a server that says it in another way',
      { objectClass: ['OpenLDAProotDSE'] },
      { contextCSN: ['7'] },
      'in another way',
    ],
    [
      'a domain controller whose id may not be read',
      {
        supportedCapabilities: ['1.2.840.113556.1.4.800'],
        dnsHostName: ['dc1'],
        dsServiceName: ['cn=x'],
        highestCommittedUSN: ['7'],
      },
      {},
      'may not read the invocationId',
    ],
  ])('%s', async (_name, root, entry, says) => {
    const attributes = { cn: ['a'], entryUUID, modifyTimestamp: ['20260115021500Z'], ...entry };
    const stub = await startStub(({ page }, reply) => reply.entry(base, attributes).end(0, page ? '' : null), {
      ...rootEntry,
      ...root,
    });
    const source = new KeptSource(['cn']);
    await source.pull(settings(stub.url));
    expect((await source.pull(settings(stub.url))).full).toContain(says);
    expect(source.files()).toEqual([]);
  });

  test.each([
    ['another domain controller', { dnsHostName: ['dc2'] }, 'id-1', 'another server answers'],
    ['a domain controller that was put back from a copy', {}, 'id-2', 'was put back from a copy'],
    ['a domain controller that has gone back', { highestCommittedUSN: ['12'] }, 'id-1', 'has gone back in time'],
    ['the same one', { highestCommittedUSN: ['20000000000000000001'] }, 'id-1', null],
  ])('%s', async (_name, later, idLater, says) => {
    const root: Record<string, string[]> = {
      ...rootEntry,
      supportedCapabilities: ['1.2.840.113556.1.4.800'],
      dnsHostName: ['dc1'],
      dsServiceName: ['cn=settings'],
      highestCommittedUSN: ['20000000000000000000'],
    };
    let id = 'id-1';
    const stub = await startStub((asked, reply) => {
      if (asked.base === 'cn=settings') reply.entry('cn=settings', { invocationId: [id] }).end(0, null);
      else reply.entry(base, { cn: ['a'], entryUUID }).end();
    }, root);
    const source = new KeptSource(['cn']);
    await source.pull(settings(stub.url));
    expect((await source.pull(settings(stub.url))).full).toBeNull();
    Object.assign(root, later);
    id = idLater;
    const { full } = await source.pull(settings(stub.url));
    if (says === null) expect(full).toBeNull();
    else expect(full).toContain(says);
  });

  test('a change that has no id which stays', async () => {
    const root = { ...rootEntry, objectClass: ['OpenLDAProotDSE'] };
    let ids = entryUUID;
    const stub = await startStub((asked, reply) => {
      if (!asked.page) reply.entry(base, { contextCSN: ['20260115021500.000000Z#000000#001#000000'] }).end(0, null);
      else reply.entry(base, { cn: ['a'], entryUUID: ids }).end();
    }, root);
    const source = new KeptSource(['cn']);
    await source.pull(settings(stub.url));
    ids = [];
    expect((await source.pull(settings(stub.url))).full).toContain('entries have no id that stays');
  });
});
