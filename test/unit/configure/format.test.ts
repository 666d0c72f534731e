import { describe, expect, it } from 'vitest';
import type { FormatConfig } from '../../../src/configure/config.ts';
import { formatOf } from '../../../src/snapshot/formats/index.ts';
import { linesOf, load } from './sample.ts';

const head = 'version: 1\ninstitution: x\nsources:\n  sis:\n    kind: drop\n    from: /x\n';
const formatIn = (body: string): FormatConfig => load(`${head}${body}`).sources[0]!.format;
const problems = (body: string): string[] => linesOf(`${head}${body}`);

const complete = `    map:
      faculty: { constant: Science }
      department: { column: DEPT, values: { 010: Physics, 20: 7, x: null, '': Unknown } }
      course: COURSE
      firstName: { columns: [FIRST, MIDDLE] }
      lastName: { columns: [LAST, SUFFIX], join: ', ' }
      email: MAIL
      year: { column: LEVEL, values: { First: 1, Other: null } }
      attributes: { phone: TEL, site: { constant: 12 } }
`;

describe('a map', () => {
  it('becomes columns, constants, joins and value tables', () => {
    const plain = { columns: [], join: '', constant: null, values: null };
    expect(formatIn(complete)).toEqual({
      kind: 'map',
      fields: {
        faculty: { ...plain, constant: 'Science' },
        department: {
          ...plain,
          columns: ['DEPT'],
          // 010 is a code: read as a number it would never meet the text 010 in the file.
          values: { '010': 'Physics', '20': '7', x: null, '': 'Unknown' },
        },
        course: { ...plain, columns: ['COURSE'] },
        firstName: { ...plain, columns: ['FIRST', 'MIDDLE'], join: ' ' },
        lastName: { ...plain, columns: ['LAST', 'SUFFIX'], join: ', ' },
        email: { ...plain, columns: ['MAIL'] },
        year: { ...plain, columns: ['LEVEL'], values: { First: '1', Other: null } },
        'attributes.phone': { ...plain, columns: ['TEL'] },
        'attributes.site': { ...plain, constant: '12' },
      },
    });
  });

  it('means the same under format:', () => {
    const nested = `    format:
${complete.replace(/^/gm, '  ').trimEnd()}
`;
    expect(formatIn(nested)).toEqual(formatIn(complete));
  });

  it('reads rows end to end', () => {
    const columns = ['DEPT', 'COURSE', 'FIRST', 'MIDDLE', 'LAST', 'SUFFIX', 'MAIL', 'LEVEL', 'TEL'];
    const normalise = formatOf(formatIn(complete)).normaliser(columns);
    expect(normalise(['010', 'Optics', 'Ada', '', 'King', 'PhD', 'Ada@x.edu', 'First', ''])).toEqual({
      record: {
        faculty: 'Science',
        department: 'Physics',
        course: 'Optics',
        firstName: 'Ada',
        lastName: 'King, PhD',
        email: 'ada@x.edu',
        id: null,
        number: null,
        year: 1,
        kind: 'student',
        attributes: { site: '12' },
      },
    });
  });

  it('names every field that it lacks', () => {
    expect(problems('    map: { email: MAIL, course: C, lastName: L }\n')).toEqual([
      '7:5: sources.sis.map.faculty: required, and missing',
      '7:5: sources.sis.map.department: required, and missing',
      '7:5: sources.sis.map.firstName: required, and missing',
    ]);
  });

  it.each([
    ['emial: X', 'map.emial: unknown key; did you mean email?'],
    ['id: { colum: X, column: Y }', 'map.id.colum: unknown key; did you mean column?'],
    ['id: { columns: [A], values: {} }', 'map.id.values: does not go with the other keys here'],
    ['id: { columns: [] }', 'map.id.columns: expected at least 1 entry'],
    ['id: 7', 'map.id: expected text or a map of keys, got 7'],
    ['id: { column: A, values: { x: true } }', 'map.id.values.x: expected text, a number or nothing, got true'],
    ['year: { column: A, values: { x: 8 } }', 'map.year.values.x: year is one of 0, 1, 2, 3, 4, 5, 6, 7, or blank'],
    ['kind: { constant: teacher }', 'map.kind.constant: kind is one of student, staff, or blank'],
    ['attributes: { 1x: A }', 'map.attributes.1x: an attribute name starts with a letter'],
  ])('%s', (line, expected) => {
    const found = problems(`${complete.replace(/ {6}(year|attributes).*\n/g, '')}      ${line}\n`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^14:\d+: /);
    expect(found[0]).toContain(expected);
  });

  it('refuses a blank constant where no record can be blank', () => {
    expect(problems(complete.replace('Science', "' '"))).toEqual([
      '8:28: sources.sis.map.faculty.constant: faculty is never blank',
    ]);
    expect(formatIn(complete.replace('{ columns: [FIRST, MIDDLE] }', "{ constant: '' }"))).toMatchObject({
      fields: { firstName: { constant: '' } },
    });
  });
});

describe('a password that a configuration would store', () => {
  const never = 'passwords are never stored, and this is the name of one';
  const mapped = complete.replace('phone: TEL', 'phone: PHONE');
  it.each([
    ['phone: PHONE', 'phone: userPassword', `map.attributes.phone: ${never}`],
    ['phone: PHONE', 'phone: { column: Initial PW, split: "|" }', `map.attributes.phone.column: ${never}`],
    ['phone: PHONE', 'phone: { firstOf: [A, Password] }', `map.attributes.phone.firstOf[1]: ${never}`],
    ['phone: PHONE', 'password: LOGIN', `map.attributes.password: ${never}`],
    ['LAST, SUFFIX', 'LAST, pwd', `map.lastName.columns[1]: ${never}`],
    ['email: MAIL', 'email: credentials.password', `map.email: ${never}`],
  ])('%s → %s is refused', (from, to, expected) => {
    const found = problems(mapped.replace(from, to));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('is refused in the options of a format, beside the one that names it', () => {
    const format = (options: string): string => `    format: { cloudwork-upload: ${options} }\n`;
    expect(problems(format('{ form: Password }'))[0]).toContain(`format.cloudwork-upload.form: ${never}`);
    expect(formatIn(format('{ password: Password }'))).toMatchObject({ columns: { secret: ['Password'] } });
    expect(problems(format('{ sisId: ID, password: i_d }'))[0]).toContain(
      'format.cloudwork-upload.password: is the column that sisId names',
    );
    expect(problems(format('{ password: E-Mail }'))[0]).toContain('password: is the column that email names');
  });
});

describe('exactly one of format and map', () => {
  it('is needed', () => {
    expect(problems('')).toEqual([
      '4:3: sources.sis: rows become records by a format or by a map; add format: unitu, or a map: of canonical field to column',
    ]);
    expect(problems(`    format: unitu\n${complete}`)).toEqual([
      '8:5: sources.sis.map: rows become records by a format or by a map; give one of the two',
    ]);
  });

  it('names the formats that there are', () => {
    expect(problems('    format: unity\n')).toEqual([
      '7:13: sources.sis.format: expected unitu, stellic-user, cloudwork-upload, corvus-users, oneroster or a map of keys, got "unity"; did you mean unitu?',
    ]);
  });
});
