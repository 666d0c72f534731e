import { describe, expect, it } from 'vitest';
import { formatOf } from '../../../../src/snapshot/formats/index.ts';
import type { PersonRecord, Quarantined } from '../../../../src/snapshot/record.ts';

const columns = ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'id', 'year'];
const good = {
  faculty: 'Engineering',
  department: 'Mechanical Engineering',
  course: 'Car Maintenance',
  firstName: 'John',
  lastName: 'Smith',
  email: 'John.Smith@Example.edu',
  id: 'JoSm19',
  year: '1',
};
const normalise = formatOf({ kind: 'unitu' }).normaliser(columns);

function result(changes: Partial<typeof good>): ReturnType<typeof normalise> {
  const row: Record<string, string> = { ...good, ...changes };
  return normalise(columns.map((column) => row[column]!));
}

function record(changes: Partial<typeof good> = {}): PersonRecord {
  const answer = result(changes);
  if ('quarantined' in answer) throw new Error(`quarantined: ${answer.quarantined.reason}`);
  return answer.record;
}

function refused(changes: Partial<typeof good>): Quarantined {
  const answer = result(changes);
  if ('record' in answer) throw new Error('the row was taken');
  return answer.quarantined;
}

describe('the unitu format', () => {
  it('turns a good row into a record: e-mail in lower case, id as it is written, year a number', () => {
    expect(record()).toEqual({
      faculty: 'Engineering',
      department: 'Mechanical Engineering',
      course: 'Car Maintenance',
      firstName: 'John',
      lastName: 'Smith',
      email: 'john.smith@example.edu',
      id: 'JoSm19',
      number: null,
      kind: 'student',
      year: 1,
      attributes: {},
    });
  });

  it('reads columns by name, in any order', () => {
    const turned = [...columns].reverse();
    const answer = formatOf({ kind: 'unitu' }).normaliser(turned)(
      turned.map((column) => good[column as keyof typeof good]),
    );
    expect(answer).toEqual({ record: record() });
  });

  it('works without the id column, and refuses a header without another one', () => {
    const format = formatOf({ kind: 'unitu' });
    const without = columns.filter((column) => column !== 'id');
    expect(format.normaliser(without)(without.map((column) => good[column as keyof typeof good]))).toEqual({
      record: { ...record(), id: null },
    });
    expect(() => format.normaliser(columns.filter((column) => column !== 'year'))).toThrow(/missing: year/);
    expect(() => format.normaliser([...columns, 'year'])).toThrow(/year occurs twice/);
  });

  it('expects exactly the eight columns, of which only id is optional', () => {
    const expected = formatOf({ kind: 'unitu' }).columns;
    expect([...expected.required, ...expected.optional].sort()).toEqual([...columns].sort());
    expect(expected.optional).toEqual(['id']);
    expect(expected.exact).toBe(true);
  });

  it('quarantines a row with another number of values and believes nothing in it', () => {
    expect(normalise(['Engineering', 'x', 'John', 'Smith', 'a@b.edu', 'id', '1'])).toEqual({
      quarantined: {
        reason: 'the row has 7 values for 8 columns',
        column: null,
        hints: { number: null, id: null, email: null },
        course: null,
      },
    });
  });
});

describe('white space and Unicode', () => {
  it('trims every kind of white space and makes one space of inner runs in names and courses', () => {
    const taken = record({
      firstName: '\u00a0John\t \u3000Paul\u0085',
      course: 'Car\r\n  Maintenance\ufeff',
      email: '\u2003john@example.edu ',
      id: ' josm 19 ',
    });
    expect(taken.firstName).toBe('John Paul');
    expect(taken.course).toBe('Car Maintenance');
    expect(taken.email).toBe('john@example.edu');
    expect(taken.id).toBe('josm 19');
  });

  it('writes composed and decomposed letters alike (NFC), so that one name is one name', () => {
    expect(record({ lastName: 'Zoe\u0308' }).lastName).toBe('Zo\u00eb');
    expect(record({ course: 'Cafe\u0301' })).toEqual(record({ course: 'Caf\u00e9' }));
  });

  it.each([
    ['firstName', 'Jo\u0000hn', 'firstName contains a control character'],
    ['course', 'Car\u001fDesign', 'course contains a control character'],
    ['id', 'a\u0007', 'id contains a control character'],
    ['id', 'a\tb', 'id contains a tab or a line break'],
    ['lastName', 'M\ufffdller', 'lastName contains a damaged character (wrong encoding?)'],
    ['lastName', 'M\ud800ller', 'lastName contains a damaged character (wrong encoding?)'],
  ])('quarantines %s %j', (field, value, reason) => {
    expect(refused({ [field]: value })).toMatchObject({ reason, column: field });
  });
});

