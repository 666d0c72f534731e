import { BerWriter } from 'ldapts';
import { describe, expect, test, vi } from 'vitest';
import { ldap } from '../../connectors/ldap/connector.ts';
import { failure } from '../support/drop.ts';
import { cellsFrom, ldapContext, ldapSettings, pulledFrom, rowsOf, secretFile } from '../support/ldap/pull.ts';
import { type Asked, type Reply, rootEntry, type Stub, startStub } from '../support/ldap/stub.ts';

/** What no server should do, and some do: a stub says it, byte by byte. */

const base = 'ou=people,dc=example,dc=edu';
const settings = (stub: Stub, more: Record<string, unknown> = {}) => ldapSettings({ url: stub.url, base, ...more });
const pull = (stub: Stub, more: Record<string, unknown> = {}, columns = ['cn']) =>
  ldap.pull(settings(stub, more), ldapContext(columns));
const cells = (stub: Stub, more: Record<string, unknown> = {}, columns = ['cn']) =>
  cellsFrom(settings(stub, more), ldapContext(columns));

/** Some people, by number. */
function give(reply: Reply, from: number, to: number): Reply {
  for (let n = from; n < to; n++) reply.entry(`cn=p${n},${base}`, { cn: [`p${n}`] });
  return reply;
}
const names = (from: number, to: number): string[][] => Array.from({ length: to - from }, (_, n) => [`p${from + n}`]);

/** Answers a page by the cookie that it is asked for by. */
const byPage =
  (pages: Record<string, (reply: Reply) => void>) =>
  ({ page }: Asked, reply: Reply): void =>
    pages[page!.cookie]!(reply);

describe('pages', () => {
  test('an empty page with a cookie goes on', async () => {
    const stub = await startStub(
      byPage({
        '': (reply) => give(reply, 0, 2).end(0, 'a'),
        a: (reply) => reply.end(0, 'b'),
        b: (reply) => reply.end(0, 'c'),
        c: (reply) => give(reply, 2, 5).end(0, 'd'),
        d: (reply) => reply.end(0, ''),
      }),
    );
    expect(await cells(stub)).toEqual(names(0, 5));
  });

  test('an empty first page with a cookie goes on', async () => {
    const stub = await startStub(byPage({ '': (reply) => reply.end(0, 'a'), a: (reply) => give(reply, 0, 1).end(0) }));
    expect(await cells(stub)).toEqual(names(0, 1));
  });

  test('empty pages without an end are no answer', async () => {
    const stub = await startStub((_asked, reply) => reply.end(0, 'again'));
    expect(await failure(pull(stub))).toMatchObject({ kind: 'Incomplete', line: expect.stringContaining('no end') });
  });

  test('a page that does not say whether there are more is no answer', async () => {
    const stub = await startStub((_asked, reply) => give(reply, 0, 3).end(0, null));
    expect(await failure(pull(stub))).toMatchObject({
      kind: 'Incomplete',
      line: expect.stringContaining('does not say whether there are more'),
    });
  });

  test('a server that has no pages is not asked for any, however much it says', async () => {
    const stub = await startStub((_asked, reply) => give(reply, 0, 30_000).end(0, null), {
      ...rootEntry,
      supportedControl: ['1.2.3'],
    });
    expect(await cells(stub)).toEqual(names(0, 30_000));
    expect(stub.asked.find((one) => one.base === base)?.page).toBeNull();
  });

  test('the same page again and again is no answer', async () => {
    const stub = await startStub((_asked, reply) => give(reply, 0, 50).end(0, 'again'));
    expect(await failure(pull(stub, { maxEntries: 1000 }))).toMatchObject({
      kind: 'Incomplete',
      line: expect.stringContaining('more than 1000 entries'),
    });
  });

  test('an entry that comes again on a later page counts once', async () => {
    const stub = await startStub(
      byPage({ '': (reply) => give(reply, 0, 3).end(0, 'a'), a: (reply) => give(reply, 2, 4).end(0) }),
    );
    expect(await cells(stub)).toEqual(names(0, 4));
  });
});

