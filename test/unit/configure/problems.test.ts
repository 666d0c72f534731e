import { describe, expect, it } from 'vitest';
import { least, linesOf, load, problemsOf } from './sample.ts';

/** The lines of `least` with more lines after it (so from line 8), of the source when they are indented by four. */
const appended = (more: string): string[] => linesOf(`${least}${more}`);
const storeOf = (written: string): unknown => load(`${least}store: ${written}\n`).store;
const source = (body: string): string[] =>
  linesOf(`version: 1\ninstitution: x\nsources:\n  sis:\n${body.replace(/^/gm, '    ')}\n`);

describe('problems', () => {
  it('come all at once, in the order of the lines', () => {
    expect(
      linesOf(`version: 1
institution:
roster: { newCourses: reprot }
targets:
  lms:
    kind: wire
    url: nowhere
    account: "1"
sources:
  sis:
    kind: drop
    format: unitu
    settel: 10s
    retries: ten
`),
    ).toEqual([
      expect.stringMatching(/^2:1: institution: expected text, got nothing/),
      '3:23: roster.newCourses: expected report or provision, got "reprot"; did you mean report?',
      expect.stringMatching(/^5:3: targets\.lms\.token: required, and missing; a secret is named, never written here/),
      '7:10: targets.lms.url: expected a URL',
      '8:14: targets.lms.account: expected a number, got "1"',
      '10:3: sources.sis.from: required, and missing',
      '13:5: sources.sis.settel: unknown key; did you mean settle?',
      '14:14: sources.sis.retries: expected a number, got "ten"',
    ]);
  });

  it('carry line, column, path, message and remedy', () => {
    expect(problemsOf(`${least}statedir: x\n`)).toEqual([
      { line: 8, column: 1, path: 'statedir', message: 'unknown key', remedy: 'did you mean stateDir?' },
    ]);
  });

  it('point at the anchored text behind an alias or a merge key', () => {
    const text = `version: 1
institution: x
sources:
  a: &a
    kind: drop
    from: /a
    retries: many
    format: unitu
  b:
    <<: *a
    from: /b
`;
    expect(linesOf(text)).toEqual([
      '7:14: sources.a.retries: expected a number, got "many"',
      '7:14: sources.b.retries: expected a number, got "many"',
    ]);
  });
});

