import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import type { Answer, SourceContext } from '../../src/connector/source.ts';
import {
  drop,
  dropContext,
  dropSettings,
  failure,
  lastOf,
  pulled,
  readAll,
  steppedClock,
  temporaryFolder,
} from '../support/drop.ts';

/** `pick: all`: the files of a folder are one answer together, and a part of them is none. */

const HEADER = 'id,email,name\n';
const ANN = '1,ann@x.edu,Ann\n';
const BOB = '2,bob@x.edu,Bob\n';
const CID = '3,cid@x.edu,Cid\n';
const at = (folder: string, more: Record<string, unknown> = {}) =>
  dropSettings(`file://${folder}`, { files: '*.csv', pick: 'all', ...more });
const names = (answer: Answer): string[] => answer.parts.map((part) => part.name.split('/').at(-1)!);
const ids = async (answer: Answer) => (await readAll(answer)).map((row) => 'cells' in row && row.cells[0]);
const knowing = (answer: Answer): Partial<SourceContext> => ({ last: lastOf(answer), lastContent: answer.content });

describe('a file that is not ready among others that are', () => {
  const marked = (folder: string, name: string, content: string, time: number): string => {
    drop(folder, `${name}.done`, '', time);
    return drop(folder, name, content, time);
  };
  const twoMarked = () => {
    const folder = temporaryFolder();
    marked(folder, 'staff.csv', HEADER + ANN, 1000);
    marked(folder, 'students.csv', HEADER + BOB, 1000);
    return { folder, settings: at(folder, { done: '.done' }) };
  };

  test('makes the answer incomplete: its marker is missing, or older than the file', async () => {
    const { folder, settings } = twoMarked();
    expect(names(await pulled(settings, dropContext()))).toEqual(['staff.csv', 'students.csv']);
    rmSync(join(folder, 'staff.csv.done'));
    const missing = await failure(csvDrop.pull(settings, dropContext()));
    expect(missing).toEqual({
      kind: 'Incomplete',
      line: expect.stringContaining('staff.csv is there and not marked as whole: it has no staff.csv.done'),
    });
    drop(folder, 'staff.csv.done', '', 1000);
    drop(folder, 'staff.csv', HEADER, 90_000);
    expect((await failure(csvDrop.pull(settings, dropContext()))).kind).toBe('Incomplete');
    expect((await failure(csvDrop.probe(settings, dropContext()))).kind).toBe('Incomplete');
  });

  test('is waited for', async () => {
    const { folder, settings } = twoMarked();
    rmSync(join(folder, 'staff.csv.done'));
    const clock = steppedClock(
      () => {},
      () => void marked(folder, 'staff.csv', HEADER + ANN + CID, 2000),
    );
    expect(await ids(await pulled(settings, dropContext({ clock })))).toEqual(['1', '3', '2']);
  });

  test('is waited for no longer when it has been taken away, also where nothing is left then', async () => {
    const { folder, settings } = twoMarked();
    for (const name of ['staff.csv.done', 'students.csv', 'students.csv.done']) rmSync(join(folder, name));
    const clock = steppedClock(() => rmSync(join(folder, 'staff.csv')));
    const { line } = await failure(csvDrop.pull(settings, dropContext({ clock })));
    expect(line).toContain('no file in');
  });

  test('makes the answer incomplete: it is a link, and what it leads to is away', async () => {
    const folder = temporaryFolder();
    const target = drop(temporaryFolder(), 'staff.csv', HEADER + ANN);
    symlinkSync(target, join(folder, 'staff.csv'));
    drop(folder, 'students.csv', HEADER + BOB);
    expect(names(await pulled(at(folder), dropContext()))).toHaveLength(2);
    rmSync(target);
    const { kind, line } = await failure(csvDrop.pull(at(folder), dropContext()));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('staff.csv is a link that leads to nothing')]);
  });
});

