import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { readUpload } from '../../../../connectors/canvas/stub/upload.ts';

const readCsv = (text: string | Uint8Array) => readUpload(Buffer.from(text as string), 'csv');
const typeOf = (header: string) => readCsv(`${header}\n`).tables.map((table) => table.importer)[0];
const messages = (upload: ReturnType<typeof readUpload>) =>
  upload.problems.map(({ file, message, failure }) => ({ file, message, failure }));

describe('what the stub makes of an upload', () => {
  test.each([
    ['account_id,parent_account_id,name,status', 'account'],
    ['term_id,name,status', 'term'],
    ['course_id,short_name,long_name,status', 'course'],
    ['course_id,short_name,long_name,term_id,status', 'course'],
    ['section_id,course_id,name,status', 'section'],
    ['user_id,login_id,status', 'user'],
    ['course_id,user_id,role,status', 'enrollment'],
    ['section_id,user_integration_id,role,status', 'enrollment'],
    [' User_ID , LOGIN_ID ', 'user'],
    ['\ufeffuser_id,login_id', 'user'],
  ])('the headers %s are those of %s', (header, importer) => {
    expect(typeOf(header)).toBe(importer);
  });

  test('the first importer that fits wins, as in Canvas: a courses file with term_id and name is read as terms', () => {
    expect(typeOf('course_id,short_name,long_name,term_id,name,status')).toBe('term');
    expect(typeOf('section_id,course_id,user_id,status')).toBe('enrollment');
  });

  test.each([
    ['foo,bar\n1,2\n', "Couldn't find Canvas CSV import headers"],
    ['', "Couldn't find Canvas CSV import headers"],
    ['user_id,login_id\n"U1,l1\n', 'Malformed CSV'],
  ])('%j fails the import', (text, message) => {
    expect(messages(readCsv(text))).toEqual([{ file: 'sis_import.csv', message, failure: true }]);
  });

  test('only UTF-8 is taken', () => {
    const upload = readCsv(Buffer.from('user_id,login_id\nU1,Ren\u00e9\n', 'latin1'));
    expect(messages(upload)).toEqual([{ file: 'sis_import.csv', message: 'Invalid UTF-8', failure: true }]);
  });

  test('an archive: folders and system files are passed over, other files are warned of', () => {
    const bytes = Buffer.from('user_id,login_id\nU1,l1\n');
    const upload = readUpload(
      zipSync({ 'deep/People.CSV': bytes, '__MACOSX/x.csv': bytes, 'notes.txt': bytes }, { level: 0 }),
      'zip',
    );
    expect(upload.tables.map(({ file, rows }) => ({ file, rows }))).toEqual([
      { file: 'People.CSV', rows: [['U1', 'l1']] },
    ]);
    expect(messages(upload)).toEqual([{ file: 'notes.txt', message: 'Skipping unknown file type', failure: false }]);
  });

  test('an archive that grows a hundredfold is not unpacked', () => {
    const upload = readUpload(zipSync({ 'users.csv': Buffer.alloc(10_000_000, 'a') }), 'zip');
    expect(upload.tables).toEqual([]);
    expect(upload.problems).toMatchObject([{ file: null, failure: true }]);
  });

  test('what is no archive fails the import', () => {
    expect(readUpload(Buffer.from('not a zip'), 'zip').problems).toMatchObject([{ failure: true }]);
  });
});
