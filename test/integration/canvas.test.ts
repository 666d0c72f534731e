import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { canvas } from '../../connectors/canvas/connector.ts';
import { courseId } from '../../connectors/canvas/layout.ts';
import { canvasSettings } from '../../connectors/canvas/schema.ts';
import type { StubCourse, StubEnrollment, StubUser } from '../../connectors/canvas/stub/roster.ts';
import { canvasStub } from '../../connectors/canvas/stub.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Denied, Misconfigured, Unavailable } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { openHttp } from '../../src/connector/http.ts';
import { type Stub, startStub, type WrittenFault } from '../../src/connector/stub.ts';
import type { DeliveryItem, TargetSession } from '../../src/connector/target.ts';
import { keeping } from '../../src/deliver/kept.ts';
import { steppedClock, temporaryFolder } from '../support/drop.ts';
import { course, item, person } from '../unit/connectors/canvas/items.ts';

interface CanvasState {
  users: StubUser[];
  courses: StubCourse[];
  enrollments: StubEnrollment[];
  imports: { id: number; workflow_state: string }[];
}

const car = course('Car Design');
const bicycles = course('Bicycles');
const stop = new AbortController();
let cleanUp: (() => Promise<void>)[] = [];
let stub: Stub;

beforeEach(async () => {
  vi.stubEnv('CANVAS_TEST_TOKEN', 'a-token');
  stub = await start();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of cleanUp.reverse()) await close();
  cleanUp = [];
});

async function start(): Promise<Stub> {
  const started = await startStub(canvasStub);
  cleanUp.push(() => started.close());
  return started;
}

function parts(more: object = {}, at = stub) {
  const http = openHttp(at.url, stop.signal);
  cleanUp.push(() => http.close());
  const settings = canvasSettings.parse({
    url: at.url,
    account: 1,
    token: { env: 'CANVAS_TEST_TOKEN' },
    pollEvery: '20ms',
    ...more,
  });
  const of = { target: 'canvas', institution: 'example', http, signal: stop.signal, clock: systemClock };
  const context = { ...of, log: silentLog, spoolDir: temporaryFolder(), keep: keeping(), progress() {} };
  return { settings, context };
}

async function session(more: object = {}, at = stub): Promise<TargetSession> {
  const { settings, context } = parts(more, at);
  return canvas.open(settings, context);
}

const state = (of = stub) => of.state() as CanvasState;
const outcomes = async (open: TargetSession, items: DeliveryItem[]) =>
  (await open.deliver(items)).map(({ item: id, outcome }) => [id, outcome]);
/** Somebody looks at an import until it has ended. */
async function ended(id: number): Promise<void> {
  const headers = { authorization: 'Bearer x' };
  while (!/imported|failed/.test(state().imports[id - 1]!.workflow_state))
    await fetch(`${stub.url}/api/v1/accounts/1/sis_imports/${id}`, { headers });
}
const fault = (rule: WrittenFault, at = stub) => at.setFaults([{ count: 1, ...rule }]);

/** A small term: two students and a teacher in two courses. */
const term: DeliveryItem[] = [
  item('course.create', { course: bicycles }),
  item('account.create', { account: person(1) }),
  item('account.create', { account: person(2, { lastName: 'O"Brien, Мария\n李' }) }),
  item('account.create', { account: person(3, { kind: 'staff', account: '9510000003' }) }),
  item('enrolment.add', { account: person(1), course: car }),
  item('enrolment.add', { account: person(2), course: bicycles }),
  item('enrolment.add', { account: person(3, { kind: 'staff', account: '9510000003' }), course: car }),
];