describe('what ends early is no answer, and is never asked for again as nobody', () => {
  const third = (end: (reply: Reply) => void) =>
    byPage({
      '': (reply) => give(reply, 0, 2).end(0, 'a'),
      a: (reply) => give(reply, 2, 4).end(0, 'b'),
      b: (reply) => end(give(reply, 4, 5)),
    });

  test.each<[string, (reply: Reply) => void, string, string]>([
    ['a connection cut at page 3', (reply) => reply.drop(), 'Unavailable', 'was lost'],
    ['a connection reset at page 3', (reply) => reply.drop(true), 'Unavailable', 'was lost'],
    ['a time limit', (reply) => reply.end(3), 'Incomplete', 'time limit'],
    ['a size limit', (reply) => reply.end(4, ''), 'Incomplete', 'size limit'],
    ['a limit of the administrator', (reply) => reply.end(11), 'Incomplete', 'limit of its administrator'],
    ['a referral', (reply) => reply.end(10), 'Incomplete', 'on another server'],
    ['a busy server', (reply) => reply.end(51), 'Unavailable', 'cannot answer now'],
    ['a server that goes down', (reply) => reply.end(52), 'Unavailable', 'cannot answer now'],
    ['a server that will not', (reply) => reply.end(53), 'Incomplete', 'did not answer in full'],
    ['a code that nobody knows', (reply) => reply.end(4711, '', 'why\nnot'), 'Incomplete', 'code 4711, why not'],
    ['no rights any more', (reply) => reply.end(50), 'Denied', 'may not read'],
    ['bytes that are no LDAP', (reply) => reply.raw(Buffer.from('HTTP/1.1 400\r\n')), 'Unavailable', 'cannot be read'],
    [
      'an entry that is damaged',
      (reply) => reply.raw(Buffer.from('300c020104640704026162300131', 'hex')),
      'Unavailable',
      'cannot be read',
    ],
    [
      'a notice of disconnection',
      (reply) => reply.raw(Buffer.from('300c02010078070a01340400', 'hex')).raw(Buffer.from('0400', 'hex')),
      'Unavailable',
      'ended the connection (code 52',
    ],
  ])('%s', async (_name, end, kind, says) => {
    const stub = await startStub(third(end));
    expect(await failure(pull(stub, { timeout: '2s' }))).toMatchObject({ kind, line: expect.stringContaining(says) });
    const logins = { bindDN: 'cn=x', password: secretFile('s') };
    expect(await failure(pull(stub, { timeout: '2s', ...logins }))).toMatchObject({ kind });
    expect(stub.asked.filter((one) => one.kind === 'bind')).toHaveLength(1);
    await vi.waitUntil(() => stub.connections() === 0);
  });

  // longer than what is shown of it, which ends in the middle of the password
  const password = 'kanarie password 88';
  const quoting = `${'refused '.repeat(24)}${password} is the password that was given`;
  const notice = new BerWriter();
  notice.startSequence();
  notice.writeInt(0);
  notice.startSequence(0x78);
  notice.writeEnumeration(52);
  notice.writeString('');
  notice.writeString(quoting);
  notice.endSequence();
  notice.endSequence();

  test.each<[string, (reply: Reply) => void, (reply: Reply) => void]>([
    ['a login', () => {}, (reply) => reply.end(49, null, quoting)],
    ['a search', (reply) => reply.end(53, null, quoting), (reply) => reply.end(0, null)],
    ['a notice of disconnection', (reply) => reply.raw(notice.buffer), (reply) => reply.end(0, null)],
  ])('the password that %s quotes is not shown, and no part of it', async (_name, search, login) => {
    const stub = await startStub((_asked, reply) => search(reply), rootEntry, login);
    const { line } = await failure(pull(stub, { bindDN: 'cn=x', password: secretFile(password) }));
    expect(line).toContain('refused refused');
    expect(line).not.toContain(password.slice(0, 5));
  });

  test('a server that falls silent', async () => {
    const stub = await startStub(third(() => {}));
    expect(await failure(pull(stub, { timeout: '100ms' }))).toMatchObject({
      kind: 'Unavailable',
      line: expect.stringContaining('said nothing for 0.1 s'),
    });
  });

  test('a server that never gets to TLS, or to the login', async () => {
    const stub = await startStub(() => {});
    for (const more of [{ startTLS: true }, { url: stub.url.replace('ldap:', 'ldaps:') }])
      expect(await failure(pull(stub, { connectTimeout: '100ms', ...more }))).toMatchObject({
        kind: 'Unavailable',
        line: expect.stringContaining('did not let us in in time'),
      });
  });

  test('an abort while the server is silent', async () => {
    const stop = new AbortController();
    const stub = await startStub(() => stop.abort(new Error('stopped')));
    await expect(ldap.pull(settings(stub), ldapContext(['cn'], { signal: stop.signal }))).rejects.toThrow('stopped');
  });
});

