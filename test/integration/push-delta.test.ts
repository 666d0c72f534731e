import { expect, onTestFinished, test } from 'vitest';
import { PushSite, student, students } from '../support/pushing.ts';

/** A delta that cannot all be right: nothing of a person is lost by it. */

test('a delta with a value that cannot be read is refused, and the right value stays', async () => {
  const site = await PushSite.make();
  onTestFinished(() => site.stop().then(() => {}));
  await site.start();
  await site.push(students(0, 3));
  await site.says('run.applied');
  const { body } = await site.push(
    [
      { id: 'id0', email: 'nonsense' },
      { id: 'id1', lastName: 'Married' },
      // all of it is there, so the whole of it is judged
      student(2, { email: 'also nonsense' }),
    ],
    '?answer=delta',
  );
  const reason = 'email is not an address';
  expect(body).toMatchObject({ accepted: 1, refused: 2, records: [{ record: 1, field: 'email' }, { record: 3 }] });
  expect(body.records).toMatchObject([{ reason }, { reason }]);
  await site.says('run.applied', 2);
  await site.push(
    [
      { id: 'id0', lastName: 'Married' },
      { id: 'id2', lastName: 'Also' },
    ],
    '?answer=delta',
  );
  await site.says('run.applied', 3);
  await site.stop();
  const runs = await site.runs();
  expect(runs.map(({ quarantine }) => quarantine.map((one) => one.reason))).toEqual([[], [reason, reason], []]);
  const accounts = await site.accounts();
  for (const [n, lastName] of [
    [0, 'Married'],
    [1, 'Married'],
    [2, 'Also'],
  ] as const)
    expect(accounts.get(`id${n}`)).toMatchObject({ lastName, email: student(n).email });
});
