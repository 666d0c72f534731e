import { join } from 'node:path';
import { expect, test } from 'vitest';
import { merge } from '../../../../connectors/push/merge.ts';
import type { Whole } from '../../../../connectors/push/whole.ts';
import type { SourceContext } from '../../../../src/connector/source.ts';
import { SpoolWriter, spoolLine, spoolLines } from '../../../../src/connector/spool.ts';
import { temporaryFolder } from '../../../support/drop.ts';

/** The rules by which a delta changes a list, row by row. */

type Row = [key: string, row: unknown];
const columns = ['id', 'course', 'name'];
const expected = { required: ['id', 'course', 'name'], optional: ['note'], exact: false };

async function spooled(folder: string, name: string, rows: readonly Row[]) {
  const writer = await SpoolWriter.create(join(folder, name));
  for (const [key, row] of rows) await writer.addLine(spoolLine({ key }, row));
  return writer.finish();
}

/** Nobody can read a word with a question mark. */
const judge: SourceContext['judge'] = (header) => (cells) => {
  const at = cells.findIndex((cell) => cell?.includes('?'));
  return at < 0 ? null : { column: header[at]!, reason: `${header[at]} is odd` };
};

/** What the list is afterwards, each row as text: its origin, and its cells or why it is broken. */
async function merged(base: readonly Row[], delta: readonly Row[], deltaColumns = columns): Promise<string[]> {
  const folder = temporaryFolder();
  const whole = await spooled(folder, 'whole', base);
  const news = await spooled(folder, 'delta', delta);
  const into = await merge(
    { run: 'W', columns, spooled: whole, file: whole.file } satisfies Whole & { file: string },
    { run: 'D', columns: deltaColumns, spooled: news, rows: news.file },
    { columns: expected, judge, signal: new AbortController().signal },
    join(folder, 'merged'),
  );
  const lines: string[] = [];
  for await (const { line } of spoolLines(into.spooled.file)) {
    const [name, text] = line.split('\t') as [string, string];
    const row = JSON.parse(text) as string[] | { broken: string; about: string[] };
    const [, origin] = JSON.parse(name) as [string, string];
    lines.push(`${origin.replace(/push (.) record /, '$1')} ${Array.isArray(row) ? row.join('|') : `(${row.broken})`}`);
  }
  return lines;
}

const ann = ['1', 'Art', 'Ann'];
const bob = ['2', 'Art', 'Bob'];
const base: Row[] = [
  ['1', ann],
  ['2', bob],
  ['2', ['2', 'Law', 'Bob']],
];