describe('a batch', () => {
  test('arrives whole in one import: accounts, courses and enrolments', async () => {
    const results = await (await session()).deliver(term);
    expect(results).toEqual(term.map((one) => ({ item: one.item, outcome: 'sent', answer: 'import 1' })));
    const { users, courses, enrollments } = state();
    expect(users.map(({ user_id, login_id, name, status }) => [user_id, login_id, name, status])).toEqual([
      ['9500000001', 'p1@example.edu', 'Pat Number 1', 'active'],
      ['9500000002', 'p2@example.edu', 'Pat O"Brien, Мария\n李', 'active'],
      ['9510000003', 'p3@example.edu', 'Pat Number 3', 'active'],
    ]);
    expect(courses.map((one) => [one.short_name, one.workflow_state])).toEqual([
      ['Bicycles', 'unpublished'],
      ['Car Design', 'unpublished'],
    ]);
    expect(enrollments.map((one) => [one.course_id, one.user_id, one.role, one.status])).toEqual([
      [courseId(bicycles), '9500000002', 'student', 'active'],
      [courseId(car), '9500000001', 'student', 'active'],
      [courseId(car), '9510000003', 'teacher', 'active'],
    ]);
  });

  test('sent twice does no harm', async () => {
    const open = await session();
    await open.deliver(term);
    const { users, courses, enrollments } = state();
    await open.deliver(term);
    expect(state()).toMatchObject({ users, courses, enrollments });
  });

  test('of nothing starts no import', async () => {
    expect(await (await session()).deliver([])).toEqual([]);
    expect(state().imports).toEqual([]);
  });

  test('a person who leaves and returns keeps the enrolments', async () => {
    const open = await session();
    await open.deliver(term);
    await open.deliver([item('account.disable', { account: person(1, { status: 'disabled' }) })]);
    expect(state().users[0]).toMatchObject({ user_id: '9500000001', status: 'suspended' });
    await open.deliver([item('account.enable', { account: person(1) })]);
    expect(state().users[0]).toMatchObject({ user_id: '9500000001', status: 'active' });
    expect(state().enrollments.every(({ status }) => status === 'active')).toBe(true);
  });

  test('a late removal does not reopen an archived course', async () => {
    const open = await session();
    await open.deliver(term);
    await open.deliver([item('course.archive', { course: car })]);
    await open.deliver([item('enrolment.remove', { account: person(1), course: car })]);
    expect(state().courses.find((one) => one.short_name === 'Car Design')!.workflow_state).toBe('completed');
    expect(state().enrollments.find((one) => one.user_id === '9500000001')!.status).toBe('deleted');
  });

  test('an e-mail address is handed on within one batch', async () => {
    const open = await session();
    await open.deliver(term);
    const handedOn = [
      item('account.update', { account: person(1, { email: 'new@example.edu' }) }),
      item('account.update', { account: person(2, { email: 'p1@example.edu' }) }),
    ];
    expect((await outcomes(open, handedOn)).map(([, outcome]) => outcome)).toEqual(['sent', 'sent']);
    expect(state().users.map((user) => user.login_id)).toEqual(['new@example.edu', 'p1@example.edu', 'p3@example.edu']);
  });
});

describe('refused rows', () => {
  test('fail in the words of Canvas while the good ones arrive', async () => {
    const open = await session();
    await open.deliver([item('account.create', { account: person(1) })]);
    const results = await open.deliver([
      item('account.create', { account: person(2, { email: 'P1@example.edu' }) }),
      item('account.create', { account: person(3) }),
      item('enrolment.add', { account: person(3), course: car }),
      item('enrolment.add', { account: person(9), course: car }),
    ]);
    expect(results.map(({ outcome, answer }) => [outcome, answer])).toEqual([
      [
        'failed',
        "import 2: An existing Canvas user with the SIS ID 9500000001 has already claimed 9500000002's user_id requested login information, skipping",
      ],
      ['sent', 'import 2'],
      ['sent', 'import 2'],
      [
        'failed',
        `import 2: User not found for enrollment (User ID: 9500000009, Course ID: ${courseId(car)}, Section ID: )`,
      ],
    ]);
    expect(state().users.map((user) => user.user_id)).toEqual(['9500000001', '9500000003']);
  });

  test('a refused course fails its enrolments and no others', async () => {
    const nameless = course(' ');
    const [, failed, sent] = await (await session()).deliver([
      item('account.create', { account: person(1) }),
      item('enrolment.add', { account: person(1), course: nameless }),
      item('enrolment.add', { account: person(1), course: car }),
    ]);
    expect(failed).toMatchObject({ outcome: 'failed' });
    expect(failed!.answer).toContain(`No short_name given for course ${courseId(nameless)}`);
    expect(sent).toMatchObject({ outcome: 'sent' });
  });

  test('with courses: existing an unknown course is not created', async () => {
    const items = [
      item('account.create', { account: person(1) }),
      item('enrolment.add', { account: person(1), course: car }),
    ];
    const [, second] = await (await session({ courses: 'existing' })).deliver(items);
    expect(second).toMatchObject({ outcome: 'failed' });
    expect(second!.answer).toContain('Neither course nor section existed');
    expect(state().courses).toEqual([]);
  });

  test('are all found when the list of errors has many pages', async () => {
    const items = Array.from({ length: 500 }, (_, index) =>
      item('enrolment.add', { account: person(index), course: index % 5 === 0 ? car : bicycles }),
    );
    const good = Array.from({ length: 100 }, (_, index) => item('account.create', { account: person(index * 5) }));
    const results = await outcomes(await session(), [...good, ...items]);
    const sent = results.filter(([, outcome]) => outcome === 'sent').map(([id]) => id);
    expect(sent).toEqual([...good, ...items.filter(({ course }) => course === car)].map((one) => one.item));
  });

  test('an aborted import comes again later', async () => {
    const open = await session({ pollFor: '0ms' });
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    await fetch(`${stub.url}/api/v1/accounts/1/sis_imports/1/abort`, {
      method: 'PUT',
      headers: { authorization: 'Bearer x' },
    });
    const results = await open.deliver(term);
    expect(results.every((one) => one.outcome === 'retry' && one.delayMs! >= 600_000)).toBe(true);
  });
});

