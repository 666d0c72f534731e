import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { csv, Installation, lines } from '../support/installation.ts';

/** An operator edits the rules and says `sync`, where every file has been taken and archived. */

function edit(site: Installation, from: string, to: string): void {
  const text = readFileSync(site.config, 'utf8');
  expect(text).toContain(from);
  writeFileSync(site.config, text.replace(from, to));
}

test('patterns reach the last file, a way to read it only the next one, or the last put back', async () => {
  const site = new Installation({ source: '    archive: done' });
  onTestFinished(() => site.close());
  site.drop(csv([...lines(0, 8), ...lines(8, 10, 'Arts')]));
  expect(await site.sync()).toMatchObject({ status: 'applied' });
  expect(await site.sync()).toMatchObject({ status: 'skipped' });

  edit(site, 'sources:\n', "roster: { departments: { exclude: ['Arts Office'] } }\nsources:\n");
  expect(await site.sync('--dry-run')).toMatchObject({
    status: 'planned',
    plan: { changes: { 'enrolment.remove': 2 } },
  });
  const run = await site.sync();
  expect(run).toMatchObject({ exit: 0, status: 'applied', plan: { changes: { 'enrolment.remove': 2 } } });
  expect(run.snapshot).toMatchObject({ id: 'sis-students-1', complete: false });
  expect((await site.accounts()).active).toHaveLength(10);
  expect(await site.sync()).toMatchObject({ status: 'skipped' });

  const map = ['faculty', 'department', 'course', 'firstName', 'email', 'year', 'id'].map(
    (field) => `${field}: ${field}`,
  );
  edit(site, 'format: unitu', `map: { ${map.join(', ')}, lastName: { constant: Doe } }`);
  expect(await site.sync()).toMatchObject({ status: 'skipped' });
  const [archived] = readdirSync(join(site.drops, 'done'));
  renameSync(join(site.drops, 'done', archived!), join(site.drops, 'students.csv'));
  expect(await site.sync()).toMatchObject({
    status: 'applied',
    plan: { changes: { 'account.update': 10 } },
    snapshot: { id: 'sis-students-2', complete: true },
  });
});
