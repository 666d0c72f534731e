import { expect, test } from 'vitest';
import { masked } from '../../../src/operate/preview.ts';
import { record } from '../../conformance/store/samples.ts';

test('a masked record says what kind of record it is, and not whose', () => {
  const one = record('S1234567', {
    email: 'ada.mueller@example.edu',
    number: '9500000007',
    attributes: { phone: '+49 30 1234', room: '' },
  });
  expect(masked(one)).toEqual({
    number: '9…',
    id: 'S…',
    email: 'a…@example.edu',
    firstName: 'A…',
    lastName: 'M…',
    kind: 'student',
    year: '1',
    course: 'Engineering / Mechanics / Statics',
    'attributes.phone': '+…',
  });
});

test('somebody without a course, a year and an account', () => {
  const one = record(null, { faculty: '', department: '', course: '', year: null, provision: false, attributes: {} });
  expect(masked(one)).toMatchObject({ account: 'none' });
  expect(Object.keys(masked(one))).not.toContain('course');
});
