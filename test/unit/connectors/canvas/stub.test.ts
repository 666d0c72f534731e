import { zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canvasStub } from '../../../../connectors/canvas/stub.ts';
import { type Stub, startStub } from '../../../../src/connector/stub.ts';

/** What the stub of Canvas promises to anybody who speaks the SIS Imports API, seen from outside. */

let stub: Stub;
beforeEach(async () => {
  stub = await startStub(canvasStub);
});
afterEach(() => stub.close());

// biome-ignore lint/suspicious/noExplicitAny: the shapes are what these tests are about
type Json = any;

async function ask(method: string, path: string, init: RequestInit = {}): Promise<{ answer: Response; body: Json }> {
  const url = path.startsWith('http') ? path : `${stub.url}/api/v1/accounts/1${path}`;
  const headers = { authorization: 'Bearer a-token', ...(init.headers as Record<string, string>) };
  const answer = await fetch(url, { ...init, method, headers });
  return { answer, body: await answer.json() };
}

const csv = { 'content-type': 'text/csv' };
const post = async (text: string): Promise<Json> =>
  (await ask('POST', '/sis_imports', { headers: csv, body: text })).body;

/** Polls an import until it ends, and gives all the answers. */
async function watch(id: number): Promise<Json[]> {
  const seen: Json[] = [];
  do seen.push((await ask('GET', `/sis_imports/${id}`)).body);
  while (['created', 'importing'].includes(seen.at(-1).workflow_state));
  return seen;
}

/** Imports the texts as one zip and gives what was said of the rows. */
async function load(files: Record<string, string>, option = ''): Promise<{ state: string; said: string[] }> {
  const entries = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
  const body = new Uint8Array(zipSync(entries, { level: 0 }));
  const { id } = (await ask('POST', `/sis_imports?extension=zip&${option}`, { headers: csv, body })).body;
  const state = (await watch(id)).at(-1).workflow_state;
  const errors = (await ask('GET', `/sis_imports/${id}/errors?per_page=100`)).body.sis_import_errors;
  return { state, said: errors.map((error: Json) => `${error.file}:${error.row} ${error.message}`).reverse() };
}

const users = (...rows: string[]) => ['user_id,login_id,first_name,status,integration_id', ...rows].join('\n');
const courses = (...rows: string[]) => ['course_id,short_name,long_name,status', ...rows].join('\n');
const sections = (...rows: string[]) => ['section_id,course_id,name,status', ...rows].join('\n');
const enrollments = (...rows: string[]) => ['course_id,section_id,user_id,role,status', ...rows].join('\n');