describe('the archive of a set', () => {
  const three = async (more: Record<string, unknown> = { archive: 'taken' }) => {
    const folder = temporaryFolder();
    drop(folder, 'a.csv', HEADER + ANN, 1000);
    drop(folder, 'b.csv', HEADER + BOB, 1000);
    drop(folder, 'c.csv', HEADER + CID, 1000);
    const settings = at(folder, more);
    const answer = await pulled(settings, dropContext());
    return { folder, settings, answer, last: knowing(answer) };
  };
  /** What a crash leaves between two moves. */
  const cutOff = (folder: string, ...names: string[]): void => {
    mkdirSync(join(folder, 'taken'), { recursive: true });
    for (const name of names) renameSync(join(folder, name), join(folder, 'taken', `20260115T021510Z-${name}`));
  };

  test('takes none of them when one has changed since it was read, or is gone', async () => {
    for (const change of [(file: string) => writeFileSync(file, HEADER + BOB + CID), (file: string) => rmSync(file)]) {
      const { folder, settings, answer, last } = await three();
      change(join(folder, 'b.csv'));
      const left = readdirSync(folder);
      await answer.accepted();
      expect(readdirSync(folder)).toEqual(left);
      if (!left.includes('b.csv')) continue;
      expect(names(await pulled(settings, dropContext(last)))).toEqual(['a.csv', 'b.csv', 'c.csv']);
    }
  });

  test('that was interrupted is finished: the rest is the last answer again, and no smaller one', async () => {
    const { folder, settings, last } = await three();
    cutOff(folder, 'a.csv');
    const rest = await pulled(settings, dropContext(last));
    expect(rest.content).toBe(last.lastContent);
    // whoever would look into it nevertheless, as after a change of the format, learns that it is no whole set
    const { kind, line } = await failure(readAll(rest));
    expect([kind, line]).toEqual(['Incomplete', expect.stringMatching(/b\.csv is left of a set .* a\.csv is gone/)]);
    expect((await csvDrop.probe(settings, dropContext(last)))[0]).toMatch(/nothing new in .*: b\.csv is left/);
    expect(existsSync(join(folder, 'b.csv'))).toBe(true);
    await rest.accepted();
    expect(readdirSync(folder)).toEqual(['taken']);
    expect(readdirSync(join(folder, 'taken'))).toHaveLength(3);
    expect(await csvDrop.pull(settings, dropContext(last))).toBeNull();
  });

  test('that was interrupted mixes nothing left over with files of another day', async () => {
    const { folder, settings, last } = await three();
    cutOff(folder, 'a.csv');
    drop(folder, 'd.csv', HEADER + ANN, 2000);
    const { kind, line } = await failure(csvDrop.pull(settings, dropContext(last)));
    expect([kind, line]).toEqual([
      'Incomplete',
      expect.stringMatching(/b\.csv is as it was read last time, beside d\.csv, which is new, and a\.csv .* is gone/),
    ]);
    expect((await failure(csvDrop.probe(settings, dropContext(last)))).kind).toBe('Incomplete');
  });

  test('is no matter where an upload begins with a file that is the same as last time', async () => {
    const { folder, settings, answer, last } = await three();
    await answer.accepted();
    drop(folder, 'a.csv', HEADER + ANN, 1000);
    const clock = steppedClock(() => {
      drop(folder, 'b.csv', HEADER + BOB, 2000);
      drop(folder, 'c.csv', HEADER + CID, 2000);
    });
    expect(names(await pulled(settings, dropContext({ ...last, clock })))).toEqual(['a.csv', 'b.csv', 'c.csv']);
  });

  test('has no say in sets that are new throughout, whatever their names and however many', async () => {
    const { folder, settings, answer, last } = await three();
    await answer.accepted();
    drop(folder, 'a.csv', HEADER + ANN, 2000);
    drop(folder, 'b.csv', HEADER + BOB + CID, 2000);
    const again = await pulled(settings, dropContext(last));
    expect(names(again)).toEqual(['a.csv', 'b.csv']);
    await again.accepted();
    drop(folder, 'x.csv', HEADER + ANN, 3000);
    expect(names(await pulled(settings, dropContext(knowing(again))))).toEqual(['x.csv']);
  });

  test('has no say where only some files of the set are written anew', async () => {
    const { folder, settings, last } = await three();
    drop(folder, 'a.csv', HEADER + ANN + ANN, 2000);
    expect(names(await pulled(settings, dropContext(last)))).toEqual(['a.csv', 'b.csv', 'c.csv']);
  });

  test('has no say where the others only do not match any more', async () => {
    const { folder, last } = await three();
    expect(await ids(await pulled(at(folder, { archive: 'taken', files: '[bc].csv' }), dropContext(last)))).toEqual([
      '2',
      '3',
    ]);
  });
});

describe('a file of the last set that is gone, without an archive', () => {
  const three = async () => {
    const folder = temporaryFolder();
    for (const [name, row] of [
      ['a.csv', ANN],
      ['b.csv', BOB],
      ['c.csv', CID],
    ] as const)
      drop(folder, name, HEADER + row, 1000);
    const settings = at(folder);
    const first = await pulled(settings, dropContext());
    return { folder, settings, first, again: () => csvDrop.pull(settings, dropContext(knowing(first))) };
  };

  test.each([
    ['just as they were', () => {}],
    ['written anew', (folder: string) => void drop(folder, 'a.csv', HEADER + ANN, 2000)],
  ])('makes no answer of the others, %s: an exporter may be half-way', async (_what, write) => {
    const { folder, settings, first, again } = await three();
    rmSync(join(folder, 'c.csv'));
    write(folder);
    for (const refused of [again, () => csvDrop.probe(settings, dropContext(knowing(first)))])
      expect(await failure(refused())).toEqual({
        kind: 'Incomplete',
        line: expect.stringMatching(/c\.csv was read last time and is gone, .*put a file with the header alone/),
      });
    drop(folder, 'c.csv', HEADER, 3000);
    expect(await ids((await again())!)).toEqual(['1', '2']);
  });

  test('is nothing where all names are new, as they are with a date in them', async () => {
    const { folder, again } = await three();
    for (const name of ['a.csv', 'b.csv', 'c.csv']) rmSync(join(folder, name));
    drop(folder, 'a-2.csv', HEADER + ANN, 2000);
    expect(await ids((await again())!)).toEqual(['1']);
  });
});

test('a long wait for a file to settle says something else at each look', async () => {
  const folder = temporaryFolder();
  const file = drop(folder, 'a.csv', HEADER + ANN, 1000);
  const said: string[] = [];
  let rows = HEADER + ANN;
  const grow = () => {
    rows += BOB;
    writeFileSync(file, rows);
  };
  const clock = steppedClock(...Array.from({ length: 20 }, () => grow));
  const context = dropContext({ clock, progress: (text) => void said.push(text) });
  expect((await failure(csvDrop.pull(at(folder), context))).line).toContain('is still being written');
  expect(said.length).toBeGreaterThan(5);
  expect(new Set(said).size).toBe(said.length);
});