describe('StartTLS', () => {
  test('a server that does not do it is not talked to in the clear', async () => {
    const stub = await startStub((_asked, reply) => reply.end(2, null));
    const logins = { bindDN: 'cn=x', password: secretFile('s') };
    expect(await failure(pull(stub, { startTLS: true, ...logins }))).toMatchObject({
      kind: 'Denied',
      line: expect.stringContaining('does not do StartTLS (code 2); use ldaps://'),
    });
    expect(stub.asked.map((one) => one.kind)).not.toContain('bind');
  });

  test('what is said between the agreement and TLS is not believed', async () => {
    const stub = await startStub((_asked, reply) => {
      reply.socket.cork();
      reply.end(0, null).raw(Buffer.from('30', 'hex'));
      reply.socket.uncork();
    });
    expect(await failure(pull(stub, { startTLS: true }))).toMatchObject({
      kind: 'Denied',
      line: expect.stringContaining('between StartTLS and TLS'),
    });
  });
});

describe('large attributes come in parts', () => {
  const members = Array.from({ length: 3500 }, (_, n) => `m${String(n).padStart(4, '0')}`);
  const part = (reply: Reply, from: number, to: number | '*'): Reply =>
    reply.entry(base, {
      cn: ['g'],
      member: [],
      [`member;range=${from}-${to === '*' ? '*' : to - 1}`]: members.slice(from, to === '*' ? undefined : to),
    });
  const rangeOf = (asked: Asked): number | null => {
    const range = asked.attributes.find((name) => name.startsWith('member;range='));
    return range === undefined ? null : Number(/=(\d+)-/.exec(range)![1]);
  };
  const group = { each: 'member' };

  test('and are fetched on to the end', async () => {
    const stub = await startStub((asked, reply) => {
      const from = rangeOf(asked) ?? 0;
      part(reply, from, from + 1500 < members.length ? from + 1500 : '*').end();
    });
    const rows = await cells(stub, group, ['cn', 'member']);
    expect(rows).toEqual(members.map((one) => ['g', one]));
    expect(stub.asked.map(rangeOf).filter((from) => from !== null)).toEqual([1500, 3000]);
  });

  test.each<[string, (from: number, reply: Reply) => void]>([
    ['a part that is missing', (_from, reply) => reply.end()],
    ['an entry without the part', (_from, reply) => reply.entry(base, { cn: ['g'] }).end()],
    ['a part that begins elsewhere', (_from, reply) => part(reply, 1600, '*').end()],
    ['a part without values', (_from, reply) => reply.entry(base, { 'member;range=1500-*': [] }).end()],
    ['a refusal', (_from, reply) => reply.end(50)],
    ['an entry that is gone', (_from, reply) => reply.end(32)],
    ['an odd range', (_from, reply) => reply.entry(base, { 'member;range=1500-x': ['m'] }).end()],
  ])('%s makes the answer incomplete', async (_name, answer) => {
    const stub = await startStub((asked, reply) => {
      const from = rangeOf(asked);
      if (from === null) part(reply, 0, 1500).end();
      else answer(from, reply);
    });
    expect(await failure(pull(stub, group, ['cn', 'member']))).toMatchObject({
      kind: 'Incomplete',
      line: expect.stringContaining('gave a part of member and not the rest'),
    });
  });
});