describe('an import', () => {
  test('takes several polls, and its progress falls back once', async () => {
    const created = await post(users('U1,l1,Ann,active,'));
    expect(created).toMatchObject({ id: 1, workflow_state: 'created', progress: 0, ended_at: null });
    expect(created.data).toEqual({ import_type: 'instructure_csv' });
    expect(created).toMatchObject({ batch_mode: null, skip_deletes: false, diffed_against_import_id: null });
    const seen = await watch(1);
    expect(seen.map((one) => one.workflow_state)).toEqual(['importing', 'importing', 'importing', 'imported']);
    const progress = seen.map((one) => one.progress);
    expect(progress.filter((now, index) => now < (progress[index - 1] ?? 0))).toHaveLength(1);
    expect(seen.at(-1)).toMatchObject({ progress: 100, data: { supplied_batches: ['user'], counts: { users: 1 } } });
  });

  test('waits for the one before it, and polling it moves the queue', async () => {
    await post(users('U1,l1,Ann,active,'));
    await post(users('U1,l1,Anna,active,'));
    const seen = await watch(2);
    expect(seen[0].workflow_state).toBe('created');
    expect(seen.at(-1).workflow_state).toBe('imported');
    expect(stub.state()).toMatchObject({ users: [{ name: 'Anna' }] });
  });

  test('can be aborted until it ended', async () => {
    await post(users('U1,l1,Ann,active,'));
    expect((await ask('PUT', '/sis_imports/1/abort')).body.workflow_state).toBe('aborted');
    expect((await ask('PUT', '/sis_imports/1/abort')).answer.status).toBe(404);
    expect(stub.state()).toMatchObject({ users: [] });
  });

  test('comes as a form as well; a form without an attachment is refused', async () => {
    const form = new FormData();
    form.set('attachment', new File([users('U1,l1,Ann,active,')], 'people.csv'));
    const { body } = await ask('POST', '/sis_imports', { body: form });
    expect((await watch(body.id)).at(-1).workflow_state).toBe('imported');
    const empty = new FormData();
    empty.set('import_type', 'instructure_csv');
    const refused = await ask('POST', '/sis_imports.json', { body: empty });
    expect([refused.answer.status, refused.body.error_message]).toEqual([400, 'Missing attachment']);
  });

  test('with an option that the stub does not have is refused, not half done', async () => {
    for (const option of ['batch_mode_enrollment_drop_status=deleted', 'multi_term_batch_mode=1&change_threshold=5']) {
      const { answer, body } = await ask('POST', `/sis_imports?${option}`, { headers: csv, body: users() });
      expect([answer.status, body.errors[0].message]).toEqual([501, expect.stringContaining(option.split('=')[0]!)]);
    }
    expect(stub.state()).toMatchObject({ imports: [] });
  });
});

