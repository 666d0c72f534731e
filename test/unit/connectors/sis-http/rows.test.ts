import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Json } from '../../../../connectors/sis-http/path.ts';
import { RowMaker } from '../../../../connectors/sis-http/rows.ts';
import { SpoolWriter } from '../../../../src/connector/spool.ts';
import { temporaryFolder } from '../../../support/drop.ts';

/** Records of a server as rows. */

const expected = { required: ['id'], optional: ['custom'], objects: ['custom'], exact: false };

async function linesOf(...records: Json[]): Promise<string> {
  const file = join(temporaryFolder(), 'rows');
  const writer = await SpoolWriter.create(file);
  const maker = new RowMaker(expected, undefined, undefined, 'users');
  for (const record of records) await maker.add(record, writer);
  await writer.finish();
  return readFileSync(file, 'utf8');
}

test('an object that the format wants whole is one cell, the same in any order and without its passwords', async () => {
  const [one, two] = (
    await linesOf(
      { id: '1', custom: { locker: '12', a: { pwd: 'hunter2', b: ['x', null] }, Password: 'hunter2' } },
      { id: '1', custom: { a: { b: ['x', null] }, locker: '12' } },
    )
  ).split('\n');
  const cells = (line: string) => JSON.parse(line.split('\t')[1]!);
  expect(cells(one!)).toEqual(['1', '{"a":{"b":["x",null]},"locker":"12"}']);
  expect(cells(two!)).toEqual(cells(one!));
});

test('what is no object there makes the row broken; nothing there is blank', async () => {
  expect(await linesOf({ id: '1', custom: ['a'] })).toContain('custom is a list, and has to be an object');
  expect(await linesOf({ id: '1', custom: 'a' })).toContain('custom is a single value, and has to be an object');
  expect(await linesOf({ id: '1', custom: null }, { id: '1' })).not.toContain('broken');
});