describe('when Canvas misbehaves', () => {
  const throttled = '403 Forbidden (Rate Limit Exceeded)\n';

  test.each([
    { status: 403, body: throttled, headers: { 'content-type': 'text/plain', 'x-rate-limit-remaining': '0.0' } },
    { status: 429, body: '429 Forbidden (Rate Limit Exceeded)\n' },
    { status: 500, body: '' },
    { status: 503, body: '<html>down for maintenance</html>' },
    { status: 200, body: '<html>please sign in</html>' },
    { status: 200, body: '{"something":"else"}' },
    { reset: true },
  ])('before an import: not now, and the next try succeeds: %j', async (rule) => {
    const open = await session();
    fault(rule);
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    expect(state().users).toEqual([]);
    expect((await open.deliver(term)).every(({ outcome }) => outcome === 'sent')).toBe(true);
  });

  test('the wait that Canvas asks for is passed on', async () => {
    const open = await session();
    fault({ status: 429, headers: { 'retry-after': '7' } });
    await expect(open.deliver(term)).rejects.toMatchObject({ kind: 'Unavailable', delayMs: 7000 });
  });

  test.each([
    { status: 403, body: '{"errors":["SIS imports are not enabled for this account"]}' },
    { status: 401, body: '{"errors":[{"message":"Invalid access token."}]}' },
  ])('a refused permission is nothing to try again: %j', async (rule) => {
    const open = await session();
    fault({ ...rule, headers: { 'content-type': 'application/json' } });
    const refused = open.deliver(term);
    await expect(refused).rejects.toThrow(Denied);
    await expect(refused).rejects.toThrow(/SIS imports are not enabled|Invalid access token/);
  });

  test('an account below the root is a mistake in the configuration', async () => {
    const open = await session({ account: 2 });
    const refused = open.deliver(term);
    await expect(refused).rejects.toThrow(Misconfigured);
    await expect(refused).rejects.toThrow('SIS imports can only be executed on root accounts');
  });

  test('a lost answer to the upload: its import is found again, and there is no second one', async () => {
    const open = await session();
    fault({ method: 'POST', when: 'after', reset: true });
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    expect((await open.deliver(term)).every(({ outcome }) => outcome === 'sent')).toBe(true);
    expect(state().imports.map((one) => one.workflow_state)).toEqual(['imported']);

    const undisturbed = await start();
    await (await session({}, undisturbed)).deliver(term);
    const { users, courses, enrollments } = state(undisturbed);
    expect(state()).toMatchObject({ users, courses, enrollments });
  });

  test('a lost answer to the upload: an import that ended meanwhile is found, also when the first look for it fails', async () => {
    const open = await session();
    fault({ method: 'POST', when: 'after', reset: true });
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    await ended(1);
    fault({ path: 'sis_imports\\?per_page', status: 503 });
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    expect((await open.deliver(term)).map(({ answer }) => answer)).toEqual(term.map(() => 'import 1'));
    expect(state().imports).toHaveLength(1);
  });

  test.each(['this process', 'one before it'])(
    'a lost upload: what %s has sent long ago is not taken for it',
    async (which) => {
      const before = await session();
      await before.deliver(term);
      // somebody deletes a person in Canvas and queues the changes again
      await fetch(`${stub.url}/api/v1/accounts/1/sis_imports?extension=csv`, {
        method: 'POST',
        headers: { authorization: 'Bearer x', 'content-type': 'text/csv' },
        body: 'user_id,login_id,status\n9500000001,p1@example.edu,deleted\n',
      });
      await ended(2);
      const open = which === 'this process' ? before : await session();
      fault({ method: 'POST', reset: true });
      await expect(open.deliver(term)).rejects.toThrow(Unavailable);
      expect((await open.deliver(term)).map(({ answer }) => answer)).toEqual(term.map(() => 'import 3'));
      expect(state().users[0]).toMatchObject({ user_id: '9500000001', status: 'active' });
    },
  );

  test('a lost upload: nor is the import of an upload that was lost before', async () => {
    const open = await session();
    fault({ method: 'POST', when: 'after', reset: true });
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    await open.deliver(term);
    fault({ method: 'POST', reset: true });
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    expect((await open.deliver(term)).map(({ answer }) => answer)).toEqual(term.map(() => 'import 2'));
  });

  test.each([
    { path: '/sis_imports/1$', status: 429, body: throttled },
    { path: '/sis_imports/1/errors', reset: true },
  ])('an import under way is watched further instead of started again: %j', async (rule) => {
    const open = await session();
    const items = [...term, item('enrolment.add', { account: person(9), course: car })];
    fault(rule);
    await expect(open.deliver(items)).rejects.toThrow(Unavailable);
    const results = await open.deliver(items);
    expect(results.filter(({ outcome }) => outcome === 'failed').map((one) => one.item)).toEqual([items.at(-1)!.item]);
    expect(state().imports).toHaveLength(1);
  });

  test('an import that Canvas no longer knows is started again', async () => {
    const open = await session();
    const body = '{"errors":[{"message":"The specified resource does not exist."}]}';
    fault({ method: 'GET', path: '/sis_imports/1$', status: 404, body });
    await expect(open.deliver(term)).rejects.toThrow(Unavailable);
    fault({ method: 'GET', path: 'workflow_state', status: 200, body: '{"sis_imports":[]}' });
    expect((await open.deliver(term)).map(({ answer }) => answer)).toEqual(term.map(() => 'import 2'));
  });

  test('a long import says at each look how long it has been: nobody takes it for stuck', async () => {
    const said: string[] = [];
    const { settings, context } = parts({ pollEvery: '10s' });
    const clock = steppedClock();
    fault({
      method: 'GET',
      path: '/sis_imports/1$',
      count: 6,
      status: 200,
      body: '{"id":1,"workflow_state":"importing"}',
    });
    const open = await canvas.open(settings, { ...context, clock, progress: (text) => void said.push(text) });
    await open.deliver(term);
    expect(said.length).toBeGreaterThan(4);
    expect(said[0]).toMatch(/^import 1 is importing in Canvas, after \d+ s$/);
    expect(new Set(said).size).toBe(said.length);
  });

  test('an import that takes longer than pollFor is left for later', async () => {
    const open = await session({ pollFor: '0ms' });
    await expect(open.deliver(term)).rejects.toThrow(/import 1 is still importing/);
    expect(state().imports).toMatchObject([{ workflow_state: 'importing' }]);
  });

  test('a next page elsewhere is not followed: the token stays at home', async () => {
    const elsewhere = await start();
    const open = await session();
    const link = `<${elsewhere.url}/api/v1/accounts/1/sis_imports/1/errors>; rel="next"`;
    fault({ path: '/errors', status: 200, headers: { link }, body: '{"sis_import_errors":[]}' });
    const items = [item('enrolment.add', { account: person(9), course: car })];
    await expect(open.deliver(items)).rejects.toThrow(Denied);
    expect(elsewhere.state()).toMatchObject({ requests: 0 });
  });
});

describe('a look beforehand', () => {
  test('names the account and changes nothing', async () => {
    const { settings, context } = parts({ account: 'self' });
    expect((await canvas.probe(settings, context)).join('\n')).toContain('Example University');
    expect(state()).toMatchObject({ users: [], imports: [] });
  });

  test('finds an account below the root', async () => {
    const { settings, context } = parts({ account: 2 });
    await expect(canvas.probe(settings, context)).rejects.toThrow(/Continuing Education.*not a root account/);
  });

  test('finds an account that is not there, a refused token and one that is not set', async () => {
    const absent = parts({ account: 77 });
    await expect(canvas.probe(absent.settings, absent.context)).rejects.toThrow(Misconfigured);
    const { settings, context } = parts();
    fault({ path: 'sis_imports', status: 403, body: '{"errors":[{"message":"user not authorized"}]}' });
    await expect(canvas.probe(settings, context)).rejects.toThrow(Denied);
    vi.stubEnv('CANVAS_TEST_TOKEN', undefined);
    await expect(canvas.probe(settings, context)).rejects.toThrow(/CANVAS_TEST_TOKEN/);
  });
});
