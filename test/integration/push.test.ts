import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { key, PushSite, student, students } from '../support/pushing.ts';

/** What is pushed, and what becomes of it: a real daemon, over real sockets. */

async function started(how: Parameters<typeof PushSite.make>[0] = {}): Promise<PushSite> {
  const site = await PushSite.make(how);
  await site.start();
  return site;
}

/** Every file below a directory, as one text. */
function everything(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

describe('a list', () => {
  test.each([
    ['under data', (list: unknown) => list],
    ['under data.students', (list: unknown) => ({ students: list })],
  ])('%s is answered with its run, and is the roster when that is over', async (_, shape) => {
    const site = await started();
    const { status, body } = await site.push(shape([...students(0, 3), student(1, { course: 'Welding', year: 1 })]));
    expect(status).toBe(202);
    expect(body).toEqual({
      ...{ run: expect.stringMatching(/^\d{8}-\d{6}-sis-/), answer: 'snapshot', accepted: 4, refused: 0 },
      ...{ records: [], dropped: {}, note: null, repeated: false },
    });
    await site.says('run.applied');
    expect(await site.stop()).toBe(0);
    const [run] = await site.runs();
    expect(run).toMatchObject({ run: body.run, trigger: 'push', status: 'applied', snapshot: { records: 4 } });
    expect(await site.active()).toEqual(['id0', 'id1', 'id2']);
    expect((await site.accounts()).get('id1')!.courses.sort()).toEqual(['Car Design', 'Welding']);
  });

  test('that is sent again changes nothing, one that lacks somebody disables them', async () => {
    const site = await started();
    await site.push(students(0, 5));
    await site.says('run.applied');
    await site.push(students(0, 5));
    await site.says('run.unchanged');
    await site.push(students(0, 4));
    await site.says('run.applied', 2);
    await site.stop();
    expect(await site.active()).toEqual(['id0', 'id1', 'id2', 'id3']);
    expect((await site.runs()).map(({ status, snapshot }) => [status, snapshot.id])).toEqual([
      ['applied', 'sis-1'],
      ['unchanged', 'sis-1'],
      ['applied', 'sis-2'],
    ]);
  });

  test('without records takes nobody away, and says so', async () => {
    const site = await started();
    await site.push(students(0, 3));
    await site.says('run.applied');
    const { status, body } = await site.push([]);
    expect([status, body.accepted, body.note]).toEqual([202, 0, expect.stringContaining('takes nobody away')]);
    await site.says('run.held');
    // what the sender thinks to be the list is not the one in force
    await site.push([student(7)], '?answer=delta');
    await site.says('run.failed');
    await site.stop();
    expect(await site.active()).toEqual(['id0', 'id1', 'id2']);
    expect((await site.runs()).at(-1)!.error).toEqual({
      kind: 'Incomplete',
      message: expect.stringMatching(/push before it \(.*\) did not come into force; send a whole list/),
    });
  });

  test('with bad records: the others are taken, each bad one is told and in quarantine, nobody of them goes', async () => {
    const site = await started();
    await site.push(students(0, 12));
    await site.says('run.applied');
    const wrong: unknown[] = [
      { ...student(0), year: '1' },
      { ...student(1), year: 8 },
      { ...student(2), year: 1.5 },
      { ...student(3), email: 'nowhere' },
      { ...student(4), phone: '1' },
      { ...student(5), firstName: 7 },
      { ...student(6), year: undefined },
      { ...student(7), course: ['Car Design'] },
      { ...student(8), deleted: true },
      { ...student(9), year: null },
    ];
    const { status, body } = await site.push([...wrong, student(10)]);
    expect([status, body.accepted, body.refused]).toEqual([202, 2, 9]);
    expect(body.note).toContain('quarantine');
    expect(body.records).toEqual([
      { record: 1, field: 'year', reason: 'is text, and has to be a number without quotes, or null' },
      { record: 2, field: 'year', reason: 'year is "8": a whole number from 0 to 7, or blank' },
      { record: 3, field: 'year', reason: 'year is "1.5": a whole number from 0 to 7, or blank' },
      { record: 4, field: 'email', reason: 'email is not an address' },
      { record: 5, field: 'phone', reason: 'is no field of this format' },
      { record: 6, field: 'firstName', reason: 'is a number, and has to be text' },
      { record: 7, field: 'year', reason: 'is missing' },
      { record: 8, field: 'course', reason: 'is a list, and has to be text' },
      { record: 9, field: 'deleted', reason: expect.stringContaining('belongs into a delta') },
    ]);
    await site.says('run.applied', 2);
    await site.stop();
    const run = (await site.runs()).at(-1)!;
    expect(run.snapshot).toMatchObject({ records: 2, quarantined: 9 });
    expect(run.quarantine[0]).toEqual({
      ...{ file: `push ${run.run} record`, line: 1, column: 'year' },
      reason: 'is text, and has to be a number without quotes, or null',
    });
    // whose record was broken is kept; whoever is in none of them has gone
    expect(await site.active()).toEqual(Array.from({ length: 11 }, (_, n) => `id${n}`));
  });

  test('of a table with other columns: nested fields by dots, numbers and lists as they are written', async () => {
    const map = `map:
      faculty: { constant: F }
      department: org.unit
      course: course
      firstName: name.first
      lastName: name.last
      email: mail
      id: no
      attributes: { groups: groups }`;
    const site = await started({ format: map, source: '    idField: "no"' });
    const record = { org: { unit: 'D' }, course: 'C', name: { first: 'Ann', last: 'Lee' }, mail: 'a@b.edu' };
    const { body } = await site.json(
      `{"data":[${JSON.stringify({ ...record, groups: ['x'], extra: {} }).slice(0, -1)},"no":12345678901234567890},
        ${JSON.stringify({ ...record, mail: 'c@b.edu', no: '2', groups: {} })}]}`,
    );
    expect(body.records).toEqual([{ record: 2, field: 'groups', reason: expect.stringContaining('is an object') }]);
    await site.says('run.applied');
    await site.stop();
    const accounts = await site.accounts();
    expect([...accounts.keys()]).toEqual(['12345678901234567890']);
    expect([...accounts.values()][0]).toMatchObject({ firstName: 'Ann', attributes: { groups: 'x' }, courses: ['C'] });
  });
});

describe('a delta', () => {
  test('changes, adds and takes out whom it names, and leaves all others', async () => {
    const site = await started();
    await site.push([...students(0, 5), student(1, { course: 'Welding' })]);
    await site.says('run.applied');
    const { body } = await site.push(
      [
        { id: 'id0', lastName: 'Married', year: null },
        // all that this person has from now on
        student(1, { course: 'Painting' }),
        { id: 'id2', deleted: true },
        student(9),
        { id: 'unknown', deleted: true },
      ],
      '?answer=delta',
    );
    expect(body).toMatchObject({ answer: 'delta', accepted: 5, refused: 0 });
    await site.says('run.applied', 2);
    await site.push([{ id: 'id0', firstName: 'Zoë' }], '', { 'rosterd-answer': 'delta' });
    await site.says('run.applied', 3);
    await site.stop();
    const accounts = await site.accounts();
    expect(await site.active()).toEqual(['id0', 'id1', 'id3', 'id4', 'id9']);
    expect(accounts.get('id0')).toMatchObject({ firstName: 'Zoë', lastName: 'Married', year: null });
    expect(accounts.get('id1')!.courses).toEqual(['Painting']);
    const last = (await site.runs()).at(-1)!;
    expect(last.changes).toEqual({ 'account.update': 1 });
  });

  test('that cannot be told apart is refused for that person, and takes nothing from them', async () => {
    const site = await started();
    await site.push([...students(0, 4), student(1, { course: 'Welding' })]);
    await site.says('run.applied');
    const { body } = await site.push(
      [
        { id: 'id1', course: 'Painting' },
        { id: 'new', firstName: 'Nobody' },
        { id: 'id2', deleted: true },
        { id: 'id2', firstName: 'Still here' },
        { ...student(3), id: '' },
      ],
      '?answer=delta',
    );
    expect(body.records).toEqual([{ record: 5, field: 'id', reason: 'is blank: a delta tells whose record it is' }]);
    await site.says('run.unchanged');
    await site.stop();
    const run = (await site.runs()).at(-1)!;
    expect(run.quarantine.map(({ file, reason }) => `${file.replace(run.run, 'RUN')}: ${reason}`).sort()).toEqual([
      'push RUN record 1: this person has 2 records, and one that is not whole cannot replace them',
      'push RUN record 2: nobody is known by this key, and a new person needs faculty, department, course, lastName, email, year',
      'push RUN record 4: the same push takes this person out as well',
      'push RUN record 5: is blank: a delta tells whose record it is',
    ]);
    expect(await site.active()).toEqual(['id0', 'id1', 'id2', 'id3']);
    expect((await site.accounts()).get('id1')!.courses.sort()).toEqual(['Car Design', 'Welding']);
  });

  test('before any whole list, or after its files are lost, makes no snapshot', async () => {
    const site = await started();
    await site.push(students(0, 2), '?answer=delta');
    await site.says('run.failed');
    await site.push(students(0, 2));
    await site.says('run.applied');
    for (const name of readdirSync(site.keepDir)) if (name.endsWith('.rows')) rmSync(join(site.keepDir, name));
    await site.push([student(5)], '?answer=delta');
    await site.says('run.failed', 2);
    await site.stop();
    expect(await site.active()).toEqual(['id0', 'id1']);
    expect((await site.runs()).map(({ error }) => error?.message.replace(/; .*/, '') ?? null)).toEqual([
      'a delta came, and there is no whole list here that it could change',
      null,
      'a delta came, and the whole list that is kept here is not the one in force',
    ]);
  });
});

describe('users of Corvus', () => {
  const ann = { email: 'ann@x.edu', firstName: 'Ann', lastName: 'Lee', accountType: 'Student', externalId: 'SIS-1' };

  test('arrive with their custom fields, and what no field of the format is has a word said about it', async () => {
    const site = await started({ format: 'format: corvus-users', source: '    idField: externalId' });
    const { status, body } = await site.push([
      {
        ...{ ...ann, customFields: { locker: 12, 'Bus Route': '7', initialPassword: 'secret-word' }, shoeSize: 41 },
        ...{ facultyProfile: { tools: ['R'], office: 'B2', hat: null }, 'ann@x.edu': 'x', password: 'secret-word' },
      },
      { ...ann, externalId: 'SIS-2', email: 'bob@x.edu', facultyProfile: 'PhD', shoeSize: 43 },
    ]);
    expect([status, body.accepted, body.refused]).toEqual([202, 2, 0]);
    expect(body.dropped).toEqual({
      ...{ password: 1, 'customFields.initialPassword': 1, 'facultyProfile.office': 1, facultyProfile: 1, shoeSize: 2 },
      '(others)': 1,
    });
    await site.says('run.applied');
    const delta = { externalId: 'SIS-1', customFields: { locker: 13 } };
    expect((await site.push([delta], '?answer=delta')).status).toBe(202);
    await site.says('run.applied', 2);
    await site.stop();
    expect((await site.accounts()).get('SIS-1')!.attributes).toEqual({
      ...{ accountType: 'Student', 'facultyProfile.tools': 'R', 'customFields.locker': '13' },
    });
    const [first] = await site.runs();
    expect(first).toMatchObject({ status: 'applied', snapshot: { records: 2, quarantined: 0 } });
    expect(everything(site.directory) + site.log).not.toContain('secret-word');
  });

  test('a record whose custom fields are none is refused', async () => {
    const site = await started({ format: 'format: corvus-users', source: '    idField: externalId' });
    const { body } = await site.push([ann, { ...ann, externalId: 'SIS-2', email: 'b@x.edu', customFields: ['a'] }]);
    expect(body.records).toEqual([{ record: 2, field: 'customFields', reason: 'is a list, and has to be an object' }]);
  });
});

describe('an upload', () => {
  const header = 'login,mail,first,last,dept,course,Password,colour';
  const map = `map:
      faculty: { constant: F }
      department: dept
      course: course
      firstName: first
      lastName: last
      email: mail
      id: login`;
  const mapped = { format: map, source: '    idField: login' };
  const row = (n: number, password = 'secret-word'): string => `u${n},u${n}@x.edu,A${n},B${n},D,C,${password},red`;

  test('is a whole list, or updates only what it brings; a password is nowhere afterwards', async () => {
    const site = await started(mapped);
    const table = `${[header, row(1), row(2), '"u3",u3@x.edu,A3,"B\n3",D,C,secret-word,red', row(4)].join('\r\n')}\r\n`;
    const first = await site.upload(table);
    expect(first.status).toBe(202);
    expect(first.body).toMatchObject({ accepted: 4, refused: 0, dropped: { Password: 4 } });
    await site.says('run.applied');
    // K2: only the key and what changes
    const form = new FormData();
    form.set('file', new Blob(['login,first,password\nu1,Anna,secret-word\nu9,New,secret-word\n']), 'update.csv');
    const { status, body } = await site.send('upload?answer=delta', form, {
      authorization: `Bearer ${key}`,
    });
    expect([status, body.accepted, body.dropped]).toEqual([202, 2, { password: 2 }]);
    await site.says('run.applied', 2);
    await site.stop();
    const accounts = await site.accounts();
    expect([...accounts.keys()].sort()).toEqual(['u1', 'u2', 'u3', 'u4']);
    expect(accounts.get('u1')).toMatchObject({ firstName: 'Anna', lastName: 'B1', email: 'u1@x.edu', courses: ['C'] });
    const last = (await site.runs()).at(-1)!;
    expect(last.quarantine.map(({ reason }) => reason)).toContain(
      'nobody is known by this key, and a new person needs course, dept, last, mail',
    );
    expect(existsSync(site.stateDir)).toBe(true);
    expect(everything(site.directory) + site.log).not.toContain('secret-word');
  });

  test('by the Cloudwork format: what nothing maps is kept, an update needs the username only', async () => {
    const format = `format: { cloudwork-upload: { role: Role, password: Secret } }`;
    const site = await started({ format, source: '    idField: Username' });
    const table = 'Username,Email,Firstname,Lastname,Role,Locker,Secret\n';
    await site.upload(
      `${table}ann,ann@x.edu,Ann,Lee,Student,12,secret-word\nbob,bob@x.edu,Bob,Ray,Teacher,,secret-word\n`,
    );
    await site.says('run.applied');
    const { body } = await site.upload(
      'Username,Lastname,Locker\nann,Leigh,13\nnew,Nobody,1\nbad name,X,1\n',
      '?answer=delta',
    );
    expect(body).toMatchObject({ answer: 'delta', accepted: 2, records: [{ record: 3, line: 4, field: 'Username' }] });
    await site.says('run.applied', 2);
    await site.stop();
    const accounts = await site.accounts();
    expect([...accounts.keys()].sort()).toEqual(['ann', 'bob']);
    expect(accounts.get('ann')).toMatchObject({ firstName: 'Ann', lastName: 'Leigh', email: 'ann@x.edu' });
    expect(accounts.get('ann')!.attributes).toMatchObject({ Locker: '13', role: 'Student' });
    expect(
      (await site.runs())
        .at(-1)!
        .quarantine.map(({ reason }) => reason)
        .sort(),
    ).toEqual([expect.any(String), expect.any(String)]);
    expect(everything(site.directory) + site.log).not.toContain('secret-word');
  });

  test('drops what is called a password, however it is written, and though nothing says so', async () => {
    const site = await started({
      format: 'format: cloudwork-upload',
      source: '    idField: Username\n    drop: [Locker]',
    });
    const columns = 'Username,Email,Firstname,Lastname,Pass-Word,Initial password,Locker,Bus';
    const { status, body } = await site.upload(`${columns}\nann,ann@x.edu,Ann,Lee,secret-word,secret-word,12,7\n`);
    expect(status).toBe(202);
    expect(body.dropped).toEqual({ 'Pass-Word': 1, 'Initial password': 1, Locker: 1 });
    await site.says('run.applied');
    await site.stop();
    expect((await site.accounts()).get('ann')!.attributes).toEqual({ Bus: '7' });
    expect(everything(site.directory) + site.log).not.toContain('secret-word');
  });

  test('takes people out by its column, and refuses what else stands there', async () => {
    const site = await started(mapped);
    await site.upload(`${[header, row(1), row(2), row(3)].join('\n')}\n`);
    await site.says('run.applied');
    const { body } = await site.upload('login,deleted\nu1,true\nu2,False\nu3,maybe\n', '?answer=delta');
    expect(body.records).toEqual([{ record: 3, line: 4, field: 'deleted', reason: 'is not true, false or blank' }]);
    await site.says('run.applied', 2);
    await site.stop();
    expect(await site.active()).toEqual(['u2', 'u3']);
  });

  test('costs a stray quote or a wrong number of cells that row only', async () => {
    const site = await started(mapped);
    const { body } = await site.upload(`${[header, row(1), 'u2,"x"y,A,B,D,C,,', 'u3,short', row(4)].join('\n')}\n`);
    expect([body.accepted, body.refused]).toEqual([2, 2]);
    expect(body.records).toEqual([
      { record: 2, line: 3, field: 'mail', reason: expect.stringContaining('a quote stands where none may be') },
      { record: 3, line: 4, field: 'first', reason: 'has 2 cells, the header has 8' },
    ]);
  });

  test.each([
    ['no last line end', `${header}\n${row(1)}`, 'its last line has no line end; set finalNewline: optional'],
    ['a header that was cut', header, 'its last line has no line end'],
    ['a missing column', 'login,mail\nu1,a@b.edu\n', 'required columns "course", "dept", "first", "last" missing'],
    ['a column twice', `login,${header}\n`, 'the column "login" is there twice'],
    ['no bytes', '', 'the body is empty'],
    ['UTF-16', Buffer.from(`\ufeff${header}\n`, 'utf16le'), 'the byte order mark of UTF-16'],
  ])('with %s is refused as a whole', async (_, table, reason) => {
    const site = await started(mapped);
    const { status, body } = await site.upload(table);
    expect([status, body.error]).toEqual([400, expect.stringContaining(reason)]);
    await site.stop();
    expect(await site.runs()).toEqual([]);
    expect(everything(site.keepDir)).toBe('');
  });
});
