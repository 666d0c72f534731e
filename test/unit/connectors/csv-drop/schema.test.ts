import { expect, test } from 'vitest';
import { settings } from '../../../../connectors/csv-drop/schema.ts';

const local = { from: 'file:///var/drops', files: 'students-*.csv' };
const key = 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU';
const remote = { ...local, from: 'sftp://sync@sftp.example.edu/drops', hostKey: key, password: { env: 'PW' } };

/** `key: message` of every issue; empty when the settings are right. */
function issues(written: unknown): string[] {
  const result = settings.safeParse(written);
  return result.success ? [] : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}
const placeOf = (from: string) => settings.parse({ ...(from.startsWith('sftp') ? remote : local), from }).from;

test('defaults are the careful ones', () => {
  expect(settings.parse(local)).toEqual({
    from: { kind: 'file', path: '/var/drops' },
    files: 'students-*.csv',
    pick: 'newest',
    settle: 10_000,
    maxFileSize: 2 * 1024 ** 3,
    maxRows: 5_000_000,
    maxRowBytes: 64 * 1024,
    delimiter: ',',
    encoding: 'utf-8',
    finalNewline: 'required',
    connectTimeout: 20_000,
    timeout: 60_000,
    contents: 'table',
  });
});

test('folders are given as addresses', () => {
  expect(placeOf('file:///var/my%20drops')).toEqual({ kind: 'file', path: '/var/my drops' });
  expect(placeOf('file://./var/drops')).toEqual({ kind: 'file', path: './var/drops' });
  const home = { kind: 'sftp', username: 'sync', host: 'sftp.example.edu', port: 22, path: '/' };
  expect(placeOf('sftp://sync@sftp.example.edu')).toEqual(home);
  expect(placeOf('sftp://a%40b@[::1]:2222/x%2Dy')).toEqual({
    kind: 'sftp',
    username: 'a@b',
    host: '::1',
    port: 2222,
    path: '/x-y',
  });
});

test.each([
  ['/var/drops', /neither file:/],
  ['file://var/drops', /neither file:/],
  ['ftp://sync@host/drops', /neither file:/],
  ['file:///50%', /hexadecimal digits/],
  ['sftp://host/drops', /who logs in/],
  ['sftp://@host/drops', /who logs in/],
  ['sftp://sync@host:99999/drops', /99999 is not a port/],
])('%s is refused', (from, message) => {
  expect(issues({ ...remote, from })[0]).toMatch(message);
});

test('a password in an address is refused without being repeated', () => {
  const [issue] = issues({ ...remote, from: 'sftp://sync:hunter2@host/drops' });
  expect(issue).toMatch(/no password in an address/);
  expect(issue).not.toMatch(/hunter2/);
});

test('sftp needs a way to know the server and a way to log in; a local folder needs neither', () => {
  expect(issues({ ...remote, hostKey: undefined })[0]).toMatch(/^hostKey: .*ssh-keyscan/);
  expect(issues({ ...remote, hostKey: undefined, knownHosts: '/etc/ssh/ssh_known_hosts' })).toEqual([]);
  expect(issues({ ...remote, password: undefined })[0]).toMatch(/^password: /);
  expect(issues({ ...remote, passphrase: { env: 'X' } })[0]).toMatch(/^passphrase: /);
  expect(issues({ ...local, hostKey: key, password: { env: 'X' } }).map((issue) => issue.split(':')[0])).toEqual([
    'hostKey',
    'password',
  ]);
});

test('host keys are fingerprints', () => {
  expect(settings.parse({ ...remote, hostKey: `${key}=` }).hostKey).toEqual([key]);
  expect(settings.parse({ ...remote, hostKey: [key, key] }).hostKey).toEqual([key, key]);
  expect(issues({ ...remote, hostKey: 'MD5:aa:bb' })[0]).toMatch(/^hostKey/);
});

test('a tab is a tab in either kind of YAML quotes', () => {
  for (const delimiter of ['\t', '\\t']) expect(settings.parse({ ...local, delimiter }).delimiter).toBe('\t');
});

test('nonsense is refused where it stands', () => {
  expect(issues({ ...local, file: 'x' })[0]).toMatch(/file/);
  expect(issues({ ...local, files: 'x/*.csv' })[0]).toMatch(/^files: /);
  expect(issues({ ...local, archive: './' })[0]).toMatch(/^archive: /);
  expect(issues({ ...local, delimiter: '::' })[0]).toMatch(/^delimiter: /);
  expect(issues({ ...local, maxRowBytes: '1B' })[0]).toMatch(/^maxRowBytes: /);
  expect(issues({ ...local, settle: '10' })[0]).toMatch(/^settle: /);
  expect(issues({ ...remote, password: 'hunter2' })[0]).toMatch(/^password: a secret is named/);
});
