import { expect, test } from 'vitest';
import { RosterdError } from '../../../../src/base/errors.ts';
import { type HeaderRules, readHeader } from '../../../../src/connector/csv/header.ts';

const rules: HeaderRules = {
  delimiter: ',',
  encoding: 'utf-8',
  maxRowBytes: 1024,
  openEndAllowed: false,
  columns: { required: ['id', 'email'], optional: ['first name'], exact: true },
};
const header = (content: string | Buffer, changes: Partial<HeaderRules> = {}, whole = true) =>
  readHeader('students.csv', Buffer.from(content as string), whole, { ...rules, ...changes });

function refusal(...given: Parameters<typeof header>): string {
  try {
    header(...given);
  } catch (error) {
    if (error instanceof RosterdError && error.kind === 'Incomplete') return error.line();
    throw error;
  }
  throw new Error('the header was taken');
}

test('names are trimmed and unquoted, in the order of the file', () => {
  expect(header('email ,"first name ",id\nx')).toMatchObject({ columns: ['email', 'first name', 'id'] });
  expect(header('id;email\r\n', { delimiter: ';' })).toEqual({ columns: ['id', 'email'], offset: 10, line: 2 });
});

test('a byte order mark is no part of the first name, and offsets still count it', () => {
  expect(header('\ufeffid,email\nx')).toEqual({ columns: ['id', 'email'], offset: 12, line: 2 });
  expect(header('\ufeff"id",email\n')).toMatchObject({ columns: ['id', 'email'] });
});

test('blank lines before the header and line ends inside it are counted', () => {
  expect(header('\n\r\nid,email\nx')).toMatchObject({ offset: 12, line: 4 });
  const columns = { required: ['id', 'e\nmail'], optional: [], exact: true };
  expect(header('id,"e\nmail"\nx', { columns })).toMatchObject({ columns: ['id', 'e\nmail'], line: 3 });
});

test('an empty file is no table', () => {
  expect(refusal('')).toMatch(/students.csv is empty/);
  expect(refusal('\n\n')).toBe('students.csv:2: there is no header');
});

test('missing columns are named, with the column that was probably meant', () => {
  expect(refusal('ID,email\n')).toBe(
    'students.csv:1: required column "id" missing; the header has "ID", "email"; is "ID" meant to be "id"?',
  );
  expect(refusal('id,e-mail\n')).toMatch(/is "e-mail" meant to be "email"\?/);
  expect(refusal('x\n')).toMatch(/required columns "id", "email" missing/);
});

test('unexpected columns are refused when the format is exact', () => {
  expect(refusal('id,email,frist name\n')).toBe(
    'students.csv:1:3: unexpected column "frist name"; did you mean "first name"?',
  );
  expect(refusal('id,email,\n')).toMatch(/^students.csv:1:3: column 3 has no name/);
  const columns = { ...rules.columns, exact: false };
  expect(header('id,email,extra,\n', { columns })).toMatchObject({ columns: ['id', 'email', 'extra', ''] });
});

test('a name that is there twice is refused: nobody can tell which one is meant', () => {
  expect(refusal('id,email,id\n')).toMatch(/^students.csv:1:3: the column "id" is there twice, as column 1 and 3/);
});

test('another delimiter is recognised', () => {
  expect(refusal('id;email;first name\n')).toMatch(/set delimiter: ";"/);
  expect(refusal('id\temail\n')).toMatch(/set delimiter: "\\t"/);
});

test('another encoding is recognised', () => {
  expect(refusal(Buffer.from('\ufeffid,email\n', 'utf16le'))).toMatch(/UTF-16; set encoding: utf-16/);
  expect(refusal(Buffer.from('id,email\n', 'utf16le'))).toMatch(/NUL characters; set encoding: utf-16/);
  expect(refusal(Buffer.from('id,email,pr\xe9nom\n', 'latin1'))).toMatch(/not valid UTF-8; set encoding: windows-1252/);
  // with either, the first name would begin with characters that nobody wrote, and be one that nobody knows
  for (const encoding of ['utf-16', 'windows-1252'] as const)
    expect(refusal('\ufeffid,email\n', { encoding })).toMatch(/set encoding: utf-8/);
});

test('a header without a line end may be cut, unless line ends are not to be expected', () => {
  expect(refusal('id,emai')).toMatch(/ends in the middle of line 1.*finalNewline: optional/);
  expect(header('id,email', { openEndAllowed: true })).toEqual({ columns: ['id', 'email'], offset: 8, line: 2 });
});

test('what is no CSV is refused', () => {
  expect(refusal('id,"email"x\n')).toMatch(/a quote stands where none may be/);
  expect(refusal('id,email\rx,y\rz\n')).toMatch(/bare carriage return/);
  expect(refusal('x'.repeat(3000), {}, false)).toMatch(/longer than 1024 bytes/);
});

test('a column that would be an object is refused: a table has its parts as columns', () => {
  const columns = { required: ['id'], optional: ['custom'], objects: ['custom'], exact: false };
  expect(refusal('id,custom\n', { columns })).toBe(
    'students.csv:1:2: the column "custom" is an object, which a table does not have; its parts are columns: custom.NAME',
  );
  expect(header('id,custom.locker\n', { columns })).toMatchObject({ columns: ['id', 'custom.locker'] });
});
