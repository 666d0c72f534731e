import { expect, test } from 'vitest';
import { openLog } from '../../../src/base/log.ts';
import { noLimits, Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** What the log says of the outcome of a run. */

const row = (n: number, year = '1'): MemoryRow => ['F', 'D', 'C1', 'Ann', 'L', `p${n}@x.edu`, year, `i${n}`];

test.each([
  // a row that cannot be read may be about either of the two who are not in the list any more
  [[row(1), ['F', 'D', 'C1', 'Ann', 'L', 'torn', 'x', '']], 'sis: 1 row in quarantine, 2 people may have left, but'],
  [[row(1), row(2), row(3, 'x')], 'sis: 1 row in quarantine, 1 person may have left, but'],
  [[row(1), row(2), row(3), row(4, 'x'), row(5, 'x')], 'sis: 2 rows in quarantine'],
  [
    [row(1), row(2), row(3), [...row(3).slice(0, 3), 'Bob', ...row(3).slice(4)]],
    'sis: 1 person in conflict, 1 person may have left, but',
  ],
])('the doubt of a run is said whole, and nothing that there is not: %#', async (rows, text) => {
  await using site = new Site({ sources: ['sis'], limits: noLimits });
  await site.run('sis', [row(1), row(2), row(3)]);
  const said: Record<string, unknown>[] = [];
  const to = { write: (line: string) => void said.push(JSON.parse(line)) };
  site.rosterd.work.log = openLog({ level: 'warn', terminal: false, journal: false, to });
  const run = await site.run('sis', rows as MemoryRow[]);
  const { conflicts, blocked } = run;
  const whole = blocked ? `${text} the rows are unclear: nothing is taken` : text;
  expect(said).toMatchObject([{ event: 'run.doubt', conflicts, blocked, msg: whole }]);
});
