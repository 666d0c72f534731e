import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ldap } from '../../connectors/ldap/connector.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { timed } from './measure.ts';

/**
 * A process of its own that pulls again and again, in turn with what it is compared with. Its argument is a file with
 * settings, columns, the number of rounds and command lines; it prints seconds: of pulls, and of each command line.
 */
const [, , file = ''] = process.argv;
const { settings, columns, rounds, commands } = JSON.parse(readFileSync(file, 'utf8')) as {
  settings: unknown;
  columns: string[];
  rounds: number;
  commands: [string, ...string[]][];
};
const spoolDir = mkdtempSync(join(tmpdir(), 'rosterd-bench-spool-'));
const context: SourceContext = {
  source: 'bench',
  spoolDir,
  keepDir: join(spoolDir, 'keep'),
  lastContent: null,
  judge: () => () => null,
  columns: { required: columns, optional: [], exact: false },
  last: null,
  signal: new AbortController().signal,
  clock: systemClock,
  log: silentLog,
  progress() {},
};
const parsed = ldap.settings.parse(settings);
const pulls: number[] = [];
const others: number[][] = commands.map(() => []);
for (let round = 0; round < rounds; round++) {
  const began = performance.now();
  const answer = (await ldap.pull(parsed, context))!;
  pulls.push((performance.now() - began) / 1000);
  await answer.close();
  for (const [at, [command, ...args]] of commands.entries()) others[at]!.push((await timed(command, args)).seconds);
}
rmSync(spoolDir, { recursive: true, force: true });
process.stdout.write(JSON.stringify({ pulls, others }));