describe('each field', () => {
  it.each(['', ' ', '\u00a0'])('reads %j as no id and no year', (blank) => {
    expect(record({ id: blank, year: blank })).toMatchObject({ id: null, year: null });
  });

  it.each(['0', '1', '7', ' 3 '])('takes year %j', (year) => {
    expect(record({ year }).year).toBe(Number(year));
  });

  it.each(['8', '9', '-1', '1.0', '01', 'one', '10', '٣'])('quarantines year %j and shows it', (year) => {
    const { reason, column } = refused({ year });
    expect(reason).toBe(`year is ${JSON.stringify(year)}: a whole number from 0 to 7, or blank`);
    expect(column).toBe('year');
  });

  it('shows a long year shortened', () => {
    expect(refused({ year: 'x'.repeat(500) }).reason).toBe(
      `year is "${'x'.repeat(23)}…": a whole number from 0 to 7, or blank`,
    );
  });

  it.each(["o'brien+tag@mail.example.edu", 'a@b.co', 'jürgen@müller.example', `${'a'.repeat(64)}@example.edu`])(
    'takes the address %s',
    (email) => {
      expect(record({ email }).email).toBe(email);
    },
  );

  it.each([
    'john',
    'john@',
    '@example.edu',
    'john@localhost',
    'john@@example.edu',
    'a@b@example.edu',
    'john smith@example.edu',
    'john@example .edu',
    'john@.edu',
    'john@example..edu',
    'john@example.edu.',
    'john@-example.edu',
    'john@example-.edu',
    'john@exa_mple.edu',
    'john@example.edu;jane@example.edu',
    'John <john@example.edu>',
    'john\u200b@example.edu',
    'john@example.edu\u202e',
    `${'a'.repeat(65)}@example.edu`,
  ])('quarantines the address %j without showing it', (email) => {
    expect(refused({ email })).toMatchObject({ reason: 'email is not an address', column: 'email' });
  });

  it('limits lengths', () => {
    const long = `${'a'.repeat(60)}@${`${'b'.repeat(60)}.`.repeat(4)}edu`;
    expect(refused({ email: long }).reason).toBe('email is longer than 254 characters');
    expect(record({ id: 'i'.repeat(255) }).id).toHaveLength(255);
    expect(refused({ id: 'i'.repeat(256) }).reason).toBe('id is longer than 255 characters');
    expect(refused({ lastName: 'n'.repeat(201) }).reason).toBe('lastName is longer than 200 characters');
    expect(refused({ course: 'c'.repeat(301) }).reason).toBe('course is longer than 300 characters');
  });

  it.each(['faculty', 'department', 'course', 'email'])('needs %s', (field) => {
    expect(refused({ [field]: ' ' })).toMatchObject({ reason: `${field} is blank`, column: field });
  });

  it('takes people with one name, and nobody without any', () => {
    expect(record({ firstName: '' })).toMatchObject({ firstName: '', lastName: 'Smith' });
    expect(record({ lastName: ' ' })).toMatchObject({ firstName: 'John', lastName: '' });
    expect(refused({ firstName: '', lastName: ' ' }).reason).toBe('firstName and lastName are both blank');
  });
});

describe('hints of a quarantined row', () => {
  it('carry what can be read, so that only this person and course are shielded', () => {
    expect(refused({ year: '9' })).toMatchObject({
      hints: { number: null, id: 'JoSm19', email: 'john.smith@example.edu' },
      course: { faculty: 'Engineering', department: 'Mechanical Engineering', course: 'Car Maintenance' },
    });
    expect(refused({ email: 'nobody', id: ' ' }).hints).toEqual({ number: null, id: null, email: null });
    expect(refused({ id: 'a\u0000' }).hints).toEqual({ number: null, id: null, email: 'john.smith@example.edu' });
  });

  it('leave out a course of which one name cannot be read', () => {
    expect(refused({ department: '' })).toMatchObject({ course: null, hints: { id: 'JoSm19' } });
  });

  it('never show a name, an e-mail or an id in the reason', () => {
    const secretive = { firstName: 'Secret\u0000', lastName: 'Secret\u0001', email: 'secret@', id: 'secret\u0002' };
    for (const [field, value] of Object.entries(secretive))
      expect(refused({ [field]: value }).reason.toLowerCase()).not.toContain('secret');
  });
});
