import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { push } from '../../../../connectors/push/connector.ts';
import { writeJson } from '../../../../connectors/push/files.ts';
import type { Inbox } from '../../../../src/connector/inbox.ts';
import { dropContext, temporaryFolder } from '../../../support/drop.ts';
import { sha256, student } from '../../../support/pushing.ts';

/** The inbox of a source before and after a reload: pushes of both are on their way at the same moment. */

const settings = push.settings.parse({ key: { sha256: '0'.repeat(64) } });
const columns = {
  required: ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'year'],
  optional: ['id'],
  exact: true,
  numbers: ['year'],
};
const body = JSON.stringify({ data: [student(1)] });

/** Pushes `r1`, `r2`, … that come at once, to the one inbox and to the other by turns. */
function source() {
  const keepDir = join(temporaryFolder(), 'keep', 'sis');
  const [before, after] = [push.inbox!(settings, keepDir), push.inbox!(settings, keepDir)];
  const receive = (inbox: Inbox, run: string, idempotencyKey: string | null): ReturnType<Inbox['receive']> =>
    inbox.receive(
      { run, body: Readable.from([Buffer.from(body)]), type: 'json', answer: 'snapshot', idempotencyKey },
      { columns, judge: () => () => null, clock: dropContext().clock },
    );
  const atOnce = (count: number, idempotencyKey: string | null): ReturnType<typeof receive>[] =>
    Array.from({ length: count }, (_, n) => receive(n % 2 ? after : before, `r${n + 1}`, idempotencyKey));
  const waiting = (): string[] =>
    readdirSync(join(keepDir, 'inbox'))
      .filter((name) => name.endsWith('.json'))
      .sort();
  return { keepDir, inbox: after, atOnce, waiting };
}

test('one key is one push, whichever of them it came to', async () => {
  const { atOnce, waiting } = source();
  const told = await Promise.all(atOnce(8, 'term-1'));
  expect(told.filter(({ repeated }) => !repeated)).toHaveLength(1);
  expect(new Set(told.map(({ receipt }) => receipt.run)).size).toBe(1);
  expect(waiting()).toHaveLength(1);
});

test('each has a number of its own, in the order of the answers', async () => {
  const { atOnce, waiting } = source();
  const answered: string[] = [];
  await Promise.all(
    atOnce(8, null).map(async (one) => {
      const { receipt } = await one;
      answered.push(receipt.run);
    }),
  );
  expect(waiting()).toEqual(answered.map((run, n) => `${String(n + 1).padStart(12, '0')}-${run}.json`));
});

test('one that counts is answered although its receipt cannot be kept, and known when it comes again', async () => {
  const { keepDir, inbox, atOnce, waiting } = source();
  const receipt = `${sha256('term-1')}.json`;
  const inTheWay = join(keepDir, 'receipts', `${receipt}.tmp`);
  mkdirSync(inTheWay, { recursive: true });
  for (const repeated of [false, true])
    expect(await Promise.all(atOnce(1, 'term-1'))).toEqual([
      { receipt: expect.objectContaining({ run: 'r1' }), repeated },
    ]);
  expect(waiting()).toEqual(['000000000001-r1.json']);
  rmdirSync(inTheWay);
  await inbox.settle('r1', null);
  expect(readdirSync(join(keepDir, 'receipts'))).toEqual([receipt]);
  expect(await Promise.all(atOnce(1, 'term-1'))).toEqual([expect.objectContaining({ repeated: true })]);
});

test('one that cannot be made to count leaves nothing behind', async () => {
  const { keepDir, atOnce } = source();
  const inTheWay = '000000000001-r1.json.tmp';
  mkdirSync(join(keepDir, 'inbox', inTheWay), { recursive: true });
  await expect(Promise.all(atOnce(1, null))).rejects.toThrow();
  expect(readdirSync(join(keepDir, 'inbox'))).toEqual([inTheWay]);
});

test('a file that cannot be put in its place leaves no draft', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'taken'));
  await expect(writeJson(join(folder, 'taken'), {})).rejects.toThrow('EISDIR');
  expect(readdirSync(folder)).toEqual(['taken']);
});
