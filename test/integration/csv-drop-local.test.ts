import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import type { Answer } from '../../src/connector/source.ts';
import { drop, dropContext, dropSettings, failure, lastOf, pulled, readAll, temporaryFolder } from '../support/drop.ts';

const HEADER = 'id,email,name\n';
const ANN = '1,ann@x.edu,Ann\n';
const BOB = '2,bob@x.edu,Bob\n';
const at = (folder: string, more: Record<string, unknown> = {}) => dropSettings(`file://${folder}`, more);
const names = (answer: Answer): string[] => answer.parts.map((part) => part.name.split('/').at(-1)!);

describe('a table', () => {
  test('is read whole: parts, lines and cells', async () => {
    const folder = temporaryFolder();
    const content = `\ufeffid,email,name\r\n1,ann@x.edu,"Ann, ""A"""\r\n\r\n2,bob@x.edu,"B\r\nB"\r\n3,c@x.edu,Zoë\r\n`;
    drop(folder, 'students-1.csv', content, 1_700_000_000);
    const answer = await pulled(at(folder), dropContext());
    expect(answer.parts).toEqual([
      {
        name: join(folder, 'students-1.csv'),
        bytes: Buffer.byteLength(content),
        sha256: createHash('sha256').update(content).digest('hex'),
        modified: '2023-11-14T22:13:20.000Z',
        columns: ['id', 'email', 'name'],
        layout: '{"delimiter":",","columns":["id","email","name"]}',
      },
    ]);
    expect(await readAll(answer)).toEqual([
      { part: 0, line: 2, cells: ['1', 'ann@x.edu', 'Ann, "A"'] },
      { part: 0, line: 4, cells: ['2', 'bob@x.edu', 'B\r\nB'] },
      { part: 0, line: 6, cells: ['3', 'c@x.edu', 'Zoë'] },
    ]);
  });

  test('with only a header has no rows', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER);
    expect(await readAll(await pulled(at(folder), dropContext()))).toEqual([]);
  });

  test('gives broken rows beside good ones', async () => {
    const folder = temporaryFolder();
    drop(
      folder,
      'students-1.csv',
      `${HEADER}1,ann@x.edu\n"2,bob@x.edu,Bob\n3,c@x.edu,"Cy"\n4,d@x.edu,${'x'.repeat(99)}\n`,
    );
    const rows = await readAll(await pulled(at(folder, { maxRowBytes: '64B' }), dropContext()));
    expect(rows).toEqual([
      { part: 0, line: 2, broken: 'has 2 cells, the header has 3', column: 3 },
      { part: 0, line: 3, broken: expect.stringContaining('quoted field'), column: 1 },
      { part: 0, line: 4, cells: ['3', 'c@x.edu', 'Cy'] },
      { part: 0, line: 5, broken: expect.stringContaining('longer than 64 bytes'), column: null },
    ]);
  });

  test.each([
    ['utf-16', Buffer.from(`\ufeff${HEADER}1,zoe@x.edu,"Zoë\n€"\n${BOB}`, 'utf16le')],
    ['windows-1252', Buffer.from(`${HEADER}1,zoe@x.edu,"Zo\xeb\n\x80"\n${BOB}`, 'latin1')],
  ])('in %s is read, its digest is that of the original bytes', async (encoding, content) => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', content);
    const context = dropContext();
    const answer = await pulled(at(folder, { encoding }), context);
    expect(answer.parts[0]!.sha256).toBe(createHash('sha256').update(content).digest('hex'));
    expect(answer.parts[0]!.bytes).toBe(content.length);
    expect(readdirSync(context.spoolDir)).toEqual([]);
    expect(await readAll(answer)).toEqual([
      { part: 0, line: 2, cells: ['1', 'zoe@x.edu', 'Zoë\n€'] },
      { part: 0, line: 4, cells: ['2', 'bob@x.edu', 'Bob'] },
    ]);
    await answer.close();
    expect(readdirSync(context.spoolDir)).toEqual([]);
  });

  test('of the same bytes has the same content under any name, and another one when it is read differently', async () => {
    const contentOf = async (name: string, text: string, more = {}) => {
      const folder = temporaryFolder();
      drop(folder, name, text);
      return (await pulled(at(folder, more), dropContext())).content;
    };
    const first = await contentOf('students-1.csv', HEADER + ANN);
    expect(await contentOf('students-2.csv', HEADER + ANN)).toBe(first);
    expect(await contentOf('students-1.csv', HEADER + BOB)).not.toBe(first);
    expect(await contentOf('students-1.csv', HEADER + ANN, { encoding: 'windows-1252' })).not.toBe(first);
    expect(await contentOf('students-1.csv', HEADER + ANN, { maxRowBytes: '128B' })).not.toBe(first);
  });
});

