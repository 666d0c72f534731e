import fc from 'fast-check';
import { expect, test } from 'vitest';
import { courseId } from '../../connectors/canvas/layout.ts';
import { Unavailable } from '../../src/base/errors.ts';
import type { WrittenFault } from '../../src/connector/stub.ts';
import {
  type AccountFacts,
  type CourseName,
  courseKey,
  type DeliveryItem,
  type ItemResult,
  type TargetSession,
} from '../../src/connector/target.ts';
import { canvasSession, canvasStubOfTest, stateOf, TestRoster } from '../support/canvas.ts';
import { course, item, person } from '../unit/connectors/canvas/items.ts';

/**
 * Whatever happens to people, and in whatever batches it is delivered, with the roster ahead of the queue, answers lost
 * and processes dead: in the end Canvas has the people and enrolments of the roster.
 */

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 25);
const courses = ['Car Design', 'Bicycles', 'Trains'].map(course);

interface Event {
  who: number;
  does: 'enrol' | 'leave' | 'toggle' | 'kind' | 'rename';
  where: number;
}
const event: fc.Arbitrary<Event> = fc.record({
  who: fc.nat(5),
  does: fc.constantFrom('enrol', 'enrol', 'leave', 'toggle', 'kind', 'rename'),
  where: fc.nat(2),
});
/** After each event: go on, deliver what is queued, or deliver with something in the way. */
const step = fc.record({
  event,
  delivery: fc.constantFrom('wait', 'wait', 'deliver', 'lose the upload', 'lose a look', 'die', 'fail'),
});

/** What reconciliation would make of an event: the roster after it, and the items. */
function apply(roster: TestRoster, { who, does, where }: Event, n: number): DeliveryItem[] {
  const numbered = (one: DeliveryItem): DeliveryItem => ({ ...one, item: `${n} ${one.item}` });
  const number = person(who).account;
  const known = roster.people.get(number);
  const name = courses[where]!;
  if (!known) {
    roster.put(person(who), name);
    return [
      item('account.create', { account: person(who) }),
      item('enrolment.add', { account: person(who), course: name }),
    ].map(numbered);
  }
  const { account, enrolments } = known;
  const put = (facts: Partial<AccountFacts>): AccountFacts => {
    known.account = { ...account, ...facts };
    return known.account;
  };
  const enrolled = [...enrolments.values()];
  const leave = (name: CourseName): DeliveryItem => {
    enrolments.delete(courseKey(name));
    return item('enrolment.remove', { account: known.account, course: name });
  };
  if (does === 'toggle' && account.status === 'active') {
    const removals = enrolled.map(leave);
    return [...removals, item('account.disable', { account: put({ status: 'disabled' }) })].map(numbered);
  }
  if (does === 'toggle' || account.status === 'disabled')
    return [numbered(item('account.enable', { account: put({ status: 'active' }) }))];
  if (does === 'enrol') {
    if (enrolments.has(courseKey(name))) return [];
    roster.put(account, ...enrolled, name);
    return [numbered(item('enrolment.add', { account, course: name }))];
  }
  if (does === 'leave') return enrolments.has(courseKey(name)) ? [numbered(leave(name))] : [];
  if (does === 'rename') {
    const renamed = put({ lastName: `Number ${n}` });
    return [numbered({ ...item('account.update', { account: renamed }), changed: ['lastName'] })];
  }
  const kind = account.kind === 'staff' ? 'student' : 'staff';
  const changed = { changed: ['kind'], before: { kind: account.kind }, enrolments: enrolled };
  return [numbered({ ...item('account.update', { account: put({ kind }) }), ...changed })];
}

const faults: Record<string, WrittenFault> = {
  'lose the upload': { method: 'POST', when: 'after', reset: true, count: 1 },
  'lose a look': { path: '/sis_imports/\\d+$', reset: true, count: 1 },

  fail: { path: 'workflow_state', status: 503, count: 1 },
};

test.each(['changes', 'full'])('mode: %s', async (mode) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.record({ sections: fc.constantFrom('none', 'course'), batch: fc.integer({ min: 1, max: 4 }) }),
      fc.boolean(),
      async (steps, { sections, batch }, threshold) => {
        const stub = await canvasStubOfTest();
        const settings = { mode, sections, ...(mode === 'full' && { full: { changeThreshold: threshold ? 5 : 100 } }) };
        const roster = new TestRoster();
        let queue: DeliveryItem[] = [];
        let session = await canvasSession(stub, settings);
        const give = (items: DeliveryItem[], by: TargetSession): Promise<ItemResult[]> =>
          mode === 'full' ? by.deliverRoster!(roster.still, items) : by.deliver(items);
        /** One batch: at most one item of a subject, in the order of the queue. */
        const deliver = async (by: TargetSession): Promise<void> => {
          const subjects = new Set<string>();
          const part: DeliveryItem[] = [];
          for (const one of queue) {
            const subject = `${one.account!.account} ${one.course ? courseKey(one.course) : ''}`;
            if (subjects.has(subject) || part.length >= batch) break;
            subjects.add(subject);
            part.push(one);
          }
          if (!part.length) return;
          const results = await give(part, by);
          expect(results.map(({ outcome }) => outcome)).toEqual(part.map(() => 'sent'));
          queue = queue.slice(part.length);
        };
        for (const [n, { event: happens, delivery }] of steps.entries()) {
          queue.push(...apply(roster, happens, n));
          if (delivery === 'wait') continue;
          if (delivery === 'die') {
            const dying = await canvasSession(stub, { ...settings, pollFor: '0ms' });
            await deliver(dying).catch((error) => expect(error).toBeInstanceOf(Unavailable));
            session = await canvasSession(stub, settings);
          } else {
            stub.setFaults(faults[delivery] ? [faults[delivery]!] : []);
            await deliver(session).catch((error) => expect(error).toBeInstanceOf(Unavailable));
            stub.setFaults([]);
          }
        }
        while (queue.length) await deliver(session);

        const { users, enrollments } = stateOf(stub);
        const people = [...roster.people.values()].sort((a, b) => (a.account.account < b.account.account ? -1 : 1));
        expect(users.map(({ user_id, name, status }) => [user_id, name, status])).toEqual(
          people.map(({ account: { account, firstName, lastName, status } }) => [
            account,
            `${firstName} ${lastName}`,
            status === 'active' ? 'active' : 'suspended',
          ]),
        );
        const wanted = people.flatMap(({ account, enrolments }) =>
          [...enrolments.values()].map((name) => {
            const section = sections === 'course' ? `${courseId(name)}-section` : null;
            return [courseId(name), section, account.account, account.kind === 'staff' ? 'teacher' : 'student'];
          }),
        );
        const had = enrollments
          .filter(({ status }) => status === 'active')
          .map((one) => [one.course_id, one.section_id, one.user_id, one.role]);
        expect(had.sort()).toEqual(wanted.sort());
        await stub.close();
      },
    ),
    { numRuns },
  );
});