describe('an unknown key', () => {
  it.each([
    ['from: /x\nformat: unitu\nenabeld: true', 'sources.sis.enabeld: unknown key; did you mean enabled?'],
    ['from: /x\nformat: unitu\ndry_run: true', 'sources.sis.dry_run: unknown key; did you mean dryRun?'],
    ['from: /x\nformat: unitu\nfile: a.csv', 'sources.sis.file: unknown key; did you mean files?'],
    [
      'from: /x\nformat: unitu\narchive: { foldr: a, folder: b }',
      'sources.sis.archive.foldr: unknown key; did you mean folder?',
    ],
    [
      'from: /x\nformat: unitu\nguards: { removals: { window: { day: 1 } } }',
      'sources.sis.guards.removals.window.day: unknown key; did you mean days?',
    ],
    [
      'from: /x\nformat: unitu\narchive: { folder: b, whatever: 1 }',
      'sources.sis.archive.whatever: unknown key; the nearest key is folder; known here: folder, keep',
    ],
  ])('%s', (body, expected) => {
    const found = source(`kind: drop\n${body}`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('is found at the top and in a target, too', () => {
    expect(appended('store: { kind: embedded, path: x }\n')).toEqual([
      expect.stringContaining('8:26: store.path: unknown key'),
    ]);
    expect(
      appended('targets: { a: { kind: wire, url: "https://x.y", account: 1, token: { env: A }, enable: no } }\n'),
    ).toEqual(['8:80: targets.a.enable: unknown key; did you mean enabled?']);
  });
});

describe('kinds and names', () => {
  it.each([
    ['kind: dorp\nformat: unitu', 'sources.sis.kind: unknown kind "dorp"; did you mean drop? known kinds: drop'],
    ['kind: oracle\nformat: unitu', 'sources.sis.kind: unknown kind "oracle"; known kinds: drop'],
    ['kind: wire\nformat: unitu', 'sources.sis.kind: wire is a kind of target, not of source; known kinds: drop'],
    ['format: unitu', 'sources.sis.kind: required, and missing; known kinds: drop'],
    ['kind: 3\nformat: unitu', 'sources.sis.kind: expected the kind of the source as text; known kinds: drop'],
  ])('%j', (body, expected) => {
    const found = source(body);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('an entry is a map', () => {
    expect(appended('  other:\n')).toEqual(['8:3: sources.other: expected a map of keys; it begins with a kind']);
  });

  it.each(['SIS', 'sis_x', '-sis', 'a b', 'é'])('the name %j is refused at its key', (name) => {
    expect(appended(`  "${name}": { kind: drop, from: /x, format: unitu }\n`)).toEqual([
      expect.stringContaining(`8:3: sources.${name}: the name of a source has small letters`),
    ]);
  });

  it('there is at least one source', () => {
    expect(linesOf('version: 1\ninstitution: x\nsources: {}\n')).toEqual([
      '3:1: sources: at least one source is needed',
    ]);
  });
});

describe('the role of a source', () => {
  const directory = (map: string): string[] => source(`kind: drop\nfrom: /x\nrole: directory\nmap: ${map}`);

  it('a directory needs no names and no courses, and something to join people by', () => {
    for (const map of ['{ id: cn, attributes: { phone: telephoneNumber } }', '{ email: mail }'])
      expect(() => directory(map)).toThrow('the configuration was taken');
    expect(directory('{ attributes: { phone: telephoneNumber } }')).toEqual([
      '8:5: sources.sis.map: a directory joins people by id or email; map one of them',
    ]);
  });

  it('whoever says who exists names them', () => {
    expect(source('kind: drop\nfrom: /x\nmap: { id: cn, email: mail, department: ou }')).toEqual([
      '7:5: sources.sis.map.faculty: required, and missing',
      '7:5: sources.sis.map.course: required, and missing',
      '7:5: sources.sis.map.firstName: required, and missing',
      '7:5: sources.sis.map.lastName: required, and missing',
    ]);
  });
});

describe('the store', () => {
  const problems: [written: string, ...told: string[]][] = [
    ['{ kind: mongo }', '8:16: store.kind: expected embedded or mongodb, got "mongo"; did you mean mongodb?'],
    [
      '{ kind: mongodb }',
      '8:1: store.uri: required, and missing; a connection string, or { env: NAME } or { file: /path } that holds one',
    ],
    [
      '{ kind: mongodb, uri: 7 }',
      '8:30: store.uri: a connection string, or { env: NAME } or { file: /path } that holds one',
    ],
    [
      '{ kind: mongodb, uri: "http://h" }',
      '8:30: store.uri: a connection string: mongodb://HOST:PORT or mongodb+srv://HOST',
    ],
    [
      '{ kind: mongodb, uri: "mongodb://u:p@h" }',
      '8:30: store.uri: a password is never written here: uri: { env: NAME } or { file: /path }, or password beside it',
    ],
    ['{ kind: mongodb, uri: "mongodb://h", databse: d }', '8:45: store.databse: unknown key; did you mean database?'],
    [
      '{ kind: mongodb, uri: "mongodb://h", database: "a b" }',
      '8:55: store.database: the name of a database: 1 to 63 characters, none of / \\ . " $ * < > : | ?',
    ],
    [
      '{ kind: mongodb, uri: "mongodb://h", password: { env: P } }',
      '8:55: store.password: a password needs a username beside it',
    ],
    [
      '{ kind: mongodb, uri: "mongodb://h", username: u, password: p }',
      '8:68: store.password: a secret is named, never written here: { env: NAME } or { file: /path }',
    ],
    ['{ kind: mongodb, uri: "mongodb://h", lease: 10ms }', '8:52: store.lease: 1s to 10m'],
    [
      '{ kind: mongodb, uri: "mongodb://h", authMechanism: MONGODB-X509 }',
      '8:60: store.authMechanism: MONGODB-X509 needs tls.certificateKey',
    ],
  ];
  it.each(problems)('%s', (written, ...told) => {
    expect(appended(`store: ${written}\n`)).toEqual(told);
  });
});

describe('the store of a configuration', () => {
  it('has every setting in the units of the code, and defaults', () => {
    const plain = { username: null, password: null, authSource: null, authMechanism: null, tls: null };
    const common = { kind: 'mongodb', database: 'rosterd', leaseMs: 15_000, timeoutMs: 30_000 };
    expect(storeOf('{ kind: mongodb, uri: "mongodb://a:1,b:2/?replicaSet=r" }')).toEqual({
      ...{ ...common, ...plain, uri: 'mongodb://a:1,b:2/?replicaSet=r' },
    });
    const { uri, password, ...rest } = storeOf(
      '{ kind: mongodb, uri: { env: U }, database: d, username: u, password: { file: /p }, authSource: s, ' +
        'authMechanism: SCRAM-SHA-256, tls: { ca: /ca.pem, certificateKey: /me.pem }, lease: 1m, timeout: 5s }',
    ) as Record<string, unknown>;
    expect([String(uri), String(password)]).toEqual(['{ env: U }', '{ file: /p }']);
    expect(rest).toEqual({
      ...{ kind: 'mongodb', database: 'd', username: 'u', authSource: 's', authMechanism: 'SCRAM-SHA-256' },
      ...{ tls: { ca: '/ca.pem', certificateKey: '/me.pem' }, leaseMs: 60_000, timeoutMs: 5_000 },
    });
    expect(storeOf('{ kind: embedded }')).toEqual({ kind: 'embedded' });
  });
});

describe('values', () => {
  it.each([
    ['version: "1"', '1:10: version: expected 1, got "1"; write it without quotes'],
    ['version: 2', '1:10: version: expected 1, got 2'],
  ])('%s', (line, expected) => {
    expect(linesOf(least.replace('version: 1', line))).toEqual([expected]);
  });

  it.each([
    ['guards: { removals: { percent: 101 } }', '8:32: guards.removals.percent: expected at most 100, got 101'],
    ['guards: { removals: { percent: -1 } }', '8:32: guards.removals.percent: expected at least 0, got -1'],
    ['guards: { removals: { atLeast: 1.5 } }', '8:32: guards.removals.atLeast: expected a whole number, got 1.5'],
    ['guards: []', '8:9: guards: expected a map of keys, got a list'],
    [
      "roster: { courses: { include: ['ok', '(a'] } }",
      '8:38: roster.courses.include[1]: not a regular expression: Unterminated group',
    ],
    [
      "roster: { courses: { exclude: ['a)|(b'] } }",
      "8:32: roster.courses.exclude[0]: not a regular expression: Unmatched ')'",
    ],
    ["roster: { courses: { include: '.*' } }", '8:31: roster.courses.include: expected a list, got text'],
  ])('%s', (line, expected) => {
    const found = appended(`${line}\n`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('a duration without a unit is told what a duration is', () => {
    expect(source('kind: drop\nfrom: /x\nformat: unitu\nsettle: 10')).toEqual([
      '8:13: sources.sis.settle: expected text, got 10; a duration: 500ms, 10s, 5m, 2h, 7d',
    ]);
    expect(source('kind: drop\nfrom: /x\nformat: unitu\nsettle: 10 s')).toEqual([
      '8:13: sources.sis.settle: a duration is a whole number and a unit: 500ms, 10s, 5m, 2h, 7d',
    ]);
  });

  it('a socket path that no kernel takes is refused', () => {
    expect(appended(`stateDir: /${'x'.repeat(120)}\n`)[0]).toMatch(/^8:11: stateDir: the path of the control socket/);
    expect(appended(`control: { socket: /${'x'.repeat(120)} }\n`)[0]).toMatch(/^8:20: control\.socket: the path/);
  });
});

describe('what a connector says', () => {
  it('stands at the key that it names', () => {
    expect(source('kind: drop\nfrom: sftp://x\nformat: unitu\npassword: { env: A }\nprivateKey: { file: b }')).toEqual([
      '9:17: sources.sis.privateKey: give password or privateKey, not both',
    ]);
  });

  it('stands at the entry when the key is not there', () => {
    expect(source('kind: drop\nfrom: sftp://x\nformat: unitu')).toEqual([
      '4:3: sources.sis.password: sftp needs password or privateKey',
    ]);
  });
});

describe('a secret written into the file', () => {
  it.each([
    'password: hunter2',
    'password: { value: hunter2 }',
    'password: [hunter2]',
    'password: { env: A, value: hunter2 }',
    'archive: hunter2',
    'password: !vault hunter2',
    'password: *hunter2',
    'password: "hunter2" hunter2',
  ])('is refused and never shown: %s', (line) => {
    const found = source(`kind: drop\nfrom: /x\nformat: unitu\n${line}`);
    expect(found).toHaveLength(1);
    expect(found[0]).not.toContain('hunter2');
    expect(found[0]).toMatch(/^8:/);
  });
});

describe('listen', () => {
  const listenOf = (written: string): unknown => load(`${least}listen: ${written}\n`).listen;

  it('is nowhere unless it is said, and then on this machine alone', () => {
    expect(load(least).listen).toBeNull();
    const usual = { address: '127.0.0.1', port: 8480, tls: null, behindProxy: false, timeoutMs: 900_000 };
    expect(listenOf('{}')).toEqual(usual);
    expect(listenOf('{ timeout: 1h }')).toEqual({ ...usual, timeoutMs: 3_600_000 });
    expect(appended('listen: { timeout: 0s }\n')).toEqual([expect.stringContaining('1s to 1d')]);
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'rosterd.example.edu', '127.0.0.1.example.edu'])(
    'refuses %s in the clear',
    (address) => {
      expect(appended(`listen: { address: '${address}' }\n`)).toEqual([
        expect.stringContaining('listen.address: keys and people would cross the network in the clear'),
      ]);
      expect(listenOf(`{ address: '${address}', behindProxy: true }`)).toMatchObject({ address, tls: null });
      expect(listenOf(`{ address: '${address}', tls: { certificate: c, key: k } }`)).toMatchObject({
        tls: { certificate: 'c', key: 'k' },
      });
    },
  );

  it.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost'])('takes %s as it is', (address) => {
    expect(listenOf(`{ address: '${address}' }`)).toMatchObject({ address, tls: null });
  });
});
