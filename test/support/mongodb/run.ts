import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locked } from './lock.ts';

/**
 * Which MongoDB server the tests of one run use. Looking for it may take seconds (a download that fails), so the first
 * test file that asks looks, and leaves what it found in the temp folder for the other ones.
 */
export type Choice =
  | { kind: 'uri'; uri: string; name: string; replicaSet: boolean }
  | { kind: 'mongod'; file: string; name: string }
  | { kind: 'java'; name: string }
  | { kind: 'none'; reason: string };

/** Set for all processes of a run: by `all.ts`, and by `vitest.config.ts` when vitest is started by hand. */
const RUN = 'ROSTERD_TEST_RUN';

let own: Promise<Choice> | undefined;

/** Names the run for this process and those that it starts, unless it belongs to one. The run ends with this process. */
export function nameRun(): void {
  if (process.env[RUN] !== undefined) return;
  process.env[RUN] = `${process.pid}-${Date.now()}`;
  process.once('exit', forgetRun);
}

/** What was found in this run, `look` runs only once in all of its processes. */
export function oncePerRun(look: () => Promise<Choice>): Promise<Choice> {
  const file = fileOfRun();
  own ??= file === null ? look() : locked(`${file}.lock`, async () => chosen() ?? remember(file, await look()));
  return own;
}

/** What was found in this run so far. */
export function chosen(): Choice | null {
  const file = fileOfRun();
  if (file === null) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Choice;
  } catch {
    return null;
  }
}

/** Nothing of a run stays in the temp folder. */
function forgetRun(): void {
  const file = fileOfRun();
  if (file !== null) rmSync(file, { force: true });
}

function remember(file: string, choice: Choice): Choice {
  writeFileSync(file, JSON.stringify(choice));
  return choice;
}

function fileOfRun(): string | null {
  const run = process.env[RUN];
  return run === undefined ? null : join(tmpdir(), `rosterd-mongodb-${run}.json`);
}
