import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { readResults } from '../../../../connectors/salesforce/table.ts';
import { drop, failure, temporaryFolder } from '../../../support/drop.ts';

const rows = 'sf__Id,Key__c\n001,a\n002,b\n';
/** Longer than what a stream reads ahead, so that the file is in reading when its reader stops. */
const long = rows + '003,c\n'.repeat(100_000);

const written = (text: string): string => drop(temporaryFolder(), 'job-1.csv', text);

async function read(file: string): Promise<(readonly string[])[]> {
  const found: (readonly string[])[] = [];
  const { signal } = new AbortController();
  await readResults(file, ['key__c', 'sf__Id'], 'successfulResults', signal, (row) => void found.push(row));
  return found;
}

/** How often this process has the file open. */
const opened = (file: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      // closed since it was listed
      return false;
    }
  }).length;

describe('results', () => {
  test('are the wanted cells, in the wanted order', async () => {
    expect(await read(written(rows))).toEqual([
      ['a', '001'],
      ['b', '002'],
    ]);
  });

  test('are read as Salesforce writes them: all quoted, with a mark of the encoding, lines of other systems, odd texts', async () => {
    const text = '\uFEFF"sf__Id","Name","Key__c"\r\n"001","O""Brien, Ann\nof two lines","a"\r\n"002","nul \0","b"';
    expect(await read(written(text))).toEqual([
      ['a', '001'],
      ['b', '002'],
    ]);
  });

  test('are all there, however long', async () => {
    expect(await read(written(long))).toHaveLength(100_002);
    expect(await read(written(''))).toEqual([]);
  });

  test.each([
    ['a page', `<html>\n<body class="down">\n${long}`, 'no column key__c'],
    ['a table without a column', long.replace('Key__c', 'Name'), 'no column key__c'],
    ['a row of another length', `sf__Id,Key__c\n001\n${long}`, 'has 1 cell, the header has 2'],
    ['cut off', `${rows}003,"c`, 'cannot be read: its end is missing'],
    ['cut off in the middle', `${rows}003,"c\n${long}`, 'cannot be read'],
  ])('that are %s are none, and the file is closed, whatever its length', async (_what, text, says) => {
    for (const content of [text, text.slice(0, 100)]) {
      const file = written(content);
      const { kind, line } = await failure(read(file));
      expect([kind, line]).toEqual(['Unavailable', expect.stringMatching(says)]);
      await vi.waitFor(() => expect(opened(file)).toBe(0), { timeout: 10_000, interval: 5 });
    }
  });

  test('that cannot be opened or read fail where they are read', async () => {
    const folder = temporaryFolder();
    await expect(read(join(folder, 'job-1.csv'))).rejects.toThrow('ENOENT');
    await expect(read(folder)).rejects.toThrow('EISDIR');
  });
});