describe('the rows', () => {
  test('good ones are applied whatever the order of the files, bad ones are named by row', async () => {
    const { state, said } = await load({
      '1.csv': enrollments('C1,,U1,student,active', 'C9,,U1,student,active', 'C1,,U9,teacher,active'),
      '2.csv': users('U1,l1,Ann,active,', ',l2,Bob,active,', 'U3,,Cid,active,', 'U4,l4,Dan,,', 'U5,l5,Eve,asleep,'),
      '3.csv': courses('C1,short,long,active', 'C2,,long,active', 'C3,short,,active', 'C4,short,long,inactive'),
    });
    expect(state).toBe('imported_with_messages');
    expect(said).toEqual([
      '3.csv:3 No short_name given for course C2',
      '3.csv:4 No long_name given for course C3',
      '3.csv:5 Improper status "inactive" for course C4',
      '2.csv:3 No user_id given for a user',
      '2.csv:4 No login_id given for user U3',
      '2.csv:5 No status given for user U4',
      '2.csv:6 Improper status for user U5',
      '1.csv:3 Neither course nor section existed for user enrollment (Course ID: C9, Section ID: , User ID: U1)',
      '1.csv:4 User not found for enrollment (User ID: U9, Course ID: C1, Section ID: )',
    ]);
    expect(stub.state()).toMatchObject({
      users: [{ user_id: 'U1' }],
      courses: [{ course_id: 'C1' }],
      enrollments: [{ user_id: 'U1', course_id: 'C1' }],
    });
  });

  test('sections and roles', async () => {
    const { said } = await load({
      'c.csv': courses('C1,short,long,active', 'C2,short,long,active'),
      's.csv': sections('S1,C1,one,active', ',C1,one,active', 'S2,,two,active', 'S3,C9,three,active', 'S4,C1,,active'),
      'u.csv': users('U1,l1,Ann,active,'),
      'e.csv': enrollments(
        'C1,S1,U1,student,active',
        'C2,S1,U1,student,active',
        'C1,S9,U1,student,active',
        'C1,,U1,boss,active',
        ',,U1,student,active',
        'C1,,,student,active',
        'C1,,U1,student,asleep',
      ),
    });
    expect(said).toEqual([
      's.csv:3 No section_id given for a section in course C1',
      's.csv:4 No course_id given for a section S2',
      "s.csv:5 Section S3 references course C9 which doesn't exist",
      's.csv:6 No name given for section S4 in course C1',
      'e.csv:3 An enrollment listed a section (S1) and a course (C2) that are unrelated for user (U1)',
      'e.csv:4 An enrollment referenced a non-existent section S9',
      'e.csv:5 Improper role "boss" for an enrollment',
      'e.csv:6 No course_id or section_id given for an enrollment',
      'e.csv:7 No user_id given for an enrollment',
      'e.csv:8 Improper status "asleep" for an enrollment',
    ]);
  });

  test('another role is another enrolment; the old one stays', async () => {
    await load({
      'c.csv': courses('C1,short,long,active'),
      'u.csv': users('U1,l1,Ann,active,'),
      'e.csv': enrollments('C1,,U1,student,active', 'C1,,U1,teacher,active'),
    });
    expect(stub.state()).toMatchObject({ enrollments: [{ role: 'student' }, { role: 'teacher' }] });
  });

  test('logins and integration ids belong to one user until that user is deleted', async () => {
    await load({ 'u.csv': users('U1,l1,Ann,suspended,I1') });
    expect((await load({ 'u.csv': users('U2,L1,Bob,active,', 'U3,l3,Cid,active,I1') })).said).toEqual([
      "u.csv:2 An existing Canvas user with the SIS ID U1 has already claimed U2's user_id requested login information, skipping",
      "u.csv:3 An existing Canvas user with the SIS ID U1 has already claimed U3's requested integration_id, skipping",
    ]);
    await load({ 'u.csv': users('U1,l1,Ann,deleted,') });
    expect((await load({ 'u.csv': users('U2,L1,Bob,active,') })).said).toEqual([]);
  });

  test('a login that is claimed brings its user another SIS ID where the import says so', async () => {
    const takeOver = 'update_sis_id_if_login_claimed=true';
    await load({
      'c.csv': courses('C1,short,long,active'),
      'u.csv': users('U1,l1,Ann,suspended,I1', 'U2,l2,Bob,active,I2', 'U3,l3,Cid,active,'),
      'e.csv': enrollments('C1,,U1,student,active'),
    });
    const { said } = await load({ 'u.csv': users('N1,L1,Anna,active,I9', 'N2,l2,Bob,active,I9') }, takeOver);
    // of an integration id that somebody else has nothing is taken over
    expect(said).toEqual([
      "u.csv:3 An existing Canvas user with the SIS ID N1 has already claimed N2's requested integration_id, skipping",
    ]);
    const taken = { user_id: 'N1', login_id: 'L1', name: 'Anna', status: 'active', integration_id: 'I9' };
    expect(stub.state()).toMatchObject({
      users: [taken, { user_id: 'U2', integration_id: 'I2' }, { user_id: 'U3' }],
      enrollments: [{ user_id: 'N1', course_id: 'C1', status: 'active' }],
    });
    // who is known by the SIS ID takes over nobody
    expect((await load({ 'u.csv': users('U3,l2,Cid,active,') }, takeOver)).said).toEqual([
      "u.csv:2 An existing Canvas user with the SIS ID U2 has already claimed U3's user_id requested login information, skipping",
    ]);
    expect((await ask('GET', '/sis_imports')).body.sis_imports.at(0)).toMatchObject({
      update_sis_id_if_login_claimed: true,
    });
    expect((await load({ 'e.csv': enrollments('C1,,N1,student,completed') })).said).toEqual([]);
    expect(stub.state()).toMatchObject({ enrollments: [{ user_id: 'N1', status: 'completed' }] });
  });

  test('deleting a user takes away the enrolments, suspending does not', async () => {
    await load({
      'c.csv': courses('C1,short,long,active'),
      'u.csv': users('U1,l1,Ann,active,', 'U2,l2,Bob,active,'),
      'e.csv': enrollments('C1,,U1,student,active', 'C1,,U2,student,active'),
    });
    await load({ 'u.csv': users('U1,l1,Ann,suspended,', 'U2,l2,Bob,deleted,') });
    expect(stub.state()).toMatchObject({ enrollments: [{ status: 'active' }, { status: 'deleted' }] });
    expect((await load({ 'e.csv': enrollments('C1,,U2,student,active') })).said).toEqual([
      'e.csv:2 Attempted enrolling of deleted user U2 in course C1',
    ]);
  });

  test('a course: active leaves it published and reopens a concluded one', async () => {
    const states: string[] = [];
    for (const status of ['active', 'published', 'active', 'completed', 'active', 'deleted', 'active']) {
      await load({ 'c.csv': courses(`C1,short,long,${status}`) });
      states.push((stub.state() as Json).courses[0].workflow_state);
    }
    const reopened = ['unpublished', 'available', 'available', 'completed', 'available', 'deleted', 'unpublished'];
    expect(states).toEqual(reopened);
  });

  test('a bad file fails the import, and the good files are applied all the same', async () => {
    const { state, said } = await load({ 'bad.csv': 'colour\nblue', 'u.csv': users('U1,l1,Ann,active,') });
    expect(state).toBe('failed_with_messages');
    expect(said).toEqual(["bad.csv:null Couldn't find Canvas CSV import headers"]);
    expect(stub.state()).toMatchObject({ users: [{ user_id: 'U1' }] });
  });
});

