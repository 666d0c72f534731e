import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import type { Answer } from '../../src/connector/source.ts';
import {
  drop,
  dropContext,
  dropSettings,
  failure,
  lastOf,
  overwriteUnseen,
  pulled,
  readAll,
  steppedClock,
  temporaryFolder,
  untilTimeMoves,
} from '../support/drop.ts';

const HEADER = 'id,email,name\n';
const ANN = '1,ann@x.edu,Ann\n';
const BOB = '2,bob@x.edu,Bob\n';
const at = (folder: string, more: Record<string, unknown> = {}) => dropSettings(`file://${folder}`, more);
const names = (answer: Answer): string[] => answer.parts.map((part) => part.name.split('/').at(-1)!);

describe('an upload under way', () => {
  test('is waited for until it has settled', async () => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER);
    const clock = steppedClock(
      () => appendFileSync(file, ANN.slice(0, 7)),
      () => appendFileSync(file, ANN.slice(7)),
    );
    const answer = await pulled(at(folder, { settle: '30s' }), dropContext({ clock }));
    expect(clock.waits).toEqual([30_000, 30_000, 30_000]);
    expect(await readAll(answer)).toHaveLength(1);
  });

  test('that never ends is no answer', async () => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER);
    const clock = steppedClock(...Array.from({ length: 50 }, () => () => appendFileSync(file, ANN)));
    const { kind, line } = await failure(csvDrop.pull(at(folder), dropContext({ clock })));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('students-1.csv is still being written')]);
    expect(clock.waits.length).toBeLessThan(50);
  });

  test('of the same size counts as well', async () => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const clock = steppedClock(() => writeFileSync(file, HEADER + BOB));
    const answer = await pulled(at(folder), dropContext({ clock }));
    expect(clock.waits).toHaveLength(2);
    expect(await readAll(answer)).toEqual([{ part: 0, line: 2, cells: ['2', 'bob@x.edu', 'Bob'] }]);
  });

  test('of a newer file while an older one settles is not missed', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const clock = steppedClock(() => void drop(folder, 'students-2.csv', HEADER + BOB, 2000));
    expect(names(await pulled(at(folder), dropContext({ clock })))).toEqual(['students-2.csv']);
  });

  test('of a further file while all are read is not missed', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const clock = steppedClock(() => void drop(folder, 'students-2.csv', HEADER + BOB, 1000));
    expect(names(await pulled(at(folder, { pick: 'all' }), dropContext({ clock })))).toHaveLength(2);
  });

  test('is not waited for where the file is the one that was read last', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const first = await pulled(at(folder), dropContext());
    const clock = steppedClock();
    const again = await pulled(at(folder), dropContext({ clock, last: lastOf(first) }));
    expect(clock.waits).toEqual([]);
    expect(again.content).toBe(first.content);
    drop(folder, 'students-1.csv', HEADER + BOB, 1001);
    await pulled(at(folder), dropContext({ clock, last: lastOf(first) }));
    expect(clock.waits).toEqual([10_000]);
  });

  test('without a settling time is still looked at twice', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN);
    const clock = steppedClock();
    expect(await readAll(await pulled(at(folder, { settle: '0s' }), dropContext({ clock })))).toHaveLength(1);
    expect(clock.waits).toEqual([]);
  });

  test('that was cut inside the last line is no answer', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN + BOB.trimEnd());
    const answer = await pulled(at(folder), dropContext());
    const { kind, line } = await failure(readAll(answer));
    expect(kind).toBe('Incomplete');
    expect(line).toMatch(/students-1.csv:3: the file ends in the middle of line 3.*finalNewline: optional/);
  });

  test('may lack the last line end where the exporter writes none, but not the last cell', async () => {
    const read = async (tail: string) => {
      const folder = temporaryFolder();
      drop(folder, 'students-1.csv', HEADER + ANN + tail);
      return readAll(await pulled(at(folder, { finalNewline: 'optional' }), dropContext()));
    };
    expect(await read('2,bob@x.edu,Bob')).toHaveLength(2);
    expect(await read('2,bob@x.edu,"B\nob"')).toHaveLength(2);
    for (const tail of ['2,bob@x.edu', '2,bob@x.edu,"Bob', '2,b,"c\n,d,e'])
      expect((await failure(read(tail))).line).toMatch(/last line is not a whole row/);
  });

  test('ends a pull at once when it is aborted', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN);
    const abort = new AbortController();
    const clock = steppedClock(() => abort.abort(new Error('stop')));
    await expect(csvDrop.pull(at(folder), dropContext({ clock, signal: abort.signal }))).rejects.toThrow('stop');
  });
});

