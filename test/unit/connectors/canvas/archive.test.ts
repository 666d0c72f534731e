import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { pieces, zipBytes, zipToFile } from '../../../../connectors/canvas/archive.ts';
import { temporaryFolder } from '../../../support/drop.ts';

const entriesOf = (files: Record<string, string>) =>
  Object.entries(files).map(([name, text]) => ({ name, chunks: () => pieces(text) }));
/** Larger than a piece, and nothing that packs too well. */
const large = Array.from({ length: 60_000 }, (_, n) => `"${n}","Påt ${(n * 7919) % 10_007}"\n`).join('');

describe.each([
  ['nothing', {}],
  ['small files, and an empty one', { 'users.csv': 'user_id\n', 'terms.csv': '', 'courses.csv': 'Ø' }],
  ['what takes many pieces', { 'users.csv': large, 'enrollments.csv': 'course_id\n' }],
  ['what packs too well', { 'users.csv': 'a'.repeat(3_000_000) }],
])('an archive of %s', (_, files: Record<string, string>) => {
  test('holds the files', () => {
    const { bytes } = zipBytes(entriesOf(files));
    const unpacked = Object.entries(unzipSync(bytes)).map(([name, found]) => [name, Buffer.from(found).toString()]);
    expect(Object.fromEntries(unpacked)).toEqual(files);
    const plain = Buffer.byteLength(Object.values(files).join(''));
    expect(plain).toBeLessThan(bytes.length * 100);
  });

  test('is the same at once and piece by piece, each time', async () => {
    const path = join(temporaryFolder(), 'import.zip');
    const { bytes, digest } = zipBytes(entriesOf(files));
    expect(await zipToFile(path, entriesOf(files))).toBe(digest);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(zipBytes(entriesOf(files)).digest).toBe(digest);
  });
});

test('other files, or files of other names, have another digest', () => {
  const others: Record<string, string>[] = [{ a: 'x' }, { a: 'y' }, { b: 'x' }, { a: 'x', b: '' }];
  expect(new Set(others.map((one) => zipBytes(entriesOf(one)).digest)).size).toBe(others.length);
});
