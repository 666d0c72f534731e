import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { courseId } from '../../../../connectors/canvas/layout.ts';
import { canvasSettings } from '../../../../connectors/canvas/schema.ts';
import { Changes, toFiles } from '../../../../connectors/canvas/sheets.ts';
import { readUpload } from '../../../../connectors/canvas/stub/upload.ts';
import type { DeliveryItem } from '../../../../src/connector/target.ts';
import { course, item, person } from './items.ts';

const settings = (more: object = {}) =>
  canvasSettings.parse({ url: 'https://canvas.example.edu', token: { env: 'CANVAS_TOKEN' }, ...more });

const read = (items: DeliveryItem[], more: object = {}): Record<string, Record<string, string>[]> => {
  const files = toFiles(new Changes(items, settings(more)), settings(more));
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
      { course_id: id, section_id: '', user_id: '9500000001', role: 'student', status: 'active' },
      { course_id: id, section_id: '', user_id: '9500000002', role: 'teacher', status: 'active' },
    ]);
    expect(files['courses.csv']).toEqual([
      {
        course_id: id,
        short_name: 'Car Design',
        long_name: 'Engineering / Mechanical Engineering / Car Design',
        account_id: '',
        term_id: '',
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
    const all = settings({ accounts: 'departments', term: { id: 'T', name: 'T' }, sections: 'course' });
    const items = [
      item('account.create', { account: person(1) }),
      item('enrolment.add', { account: person(1), course: car }),
    ];
    const files = toFiles(new Changes(items, all), all);
    const types = Object.entries(files).map(([name, text]) => [
      name,
      readUpload(Buffer.from(text), 'csv').tables.map(({ importer }) => importer),
    ]);
    expect(types).toEqual([
      ['accounts.csv', ['account']],
      ['terms.csv', ['term']],
      ['courses.csv', ['course']],
      ['sections.csv', ['section']],
      ['users.csv', ['user']],
      ['enrollments.csv', ['enrollment']],
    ]);
  });

  test('a name longer than Canvas keeps is cut', () => {
    const [row] = read([item('course.create', { course: course('🚗'.repeat(300)) })])['courses.csv']!;
    expect([...row!['short_name']!]).toHaveLength(255);
  });
});

describe('sub-accounts, terms and sections', () => {
  const car = course('Car Design');
  const add = item('enrolment.add', { account: person(1), course: car });

  test('parents come first, and the course is in the deepest', () => {
    const files = read([add], { accounts: 'departments' });
    const [faculty, department] = files['accounts.csv']!;
    expect(faculty).toMatchObject({ parent_account_id: '', name: 'Engineering', status: 'active' });
    expect(department).toMatchObject({ parent_account_id: faculty!['account_id'], name: 'Mechanical Engineering' });
    expect(files['courses.csv']).toMatchObject([{ account_id: department!['account_id'], term_id: '' }]);
    expect(read([add], { accounts: 'faculties' })['accounts.csv']).toEqual([faculty]);
  });

  test('a term has the columns of the dates that are set: a blank one would clear', () => {
    const files = read([add], { term: { id: '2026F', name: 'Fall', end: '2026-12-20' } });
    expect(files['terms.csv']).toEqual([{ term_id: '2026F', name: 'Fall', status: 'active', end_date: '2026-12-20' }]);
    expect(files['courses.csv']).toMatchObject([{ term_id: '2026F' }]);
  });

  test('a removed enrolment brings its section along: Canvas refuses one that it does not know', () => {
    const files = read([item('enrolment.remove', { account: person(1), course: car })], { sections: 'course' });
    expect(Object.keys(files)).toEqual(['sections.csv', 'enrollments.csv']);
    const [section] = files['sections.csv']!;
    expect(section).toMatchObject({ course_id: courseId(car), name: 'Car Design' });
    expect(files['enrollments.csv']).toMatchObject([{ section_id: section!['section_id'], course_id: courseId(car) }]);
  });
});

describe('another kind of person', () => {
  const [car, bicycles] = [course('Car Design'), course('Bicycles')];
  const teacher = person(1, { kind: 'staff' });
  const promoted: DeliveryItem = {
    ...item('account.update', { account: teacher }),
    changed: ['kind'],
    before: { kind: 'student' },
    enrolments: [car, bicycles],
  };
  const enrolments = (items: DeliveryItem[], more: object = {}) =>
    (read(items, more)['enrollments.csv'] ?? []).map((row) => [row['course_id'], row['role'], row['status']]);

  test('has the old role taken away and the new one given, in each course', () => {
    expect(enrolments([promoted])).toEqual([
      [courseId(car), 'student', 'deleted'],
      [courseId(car), 'teacher', 'active'],
      [courseId(bicycles), 'student', 'deleted'],
      [courseId(bicycles), 'teacher', 'active'],
    ]);
    expect(enrolments([promoted], { roles: { student: 'Member', staff: 'Member' } })).toEqual([]);
  });

  test('one row of an enrolment, the last change decides, and the row answers for all of them', () => {
    const remove = item('enrolment.remove', { account: teacher, course: car });
    const add = item('enrolment.add', { account: person(1), course: bicycles });
    expect(enrolments([add, promoted, remove])).toEqual([
      [courseId(bicycles), 'student', 'deleted'],
      [courseId(car), 'student', 'deleted'],
      [courseId(car), 'teacher', 'deleted'],
      [courseId(bicycles), 'teacher', 'active'],
    ]);
    const changes = new Changes([add, promoted, remove], settings());
    toFiles(changes, settings());
    const rows = [...changes.rows()];
    const items = rows.filter(({ file }) => file === 'enrollments.csv').map((row) => row.items);
    expect(items).toEqual([[0, 1], [1], [1, 2], [1]]);
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
      mode: 'changes',
      accounts: 'none',
      sections: 'none',
      stickiness: 'keep',
      roles: { student: 'student', staff: 'teacher' },
      userStatusOnDisable: 'suspended',
    });
  });

  test.each([
    { batch: 0 },
    { batch: 100_001 },
    { role: 'student' },
    { full: {} },
    { mode: 'full', removedEnrolments: 'deleted' },
    { mode: 'full', userStatusOnDisable: 'deleted' },
    { mode: 'full', full: { identifier: 'ü'.repeat(65) } },
    { mode: 'full', full: { changeThreshold: 101 } },
    { term: { id: 'T', name: 'T', start: '1.9.2026' } },
    { account: -1 },
    { url: 'ftp://canvas.example.edu' },
    { token: 'written here' },
    { colour: 'blue' },
  ])('refuse %j', (wrong) => {
    expect(() => settings(wrong)).toThrow();
  });
});