describe('a marker', () => {
  test('decides whether a file is considered, and stands for the last line end', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN.trimEnd(), 1000);
    drop(folder, 'students-1.csv.done', '', 1000);
    drop(folder, 'students-2.csv', HEADER + BOB, 2000);
    const answer = await pulled(at(folder, { done: '.done', files: 'students-*' }), dropContext());
    expect(names(answer)).toEqual(['students-1.csv']);
    expect(await readAll(answer)).toHaveLength(1);
  });

  test('that is missing, or left from an earlier upload, says which one is awaited', async () => {
    const folder = temporaryFolder();
    drop(folder, 'students-1.csv', HEADER + ANN, 100_000);
    const settings = at(folder, { done: '.done' });
    expect((await failure(csvDrop.pull(settings, dropContext()))).line).toContain('has no students-1.csv.done');
    drop(folder, 'students-1.csv.done', '', 10_000);
    expect((await failure(csvDrop.pull(settings, dropContext()))).line).toContain('from an earlier upload');
  });

  test('that is taken away from the file that was read last does not make an older one the newest', async () => {
    const folder = temporaryFolder();
    for (const [name, time] of [
      ['students-1.csv', 1000],
      ['students-2.csv', 2000],
    ] as const) {
      drop(folder, name, HEADER + ANN, time);
      drop(folder, `${name}.done`, '', time);
    }
    const settings = at(folder, { done: '.done' });
    const last = lastOf(await pulled(settings, dropContext()));
    rmSync(join(folder, 'students-2.csv.done'));
    const { kind, line } = await failure(csvDrop.pull(settings, dropContext({ last })));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('students-2.csv is there and not marked')]);
  });

  test('does not shorten the wait', async () => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER);
    drop(folder, 'students-1.csv.done', '');
    const clock = steppedClock(() => appendFileSync(file, ANN));
    expect(await readAll(await pulled(at(folder, { done: '.done' }), dropContext({ clock })))).toHaveLength(1);
  });
});

describe('a file that changes under the reader', () => {
  const change: [string, (file: string) => void][] = [
    ['grows', (file) => appendFileSync(file, BOB)],
    ['is emptied', (file) => writeFileSync(file, '')],
    ['is overwritten in place, its time set back', (file) => overwriteUnseen(file, HEADER + BOB)],
    ['is replaced', (file) => renameSync(drop(temporaryFolder(), 'new', HEADER + BOB), file)],
    ['is deleted', (file) => rmSync(file)],
  ];
  test.each(change)('is no answer when it %s after the pull', async (_name, act) => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const answer = await pulled(at(folder), dropContext());
    untilTimeMoves(file);
    act(file);
    const { kind, line } = await failure(readAll(answer));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('changed while it was read')]);
  });

  test.each(change)('is no answer when it %s between scan and decode', async (_name, act) => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER + ANN, 1000);
    const answer = await pulled(at(folder), dropContext());
    await answer.scan({ row() {} });
    untilTimeMoves(file);
    act(file);
    const place = { part: 0, offset: HEADER.length, length: ANN.length - 1, line: 2 };
    expect((await failure(answer.decode([place]))).kind).toBe('Incomplete');
  });

  test('while its digest is made, is no answer', async () => {
    const folder = temporaryFolder();
    const file = drop(folder, 'students-1.csv', HEADER + ANN.repeat(200_000));
    const progress = (text: string) => {
      if (text.endsWith('read')) appendFileSync(file, BOB);
    };
    expect((await failure(csvDrop.pull(at(folder), dropContext({ progress })))).line).toContain('changed while');
  });
});