describe('which files are read', () => {
  test('the newest one, by time and not by name', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-9.csv', HEADER + ANN, 1000);
    drop(folder, 'students-1.csv', HEADER + BOB, 2000);
    drop(folder, 'staff-1.csv', 'x', 3000);
    drop(folder, '.students-2.csv.part', 'x', 3000);
    mkdirSync(join(folder, 'students-folder.csv'));
    expect(names(await pulled(at(folder), dropContext()))).toEqual(['students-1.csv']);
  });

  test('of equally new ones the last by natural order of names', async () => {
    const folder = temporaryFolder();
    for (const number of [9, 10, 2]) drop(folder, `students-${number}.csv`, HEADER + ANN, 1000);
    expect(names(await pulled(at(folder), dropContext()))).toEqual(['students-10.csv']);
  });

  test('all of them, each with its own order of columns', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-10.csv', 'email,id\nbob@x.edu,2\n', 1000);
    drop(folder, 'students-9.csv', HEADER + ANN, 2000);
    const answer = await pulled(at(folder, { pick: 'all' }), dropContext());
    expect(names(answer)).toEqual(['students-9.csv', 'students-10.csv']);
    expect(await readAll(answer)).toEqual([
      { part: 0, line: 2, cells: ['1', 'ann@x.edu', 'Ann'] },
      { part: 1, line: 2, cells: ['bob@x.edu', '2'] },
    ]);
  });

  test('all of them or none: one bad header spoils the answer', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN);
    drop(folder, 'students-2.csv', '');
    const { kind, line } = await failure(csvDrop.pull(at(folder, { pick: 'all' }), dropContext()));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('students-2.csv is empty')]);
  });

  test('none at all is no empty roster', async () => {
    const folder = temporaryFolder();
    const { kind, line } = await failure(csvDrop.pull(at(folder), dropContext()));
    expect(kind).toBe('Incomplete');
    expect(line).toContain(`no file in ${folder} matches students-*.csv`);
  });

  test('symbolic links are followed', async () => {
    const folder = temporaryFolder();
    symlinkSync(drop(temporaryFolder(), 'x.csv', HEADER + ANN), join(folder, 'students-1.csv'));
    expect(await readAll(await pulled(at(folder), dropContext()))).toHaveLength(1);
  });

  test('a link to nothing is passed over while a newer file is there, and is no answer when it is the newest', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 2000);
    const link = join(folder, 'students-2.csv');
    symlinkSync('/nowhere/at/all', link);
    lutimesSync(link, 1000, 1000);
    expect(names(await pulled(at(folder), dropContext()))).toEqual(['students-1.csv']);
    lutimesSync(link, 3000, 3000);
    const { kind, line } = await failure(csvDrop.pull(at(folder), dropContext()));
    expect([kind, line]).toEqual([
      'Incomplete',
      expect.stringContaining('students-2.csv is a link that leads to nothing'),
    ]);
  });

  test('an older file is no answer while the one that was read last is away behind its link', async () => {
    const folder = temporaryFolder();
    const elsewhere = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 2000);
    const target = drop(elsewhere, 'x.csv', HEADER + BOB, 3000);
    const link = join(folder, 'students-2.csv');
    symlinkSync(target, link);
    // made long ago, and what it leads to is written every day
    lutimesSync(link, 1000, 1000);
    const last = lastOf(await pulled(at(folder), dropContext()));
    rmSync(target);
    expect((await failure(csvDrop.pull(at(folder), dropContext({ last })))).line).toContain('leads to nothing');
    drop(folder, 'students-3.csv', HEADER + ANN, 4000);
    expect(names(await pulled(at(folder), dropContext({ last })))).toEqual(['students-3.csv']);
  });

  test('a folder that is not there is a configuration error', async () => {
    const { kind, line } = await failure(csvDrop.pull(at('/nowhere/at/all'), dropContext()));
    expect([kind, line]).toEqual(['Misconfigured', expect.stringContaining('/nowhere/at/all does not exist')]);
    const file = drop(temporaryFolder(), 'x', '');
    expect((await failure(csvDrop.pull(at(file), dropContext()))).line).toContain('is not a folder');
  });

  test('an older file than the last one read is told to whoever reads the log', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const last = [{ name: 'students-2.csv', bytes: 1, sha256: '', modified: '2024-01-01T00:00:00.000Z' }];
    const events: unknown[] = [];
    const context = dropContext({ last });
    const log = Object.assign(Object.create(context.log), { warn: (fields: unknown) => events.push(fields) });
    await pulled(at(folder), { ...context, log });
    expect(events).toEqual([expect.objectContaining({ event: 'drop.older', file: 'students-1.csv' })]);
  });
});