describe('the interface', () => {
  test('wants a token, and shows what a request cost', async () => {
    const refused = await fetch(`${stub.url}/api/v1/accounts/1`);
    expect(refused.status).toBe(401);
    expect(await refused.json()).toEqual({ errors: [{ message: 'Invalid access token.' }] });
    const { answer } = await ask('GET', '');
    expect(Number(answer.headers.get('x-request-cost'))).toBeGreaterThan(0);
    expect(Number(answer.headers.get('x-rate-limit-remaining'))).toBeGreaterThan(0);
  });

  test('gives errors ten at a time, with links that name no last page, under both addresses', async () => {
    await post(users(...Array.from({ length: 25 }, (_, index) => `,l${index},Ann,active,`)));
    const ended = (await watch(1)).at(-1);
    expect(ended.processing_warnings).toHaveLength(25);
    expect(ended.processing_warnings.at(-1)[1]).toContain('1 more');
    for (const name of ['errors', 'sis_import_errors']) {
      const rows: number[] = [];
      const sizes: number[] = [];
      for (let next: string | undefined = `/sis_imports/1/${name}`; next; ) {
        const { answer, body }: Awaited<ReturnType<typeof ask>> = await ask('GET', next);
        const link: string = answer.headers.get('link')!;
        expect(link).not.toContain('rel="last"');
        next = /<([^>]*)>; rel="next"/.exec(link)?.[1];
        rows.push(...body.sis_import_errors.map((error: Json) => error.row));
        sizes.push(body.sis_import_errors.length);
      }
      expect(sizes).toEqual([10, 10, 5]);
      expect(rows.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, index) => index + 2));
    }
    expect((await ask('GET', '/sis_imports/1/errors?failure=true')).body.sis_import_errors).toEqual([]);
  });

  test('lists imports, and knows which one runs', async () => {
    await post(users('U1,l1,Ann,active,'));
    await post(users('U1,l1,Ann,active,'));
    await ask('GET', '/sis_imports/1');
    const ids = async (path: string) => (await ask('GET', path)).body.sis_imports.map((one: Json) => one.id);
    expect(await ids('/sis_imports')).toEqual([2, 1]);
    expect(await ids('/sis_imports?workflow_state[]=created')).toEqual([2]);
    expect(await ids('/sis_imports/importing')).toEqual([1]);
    expect((await ask('PUT', '/sis_imports/abort_all_pending')).body).toEqual({ aborted: true });
    expect(await ids('/sis_imports?workflow_state[]=aborted')).toEqual([2]);
  });
});