test.each<[string, Row[], string[]]>([
  ['nothing', [], ['W1 1|Art|Ann', 'W2 2|Art|Bob', 'W3 2|Law|Bob']],
  ['a new person', [['3', ['3', 'Law', 'Cy']]], ['W1 1|Art|Ann', 'W2 2|Art|Bob', 'W3 2|Law|Bob', 'D1 3|Law|Cy']],
  ['one column of one record', [['1', ['1', null, 'Anna']]], ['W2 2|Art|Bob', 'W3 2|Law|Bob', 'W1 1|Art|Anna']],
  ['one column of all records', [['2', ['2', null, 'Rob']]], ['W1 1|Art|Ann', 'W2 2|Art|Rob', 'W3 2|Law|Rob']],
  ['a column that is emptied', [['1', ['1', null, '']]], ['W2 2|Art|Bob', 'W3 2|Law|Bob', 'W1 1|Art|']],
  ['all records of a person', [['2', ['2', 'Music', 'Bob']]], ['W1 1|Art|Ann', 'D1 2|Music|Bob']],
  [
    'several records, each without what all have in common',
    [
      ['2', ['2', 'Music', null]],
      ['2', ['2', 'Dance', null]],
    ],
    ['W1 1|Art|Ann', 'D1 2|Music|Bob', 'D2 2|Dance|Bob'],
  ],
  [
    'a value that cannot be read, and a good one for another person',
    [
      ['1', ['1', null, 'A?']],
      ['2', ['2', null, 'Rob']],
    ],
    ['W1 1|Art|Ann', 'D1 (name is odd)', 'W2 2|Art|Rob', 'W3 2|Law|Rob'],
  ],
  [
    'several records of which one cannot be read',
    [
      ['2', ['2', 'Music', 'Bob']],
      ['2', ['2', 'Dan?ce', 'Bob']],
    ],
    ['W1 1|Art|Ann', 'D1 2|Music|Bob', 'D2 (course is odd)'],
  ],
  [
    'a new person who cannot be read',
    [['3', ['3', 'L?w', 'Cy']]],
    ['W1 1|Art|Ann', 'W2 2|Art|Bob', 'W3 2|Law|Bob', 'D1 3|L?w|Cy'],
  ],
  [
    'one that is not whole and would replace several',
    [['2', ['2', 'Music', null]]],
    [
      'W1 1|Art|Ann',
      'W2 2|Art|Bob',
      'W3 2|Law|Bob',
      'D1 (this person has 2 records, and one that is not whole cannot replace them)',
    ],
  ],
  [
    'several, one of which leaves open what it means',
    [
      ['2', ['2', 'Music', 'Bob']],
      ['2', ['2', null, 'Rob']],
    ],
    ['W1 1|Art|Ann', 'D1 2|Music|Bob', 'D2 (does not bring course, in which the records of this person differ)'],
  ],
  [
    'an unknown person in part',
    [['9', ['9', null, 'Zoe']]],
    ['W1 1|Art|Ann', 'W2 2|Art|Bob', 'W3 2|Law|Bob', 'D1 (nobody is known by this key, and a new person needs course)'],
  ],
  ['somebody who goes', [['2', { deleted: true }]], ['W1 1|Art|Ann']],
  ['somebody unknown who goes', [['9', { deleted: true }]], ['W1 1|Art|Ann', 'W2 2|Art|Bob', 'W3 2|Law|Bob']],
  [
    'somebody who goes and is changed',
    [
      ['1', { deleted: true }],
      ['1', ann],
    ],
    ['W2 2|Art|Bob', 'W3 2|Law|Bob', 'W1 1|Art|Ann', 'D2 (the same push takes this person out as well)'],
  ],
  [
    'a record that cannot be read: what stood stays',
    [['1', { broken: 'x', column: 2, about: ['1', '', 'Ann'] }]],
    ['W2 2|Art|Bob', 'W3 2|Law|Bob', 'W1 1|Art|Ann', 'D1 (x)'],
  ],
  [
    'somebody who goes, beside a record that cannot be read',
    [
      ['1', { deleted: true }],
      ['1', { broken: 'x', column: null, about: ['1', '', ''] }],
    ],
    ['W2 2|Art|Bob', 'W3 2|Law|Bob', 'W1 1|Art|Ann', 'D2 (x)'],
  ],
  [
    'a broken record that could be anybody',
    [['', { broken: 'x', column: 1, about: ['', '', ''] }]],
    ['W1 1|Art|Ann', 'W2 2|Art|Bob', 'W3 2|Law|Bob', 'D1 (x)'],
  ],
])('%s', async (_, delta, list) => {
  expect(await merged(base, delta)).toEqual(list);
});

test('a broken record goes with the next good word on its person, one without a key stays', async () => {
  const broken: Row[] = [
    ['1', { broken: 'old', column: null, about: ['1', '', ''] }],
    ['', { broken: 'anybody', column: null, about: ['', '', ''] }],
  ];
  expect(await merged([...base.slice(0, 1), ...broken], [['1', ['1', null, 'Anna']]])).toEqual([
    'W3 (anybody)',
    'W1 1|Art|Anna',
  ]);
});

test('columns that are new are blank for everybody else; values may have any line end', async () => {
  const odd: Row[] = [['1', ['1', 'A\u2028B', 'C\u0085\r\nD']]];
  expect(await merged(odd, [['2', ['n', '2', 'Art', 'Bob']]], ['note', ...columns])).toEqual([
    'W1 1|A\u2028B|C\u0085\r\nD|',
    'D1 2|Art|Bob|n',
  ]);
});

test('a list that was kept with passwords is merged into no other', async () => {
  const folder = temporaryFolder();
  const whole = await spooled(folder, 'whole', [['1', [...ann, 'hunter2']]]);
  const news = await spooled(folder, 'delta', [['1', ['1', null, 'Anna']]]);
  const merging = merge(
    { run: 'W', columns: [...columns, 'Initial password'], spooled: whole, file: whole.file },
    { run: 'D', columns, spooled: news, rows: news.file },
    { columns: expected, judge, signal: new AbortController().signal },
    join(folder, 'merged'),
  );
  await expect(merging).rejects.toMatchObject({ kind: 'Incomplete', remedy: expect.stringContaining('whole list') });
});

test('a row that could not be read before takes what it is sent, and can be read again', async () => {
  const odd: Row[] = [['1', ['1', 'A?t', 'Ann']]];
  expect(await merged(odd, [['1', ['1', null, 'Anna']]])).toEqual(['W1 1|A?t|Anna']);
  expect(await merged(odd, [['1', ['1', 'Art', null]]])).toEqual(['W1 1|Art|Ann']);
  expect(await merged(odd, [['1', ['1', null, 'A?']]])).toEqual(['W1 1|A?t|A?']);
});
