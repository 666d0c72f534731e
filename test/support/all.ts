import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TestCase, TestModule } from 'vitest/node';
import { installServers } from './install.ts';
import { chosen, nameRun } from './mongodb/run.ts';
import { nameSeed } from './seed.ts';

/**
 * `npm test`: everything that must hold, in one command. Every step runs, also after one that failed; the last line is
 * the count. A step other than the tests, a test file that does not load and an error outside any test count as one
 * failure each, so that "0 failed" and exit status 0 always come together.
 *
 * `npm test -- PATTERN` runs only tests, those in files whose path contains PATTERN; options of vitest work as well.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = (name: string): string => `${root}/node_modules/.bin/${name}`;
const say = (line = ''): void => void process.stdout.write(`${line}\n`);

/** A reason that ends in a remedy; null when this process can run the tests. */
function unfit(): string | null {
  if (Number.parseInt(process.versions.node, 10) < 24)
    return existsSync(bin('node'))
      ? 'start them with: npm test'
      : 'install Node 24 or newer, or let npm bring it: npm ci (without --ignore-scripts or --omit=dev)';
  return existsSync(bin('vitest')) ? null : 'the tools are missing; run: npm ci';
}

/** Runs a tool of node_modules with the Node of this process; true when it found nothing. */
function tool(name: string, ...args: string[]): boolean {
  const run = spawnSync(process.execPath, [bin(name), ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (run.error) say(`${name} did not start: ${run.error.message}`);
  return run.status === 0;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs vitest in this process and counts; prints each kind with its counts, and what was not run and why. */
async function tests(args: readonly string[]): Promise<Counts> {
  const { parseCLI, startVitest } = await import('vitest/node');
  const { filter, options } = parseCLI(['vitest', 'run', ...args]);
  const vitest = await startVitest('test', filter, { ...options, root, watch: false });
  const modules = vitest.state.getTestModules();
  const unhandled = vitest.state.getUnhandledErrors().length;
  await vitest.close();

  const kinds = new Map<string, Counts>();
  const reasons = new Map<string, number>();
  for (const module of modules) {
    const counts = kinds.get(module.project.name) ?? { passed: 0, failed: 0, skipped: 0 };
    kinds.set(module.project.name, counts);
    countModule(module, counts, reasons);
  }
  say();
  for (const [kind, counts] of [...kinds].sort()) say(`${kind.padEnd(12)} ${countsText(counts)}`);
  if (unhandled) say(`${unhandled} errors outside any test`);
  // with -t NAME everything else is left out, which needs no list
  if (reasons.size && options.testNamePattern === undefined) {
    say('\nCould not be run:');
    for (const [reason, count] of reasons) say(`  ${count} ${count === 1 ? 'test' : 'tests'}: ${reason}`);
  }
  const all = [...kinds.values(), { passed: 0, failed: unhandled, skipped: 0 }].reduce(add);
  if (all.passed + all.failed + all.skipped > 0) return all;
  say(`no test file matches ${args.join(' ')}`);
  return { ...all, failed: 1 };
}

function countModule(module: TestModule, counts: Counts, reasons: Map<string, number>): void {
  // a file or suite that failed outside its tests: an import, a hook
  if (module.errors().length) counts.failed += 1;
  for (const suite of module.children.allSuites()) if (suite.errors().length) counts.failed += 1;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    // a test that never ended is no better than one that failed
    counts[state === 'pending' ? 'failed' : state] += 1;
    if (state === 'skipped') {
      const reason = `${reasonOf(test)} (${module.relativeModuleId})`;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  }
}

/** Why a test was skipped: its own note, or the title of a suite that `requireServer` left out. */
function reasonOf(test: TestCase): string {
  const result = test.result();
  if (result.state === 'skipped' && result.note) return result.note;
  const found = /\[left out: (.+?)\]( >|$)/.exec(test.fullName);
  return found?.[1] ?? `marked so in its file: ${test.fullName}`;
}

const add = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

const countsText = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

async function main(args: readonly string[]): Promise<void> {
  const reason = unfit();
  if (reason) {
    say(`The tests need Node 24 and the tools of package.json, this is Node ${process.versions.node}: ${reason}`);
    process.exitCode = 1;
    return;
  }
  if (!process.stdout.isTTY && process.env['FORCE_COLOR'] === undefined) process.env['NO_COLOR'] ??= '1';
  // vitest and its workers, and the programs that tests start, find the same Node first
  process.env['PATH'] = `${root}/node_modules/.bin:${process.env['PATH'] ?? ''}`;
  const steps: [name: string, about: string, run: () => boolean | Promise<Counts>][] = [
    ['lint', 'format and rules: biome check', () => tool('biome', 'check', '--error-on-warnings', '.')],
    ['types', 'types: tsc', () => tool('tsc', '-p', 'tsconfig.json')],
    ['tests', 'unit, property, conformance, structure and integration tests: vitest', () => tests(args)],
  ];
  const wanted = args.length ? steps.slice(-1) : steps;
  say(`Testing rosterd on Node ${process.versions.node}:`);
  for (const [, about] of wanted) say(`  ${about}`);
  say('Servers for integration tests are installed where this is Debian and you are root; else what is there is used.');
  installServers(say);
  nameRun();
  say(`Tests draw by seed ${nameSeed()}; ROSTERD_SEED repeats it.`);

  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const outcomes: string[] = [];
  for (const [name, about, run] of wanted) {
    say(`\n== ${about}`);
    let counts: Counts;
    try {
      const result = await run();
      counts = typeof result === 'object' ? result : { passed: 0, failed: result ? 0 : 1, skipped: 0 };
    } catch (error) {
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
      counts = { passed: 0, failed: 1, skipped: 0 };
    }
    total = add(total, counts);
    outcomes.push(`${name} ${counts.failed ? 'FAILED' : 'ok'}`);
  }
  const mongodb = chosen();
  if (mongodb !== null && mongodb.kind !== 'none') say(`\nMongoDB server of the tests: ${mongodb.name}`);
  say(`\n${outcomes.join(', ')}`);
  say(countsText(total));
  process.exitCode = total.failed ? 1 : 0;
}

await main(process.argv.slice(2));
