import { describe, expect, it } from 'vitest';
import type { FieldMap, FieldSource } from '../../../../src/configure/config.ts';
import { formatOf } from '../../../../src/snapshot/formats/index.ts';

const column = (name: string, values: FieldSource['values'] = null): FieldSource => ({
  columns: [name],
  join: '',
  constant: null,
  values,
});
const constant = (text: string): FieldSource => ({ columns: [], join: '', constant: text, values: null });

const fields: FieldMap = {
  faculty: constant('Science'),
  department: column('DEPT', { '10': 'Physics', '20': 'Chemistry' }),
  course: column('COURSE'),
  firstName: { columns: ['PREFERRED', 'MIDDLE'], join: ' ', constant: null, values: null },
  lastName: column('LAST'),
  email: column('MAIL'),
  number: column('ROSTER_NO'),
  year: column('LEVEL', { First: '1', 'n/a': null }),
  kind: column('ROLE', { S: 'student', E: 'staff' }),
  'attributes.phone': column('TEL'),
};
const header = ['LAST', 'DEPT', 'COURSE', 'PREFERRED', 'MIDDLE', 'MAIL', 'ROSTER_NO', 'LEVEL', 'ROLE', 'TEL', 'OTHER'];
const good: Record<string, string> = {
  LAST: 'Curie',
  DEPT: ' 10 ',
  COURSE: 'Optics',
  PREFERRED: 'Marie',
  MIDDLE: 'S.',
  MAIL: 'MC@example.edu',
  ROSTER_NO: '9510000007',
  LEVEL: 'First',
  ROLE: 'E',
  TEL: ' +33 1  23 ',
  OTHER: 'ignored',
};
const normalise = (changes: Record<string, string> = {}, map: FieldMap = fields) => {
  const row = { ...good, ...changes };
  return formatOf({ kind: 'map', fields: map }).normaliser(header)(header.map((name) => row[name]!));
};

describe('a map', () => {
  it('takes columns, constants, joined columns, value tables and attributes', () => {
    expect(normalise()).toEqual({
      record: {
        faculty: 'Science',
        department: 'Physics',
        course: 'Optics',
        firstName: 'Marie S.',
        lastName: 'Curie',
        email: 'mc@example.edu',
        id: null,
        number: '9510000007',
        year: 1,
        kind: 'staff',
        attributes: { phone: '+33 1  23' },
      },
    });
  });

  it('leaves no separator behind for a blank part, and no attribute for a blank value', () => {
    expect(normalise({ MIDDLE: ' ', TEL: '' })).toMatchObject({ record: { firstName: 'Marie', attributes: {} } });
    expect(Object.keys((normalise({ TEL: '' }) as { record: { attributes: object } }).record.attributes)).toEqual([]);
  });

  it('takes null in a value table for blank, and a value outside the table as it is', () => {
    expect(normalise({ LEVEL: 'n/a', DEPT: 'Biology' })).toMatchObject({
      record: { year: null, department: 'Biology' },
    });
    expect(normalise({ DEPT: 'constructor' })).toMatchObject({ record: { department: 'constructor' } });
  });

  it('names the column of the file, not the field, in a quarantined row', () => {
    expect(normalise({ ROLE: 'X' })).toMatchObject({
      quarantined: { reason: 'kind is "X": student or staff, or blank for student', column: 'ROLE' },
    });
    expect(normalise({ TEL: 'a\u0000' })).toMatchObject({
      quarantined: { reason: 'phone contains a control character', column: 'TEL' },
    });
  });

  it.each(['950000000', '9520000001', '95000000011', '950000000a'])('quarantines number %s', (value) => {
    expect(normalise({ ROSTER_NO: value })).toMatchObject({
      quarantined: { column: 'ROSTER_NO', hints: { number: null, email: 'mc@example.edu' } },
    });
  });

  it('gives the number as a hint when something else is wrong', () => {
    expect(normalise({ LEVEL: '9' })).toMatchObject({ quarantined: { hints: { number: '9510000007' } } });
  });

  it('requires each named column once and lets others be', () => {
    const { columns } = formatOf({ kind: 'map', fields });
    expect(columns.required).toEqual(header.filter((name) => name !== 'OTHER').sort());
    expect(columns).toMatchObject({ optional: [], exact: false });
  });
});

describe('the fingerprint', () => {
  const print = (map: FieldMap) => formatOf({ kind: 'map', fields: map }).fingerprint;

  it('changes with every part of the map that changes records', () => {
    const prints = [
      print(fields),
      print({ ...fields, course: column('OTHER') }),
      print({ ...fields, course: constant('COURSE') }),
      print({ ...fields, faculty: constant('Arts') }),
      print({ ...fields, year: column('LEVEL', { First: '2', 'n/a': null }) }),
      print({ ...fields, year: column('LEVEL') }),
      print({ ...fields, firstName: { ...fields['firstName']!, join: '-' } }),
      print({ ...fields, firstName: { ...fields['firstName']!, columns: ['MIDDLE', 'PREFERRED'] } }),
      print({ ...fields, 'attributes.mobile': column('TEL') }),
      formatOf({ kind: 'unitu' }).fingerprint,
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it('stays when the map is only written in another order', () => {
    expect(print(Object.fromEntries(Object.entries(fields).reverse()))).toBe(print(fields));
    expect(print({ ...fields, department: column('DEPT', { '20': 'Chemistry', '10': 'Physics' }) })).toBe(
      print(fields),
    );
  });
});
