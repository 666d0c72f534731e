import { expect, test } from 'vitest';
import { settings } from '../../../../connectors/push/schema.ts';

const sha256 = 'ab'.repeat(32);
const least = { key: { sha256 } };

/** `key: message` of every issue; empty when the settings are right. */
function issues(written: unknown): string[] {
  const result = settings.safeParse(written);
  return result.success ? [] : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}

test('defaults are the careful ones', () => {
  expect(settings.parse(least)).toEqual({
    key: [{ sha256 }],
    answer: 'snapshot',
    idField: 'id',
    deletedField: 'deleted',
    drop: [],
    maxBody: 100 * 1024 ** 2,
    maxRecords: 5_000_000,
    maxRecordBytes: 64 * 1024,
    maxWaiting: 1000,
    rate: { pushes: 60, per: 60_000 },
    delimiter: ',',
    finalNewline: 'required',
  });
});

test('a key is never written, only its hash', () => {
  expect(issues({})).toHaveLength(1);
  expect(issues({ key: 'rosterd_secret' })).toHaveLength(1);
  expect(issues({ key: { sha256: 'rosterd_secret' } })).toHaveLength(1);
  expect(issues({ key: [] })).toHaveLength(1);
});

test('columns do not contradict one another', () => {
  expect(issues({ ...least, idField: 'Pass word' })).toEqual([
    'idField: passwords are never stored, and this is the name of one',
  ]);
  expect(issues({ ...least, deletedField: 'id' })).toEqual(['deletedField: is another column than idField']);
  expect(issues({ ...least, drop: ['ID', 'Deleted'] })).toEqual([
    'drop: has id, which is needed',
    'drop: has deleted, which is needed',
  ]);
});