describe('entries', () => {
  test('a GUID that is text as well is still a GUID', async () => {
    const guid = Buffer.from('ABCDEFGHIJKLMNOP');
    const stub = await startStub((_asked, reply) =>
      reply.entry(`cn=a,${base}`, { cn: ['a'], objectGUID: [guid] }).end(),
    );
    expect(await cells(stub, {}, ['@stableId', 'objectGUID'])).toEqual([
      ['44434241-4645-4847-494a-4b4c4d4e4f50', '44434241-4645-4847-494a-4b4c4d4e4f50'],
    ]);
  });

  test('an account of which nobody can tell whether it is disabled is kept', async () => {
    const stub = await startStub((_asked, reply) => {
      for (const [n, control] of [[], ['514'], ['512'], ['what']].entries())
        reply.entry(`cn=p${n},${base}`, { cn: [`p${n}`], userAccountControl: control });
      reply.end();
    });
    expect(await cells(stub, {}, ['cn', '@disabled'])).toEqual([
      ['p0', ''],
      ['p2', 'false'],
      ['p3', ''],
    ]);
  });

  test('options of an attribute make another one of it; names are told apart without case', async () => {
    const stub = await startStub((_asked, reply) =>
      reply.entry(`cn=a,${base}`, { CN: ['a'], 'cn;lang-de': ['ä'], 'userCertificate;binary': ['\xff'] }).end(),
    );
    expect(await cells(stub, { binary: ['userCertificate'] }, ['cn', 'userCertificate'])).toEqual([['a', 'w78=']]);
  });

  test('a value with the separator of values in it is marked, so that its row is quarantined', async () => {
    const stub = await startStub((_asked, reply) => reply.entry(`cn=a,${base}`, { cn: ['a\u001fb'] }).end());
    expect(await cells(stub)).toEqual([['a\ufffdb']]);
  });

  test('a very large entry, cut anywhere on its way', async () => {
    const photo = Buffer.alloc(3_000_000, 0xe9);
    const stub = await startStub((_asked, reply) => reply.entry(`cn=a,${base}`, { cn: ['a'], photo: [photo] }).end());
    const [row] = await rowsOf(await pulledFrom(settings(stub, { binary: ['photo'] }), ldapContext(['cn', 'photo'])));
    expect(Buffer.from(row!.cells![1]!, 'base64').equals(photo)).toBe(true);
  });
});

describe('referrals', () => {
  const referring = (...urls: string[]) =>
    startStub(
      (_asked, reply) =>
        give(reply, 0, 2)
          .reference(...urls)
          .end(),
      {
        ...rootEntry,
        supportedCapabilities: ['1.2.840.113556.1.4.800'],
      },
    );

  test('to parts of Active Directory without people are no doubt', async () => {
    const stub = await referring(
      'ldap://x.edu/DC=ForestDnsZones,DC=x,DC=edu',
      'ldap://x.edu/CN=Configuration,DC=x,DC=edu',
    );
    expect(await cells(stub)).toEqual(names(0, 2));
  });

  test('to a child domain mean that the answer is not whole, unless that is said', async () => {
    const stub = await referring('ldap://child.x.edu/DC=child,DC=x,DC=edu');
    expect(await failure(pull(stub))).toMatchObject({
      kind: 'Incomplete',
      line: expect.stringContaining('a part of it lies elsewhere (ldap://child.x.edu/DC=child,DC=x,DC=edu)'),
    });
    expect(await cells(stub, { referrals: 'ignore' })).toEqual(names(0, 2));
  });
});
