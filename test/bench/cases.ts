import { type Change, writeDrop } from './data.ts';
import { measureNode } from './measure.ts';

/** The cases of the benchmark, and what its parts share. */

export const cases: readonly { name: string; change: Change }[] = [
  { name: 'first load', change: { modified: 0, gone: 0, fresh: 0 } },
  { name: 'same file again', change: { modified: 0, gone: 0, fresh: 0 } },
  { name: '1 % changed', change: { modified: 0.005, gone: 0.0025, fresh: 0.0025 } },
  { name: '20 % changed', change: { modified: 0.1, gone: 0.05, fresh: 0.05 } },
];

/** The program with the heap limit of `npm run rosterd`. */
export const main = ['--max-old-space-size=256', '--max-semi-space-size=16', 'src/main.ts'];

/** A file without a row: what a script takes for it is its start. */
export const emptyDrop = 'id,faculty,department,course,firstName,lastName,email,year\n';

/** A run that is measured. */
export function syncArgs(config: string): string[] {
  return [...main, 'sync', '-c', config, '--no-deliver', '--json'];
}

/** Gives a writer of drops that writes a change only when it is another one than before: the same file stays as it is. */
export function dropWriter(file: string, rows: number): (change: Change) => Promise<void> {
  let written = '';
  return async (change) => {
    if (written !== JSON.stringify(change)) await writeDrop(file, rows, change);
    written = JSON.stringify(change);
  };
}

/** What a measured run came to, as a line that shows that it did what it should. */
export function outcomeOf(stdout: string): string {
  const [run] = (JSON.parse(stdout) as { runs: { status: string; plan: unknown }[] }).runs;
  return `${run?.status} ${JSON.stringify(run?.plan)}`;
}

/** The shortest of three starts: what is more was the machine's. */
export async function startTime(args: readonly string[]): Promise<number> {
  return Math.min(...(await thrice(async () => (await measureNode(args)).seconds)));
}

export async function thrice<T>(work: () => Promise<T>): Promise<T[]> {
  return [await work(), await work(), await work()];
}

/** A configuration with one source. `store` and `targets` are what stands behind `store:` and `targets:`. */
export function configText(stateDir: string, drop: string, store = '{ kind: embedded }', targets = '{}'): string {
  return `version: 1
institution: bench
stateDir: ${stateDir}
store: ${store}
guards: { removals: { percent: 100, atLeast: 20, window: { days: 7, percent: 100 } } }
sources:
  students:
    kind: csv-drop
    from: file://${drop}
    files: '*.csv'
    settle: 0s
    format: unitu
targets: ${targets}
`;
}

/** Seconds of work, without those of the start. */
export function workOf(seconds: number, start: number): number {
  return Math.max(seconds - start, 0.001);
}

export function ratio(value: number): string {
  return value.toFixed(value < 10 ? 2 : 0);
}

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}
