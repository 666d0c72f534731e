import { describe, expect, test } from 'vitest';
import type { FormatConfig, Role } from '../../../../src/configure/config.ts';
import { sourceSchema } from '../../../../src/configure/schema.ts';
import { cellOf } from '../../../../src/connector/source.ts';
import { formatOf } from '../../../../src/snapshot/formats/index.ts';
import type { Normalised, PersonRecord } from '../../../../src/snapshot/record.ts';

/** The named formats, each held against the facts of its own document. */

type Row = Readonly<Record<string, string>>;

function configOf(written: unknown): FormatConfig {
  return sourceSchema.parse({ kind: 'x', format: written }).format!;
}

/** Reads one row of a table that has exactly the row's columns. */
function read(written: unknown, row: Row, role?: Role): Normalised {
  return formatOf(configOf(written), role).normaliser(Object.keys(row), true)(Object.values(row));
}
function recordOf(written: unknown, row: Row, role?: Role): PersonRecord {
  const read_ = read(written, row, role);
  if ('quarantined' in read_) throw new Error(read_.quarantined.reason);
  return read_.record;
}
function refusal(written: unknown, row: Row): string {
  const read_ = read(written, row);
  if ('record' in read_) throw new Error('the row was taken');
  return `${read_.quarantined.column}: ${read_.quarantined.reason}`;
}

describe('stellic-user', () => {
  const ann: Row = {
    username: 'ann77',
    user_id: 'd815',
    email: 'ann@x.edu',
    types: 'advisor|instructor',
    first_name: 'Annabel',
    last_name: 'Lee',
    preferred_first_name: 'Ann',
    campus_id: 'north',
    title: 'Dean, of all',
    school_ids: 'scs|cfa',
    department_ids: 'hci',
    group_names: 'Primary Advisors|Deans',
  };
  const lists = {
    campuses: ['north', 'south'],
    schools: ['scs', 'cfa'],
    departments: ['hci'],
    groups: ['Deans', 'Primary Advisors'],
  };

  test('is a person without a course, under the name that she prefers', () => {
    expect(read({ 'stellic-user': lists }, ann)).toEqual({
      record: {
        ...{ faculty: '', department: '', course: '', number: null, id: 'ann77', email: 'ann@x.edu', year: null },
        ...{ firstName: 'Ann', lastName: 'Lee', kind: 'staff' },
        attributes: {
          ...{ username: 'ann77', userId: 'd815', types: 'advisor|instructor', campus: 'north', title: 'Dean, of all' },
          ...{ schools: 'scs|cfa', departments: 'hci', groups: 'Primary Advisors|Deans' },
        },
      },
    });
    expect(recordOf('stellic-user', { ...ann, preferred_first_name: ' ' }).firstName).toBe('Annabel');
  });

  test.each([
    ['campus_id', 'nowhere', 'campus "nowhere" is not on the list'],
    ['school_ids', 'scs|art', 'schools "art" is not on the list'],
    ['department_ids', 'HCI', 'departments "HCI" is not on the list'],
    ['group_names', 'Deans, all', 'groups "Deans, all" is not on the list'],
    ['types', ' ', 'types is blank'],
    ['username', '', 'id is blank'],
    ['email', ' ', 'email is blank: Stellic takes a user without one, an account here does not; have user.csv give it'],
  ])('%s %j is refused: %s', (column, value, reason) => {
    expect(refusal({ 'stellic-user': lists }, { ...ann, [column]: value })).toBe(`${column}: ${reason}`);
  });

  test('a type that nobody knows is reported and kept', () => {
    const said = read('stellic-user', { ...ann, types: 'advisor|coach' });
    expect(said).toMatchObject({
      record: { attributes: { types: 'advisor|coach' } },
      remarks: [{ column: 'types', reason: 'types "coach" is not on the list' }],
    });
    expect(read({ 'stellic-user': { types: ['coach'] } }, { ...ann, types: 'coach' })).not.toHaveProperty('remarks');
  });

  test('a feed that only fills in needs no addresses', () => {
    expect(recordOf('stellic-user', { ...ann, email: '' }, 'directory')).toMatchObject({ id: 'ann77', email: '' });
  });

  test('types are the same in any letter case, each once and as the list spells it', () => {
    const said = read({ 'stellic-user': { types: ['Coach'] } }, { ...ann, types: 'Advisor|ADMIN|coach|advisor|Dean' });
    expect(said).toMatchObject({
      record: { attributes: { types: 'advisor|admin|Coach|Dean' } },
      remarks: [{ column: 'types', reason: 'types "Dean" is not on the list' }],
    });
  });

  test('instructors and nothing else get no account, unless the site says so', () => {
    for (const types of ['instructor', 'instructor|instructor', ' instructor ', 'Instructor', 'INSTRUCTOR|instructor'])
      expect(recordOf('stellic-user', { ...ann, types }).provision).toBe(false);
    for (const types of ['admin', 'instructor|admin', 'instructor|coach'])
      expect(recordOf('stellic-user', { ...ann, types })).not.toHaveProperty('provision');
    const all = { 'stellic-user': { instructorAccounts: true } };
    expect(recordOf(all, { ...ann, types: 'instructor' })).not.toHaveProperty('provision');
  });

  test('accounts are marked as not activated where the site activates later', () => {
    const later = recordOf({ 'stellic-user': { activation: 'later' } }, ann);
    expect(later.attributes).toMatchObject({ activated: 'false' });
    expect(recordOf('stellic-user', ann).attributes).not.toHaveProperty('activated');
  });

  test('the column of ids has to be there, its values need not, and no column beside the table is taken', () => {
    expect(recordOf('stellic-user', { ...ann, user_id: '' }).attributes).not.toHaveProperty('userId');
    const { columns } = formatOf(configOf('stellic-user'));
    expect(columns).toMatchObject({ exact: true, required: expect.arrayContaining(['user_id']) });
  });
});

