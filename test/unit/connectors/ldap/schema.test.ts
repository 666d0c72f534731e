import { describe, expect, it } from 'vitest';
import { settings } from '../../../../connectors/ldap/schema.ts';

const password = { env: 'DIRECTORY' };
const whole = { url: 'ldaps://dc1.example.edu', bindDN: 'cn=x', password, base: 'dc=example,dc=edu' };
const problems = (written: Record<string, unknown>): string[] => {
  const result = settings.safeParse({ ...whole, ...written });
  return result.success ? [] : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
};

describe('settings of a directory', () => {
  it('have ports, a search and times when little is written', () => {
    expect(settings.parse(whole)).toMatchObject({
      url: { url: 'ldaps://dc1.example.edu:636', tls: true, host: 'dc1.example.edu', port: 636 },
      searches: [{ base: 'dc=example,dc=edu', filter: null, scope: 'sub', allowEmpty: false }],
      connectTimeout: 20_000,
      timeout: 60_000,
      full: 86_400_000,
      disabledAccounts: 'leave-out',
      referrals: 'refuse',
      incremental: 'off',
    });
    expect(settings.parse({ ...whole, url: 'ldap://[::1]:1389', startTLS: true }).url).toEqual({
      url: 'ldap://[::1]:1389',
      tls: false,
      host: '::1',
      port: 1389,
    });
  });

  it('take several searches, each with keys of its own', () => {
    const searches = [{ base: 'ou=a' }, { base: 'ou=b', filter: '(cn=*)', scope: 'one', allowEmpty: true }];
    expect(settings.parse({ ...whole, base: undefined, searches }).searches).toEqual([
      { base: 'ou=a', filter: null, scope: 'sub', allowEmpty: false },
      { base: 'ou=b', filter: '(cn=*)', scope: 'one', allowEmpty: true },
    ]);
    expect(problems({ searches })).toEqual(['base: belongs into each of the searches']);
    expect(problems({ base: undefined })).toEqual(['base: is missing (or searches, for several)']);
  });

  it.each(['ldap://dc1.example.edu', 'ldap://10.0.0.1', 'ldap://127.example.edu', 'ldap://[fe80::1]'])(
    'do not let anything go over the wire in the clear: %s',
    (url) => {
      expect(problems({ url })).toEqual([expect.stringContaining('url: everybody on the way could read and change')]);
      expect(problems({ url, bindDN: undefined, password: undefined })).toHaveLength(1);
      expect(problems({ url, startTLS: true })).toEqual([]);
      expect(problems({ url, insecure: true })).toEqual([]);
    },
  );

  it.each(['ldap://localhost', 'ldap://127.0.0.1:1389', 'ldap://[::1]'])('trust this machine: %s', (url) => {
    expect(problems({ url })).toEqual([]);
  });

  it.each([
    ['https://dc1', {}, 'url: is ldaps://host'],
    ['ldaps://user:pw@dc1', {}, 'url: no name and no password in an address'],
    ['ldaps://dc1/dc=example', {}, 'url: is ldaps://host'],
    ['ldaps://dc1:0', {}, 'url: 0 is not a port'],
    [whole.url, { startTLS: true }, 'startTLS: belongs to ldap://'],
    [whole.url, { insecure: true }, 'insecure: contradicts'],
    ['ldap://localhost', { ca: 'x' }, 'ca: belongs to ldaps://'],
    [whole.url, { password: undefined }, 'password: is missing'],
    [whole.url, { bindDN: undefined }, 'bindDN: is missing'],
    [whole.url, { password: 'secret' }, 'password: a secret is named'],
    [whole.url, { filter: 'cn=x' }, 'filter: a filter stands in brackets'],
    [whole.url, { filter: '(&(cn=x)' }, 'filter: is no filter'],
    [whole.url, { filter: '(cn=x)(cn=y)' }, 'filter: is no filter'],
    [whole.url, { scope: 'deep' }, 'scope: '],
    [whole.url, { each: 'no name' }, 'each: is the name of an attribute'],
    [whole.url, { timeout: '0s' }, 'timeout: '],
    [whole.url, { pageSize: 0 }, 'pageSize: '],
  ])('%s %o is refused', (url, more, says) => {
    expect(problems({ url, ...more })).toEqual([expect.stringContaining(says)]);
  });
});
