import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { canvasSettings } from '../../../../connectors/canvas/schema.ts';
import { buildSheets, courseId, toFiles } from '../../../../connectors/canvas/sheets.ts';
import type { DeliveryItem } from '../../../../src/connector/target.ts';
import { course, item, person } from './items.ts';

const settings = (more: object = {}) =>
  canvasSettings.parse({ url: 'https://canvas.example.edu', token: { env: 'CANVAS_TOKEN' }, ...more });

const read = (items: DeliveryItem[], more: object = {}): Record<string, Record<string, string>[]> => {
  const files = toFiles(buildSheets(items, settings(more)));
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, parse(text, { columns: true })]));
};

describe('users.csv', () => {
  test('identifies a person by the account number and signs in by e-mail', () => {
    expect(read([item('account.create', { account: person(1) })])).toEqual({
      'users.csv': [
        {
          user_id: '9500000001',
          integration_id: 'S1',
          login_id: 'p1@example.edu',
          first_name: 'Pat',
          last_name: 'Number 1',
          email: 'p1@example.edu',
          status: 'active',
        },
      ],
    });
  });

  test('keeps names with commas, quotes, line ends and other scripts whole', () => {
    const names = ['O"Brien, "Mac"', 'two\nlines', 'Сорокіна', '李 小龙', 'نور', 'e\u0301', ' padded '];
    const items = names.map((lastName, index) => item('account.create', { account: person(index, { lastName }) }));
    expect(read(items)['users.csv']!.map((row) => row['last_name'])).toEqual(names);
  });

  test('suspends a disabled account, or deletes it when the settings say so', () => {
    const items = [item('account.disable', { account: person(1, { status: 'disabled', id: null }) })];
    expect(read(items)['users.csv']).toMatchObject([{ status: 'suspended', integration_id: '' }]);
    expect(read(items, { userStatusOnDisable: 'deleted' })['users.csv']).toMatchObject([{ status: 'deleted' }]);
  });

  test('an update of a disabled account does not let the person in again', () => {
    const items = [item('account.update', { account: person(1, { status: 'disabled' }) })];
    expect(read(items)['users.csv']).toMatchObject([{ status: 'suspended' }]);
  });
});

describe('courses.csv and enrollments.csv', () => {
  const car = course('Car Design');

  test('students and staff are enrolled in their roles, and the course comes along once', () => {
    const files = read([
      item('enrolment.add', { account: person(1), course: car }),
      item('enrolment.add', { account: person(2, { kind: 'staff' }), course: car }),
    ]);
    const id = courseId(car);
    expect(files['enrollments.csv']).toEqual([
      { course_id: id, user_id: '9500000001', role: 'student', status: 'active' },
      { course_id: id, user_id: '9500000002', role: 'teacher', status: 'active' },
    ]);
    expect(files['courses.csv']).toEqual([
      {
        course_id: id,
        short_name: 'Car Design',
        long_name: 'Engineering / Mechanical Engineering / Car Design',
        status: 'active',
      },
    ]);
  });

  test('a removed enrolment does not bring its course along: active would reopen a concluded one', () => {
    expect(Object.keys(read([item('enrolment.remove', { account: person(1), course: car })]))).toEqual([
      'enrollments.csv',
    ]);
  });

  test('courses: existing sends only the course changes themselves', () => {
    const items = [
      item('enrolment.add', { account: person(1), course: car }),
      item('course.create', { course: course('Bicycles') }),
    ];
    expect(read(items, { courses: 'existing' })['courses.csv']).toMatchObject([{ short_name: 'Bicycles' }]);
  });

  test('the later change has the last word on a course', () => {
    const add = item('enrolment.add', { account: person(1), course: car });
    const archive = item('course.archive', { course: car });
    expect(read([add, archive])['courses.csv']).toMatchObject([{ status: 'completed' }]);
    expect(read([archive, add])['courses.csv']).toMatchObject([{ status: 'active' }]);
  });

  test('no header of ours is taken for another type of file', () => {
    const files = toFiles(
      buildSheets(
        [item('account.create', { account: person(1) }), item('enrolment.add', { account: person(1), course: car })],
        settings(),
      ),
    );
    expect(files['courses.csv']!.split('\n')[0]).not.toMatch(/term_id|section_id|user_id|"name"/);
    expect(files['enrollments.csv']!.split('\n')[0]).not.toMatch(/login_id|short_name|"name"/);
  });

  test('a name longer than Canvas keeps is cut', () => {
    const [row] = read([item('course.create', { course: course('🚗'.repeat(300)) })])['courses.csv']!;
    expect([...row!['short_name']!]).toHaveLength(255);
  });
});

describe('courseId', () => {
  test('is readable, stable and at most 64 characters', () => {
    const id = courseId(course('Car Design'));
    expect(id).toMatch(/^engineering-mechanical-engineering-car-design-[0-9a-f]{12}$/);
    expect(courseId(course('Car Design'))).toBe(id);
    expect(courseId(course('Very Long Name '.repeat(20))).length).toBeLessThanOrEqual(64);
  });

  test('tells apart what reads alike', () => {
    const alike = [
      { faculty: 'A', department: 'B C', course: 'D' },
      { faculty: 'A B', department: 'C', course: 'D' },
      { faculty: 'A', department: 'B', course: 'C D' },
      { faculty: 'a', department: 'b', course: 'c d' },
      { faculty: '工', department: '機', course: '車' },
      { faculty: '工', department: '機', course: '船' },
    ];
    expect(new Set(alike.map(courseId)).size).toBe(alike.length);
  });
});

describe('settings', () => {
  test('have the documented defaults', () => {
    expect(settings()).toMatchObject({
      account: 'self',
      batch: 5000,
      courses: 'ensure',
      pollEvery: 2000,
      pollFor: 1_800_000,
      role: 'student',
      userStatusOnDisable: 'suspended',
    });
  });

  test.each([
    { batch: 0 },
    { batch: 50_001 },
    { account: -1 },
    { url: 'ftp://canvas.example.edu' },
    { token: 'written here' },
    { colour: 'blue' },
  ])('refuse %j', (wrong) => {
    expect(() => settings(wrong)).toThrow();
  });
});
