import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { csv, lines } from './installation.ts';

/** Daemons as real processes, their sockets, and requests as anybody makes them who may open the socket. */

const main = join(import.meta.dirname, '../../src/main.ts');
/** Halves the time that a process takes to start. */
const compiled = join(import.meta.dirname, '../../node_modules/.cache/rosterd-tests');

/** One line of a daemon's log. */
export interface Logged {
  event: string;
  level: string;
  msg: string;
  [key: string]: unknown;
}

/** What the socket answered. */
export interface Told {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what it is, each test says
  json: any;
}

/** A process that runs rosterd. */
export class Process {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly stdout: Promise<string>;
  stderr = '';
  #heard: () => void = () => {};

  constructor(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
      ...{ cwd, env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    });
    this.stdout = text(this.child.stdout!);
    this.ended = new Promise((resolve) => this.child.on('close', (code) => resolve(code)));
    this.child.stderr!.setEncoding('utf8').on('data', (said: string) => {
      this.stderr += said;
      this.#heard();
    });
    void this.ended.then(() => this.#heard());
  }

  log(...events: string[]): Logged[] {
    const whole = this.stderr
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{') && line.endsWith('}'));
    return whole.map((line) => JSON.parse(line) as Logged).filter(({ event }) => events.includes(event));
  }

  /** Waits until an event was logged so often; gives the last. */
  async says(event: string, times = 1): Promise<Logged> {
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    for (;;) {
      const found = this.log(event);
      if (found.length >= times) return found.at(-1)!;
      if (over) throw new Error(`ended without ${event}:\n${this.stderr}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** A source with a folder of drops. */
const sourceYaml = (name: string, drops: string, more: string): string => `  ${name}:
    kind: csv-drop
    from: 'file://${drops}'
    files: '${name}-*.csv'
    settle: 0s
    format: unitu
${more}`;

/** An installation that a daemon runs on: sources `sis` and `hr`, each with drops of its own. */
export class DaemonSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'rosterd-daemon-'));
  readonly drops = join(this.directory, 'drops');
  readonly config: string;
  readonly socket: string;
  #daemons: Process[] = [];
  #time = 1_768_000_000;

  /** `top`: further keys of the file; `source`: of each source. */
  constructor(how: { top?: string; source?: string; store?: string } = {}) {
    const { top = '', source = '', store = '{ kind: embedded }' } = how;
    mkdirSync(this.drops);
    this.config = join(this.directory, 'rosterd.yaml');
    this.socket = join(this.directory, 'var', 'control.sock');
    writeFileSync(
      this.config,
      `version: 1
institution: example-university
stateDir: ${join(this.directory, 'var')}
store: ${store}
roster: { newCourses: provision }
${top}
sources:
${sourceYaml('sis', this.drops, source)}
${sourceYaml('hr', this.drops, source)}
`,
    );
    onTestFinished(async () => {
      for (const { child, ended } of this.#daemons) {
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  /** Changes the configuration. */
  rewrite(change: (yaml: string) => string, file = this.config): void {
    writeFileSync(file, change(readFileSync(this.config, 'utf8')));
  }

  /** Drops a list of people; each one is a minute newer than the one before. */
  drop(source: string, from: number, to: number): void {
    this.dropRows(source, lines(from, to));
  }

  /** The same of rows as they are. */
  dropRows(source: string, rows: readonly string[]): void {
    const file = join(this.drops, `${source}-1.csv`);
    writeFileSync(file, csv(rows));
    this.#time += 60;
    utimesSync(file, this.#time, this.#time);
  }

  /** A daemon that says that it runs. */
  async start(config = this.config): Promise<Process> {
    const daemon = this.spawn('daemon', '-c', config);
    await daemon.says('daemon.started');
    return daemon;
  }

  spawn(...args: string[]): Process {
    const process = new Process(args, this.directory);
    this.#daemons.push(process);
    return process;
  }

  /** Runs a command to its end. */
  async rosterd(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
    const command = this.spawn(...args, '-c', this.config);
    const [status, stdout] = await Promise.all([command.ended, command.stdout]);
    return { status, stdout, stderr: command.stderr };
  }

  /** A request at the socket. `line`: told each line of the answer as it comes. */
  async ask(method: string, path: string, body?: unknown, line: (said: string) => void = () => {}): Promise<Told> {
    return askSocket(this.socket, method, path, body, line);
  }
}

/** A request at a socket, with nothing of ours between. */
export function askSocket(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  line: (said: string) => void = () => {},
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const asking = request(
      { socketPath, method, path, headers: { 'content-type': 'application/json' } },
      (response) => {
        let said = '';
        let told = 0;
        response.setEncoding('utf8').on('data', (piece: string) => {
          said += piece;
          for (let end = said.indexOf('\n', told); end >= 0; end = said.indexOf('\n', told)) {
            line(said.slice(told, end));
            told = end + 1;
          }
        });
        response.on('error', reject);
        response.on('end', () => {
          const json =
            /json$/.test(String(response.headers['content-type']).split(';')[0]!) &&
            !/ndjson/.test(String(response.headers['content-type']));
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            text: said,
            json: json ? JSON.parse(said) : null,
          });
        });
      },
    );
    asking.on('error', reject);
    asking.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  });
}
