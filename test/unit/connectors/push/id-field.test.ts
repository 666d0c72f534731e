import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { push } from '../../../../connectors/push/connector.ts';
import type { SourceContext } from '../../../../src/connector/source.ts';
import { dropContext, failure, readAll, temporaryFolder } from '../../../support/drop.ts';
import { student } from '../../../support/pushing.ts';

/** A list is keyed by the column that was `idField` when it came; a delta is merged by the same column or not at all. */

const settingsOf = (idField: string) => push.settings.parse({ key: { sha256: '0'.repeat(64) }, idField });
const columns = {
  required: ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'year'],
  optional: ['id'],
  exact: true,
  numbers: ['year'],
};
const list = [student(1), student(2)];
const renamed = (by: object) => [{ ...by, lastName: 'New' }];

/** One source, push after push. */
function source() {
  const keepDir = join(temporaryFolder(), 'keep', 'sis');
  mkdirSync(keepDir, { recursive: true });
  let pushes = 0;
  let lastContent: string | null = null;
  /** Takes a push in, as the daemon does while `idField` is so. */
  const receive = async (idField: string, answer: 'snapshot' | 'delta', data: object[]): Promise<void> => {
    pushes += 1;
    const body = Readable.from([Buffer.from(JSON.stringify({ data }))]);
    await push.inbox!(settingsOf(idField), keepDir).receive(
      { run: `r${pushes}`, body, type: 'json', answer, idempotencyKey: null },
      { columns, judge: () => () => null, clock: dropContext().clock },
    );
  };
  /** Runs the oldest one; the last names that there are then. */
  const run = async (idField: string): Promise<string[]> => {
    const inbox = push.inbox!(settingsOf(idField), keepDir);
    const id = (await inbox.next())!;
    let content: string | null = null;
    try {
      const context: SourceContext = dropContext({ keepDir, columns, lastContent });
      const answer = (await push.pull(settingsOf(idField), context))!;
      const rows = await readAll(answer);
      await answer.close();
      lastContent = content = answer.content;
      return rows.map((row) => ('cells' in row ? row.cells[4]! : row.broken)).sort();
    } finally {
      await inbox.settle(id, content);
    }
  };
  return { keepDir, receive, run };
}

test('after idField has changed no delta is merged by the wrong column; a whole list starts anew', async () => {
  const { receive, run } = source();
  await receive('id', 'snapshot', list);
  await run('id');
  await receive('email', 'delta', renamed({ email: list[0]!.email }));
  const refused = await failure(run('email'));
  expect([refused.kind, refused.line]).toEqual([
    'Incomplete',
    expect.stringMatching(/by email, and the list in force is kept by id; .*send a whole list/),
  ]);
  // one that was lost must not be forgotten
  await receive('id', 'delta', renamed({ id: 'id1' }));
  expect((await failure(run('id'))).kind).toBe('Incomplete');
  await receive('email', 'snapshot', list);
  await run('email');
  await receive('email', 'delta', renamed({ email: list[0]!.email }));
  expect(await run('email')).toEqual(['Last2', 'New']);
  // and what was merged is kept by it, too
  await receive('email', 'delta', [{ email: list[1]!.email, deleted: true }]);
  expect(await run('email')).toEqual(['New']);
});

test('what waits is keyed by what idField was when it came', async () => {
  const { receive, run } = source();
  await receive('id', 'snapshot', list);
  await receive('id', 'delta', renamed({ id: 'id1' }));
  await receive('email', 'delta', renamed({ email: list[1]!.email }));
  expect(await run('email')).toEqual(['Last1', 'Last2']);
  expect(await run('email')).toEqual(['Last2', 'New']);
  expect((await failure(run('email'))).line).toContain('is kept by id');
});

test('lists and pushes from before this was written down go by what idField is today', async () => {
  const { keepDir, receive, run } = source();
  const forget = (folder: string): void => {
    for (const name of readdirSync(folder).filter((one) => /^(whole-|\d).*\.json$/.test(one))) {
      const { idField, ...rest } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { idField: string };
      expect(idField).toBe('email');
      writeFileSync(join(folder, name), JSON.stringify(rest));
    }
  };
  await receive('email', 'snapshot', list);
  await run('email');
  await receive('email', 'delta', renamed({ email: list[0]!.email }));
  forget(keepDir);
  forget(join(keepDir, 'inbox'));
  expect(await run('email')).toEqual(['Last2', 'New']);
});