describe('cloudwork-upload', () => {
  const options = { role: 'Role', sisId: 'SIS', secondaryEmail: 'Other', password: 'Secret', form: 'Form' };
  const format = { 'cloudwork-upload': options };
  const ann: Row = { Username: 'ann', Email: 'ann@x.edu', Firstname: 'Ann', Lastname: 'Lee', Role: 'Teacher' };

  test('columns go by configured names, and what nothing maps becomes an attribute', () => {
    const row = { ...ann, SIS: '77', Form: '7B', 'Bus Route': '12' };
    expect(recordOf(format, row)).toMatchObject({
      ...{ id: 'ann', email: 'ann@x.edu', firstName: 'Ann', lastName: 'Lee', kind: 'staff', course: '' },
      attributes: { role: 'Teacher', sisId: '77', form: '7B', 'Bus Route': '12' },
    });
    const renamed = { 'cloudwork-upload': { username: 'login', firstName: 'given', lastName: 'sn', email: 'mail' } };
    const other = { login: 'ann', mail: 'ann@x.edu', given: 'Ann', sn: 'Lee', Email: 'not hers' };
    expect(recordOf(renamed, other)).toMatchObject({ id: 'ann', attributes: { Email: 'not hers' } });
  });

  test('the column of passwords is in no record and is told apart', () => {
    expect(JSON.stringify(read(format, { ...ann, Secret: 'hunter2' }))).not.toContain('hunter2');
    expect(formatOf(configOf(format)).columns.secret).toEqual(['Secret']);
  });

  test('a column whose name says that it has passwords becomes no attribute', () => {
    for (const column of ['Password', 'pass word', 'Initial-Password', 'secret', 'PWD']) {
      const row = { ...ann, [column]: 'hunter2', 'Bus Route': '12' };
      expect(recordOf(format, row).attributes).toEqual({ role: 'Teacher', 'Bus Route': '12' });
      expect(formatOf(configOf(format)).passwords(Object.keys(row))).toEqual([column]);
    }
  });

  test('the same file is read again after this was another way', () => {
    // by these words it was read when such columns became attributes
    expect(formatOf(configOf('cloudwork-upload')).fingerprint).not.toMatch(/^cloudwork-upload rules=1 \[/);
    // where nothing is read otherwise, nobody pays for it
    expect(formatOf(configOf('unitu')).fingerprint).toBe('unitu rules=1');
  });

  test('creating needs all four; the username alone is enough to update', () => {
    expect(refusal(format, { ...ann, Email: '' })).toBe('Email: email is blank');
    expect(refusal(format, { Username: 'ann' })).toBe('Lastname: firstName and lastName are both blank');
    expect(recordOf(format, { Username: 'ann', 'Bus Route': '12' }, 'directory')).toMatchObject({
      id: 'ann',
      attributes: { 'Bus Route': '12' },
    });
  });

  test.each([
    ['Username', 'ann lee', 'Username: id is no valid username'],
    ['Username', ' ', 'Username: id is blank'],
    ['Email', 'ann(at)x.edu', 'Email: email is not an address'],
    ['Other', 'ann@home', 'Other: secondaryEmail is not an address'],
  ])('%s %j is refused', (column, value, reason) => {
    expect(refusal(format, { ...ann, [column]: value })).toBe(reason);
  });

  test('roles come from the list, in any letter case and under its spelling', () => {
    for (const role of ['TEACHER', 'teacher', ' Teacher ', 'staff', 'EMPLOYEE'])
      expect(recordOf(format, { ...ann, Role: role }).kind).toBe('staff');
    expect(recordOf(format, { ...ann, Role: 'tEACHER' }).attributes).toEqual({ role: 'Teacher' });
    for (const role of ['Student', 'alum', 'PARENT', ''])
      expect(recordOf(format, { ...ann, Role: role }).kind).toBe('student');
  });

  test('a role that is not on the list quarantines the row: the number that it would get is for good', () => {
    expect(refusal(format, { ...ann, Role: 'Wizard' })).toBe('Role: role "Wizard" is not on the list');
    expect(refusal(format, { ...ann, Role: 'Teacher, Staff' })).toBe('Role: role "Teacher, Staff" is not on the list');
    expect(refusal(format, { ...ann, Role: cellOf(['Teacher', 'Student']) })).toBe('Role: role has 2 values');
  });

  test('the list is the site’s to make, and which of its roles work', () => {
    const own = (more: object) => ({ 'cloudwork-upload': { role: 'Role', roles: ['Wizard', 'Pupil'], ...more } });
    expect(recordOf(own({ staffRoles: ['wizard'] }), { ...ann, Role: 'WIZARD' })).toMatchObject({
      kind: 'staff',
      attributes: { role: 'Wizard' },
    });
    expect(recordOf(own({ staffRoles: ['wizard'] }), { ...ann, Role: 'Pupil' }).kind).toBe('student');
    expect(refusal(own({}), { ...ann, Role: 'Teacher' })).toBe('Role: role "Teacher" is not on the list');
    expect(() => configOf(own({ staffRoles: ['Wizzard'] }))).toThrow(/is not among roles/);
  });

  test('a column that would stand for one of ours is refused', () => {
    expect(() => read(format, { ...ann, SIS: '1', sisId: '2' })).toThrow(/"sisId" cannot become an attribute/);
  });
});

describe('corvus-users', () => {
  const ann: Row = {
    email: 'ann@x.edu',
    firstName: 'Ann',
    lastName: 'Lee',
    accountType: 'Faculty',
    externalId: 'SIS-1',
  };

  test('the profile of a faculty member, lists and all', () => {
    const row = {
      ...ann,
      userTags: cellOf(['a', 'b']),
      monthOfEntry: '9',
      'facultyProfile.committeeRolesSupported': cellOf(['chair', 'member']),
      'facultyProfile.leaveUntil': '2030-12-31',
    };
    expect(recordOf('corvus-users', row)).toMatchObject({
      ...{ id: 'SIS-1', number: null, kind: 'staff' },
      attributes: {
        ...{ accountType: 'Faculty', userTags: 'a|b', monthOfEntry: '9' },
        'facultyProfile.committeeRolesSupported': 'chair|member',
        'facultyProfile.leaveUntil': '2030-12-31',
      },
    });
  });

  test('an external id of the house is a number, any other an id', () => {
    expect(recordOf('corvus-users', { ...ann, externalId: '9510000007' })).toMatchObject({
      number: '9510000007',
      id: null,
    });
    expect(recordOf('corvus-users', { ...ann, externalId: '95100' })).toMatchObject({ number: null, id: '95100' });
  });

  test('somebody inactive is known and gets no account', () => {
    expect(recordOf('corvus-users', { ...ann, accountStatus: 'inactive' }).provision).toBe(false);
    expect(recordOf('corvus-users', { ...ann, accountStatus: '' })).not.toHaveProperty('provision');
  });

  test.each([
    ['accountType', 'Visitor', 'accountType: kind "Visitor" is not on the list'],
    ['accountType', '', 'accountType: kind is blank'],
    ['accountStatus', 'gone', 'accountStatus: provision "gone" is not on the list'],
    ['monthOfEntry', '13', 'monthOfEntry: monthOfEntry is not a month from 1 to 12'],
    [
      'facultyProfile.isExternal',
      'yes',
      'facultyProfile.isExternal: facultyProfile.isExternal is neither true nor false',
    ],
  ])('%s %j is refused', (column, value, reason) => {
    expect(refusal('corvus-users', { ...ann, [column]: value })).toBe(reason);
  });
});

describe('custom fields of corvus-users', () => {
  const ann: Row = { email: 'ann@x.edu', firstName: 'Ann', lastName: 'Lee', accountType: 'Student' };
  const custom = (object: unknown) => ({ ...ann, customFields: JSON.stringify(object) });
  const attributesOf = (row: Row) => recordOf('corvus-users', row).attributes;

  test('each becomes an attribute, whatever it is called', () => {
    const object = { locker: ' 12 ', 'Bus Route': 7, tags: ['a', 'b', 'a', null], home: { town: 'Ulm' }, none: null };
    expect(attributesOf(custom({ ...object, commuter: false }))).toEqual({
      ...{ accountType: 'Student', 'customFields.locker': '12', 'customFields.Bus Route': '7' },
      ...{ 'customFields.tags': 'a|b', 'customFields.home.town': 'Ulm', 'customFields.commuter': 'false' },
    });
    for (const row of [custom({}), { ...ann, customFields: ' ' }])
      expect(attributesOf(row)).toEqual({ accountType: 'Student' });
    const odd = attributesOf({ ...ann, customFields: '{"__proto__":"x"}' });
    expect(Object.keys(odd)).toContain('customFields.__proto__');
  });

  test('a table has them as columns of their own', () => {
    const row = { ...ann, 'customFields.locker': '12', 'customFields.password': 'hunter2', other: 'x' };
    expect(attributesOf(row)).toEqual({ accountType: 'Student', 'customFields.locker': '12' });
    expect(formatOf(configOf('corvus-users')).passwords(Object.keys(row))).toEqual(['customFields.password']);
  });

  test('one that is called a password is no attribute', () => {
    const said = read(
      'corvus-users',
      custom({ 'Initial password': 'hunter2', deep: { pwd: 'hunter2' }, locker: '12' }),
    );
    expect(said).toMatchObject({ record: { attributes: { 'customFields.locker': '12' } } });
    expect(JSON.stringify(said)).not.toContain('hunter2');
  });

  test.each([
    ['12', 'is no object with names'],
    ['{', 'is no object with names'],
    ['["a"]', 'is no object with names'],
    ['{"a":[["b"]]}', '"a" has a list of more than single values'],
    ['{"a":[{"b":1}]}', '"a" has a list of more than single values'],
    ['{" ":1}', 'has a name that is blank'],
    ['{"a":1,"a ":2}', '"a" is there twice'],
    ['{"a":"\\u0000"}', '"a" contains a control character'],
    ['{"a\\u0000":"b"}', 'has a name that contains a control character'],
    [`{"${'a'.repeat(65)}":"b"}`, 'has a name that is longer than 64 characters'],
  ])('%s is refused', (customFields, reason) => {
    expect(refusal('corvus-users', { ...ann, customFields })).toBe(`customFields: customFields ${reason}`);
  });
});

describe('oneroster', () => {
  const ann: Row = {
    ...{ sourcedId: 'u1', email: 'ann@x.edu', givenName: 'Annabel', familyName: 'Lee', role: 'student' },
    ...{ preferredFirstName: 'Ann', username: 'ann', 'school.name': 'North', 'department.name': '', grades: '09' },
    ...{ 'class.title': 'Physics 1', 'course.title': 'Physics' },
  };

  test('a row with a class is an enrolment, one without a person', () => {
    expect(recordOf('oneroster', ann)).toMatchObject({
      ...{ id: 'u1', firstName: 'Ann', kind: 'student', faculty: 'North', department: 'North', course: 'Physics 1' },
      attributes: { role: 'student', username: 'ann', grades: '09' },
    });
    expect(recordOf('oneroster', { ...ann, 'class.title': '' })).toMatchObject({
      faculty: '',
      department: '',
      course: '',
    });
    expect(recordOf({ oneroster: { course: 'course', id: 'username' } }, ann)).toMatchObject({
      id: 'ann',
      course: 'Physics',
    });
  });

  test('teachers work, guardians get no account', () => {
    expect(recordOf('oneroster', { ...ann, role: 'teacher' })).toMatchObject({ kind: 'staff' });
    expect(recordOf('oneroster', { ...ann, role: 'guardian' }).provision).toBe(false);
    expect(recordOf('oneroster', { ...ann, role: 'Student' })).toMatchObject({ kind: 'student' });
    expect(recordOf('oneroster', { ...ann, role: 'GUARDIAN' })).toMatchObject({ kind: 'student', provision: false });
  });

  test('a class whose school nobody named is refused', () => {
    expect(refusal('oneroster', { ...ann, 'school.name': '' })).toBe('school.name: faculty is blank');
  });
});

describe('cells with several values', () => {
  const map = (email: unknown) => ({
    map: { email, firstName: 'first', lastName: 'last', attributes: { phone: 'tel' } },
  });
  const ann: Row = { mail: 'ann@x.edu', first: 'Ann', last: 'Lee', tel: '1' };
  const two = { ...ann, mail: cellOf(['ann@x.edu', 'lee@x.edu']) };

  test('a field that has one value refuses two, unless the map says which', () => {
    expect(refusal(map('mail'), two)).toBe('mail: email has 2 values');
    expect(recordOf(map({ column: 'mail', pick: 'first' }), two).email).toBe('ann@x.edu');
  });

  test('an attribute takes all, each once', () => {
    expect(recordOf(map('mail'), { ...ann, tel: cellOf(['1', '2', '1']) }).attributes).toEqual({ phone: '1|2' });
  });

  test('a separator inside a value is damage, in a list and in a file of lines', () => {
    expect(refusal(map('mail'), { ...ann, tel: cellOf(['1\u001f2']) })).toMatch(/damaged/);
    const lines = formatOf(configOf(map('mail'))).normaliser(Object.keys(ann));
    expect(lines(Object.values({ ...ann, tel: '1\u001f2' }))).toMatchObject({
      quarantined: { reason: expect.stringMatching(/control/) },
    });
  });

  test('a row without a course is a person where the map allows it', () => {
    const courses = { faculty: 'f', department: 'd', course: { column: 'c', optional: true } };
    const written = { map: { ...map('mail').map, ...courses } };
    expect(recordOf(written, { ...ann, f: 'F', d: 'D', c: '' }).course).toBe('');
    expect(recordOf(written, { ...ann, f: 'F', d: 'D', c: 'C' }).course).toBe('C');
    expect(refusal({ map: { ...written.map, course: 'c' } }, { ...ann, f: 'F', d: 'D', c: '' })).toBe(
      'c: course is blank',
    );
  });
});
