import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { canvas } from '../../connectors/canvas/connector.ts';
import { courseId } from '../../connectors/canvas/layout.ts';
import { Unavailable } from '../../src/base/errors.ts';
import type { Stub } from '../../src/connector/stub.ts';
import type { DeliveryItem } from '../../src/connector/target.ts';
import { canvasParts, canvasSession, canvasStubOfTest, deliverFull, stateOf, TestRoster } from '../support/canvas.ts';
import type { steppedClock } from '../support/drop.ts';
import { course, item, person } from '../unit/connectors/canvas/items.ts';

/** One import at a time, the bytes that a preview shows, and everything beyond users, courses and enrolments. */

let stub: Stub;
beforeEach(async () => {
  stub = await canvasStubOfTest();
});

const car = course('Car Design');
const items: DeliveryItem[] = [
  item('account.create', { account: person(1) }),
  item('enrolment.add', { account: person(1), course: car }),
];
const authorization = 'Bearer somebody-else';
/** An import that somebody else starts by hand. */
const others = async (path = 'sis_imports'): Promise<void> => {
  const body = 'user_id,login_id,status\nU1,u1,active\n';
  const headers = { authorization, 'content-type': 'text/csv' };
  await fetch(`${stub.url}/api/v1/accounts/1/${path}`, { method: 'POST', headers, body });
};
const posts = () => stub.requests().filter(({ method, url }) => method === 'POST' && url.includes('sis_imports'));

describe('one import at a time', () => {
  test('somebody else’s is waited for', async () => {
    await others();
    await others();
    const results = await (await canvasSession(stub)).deliver(items);
    expect(results.map(({ outcome, answer }) => [outcome, answer])).toEqual(items.map(() => ['sent', 'import 3']));
    const order = stub.requests().map(({ method, url }) => `${method} ${url.replace(/\?.*/, '').split('/').at(-1)}`);
    // both are seen to end before ours begins
    expect(order.lastIndexOf('GET 2')).toBeLessThan(order.lastIndexOf('POST sis_imports'));
  });

  test('but not for ever, and ours is not sent then', async () => {
    await others();
    await expect((await canvasSession(stub, { pollFor: '0ms' })).deliver(items)).rejects.toThrow(Unavailable);
    expect(posts()).toHaveLength(1);
  });

  test('ours of a process that died is watched further, not doubled', async () => {
    await expect((await canvasSession(stub, { pollFor: '0ms' })).deliver(items)).rejects.toThrow('import 1 is still');
    const results = await (await canvasSession(stub)).deliver(items);
    expect(results.map(({ answer }) => answer)).toEqual(['import 1', 'import 1']);
    expect(posts()).toHaveLength(1);
  });

  test('another batch waits for it', async () => {
    await expect((await canvasSession(stub, { pollFor: '0ms' })).deliver(items)).rejects.toThrow('import 1 is still');
    const results = await (await canvasSession(stub)).deliver([items[0]!]);
    expect(results.map(({ answer }) => answer)).toEqual(['import 2']);
    expect(stateOf(stub).imports.map((one) => one.workflow_state)).toEqual(['imported', 'imported']);
  });

  test('an upload that failed before it began is simply made', async () => {
    const open = await canvasSession(stub);
    await open.deliver(items);
    stub.setFaults([{ method: 'POST', status: 503, count: 1 }]);
    await expect(open.deliver(items)).rejects.toThrow(Unavailable);
    expect((await open.deliver(items)).map(({ answer }) => answer)).toEqual(['import 2', 'import 2']);
  });

  test('looks pause longer and longer', async () => {
    const { settings, context } = canvasParts(stub, { pollEvery: '8s' });
    await (await canvas.open(settings, context)).deliver(items);
    expect((context.clock as ReturnType<typeof steppedClock>).waits).toEqual([1000, 1500, 2250, 3375]);
  });
});

describe('throttling', () => {
  const throttle = (numbers: object) =>
    fetch(`${stub.url}/_stub/throttle`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(numbers),
    });

  test('what is left is looked at: it slows down before it is refused', async () => {
    const { settings, context } = canvasParts(stub);
    await throttle({ highWater: 100, cost: 45, outflow: 0.001 });
    await (await canvas.open(settings, context)).deliver([items[0]!]).catch((error: Error) => {
      expect(error).toBeInstanceOf(Unavailable);
    });
    // 55 of 100 are left after the first request: half a second until there are 60
    expect((context.clock as ReturnType<typeof steppedClock>).waits[0]).toBe(500);
  });

  test.each([403, 429])('an empty bucket is a reason to come again later: %i', async (status) => {
    await throttle({ highWater: 1, cost: 10, outflow: 0.001, status });
    await expect((await canvasSession(stub)).deliver(items)).rejects.toThrow('Canvas throttles');
    await throttle({ off: true });
    expect((await (await canvasSession(stub)).deliver(items)).map(({ outcome }) => outcome)).toEqual(['sent', 'sent']);
  });
});

