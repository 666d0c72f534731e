import { type Zippable, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import { columnsOf, type Version } from '../../connectors/csv-drop/oneroster-tables.ts';
import { oneRosterColumns } from '../../src/connector/oneroster/columns.ts';
import { drop, readAll, temporaryFolder } from '../support/drop.ts';
import {
  changed,
  context,
  days,
  type SetOptions,
  set,
  settings,
  small,
  small12,
  type Tables,
  table,
  verdict,
} from '../support/oneroster-zip.ts';

describe('a whole set', () => {
  test.each<Version>(['1.1', '1.2'])('of %s gives the rows that REST gives', async (version) => {
    const folder = temporaryFolder();
    drop(folder, 'set.zip', set(version === '1.2' ? small12 : small, { version }));
    const answer = await csvDrop.pull(settings(folder), context({}, oneRosterColumns));
    const rows = await readAll(answer!);
    await answer!.close();
    expect(rows).toHaveLength(3);
    const [first] = rows;
    expect(first).toMatchObject({ origin: `${folder}/set.zip users/u1 enrollments/e1` });
    const cells = Object.fromEntries(
      oneRosterColumns.map((column, at) => [column, first && 'cells' in first && first.cells[at]]),
    );
    expect(cells).toMatchObject({
      sourcedId: 'u1',
      givenName: 'Given "u1"',
      familyName: 'Example, Line\nBreak',
      preferredFirstName: version === '1.2' ? 'Pref u1' : '',
      role: 'student',
      grades: '11\u001f12',
      'class.title': 'Car Design A',
      'course.code': 'CAR1',
      'school.name': 'School of Engineering',
      'department.name': 'Mechanical Engineering',
      'term.title': 'Autumn 2025',
      'enrolment.endDate': '2026-07-01',
    });
  });

  test('may have metadata columns, a byte order mark, and files that nobody reads', async () => {
    const content = set(small, {
      spoil: (files) => {
        files['orgs.csv'] = `\ufeff${table(columnsOf('orgs', '1.1'), small.orgs, ',metadata.x')}`;
        files['manifest.csv'] = files['manifest.csv']!.replace('results,absent', 'results,bulk');
        files['results.csv'] = 'anything';
      },
    });
    const { folder, next } = days();
    drop(folder, 'set.zip', content);
    expect(await next()).toEqual(['u1 c1 student', 'u2 c1 teacher', 'u3  ']);
  });

  test('has broken rows for what refers to nothing', async () => {
    const { folder, next } = days();
    drop(
      folder,
      'set.zip',
      set({
        ...small,
        enrollments: [...small.enrollments, { sourcedId: 'e9', classSourcedId: 'c9', userSourcedId: 'u3' }],
      }),
    );
    expect(await next()).toEqual([
      'u1 c1 student',
      'u2 c1 teacher',
      'the enrolment is in a class that is not in the set',
    ]);
  });
});

describe('a set that is not believed', () => {
  const spoiled = (spoil: SetOptions['spoil'], more: SetOptions = {}) => set(small, { ...more, spoil: spoil! });
  const inFile = (name: string, from: string | RegExp, to: string) =>
    spoiled((files) => {
      const before = files[name]!;
      files[name] = before.replace(from, to);
      if (files[name] === before) throw new Error('nothing was spoiled');
    });

  test.each<[string, () => Buffer, RegExp]>([
    ['a bulk file is missing', () => spoiled((f) => delete f['users.csv']), /users\.csv is missing, and the manifest/],
    [
      'an absent file is there',
      () => spoiled((f) => (f['results.csv'] = 'x')),
      /results\.csv is there, and the manifest says that it is absent/,
    ],
    [
      'a file is not in the manifest',
      () => spoiled((f) => (f['Users.csv'] = 'x')),
      /Users\.csv is not in the manifest/,
    ],
    ['there is no manifest', () => spoiled((f) => delete f['manifest.csv']), /has no manifest\.csv/],
    [
      'the manifest has another header',
      () => inFile('manifest.csv', 'propertyName,value', 'PropertyName,Value'),
      /^set\.zip\/manifest\.csv:1: the header/,
    ],
    [
      'the manifest is of another version',
      () => inFile('manifest.csv', 'manifest.version,1.0', 'manifest.version,2.0'),
      /manifest\.version is not 1\.0/,
    ],
    [
      'OneRoster is of another version',
      () => inFile('manifest.csv', 'oneroster.version,1.1', 'oneroster.version,1.0'),
      /none of 1\.1, 1\.2/,
    ],
    [
      'a table is not spoken of',
      () => inFile('manifest.csv', /file\.orgs,bulk\r\n/, ''),
      /says nothing about file\.orgs/,
    ],
    [
      'a kind is unknown',
      () => inFile('manifest.csv', 'file.orgs,bulk', 'file.orgs,full'),
      /manifest\.csv:\d+: file\.orgs is neither/,
    ],
    [
      'a header is misspelt',
      () => inFile('users.csv', 'givenName', 'givenname'),
      /^set\.zip\/users\.csv:1:9: column 9 is "givenname" and should be "givenName"/,
    ],
    [
      'there is no header, and the first line is a person',
      () => inFile('users.csv', /^[^\n]*\n/, ''),
      /^set\.zip\/users\.csv:\d+: the first line is no header: few of its 18 values are the name of a column[^@]*$/,
    ],
    [
      'a header is in another order',
      () => inFile('orgs.csv', 'name,type', 'type,name'),
      /orgs\.csv:1:4: column 4 is "type"/,
    ],
    [
      'a column is too much',
      () => inFile('orgs.csv', 'parentSourcedId\n', 'parentSourcedId,x\n'),
      /orgs\.csv:1:8: column 8 is "x"/,
    ],
    [
      'a date is d/mm/yyyy',
      () => inFile('enrollments.csv', '2026-07-01', '1/07/2026'),
      /^set\.zip\/enrollments\.csv:2:10: endDate is no date YYYY-MM-DD$/,
    ],
    ['a date is none', () => inFile('enrollments.csv', '2026-07-01', '2026-02-30'), /endDate is no date/],
    [
      'a row has too few cells',
      () => inFile('orgs.csv', /,dept,[^\n]*|dept,[^\n]*/, 'dept'),
      /orgs\.csv:3:2: has 1 cells, the header has 7/,
    ],
    ['a quote is not closed', () => inFile('courses.csv', 'Car Design', '"Car Design'), /courses\.csv.*is no CSV/],
    [
      'a sourcedId is there twice',
      () => inFile('users.csv', 'u2,', 'u1,'),
      /users\.csv:\d+:1: has a sourcedId that came before/,
    ],
    ['a sourcedId is blank', () => inFile('orgs.csv', 'school,', ','), /orgs\.csv:2:1: sourcedId is blank/],
    [
      'a bulk file has status',
      () => inFile('orgs.csv', 'school,,', 'school,active,'),
      /orgs\.csv:2:2: status is not blank/,
    ],
    [
      'the last line is cut',
      () => inFile('enrollments.csv', /\n$/, ''),
      /enrollments\.csv ends in the middle of a line/,
    ],
    ['a file is empty', () => spoiled((f) => (f['orgs.csv'] = '')), /orgs\.csv is empty/],
    [
      'it is a delta of nothing',
      () => set({ users: small.users.map((one) => changed(one)) }, { kind: 'delta' }),
      /no whole set to merge it into/,
    ],
    ['a table is absent from a whole set', () => set({ ...small, enrollments: undefined } as Tables), /no whole set/],
    [
      'it has a folder',
      () => spoiled(undefined, { zip: (files) => zipSync({ oneroster: files as Zippable }) }),
      /has a folder in it/,
    ],
    [
      'it has a zip in it',
      () => spoiled(undefined, { zip: (files) => zipSync({ ...files, 'inner.zip': zipSync(files) }) }),
      /something else than CSV/,
    ],
    ['it was cut', () => set(small).subarray(0, -30), /is no whole zip file/],
    ['it is no zip', () => Buffer.from('sourcedId,status\n'), /is no whole zip file/],
    [
      'it is not UTF-8',
      () => spoiled(undefined, { zip: (files) => zipSync({ ...files, 'orgs.csv': Uint8Array.of(0xff, 0x0a) }) }),
      /orgs\.csv is not valid UTF-8/,
    ],
  ])('%s', async (_what, content, said) => {
    expect(await verdict(content())).toEqual(['Incomplete', expect.stringMatching(said)]);
  });

  test('it is encrypted', async () => {
    const content = set(small);
    // the first bit of the flags, in each local header and each entry of the directory
    for (const [mark, at] of [
      ['PK\x03\x04', 6],
      ['PK\x01\x02', 8],
    ] as const)
      for (
        let found = content.indexOf(mark, 0, 'latin1');
        found >= 0;
        found = content.indexOf(mark, found + 1, 'latin1')
      )
        content[found + at]! |= 1;
    expect(await verdict(content)).toEqual(['Incomplete', expect.stringContaining('is encrypted')]);
  });

  test('its bytes are not those of its checksum', async () => {
    const content = set(small, { zip: (files) => zipSync(files, { level: 0 }) });
    const at = content.indexOf('Mechanical');
    content[at] = 'm'.charCodeAt(0);
    expect(await verdict(content)).toEqual(['Incomplete', expect.stringContaining('orgs.csv is damaged')]);
  });

  test('it unpacks to more than it may', async () => {
    const content = set(small, { spoil: (files) => (files['orgs.csv'] += '\n'.repeat(5_000_000)) });
    expect(content.length).toBeLessThan(50_000);
    expect(await verdict(content, { maxFileSize: '1MB' })).toEqual([
      'Incomplete',
      expect.stringContaining('unpacks to more than maxFileSize'),
    ]);
    expect(await verdict(set({ ...small, orgs: [{ sourcedId: 'x', name: `"${'y\n'.repeat(50_000)}` }] }))).toEqual([
      'Incomplete',
      expect.stringContaining('a row is longer than maxRowBytes allows (65536)'),
    ]);
    expect(await verdict(set(small), { maxRows: 3 })).toEqual([
      'Incomplete',
      expect.stringContaining('more rows than maxRows'),
    ]);
  });
});

test('a probe says what the newest zip is', async () => {
  const folder = temporaryFolder();
  drop(folder, 'a.zip', set(small), 1000);
  const said = await csvDrop.probe(settings(folder), context());
  expect(said.slice(0, 2)).toEqual([
    `1 zips match *.zip in ${folder}`,
    expect.stringMatching(/a\.zip \(\d,\d+ bytes, .*\), OneRoster 1\.1: orgs bulk, academicSessions bulk/),
  ]);
});
