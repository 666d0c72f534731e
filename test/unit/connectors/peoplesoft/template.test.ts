import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { complaints, fillBody, fillPath, todayOf, valuesOf } from '../../../../connectors/peoplesoft/template.ts';
import type { DeliveryItem } from '../../../../src/connector/target.ts';

const item: DeliveryItem = {
  item: 'plan:1:campus',
  type: 'enrolment.add',
  account: {
    account: '9500000001',
    id: null,
    email: 'ada@example.edu',
    firstName: 'Ada',
    lastName: 'Byron',
    kind: 'student',
    year: 2,
    status: 'active',
    attributes: {},
  },
  course: { faculty: 'Arts / Design', department: 'Graphics', course: 'Type & Print' },
  changed: [],
  before: null,
  emailConfirmed: false,
};
const values = valuesOf(item, 'PSFT_CS');

describe('a body', () => {
  test('keeps the type of a leaf that is one placeholder, and its other leaves as they are', () => {
    const template = { YEAR: '{year}', EMPLID: '{id}', N: 5, YES: true, NONE: null, LIST: ['{account}', '{type}'] };
    expect(fillBody(template, values)).toEqual({
      YEAR: 2,
      EMPLID: null,
      N: 5,
      YES: true,
      NONE: null,
      LIST: ['9500000001', 'enrolment.add'],
    });
  });

  test('joins placeholders and text; what is missing is empty there', () => {
    expect(fillBody('{lastName}, {firstName} [{id}] {year}', values)).toBe('Byron, Ada [] 2');
  });

  test('takes values as they are, even when they look like placeholders', () => {
    expect(fillBody('x {firstName}', { ...values, firstName: '{lastName} $& $1' })).toBe('x {lastName} $& $1');
  });

  test('may leave out what is missing, or send it empty; a null that is written stays', () => {
    const template = { A: '{id}', B: ['{id}', '{account}'], C: null, D: 'x{id}' };
    expect(fillBody(template, values, 'omit')).toEqual({ B: ['9500000001'], C: null, D: 'x' });
    expect(fillBody(template, values, 'blank')).toEqual({ A: '', B: ['', '9500000001'], C: null, D: 'x' });
  });

  test('knows attributes, what was before, and what changed', () => {
    const moved = valuesOf(
      {
        ...item,
        type: 'account.update',
        account: { ...item.account!, attributes: { campus: 'North' } },
        changed: ['email', 'year'],
        before: { email: 'old@example.edu', attributes: { campus: 'South' } },
      },
      'N',
      '01/02/2026',
    );
    const template = {
      NOW: '{attributes.campus}',
      WAS: '{before.attributes.campus} {before.email}',
      NONE: '{attributes.room}',
      LIST: '{changed}',
      TEXT: 'of {changed}',
      EFFDT: '{today}',
      EFF_STATUS: '{effStatus}',
      SURE: '{emailConfirmed}',
    };
    expect(fillBody(template, moved)).toEqual({
      ...{ NOW: 'North', WAS: 'South old@example.edu', NONE: null, LIST: ['email', 'year'], TEXT: 'of email,year' },
      ...{ EFFDT: '01/02/2026', EFF_STATUS: 'A', SURE: false },
    });
    expect(complaints(template)).toEqual([]);
  });

  test('says disabled for a leaver', () => {
    expect(valuesOf({ ...item, type: 'account.disable' }, 'N').status).toBe('disabled');
  });
});

describe('a path', () => {
  test('holds its values percent-encoded', () => {
    expect(fillPath('/{node}/X.v1/{account}/{faculty}?c={course}', values)).toEqual({
      path: '/PSFT_CS/X.v1/9500000001/Arts%20%2F%20Design?c=Type%20%26%20Print',
    });
  });

  test('gives back every value to whoever decodes it, and nothing leaves its place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (id) => {
        const filled = fillPath('/base/{id}/end', { ...values, id });
        if ('unusable' in filled) return ['', '.', '..'].includes(id);
        const parts = new URL(filled.path, 'http://host').pathname.split('/');
        return parts.length === 4 && decodeURIComponent(parts[2]!) === id && parts[3] === 'end';
      }),
    );
  });

  test.each([null, '', '.', '..'])('cannot hold %j', (id) => {
    expect(fillPath('/x/{id}', { ...values, id })).toEqual({ unusable: 'id' });
  });

  test('tells courses apart by a code that is safe in it', () => {
    const other = valuesOf({ ...item, course: { ...item.course!, course: 'type & print' } }, 'N');
    expect(values.courseCode).toMatch(/^[0-9a-f]{16}$/);
    expect(other.courseCode).not.toBe(values.courseCode);
  });
});

test('today is the day of the site, as the site writes it', () => {
  const now = new Date('2026-01-31T23:30:00Z');
  expect(todayOf(now, { timeZone: 'UTC', format: 'yyyy-MM-dd' })).toBe('2026-01-31');
  expect(todayOf(now, { timeZone: 'Europe/Berlin', format: 'MM/dd/yyyy' })).toBe('02/01/2026');
  expect(todayOf(now, { timeZone: 'America/Los_Angeles', format: 'yyyyMMdd' })).toBe('20260131');
});

test('wrong placeholders are found wherever they are, with the nearest right one', () => {
  expect(complaints({ A: ['ok {account}', { B: '{acount}' }], 'C{id}': 1, D: '{somethingElse}' })).toEqual([
    { path: ['A', 1, 'B'], message: 'unknown placeholder {acount}; did you mean {account}?' },
    { path: ['C{id}'], message: 'placeholders stand in values, not in keys' },
    { path: ['D'], message: expect.stringMatching(/^unknown placeholder \{somethingElse\}; known are account, id/) },
  ]);
});