describe('a preview', () => {
  const about = { target: 'canvas', institution: 'example' };

  test('shows the very request that is sent then', async () => {
    const { settings, context } = canvasParts(stub, { sections: 'course', stickiness: 'clear' });
    const [shown] = canvas.preview(settings, about, items);
    await (await canvas.open(settings, context)).deliver(items);
    const [sent] = posts();
    expect(new URL(shown!.url).href).toBe(new URL(sent!.url, stub.url).href);
    expect(createHash('sha256').update(shown!.body!).digest('hex')).toBe(sent!.sha256);
    expect(Object.keys(shown!.files!)).toEqual(['courses.csv', 'sections.csv', 'users.csv', 'enrollments.csv']);
    expect(shown!.headers).toMatchObject({ authorization: 'Bearer {secret}', 'content-type': 'application/zip' });
    const { authorization: _, ...headers } = shown!.headers;
    expect(sent!.headers).toMatchObject(headers);
  });

  test('also of a batch that takes many pieces, and of one that packs too well', async () => {
    const many = Array.from({ length: 3000 }, (_, index) => item('account.create', { account: person(index) }));
    const alike = [item('account.create', { account: person(1, { lastName: 'a'.repeat(300_000) }) })];
    for (const batch of [many, alike]) {
      const { settings, context } = canvasParts(stub);
      const [shown] = canvas.preview(settings, about, batch);
      await (await canvas.open(settings, context)).deliver(batch);
      expect(createHash('sha256').update(shown!.body!).digest('hex')).toBe(posts().at(-1)!.sha256);
    }
    expect(stateOf(stub).imports.map((one) => one.workflow_state)).toEqual(['imported', 'imported']);
  });

  test('of a full roster has no body, and says why', async () => {
    const { settings, context } = canvasParts(stub, { mode: 'full' });
    const [shown] = canvas.preview(settings, about, items);
    expect(shown).toMatchObject({ body: null, files: { 'README.txt': expect.stringContaining('whole roster') } });
    await deliverFull(await canvas.open(settings, context), new TestRoster().put(person(1), car), items);
    expect(new URL(shown!.url).href).toBe(new URL(posts()[0]!.url, stub.url).href);
    // what the roster was written to before is gone
    expect(readdirSync(context.spoolDir)).toEqual(['import.zip']);
    expect(readFileSync(`${context.spoolDir}/import.zip`).length).toBe(posts()[0]!.bytes);
  });
});

describe('beyond users, courses and enrolments', () => {
  const all = {
    accounts: 'departments',
    term: { id: '2026F', name: 'Fall 2026', start: '2026-09-01' },
    sections: 'course',
    roles: { student: 'Auditor', staff: 'teacher' },
  };

  test.each(['changes', 'full'])('sub-accounts, term, sections and custom roles arrive: mode %s', async (mode) => {
    const open = await canvasSession(stub, { ...all, mode });
    const roster = new TestRoster().put(person(1), car);
    const results = mode === 'full' ? await deliverFull(open, roster, items) : await open.deliver(items);
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent']);
    const { accounts, terms, courses, sections, enrollments } = stateOf(stub);
    const [department, faculty] = accounts.toSorted((a, b) => b.name.length - a.name.length);
    expect([faculty!.name, faculty!.parent_account_id]).toEqual(['Engineering', null]);
    expect([department!.name, department!.parent_account_id]).toEqual(['Mechanical Engineering', faculty!.account_id]);
    expect(terms).toEqual([
      { term_id: '2026F', name: 'Fall 2026', start_date: '2026-09-01', end_date: null, status: 'active' },
    ]);
    expect(courses).toMatchObject([{ account_id: department!.account_id, term_id: '2026F' }]);
    expect(sections).toMatchObject([{ course_id: courseId(car), name: 'Car Design' }]);
    expect(enrollments).toMatchObject([{ section_id: sections[0]!.section_id, role: 'Auditor', status: 'active' }]);
  });

  test('a custom role in other capitals is refused in the words of Canvas', async () => {
    const [, refused] = await (await canvasSession(stub, { roles: { student: 'auditor' } })).deliver(items);
    expect(refused).toMatchObject({ outcome: 'failed', answer: 'import 1: Improper role "auditor" for an enrollment' });
  });

  test('another kind of person leaves two rows in Canvas, one of them deleted', async () => {
    const open = await canvasSession(stub);
    await open.deliver(items);
    const staff = person(1, { kind: 'staff' });
    const change = { ...item('account.update', { account: staff }), changed: ['kind'], enrolments: [car] };
    const results = await open.deliver([{ ...change, before: { kind: 'student' } }]);
    expect(results).toMatchObject([{ outcome: 'sent' }]);
    expect(stateOf(stub).enrollments.map(({ role, status }) => [role, status])).toEqual([
      ['student', 'deleted'],
      ['teacher', 'active'],
    ]);
  });

  test('stickiness is asked for as the settings say', async () => {
    await (await canvasSession(stub, { stickiness: 'override' })).deliver(items);
    const { searchParams } = new URL(posts()[0]!.url, stub.url);
    expect([searchParams.get('override_sis_stickiness'), searchParams.get('add_sis_stickiness')]).toEqual([
      'true',
      null,
    ]);
  });
});