describe('limits', () => {
  test('on the size of a file', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN);
    const { kind, line } = await failure(csvDrop.pull(at(folder, { maxFileSize: '10B' }), dropContext()));
    expect([kind, line]).toEqual(['Incomplete', expect.stringMatching(/has 30 bytes, more than maxFileSize/)]);
  });

  test('on the rows of all files together', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN);
    drop(folder, 'students-2.csv', HEADER + BOB);
    const answer = await pulled(at(folder, { pick: 'all', maxRows: 1 }), dropContext());
    expect((await failure(readAll(answer))).line).toMatch(/students-2.csv brings more rows than maxRows/);
    expect(await readAll(await pulled(at(folder, { pick: 'all', maxRows: 2 }), dropContext()))).toHaveLength(2);
  });
});

describe('the archive', () => {
  const settings = (folder: string, more = {}) => at(folder, { archive: 'taken/2026', done: '.done', ...more });

  test('takes what was read with its marker, and older files before it', async () => {
    const folder = temporaryFolder();
    for (const [i, content] of [HEADER + ANN, HEADER + BOB].entries()) {
      drop(folder, `students-${i}.csv`, content, 1000 + i);
      drop(folder, `students-${i}.csv.done`, '', 1000 + i);
    }
    drop(folder, 'students-3.csv', HEADER, 2000);
    const answer = await pulled(settings(folder), dropContext());
    expect(readdirSync(folder)).toHaveLength(5);
    await answer.accepted();
    expect(readdirSync(folder).sort()).toEqual(['students-3.csv', 'taken']);
    expect(readdirSync(join(folder, 'taken/2026')).sort()).toEqual(
      ['0.csv', '0.csv.done', '1.csv', '1.csv.done'].map((name) => `20260115T021510Z-students-${name}`),
    );
  });

  test('leaves nothing new: that is not a failure once something was taken', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN);
    const answer = await pulled(at(folder, { archive: 'taken' }), dropContext());
    await answer.accepted();
    const last = lastOf(answer);
    expect(await csvDrop.pull(at(folder, { archive: 'taken' }), dropContext({ last }))).toBeNull();
    expect((await failure(csvDrop.pull(at(folder, { archive: 'taken' }), dropContext()))).kind).toBe('Incomplete');
    expect((await failure(csvDrop.pull(at(folder), dropContext({ last })))).kind).toBe('Incomplete');
  });

  test('never replaces a file', async () => {
    const folder = temporaryFolder();
    const archived = join(folder, 'taken');
    mkdirSync(archived);
    writeFileSync(join(archived, '20260115T021510Z-students-1.csv'), 'older');
    drop(folder, 'students-1.csv', HEADER + ANN);
    await (await pulled(at(folder, { archive: 'taken' }), dropContext())).accepted();
    expect(readFileSync(join(archived, '20260115T021510Z-students-1.csv'), 'utf8')).toBe('older');
    expect(readFileSync(join(archived, '20260115T021510Z-students-1-2.csv'), 'utf8')).toBe(HEADER + ANN);
  });

  test('does not take a file that has changed since it was read', async () => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const answer = await pulled(at(folder, { archive: 'taken' }), dropContext());
    writeFileSync(file, HEADER + BOB);
    await answer.accepted();
    expect(existsSync(file)).toBe(true);
  });

  test('is reached through symbolic links and from other folders', async () => {
    const folder = temporaryFolder();
    const elsewhere = temporaryFolder();
    symlinkSync(drop(elsewhere, 'x.csv', HEADER + ANN), join(folder, 'students-1.csv'));
    const archive = join(elsewhere, 'taken');
    await (await pulled(at(folder, { archive }), dropContext())).accepted();
    expect(readdirSync(folder)).toEqual([]);
    expect(readdirSync(archive)).toEqual(['20260115T021510Z-students-1.csv']);
  });

  // nothing is denied to root: it steps back for the archiving
  describe.runIf(process.getuid?.() === 0)('that may be filled from a folder that gives nothing away', () => {
    const nobody = 65_534;
    const memory = '/dev/shm';
    const apart = existsSync(memory) && statSync(memory).dev !== statSync(tmpdir()).dev;

    async function refused(archive: string): Promise<void> {
      const folder = temporaryFolder();
      const file = drop(folder, 'students-1.csv', HEADER + ANN);
      // who may write a file may link it, and under the sticky bit only its owner may remove it
      chmodSync(file, 0o666);
      chmodSync(folder, 0o1777);
      // nothing is kept, and that in nobody's folder either
      const answer = await pulled(at(folder, { archive }), dropContext({ keepDir: join(folder, 'kept') }));
      process.seteuid!(nobody);
      const failed = failure(answer.accepted()).finally(() => process.seteuid!(0));
      expect(await failed).toEqual({ kind: 'Denied', line: expect.stringMatching(/students-1\.csv.*sticky bit/s) });
      expect(readFileSync(file, 'utf8')).toBe(HEADER + ANN);
      expect(statSync(file).nlink).toBe(1);
      expect(readdirSync(resolve(folder, archive))).toEqual([]);
    }

    test('gets no second name of a file', () => refused('taken'));

    test.runIf(apart)('gets no copy of a file, on another file system', async () => {
      const archive = mkdtempSync(join(memory, 'rosterd-archive-'));
      onTestFinished(() => rmSync(archive, { recursive: true }));
      chmodSync(archive, 0o777);
      await refused(archive);
    });
  });
});

describe('a probe', () => {
  test('says what would be read and reads no rows', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    drop(folder, 'students-2.csv', HEADER + ANN.repeat(100), 2000);
    expect(await csvDrop.probe(at(folder), dropContext())).toEqual([
      `2 files match students-*.csv in ${folder}`,
      'would read students-2.csv (1,614 bytes, modified 1970-01-01T00:33:20.000Z); columns: id, email, name',
    ]);
  });

  test('fails as a pull would', async () => {
    const folder = temporaryFolder();
    expect((await failure(csvDrop.probe(at(folder), dropContext()))).kind).toBe('Incomplete');
    drop(folder, 'students-1.csv', 'id;email\n');
    expect((await failure(csvDrop.probe(at(folder), dropContext()))).line).toMatch(/set delimiter: ";"/);
  });
});
