import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccountFacts } from '../../src/connector/target.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';

/** An installation that is worked as its operators do: a configuration, a drop folder and the command line. */

const main = join(import.meta.dirname, '../../src/main.ts');
/** Halves the time that a process takes to start. */
const compiled = join(import.meta.dirname, '../../node_modules/.cache/rosterd-tests');
export const header = 'faculty,department,course,firstName,lastName,email,year,id';

/** A row of the list: person `n` of a faculty, in its one course. */
export function line(n: number, faculty = 'Engineering'): string {
  return `${faculty},${faculty} Office,${faculty} Basics,First${n},Last${n},p${n}@example.edu,1,id${n}`;
}
export function lines(from: number, to: number, faculty?: string): string[] {
  return Array.from({ length: to - from }, (_, n) => line(from + n, faculty));
}
export function csv(rows: readonly string[], head = header): string {
  return `${[head, ...rows].join('\n')}\n`;
}

/** One run as `sync --json`, `approve --json` and `show --json` print it. */
export interface PrintedRun {
  run: string;
  status: string;
  snapshot: { id: string | null; complete: boolean; records: number; quarantined: number };
  plan: { digest: string; changes: Record<string, number> };
  guards: { guard: string; measured: number; limit: number }[];
  error: { kind: string; message: string } | null;
}

export interface Said {
  status: number | null;
  stdout: string;
  stderr: string;
}

export class Installation {
  readonly directory = mkdtempSync(join(tmpdir(), 'rosterd-installation-'));
  readonly drops = join(this.directory, 'drops');
  readonly config = join(this.directory, 'rosterd.yaml');
  /** Seconds: a later file has a later time. */
  #time = 1_768_000_000;

  /** `source`: further keys of the one source. `from`: takes over another one's state. */
  constructor(how: { source?: string; settle?: string; from?: Installation } = {}) {
    const { source = '', settle = '0s', from } = how;
    mkdirSync(this.drops);
    if (from) {
      cpSync(join(from.directory, 'var'), join(this.directory, 'var'), { recursive: true });
      this.#time = from.#time;
    }
    writeFileSync(
      this.config,
      `version: 1
institution: example-university
stateDir: ${join(this.directory, 'var')}
store: { kind: embedded }
sources:
  sis-students:
    kind: csv-drop
    from: 'file://${this.drops}'
    files: '*.csv'
    settle: ${settle}
    format: unitu
${source}
`,
    );
  }

  /** Drops a file; each one is a minute newer than the one before. */
  drop(content: string | Buffer, name = 'students.csv'): void {
    const file = join(this.drops, name);
    writeFileSync(file, content);
    this.#time += 60;
    utimesSync(file, this.#time, this.#time);
  }

  removeFolder(): void {
    rmSync(this.drops, { recursive: true });
  }

  remove(name: string): void {
    rmSync(join(this.drops, name));
  }

  async rosterd(...args: string[]): Promise<Said> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args, '-c', this.config], {
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
    });
    const said: Said = { status: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.stderr += text;
    });
    said.status = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
    return said;
  }

  async sync(...args: string[]): Promise<PrintedRun & { exit: number | null }> {
    const { status, stdout, stderr } = await this.rosterd('sync', '--json', ...args);
    if (!stdout) throw new Error(stderr);
    return { exit: status, ...(JSON.parse(stdout) as { runs: PrintedRun[] }).runs[0]! };
  }

  /** `approve` or `reject`, as the run that it prints. */
  async decide(...args: string[]): Promise<PrintedRun & { exit: number | null }> {
    const { status, stdout, stderr } = await this.rosterd(...args, '--json');
    if (!stdout) throw new Error(stderr);
    return { exit: status, ...(JSON.parse(stdout) as PrintedRun) };
  }

  /** The accounts of the roster: who is active, who is not, and all of it as `export accounts` prints it. */
  async accounts(): Promise<{ active: string[]; disabled: string[]; text: string }> {
    const store = openEmbeddedStore(join(this.directory, 'var'));
    const all: AccountFacts[] = [];
    for await (const facts of store.roster.accounts()) all.push(facts);
    await store.close();
    const ids = (status: string): string[] =>
      all
        .filter((one) => one.status === status)
        .map((one) => one.id!)
        .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    return {
      active: ids('active'),
      disabled: ids('disabled'),
      text: all.map((one) => `${JSON.stringify(one)}\n`).join(''),
    };
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
