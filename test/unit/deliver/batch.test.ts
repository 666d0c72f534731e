import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChangeType, DeliveryItem, ItemResult } from '../../../src/connector/target.ts';
import { completeResults, headOf, pickBatch } from '../../../src/deliver/batch.ts';

/** `1 account.create`, `1 enrolment.add C1`, `course.create C1`: person, type, course. */
function item(text: string, n: number): DeliveryItem {
  const words = text.split(' ');
  const person = /^\d$/.test(words[0]!) ? words.shift()! : null;
  const [type, course] = words as [ChangeType, string?];
  return {
    item: `${n}: ${text}`,
    type,
    account: person === null ? null : ({ account: person } as DeliveryItem['account']),
    course: course === undefined ? null : { faculty: 'F', department: 'D', course },
    changed: [],
    before: null,
    emailConfirmed: false,
  };
}
const texts = (items: readonly DeliveryItem[]): string[] =>
  items.map((one) => one.item.slice(one.item.indexOf(' ') + 1));
const pick = (queue: string[], size = 10, waiting = ''): string[] =>
  texts(pickBatch(queue.map(item), size, (person) => waiting.includes(person)));

describe('a batch', () => {
  test('takes the queue in its order, as much as fits', () => {
    expect(pick(['1 account.create', '2 account.create', '3 account.create'], 2)).toEqual([
      '1 account.create',
      '2 account.create',
    ]);
  });

  test('has an account and its enrolments together, but no subject twice', () => {
    const queue = ['1 account.create', '1 enrolment.add C1', '1 enrolment.add C2', '1 enrolment.remove C1'];
    expect(pick(queue)).toEqual(queue.slice(0, 3));
    expect(pick(['1 account.update', '2 account.update', '1 account.disable'])).toEqual([
      '1 account.update',
      '2 account.update',
    ]);
  });

  test('takes nothing of a person behind what had to stay', () => {
    expect(pick(['1 account.create', '1 account.update', '1 enrolment.add C1', '2 account.create'])).toEqual([
      '1 account.create',
      '2 account.create',
    ]);
  });

  test('leaves out who has to wait, and nobody else', () => {
    expect(pick(['1 account.create', '2 account.create', '1 enrolment.add C1'], 10, '1')).toEqual(['2 account.create']);
  });

  test('leaves out what takes an address of somebody who gives it up only later', () => {
    const moves = (n: number, person: string, from: string, to: string): DeliveryItem => ({
      ...item(`${person} account.update`, n),
      account: { account: person, email: to, id: `id${person}` } as DeliveryItem['account'],
      before: { email: from },
    });
    const queue = [moves(0, '1', 'a', 'b'), moves(1, '2', 'c', 'd'), moves(2, '1', 'b', 'e'), moves(3, '3', 'f', 'b')];
    const picked = (waiting: string) => pickBatch(queue, 10, (person) => person === waiting).map((one) => one.item[0]);
    // the second of the first person has to wait for the first, and so has who takes what it gives up
    expect(picked('')).toEqual(['0', '1']);
    expect(picked('1')).toEqual(['1']);
    // what nobody holds is taken at once
    expect(picked('2')).toEqual(['0']);
    const others = [moves(0, '1', 'a', 'b'), moves(1, '1', 'b', 'e'), moves(2, '3', 'f', 'g'), moves(3, '4', 'h', 'a')];
    expect(pickBatch(others, 10, () => false).map((one) => one.item[0])).toEqual(['0', '2', '3']);
  });

  test('knows courses apart from people', () => {
    const queue = ['course.create C1', 'course.create C2', '1 enrolment.add C1', 'course.archive C1'];
    expect(pick(queue)).toEqual(queue.slice(0, 3));
  });

  test('after batch, every queue is sent whole, and each person in order', () => {
    const one = fc.tuple(
      fc.constantFrom('1', '2', '3'),
      fc.constantFrom('account.update', 'enrolment.add C1', 'enrolment.add C2', 'enrolment.remove C1'),
    );
    fc.assert(
      fc.property(fc.array(one, { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (queue, size) => {
        let left = queue.map(([person, what]) => `${person} ${what}`).map(item);
        const sent: DeliveryItem[] = [];
        while (left.length) {
          const batch = pickBatch(left, size, () => false);
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(size);
          const subjects = batch.map((its) => `${its.account!.account} ${its.course?.course}`);
          expect(new Set(subjects).size).toBe(subjects.length);
          sent.push(...batch);
          left = left.filter((its) => !batch.includes(its));
        }
        const of = (items: readonly DeliveryItem[], person: string) =>
          texts(items.filter((its) => its.account!.account === person));
        const all = queue.map(([person, what]) => `${person} ${what}`).map(item);
        for (const person of ['1', '2', '3']) expect(of(sent, person)).toEqual(of(all, person));
      }),
      { numRuns: 500 },
    );
  });
});

describe('an answer', () => {
  const batch = ['1 account.create', '1 enrolment.add C1', '2 account.create', '2 enrolment.add C1'].map(item);
  const say = (outcomes: (ItemResult['outcome'] | null)[]): string[] =>
    completeResults(
      batch.map(headOf),
      outcomes
        .flatMap((outcome, at): ItemResult[] =>
          outcome === null ? [] : [{ item: batch[at]!.item, outcome, answer: 'said' } as ItemResult],
        )
        .toReversed(),
    ).map((result) => result.outcome);

  test('is in the order of the batch, whatever order the target answers in', () => {
    expect(say(['sent', 'failed', 'sent', 'failed'])).toEqual(['sent', 'failed', 'sent', 'failed']);
  });

  test('that is missing means: again', () => {
    expect(say([null, 'sent', 'sent', null])).toEqual(['retry', 'sent', 'sent', 'retry']);
  });

  test('that refuses behind something that is tried again is no refusal, for that person only', () => {
    expect(say(['retry', 'failed', 'failed', 'failed'])).toEqual(['retry', 'retry', 'failed', 'failed']);
    expect(say(['sent', 'retry', 'sent', 'failed'])).toEqual(['sent', 'retry', 'sent', 'failed']);
  });
});
