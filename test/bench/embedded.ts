import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../../src/operate/screen.ts';
import {
  cases,
  configText,
  dropWriter,
  emptyDrop,
  main,
  outcomeOf,
  ratio,
  say,
  startTime,
  syncArgs,
  thrice,
  workOf,
} from './cases.ts';
import { type Measured, measureNode, timed } from './measure.ts';

/** The embedded store beside the plain script with SQLite. */

interface Result {
  rows: number;
  name: string;
  rosterd: Measured;
  plain: Measured;
  hash: number;
  start: number;
  plainStart: number;
}

export async function benchEmbedded(sizes: readonly number[]): Promise<void> {
  const results: Result[] = [];
  for (const rows of sizes) results.push(...(await benchSize(rows)));
  report(results);
}

async function benchSize(rows: number): Promise<Result[]> {
  const home = mkdtempSync(join(tmpdir(), 'rosterd-bench-'));
  try {
    const drop = join(home, 'drop');
    mkdirSync(drop);
    const file = join(drop, 'students.csv');
    const config = join(home, 'rosterd.yaml');
    writeFileSync(config, configText(join(home, 'state'), drop));
    const start = await startTime([...main, 'runs', '-c', config]);
    const empty = join(home, 'empty.csv');
    writeFileSync(empty, emptyDrop);
    const plainStart = await startTime(['test/bench/plain.ts', join(home, 'empty.db'), empty]);
    const found: Result[] = [];
    const write = dropWriter(file, rows);
    for (const { name, change } of cases) {
      await write(change);
      const hash = Math.min(...(await thrice(async () => (await timed('sha256sum', [file])).seconds)));
      const plain = await measureNode(['test/bench/plain.ts', join(home, 'plain.db'), file]);
      const rosterd = await measureNode(syncArgs(config));
      say(`${rows.toLocaleString('en')} rows, ${name}: ${outcomeOf(rosterd.stdout)}`);
      found.push({ rows, name, rosterd, plain, hash, start, plainStart });
    }
    return found;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function report(all: readonly Result[]): void {
  const memoryAt = (rows: number, name: string): number | undefined =>
    all.find((one) => one.rows === rows && one.name === name)?.rosterd.peakMb;
  say(
    `\n${table(
      ['rows', 'case', '× sha256sum', 'plain script ×', 'peak MB', '× peak at 100,000', 'plain peak MB'],
      all.map((one) => {
        const mine = workOf(one.rosterd.seconds, one.start);
        const base = memoryAt(100_000, one.name);
        return [
          one.rows.toLocaleString('en'),
          one.name,
          ratio(mine / one.hash),
          ratio(workOf(one.plain.seconds, one.plainStart) / mine),
          one.rosterd.peakMb.toFixed(0),
          base ? ratio(one.rosterd.peakMb / base) : '',
          one.plain.peakMb.toFixed(0),
        ];
      }),
    )}\n`,
  );
  say('× sha256sum: time of rosterd as a multiple of sha256sum of the same file, process start taken off');
  say('plain script ×: how many times longer the plain script takes; below 1 it is faster');
}
