import { describe, expect, it } from 'vitest';
import { Attributes, guidText } from '../../../../connectors/ldap/entry.ts';
import { readingOf } from '../../../../connectors/ldap/rows.ts';
import { settings } from '../../../../connectors/ldap/schema.ts';

const reading = (
  required: string[],
  more: Record<string, unknown> = {},
  optional: string[] = [],
  secret: string[] = [],
) =>
  readingOf(
    { required, optional, secret, exact: false },
    settings.parse({ url: 'ldaps://dc1', base: 'dc=x', ...more }),
  );

describe('what is asked for', () => {
  it('is what the format wants, once, and what entries are told apart by', () => {
    expect(reading(['cn', '@stableId', 'MAIL'], {}, ['mail', 'phone'])).toMatchObject({
      columns: ['cn', '@stableId', 'MAIL', 'mail', 'phone'],
      attributes: ['userAccountControl', 'objectGUID', 'entryUUID', 'cn', 'mail', 'phone'],
      expected: ['cn', 'mail'],
    });
  });

  it('is not userAccountControl when that changes nothing, and never a password', () => {
    expect(reading(['cn'], { disabledAccounts: 'keep' }, ['userPassword'], ['userPassword'])).toMatchObject({
      columns: ['cn'],
      attributes: ['objectGUID', 'entryUUID', 'cn'],
    });
    expect(reading(['cn'], { disabledAccounts: 'keep' }, ['unicodePwd', 'code'], ['Code']).columns).toEqual(['cn']);
    expect(reading(['@disabled'], { disabledAccounts: 'keep' }).attributes).toContain('userAccountControl');
  });

  it('is a mistake of the configuration when there can be no such attribute', () => {
    expect(() => reading(['First Name'])).toThrow('"First Name" is no name of an attribute');
    expect(() => reading(['@dname'])).toThrow('"@dname" is no name of an attribute');
    expect(() => reading(['cn'], { each: 'memberOf' })).toThrow('each: memberOf is read by no field of the map');
  });
});

describe('a row', () => {
  const entry = (attributes: Record<string, string[]>) => ({
    dn: 'cn=a,dc=x',
    attributes: new Attributes(Object.keys(attributes), Object.values(attributes)),
    ranged: false,
  });

  it('is known by the stable id, else by the DN', () => {
    const { rowsOf } = reading(['cn']);
    const entryuuid = ['6F4A0E0E-0000-4000-8000-000000000001'];
    expect(rowsOf(entry({ entryuuid }))).toMatchObject({ key: '6f4a0e0e-0000-4000-8000-000000000001', stable: true });
    expect(rowsOf(entry({ entryuuid: ['7'] }))).toMatchObject({ key: 'dn:cn=a,dc=x', stable: false });
    expect(rowsOf({ ...entry({}), dn: 'CN=A,DC=X' })).toMatchObject({ key: 'dn:cn=a,dc=x' });
  });

  it('breaks at a value that is no text, with the cell', () => {
    const { rowsOf } = reading(['cn', 'photo', 'objectGUID']);
    expect(rowsOf(entry({ cn: ['a'], photo: ['\xff\xd8'] })).rows).toEqual([
      { broken: 'a value of photo is no text in UTF-8; list it under binary', column: 2 },
    ]);
    expect(rowsOf(entry({ objectguid: ['short'] })).rows).toEqual([
      { broken: 'a value of objectguid is no GUID', column: 3 },
    ]);
    // bytes of one character each: ë in UTF-8
    expect(rowsOf(entry({ cn: ['Zo\xc3\xab'] })).rows).toEqual([['Zoë', '', '']]);
  });
});

it('a GUID is printed with its first three groups turned round', () => {
  const bytes = Buffer.from('00112233445566778899aabbccddeeff', 'hex').toString('latin1');
  expect(guidText(bytes)).toBe('33221100-5544-7766-8899-aabbccddeeff');
  expect(guidText('x')).toBeNull();
});
