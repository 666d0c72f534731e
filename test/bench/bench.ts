import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../../src/operate/screen.ts';
import { type Change, writeDrop } from './data.ts';
import { type Measured, measureNode, timed } from './measure.ts';

/**
 * `npm run bench [-- --rows 10000,100000,1000000]`: what a sync costs beside the plain script that IT would write, and
 * beside reading the file once (`sha256sum`). Ratios, measured side by side in one run: bare times say nothing about
 * another machine. The start of a process (measured with `rosterd runs`) is taken off rosterd's and the script's times.
 */
const say = (text = ''): void => {
  process.stdout.write(`${text}\n`);
};

const cases: { name: string; change: Change }[] = [
  { name: 'first load', change: { modified: 0, gone: 0, fresh: 0 } },
  { name: 'same file again', change: { modified: 0, gone: 0, fresh: 0 } },
  { name: '1 % changed', change: { modified: 0.005, gone: 0.0025, fresh: 0.0025 } },
  { name: '20 % changed', change: { modified: 0.1, gone: 0.05, fresh: 0.05 } },
];

interface Result {
  rows: number;
  name: string;
  rosterd: Measured;
  plain: Measured;
  hash: number;
  start: number;
  plainStart: number;
}

const { values } = parseArgs({ options: { rows: { type: 'string', default: '10000,100000,1000000' } } });
const sizes = values.rows.split(',').map(Number);
const results: Result[] = [];
for (const rows of sizes) results.push(...(await benchSize(rows)));
report(results);

async function benchSize(rows: number): Promise<Result[]> {
  const home = mkdtempSync(join(tmpdir(), 'rosterd-bench-'));
  try {
    const drop = join(home, 'drop');
    mkdirSync(drop);
    const file = join(drop, 'students.csv');
    const config = join(home, 'rosterd.yaml');
    writeFileSync(config, configText(home, drop));
    // The heap limit is the one of `npm run rosterd`.
    const main = ['--max-old-space-size=256', '--max-semi-space-size=16', 'src/main.ts'];
    const start = await startTime([...main, 'runs', '-c', config]);
    const empty = join(home, 'empty.csv');
    writeFileSync(empty, 'id,faculty,department,course,firstName,lastName,email,year\n');
    const plainStart = await startTime(['test/bench/plain.ts', join(home, 'empty.db'), empty]);
    const found: Result[] = [];
    let written: Change | null = null;
    for (const { name, change } of cases) {
      if (written !== change && !(written && name === 'same file again')) await writeDrop(file, rows, change);
      written = change;
      const hash = Math.min(...(await thrice(async () => (await timed('sha256sum', [file])).seconds)));
      const plain = await measureNode(['test/bench/plain.ts', join(home, 'plain.db'), file]);
      const rosterd = await measureNode([...main, 'sync', '-c', config, '--no-deliver', '--json']);
      const [run] = (JSON.parse(rosterd.stdout) as { runs: { status: string; plan: unknown }[] }).runs;
      say(`${rows.toLocaleString('en')} rows, ${name}: ${run?.status} ${JSON.stringify(run?.plan)}`);
      found.push({ rows, name, rosterd, plain, hash, start, plainStart });
    }
    return found;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The shortest of three starts: what is more was the machine's. */
async function startTime(args: readonly string[]): Promise<number> {
  return Math.min(...(await thrice(async () => (await measureNode(args)).seconds)));
}

async function thrice<T>(work: () => Promise<T>): Promise<T[]> {
  return [await work(), await work(), await work()];
}

function configText(home: string, drop: string): string {
  return `version: 1
institution: bench
stateDir: ${join(home, 'state')}
guards: { removals: { percent: 100, atLeast: 20, window: { days: 7, percent: 100 } } }
sources:
  students:
    kind: csv-drop
    from: file://${drop}
    files: '*.csv'
    settle: 0s
    format: unitu
targets: {}
`;
}

function report(all: readonly Result[]): void {
  const work = (measured: Measured, start: number): number => Math.max(measured.seconds - start, 0.001);
  const ratio = (value: number): string => value.toFixed(value < 10 ? 2 : 0);
  const memoryAt = (rows: number, name: string): number | undefined =>
    all.find((one) => one.rows === rows && one.name === name)?.rosterd.peakMb;
  say(
    `\n${table(
      ['rows', 'case', '× sha256sum', 'plain script ×', 'peak MB', '× peak at 100,000', 'plain peak MB'],
      all.map((one) => {
        const mine = work(one.rosterd, one.start);
        const base = memoryAt(100_000, one.name);
        return [
          one.rows.toLocaleString('en'),
          one.name,
          ratio(mine / one.hash),
          ratio(work(one.plain, one.plainStart) / mine),
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
