import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { readResults } from '../../../../connectors/salesforce/table.ts';
import { drop, failure, temporaryFolder } from '../../../support/drop.ts';

const rows = 'sf__Id,Key__c\n001,a\n002,b\n';
/** Longer than what a stream reads ahead, so that the file is in reading when its reader stops. */
const long = rows + '003,c\n'.repeat(100_000);

const written = (text: string): string => drop(temporaryFolder(), 'job-1.csv', text);

async function read(file: string, enough = Number.POSITIVE_INFINITY): Promise<(readonly string[])[]> {
  const found: (readonly string[])[] = [];
  for await (const row of readResults(file, ['key__c', 'sf__Id'], 'successfulResults')) {
    found.push(row);
    if (found.length >= enough) break;
  }
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

  test.each([
    ['a page', `<html>\n<body class="down">\n${long}`, 'INVALID_OPENING_QUOTE'],
    ['a table without a column', long.replace('Key__c', 'Name'), 'no column key__c'],
    ['a row of another length', `sf__Id,Key__c\n001\n${long}`, 'CSV_RECORD_INCONSISTENT'],
  ])('that are %s are none, and the file is closed, whatever its length', async (_what, text, says) => {
    for (const content of [text, text.slice(0, 100)]) {
      const file = written(content);
      const { kind, line } = await failure(read(file));
      expect([kind, line]).toEqual(['Unavailable', expect.stringMatching(says)]);
      await vi.waitFor(() => expect(opened(file)).toBe(0), { timeout: 10_000, interval: 5 });
    }
  });

  test('that nobody reads to their end are closed', async () => {
    const file = written(long);
    expect(await read(file, 1)).toHaveLength(1);
    await vi.waitFor(() => expect(opened(file)).toBe(0), { timeout: 10_000, interval: 5 });
  });

  test('that cannot be opened or read fail where they are read', async () => {
    const folder = temporaryFolder();
    await expect(read(join(folder, 'job-1.csv'))).rejects.toThrow('ENOENT');
    await expect(read(folder)).rejects.toThrow('EISDIR');
  });
});
