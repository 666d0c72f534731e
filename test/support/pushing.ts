import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { Receipt } from '../../src/connector/inbox.ts';
import type { AccountFacts } from '../../src/connector/target.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';
import type { Run } from '../../src/store/port.ts';
import { freePort } from './free-port.ts';

/** An installation that is pushed to: a real daemon process, and requests as its senders make them. */

const main = join(import.meta.dirname, '../../src/main.ts');
/** Halves the time that a process takes to start. */
const compiled = join(import.meta.dirname, '../../node_modules/.cache/rosterd-tests');

export const key = `rosterd_${randomBytes(32).toString('base64url')}`;
export const sha256 = (of: string): string => createHash('sha256').update(of).digest('hex');

/** A record of the Unitu list. */
export interface Student {
  faculty: string;
  department: string;
  course: string;
  firstName: string;
  lastName: string;
  email: string;
  id: string;
  year: number | null;
}

/** Person `n`, in a course of the Engineering faculty. */
export function student(n: number, changes: Partial<Student> = {}): Student {
  return {
    ...{ faculty: 'Engineering', department: 'Mechanical Engineering', course: 'Car Design' },
    ...{ firstName: `First${n}`, lastName: `Last${n}`, email: `p${n}@example.edu`, id: `id${n}`, year: 1 },
    ...changes,
  };
}

export function students(from: number, to: number): Student[] {
  return Array.from({ length: to - from }, (_, n) => student(from + n));
}

/** What a push was answered with. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Receipt & { repeated: boolean; error: string; remedy?: string };
}

export class PushSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'rosterd-push-'));
  readonly stateDir = join(this.directory, 'var');
  readonly config = join(this.directory, 'rosterd.yaml');
  readonly keepDir = join(this.stateDir, 'keep', 'sis');
  port = 0;
  daemon: ChildProcess | null = null;
  /** What the daemon has logged. */
  log = '';
  #ended: Promise<number | null> = Promise.resolve(null);

  /** `source`: further lines of the source; `format`: its format; `more`: further sources; `top`: further keys. */
  static async make(how: { source?: string; format?: string; more?: string; top?: string; listen?: string } = {}) {
    const site = new PushSite();
    onTestFinished(() => site.close());
    site.port = await freePort();
    const { source = '', format = 'format: unitu', more = '', top = '', listen = '' } = how;
    writeFileSync(
      site.config,
      `version: 1
institution: example-university
stateDir: ${site.stateDir}
store: { kind: embedded }
listen: { port: ${site.port}${listen} }
roster: { newCourses: provision }
guards: { removals: { percent: 100, window: { percent: 100 } } }
${top}
sources:
  sis:
    kind: push
    key: { sha256: ${sha256(key)} }
    ${format}
${source}
${more}
`,
    );
    return site;
  }

  /** Changes the configuration. */
  rewrite(change: (yaml: string) => string): void {
    writeFileSync(this.config, change(readFileSync(this.config, 'utf8')));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/api/v1/sources/sis`;
  }

  spawn(args: readonly string[], options: readonly string[] = []): ChildProcess {
    return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...options, main, ...args], {
      cwd: this.directory,
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Starts the daemon, and waits until it says that it runs. */
  async start(options: readonly string[] = []): Promise<void> {
    const child = this.spawn(['daemon', '-c', this.config], options);
    this.daemon = child;
    this.log = '';
    this.#ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
    child.stderr!.setEncoding('utf8').on('data', (said: string) => {
      this.log += said;
      this.#heard();
    });
    await this.says('daemon.started');
  }

  #heard: () => void = () => {};

  /** Waits until the log has an event, so often. */
  async says(event: string, times = 1): Promise<void> {
    const ended = this.#ended.then(() => true);
    while (this.log.split(`"event":"${event}"`).length - 1 < times) {
      const heard = new Promise<boolean>((resolve) => {
        this.#heard = () => resolve(false);
      });
      if ((await Promise.race([heard, ended])) && this.log.split(`"event":"${event}"`).length - 1 < times)
        throw new Error(`the daemon ended without ${event}:\n${this.log}`);
    }
  }

  /** Ends the daemon by a signal; its exit status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.daemon?.kill(signal);
    return this.ended();
  }

  /** Waits for the daemon to end; its exit status. */
  async ended(): Promise<number | null> {
    const status = await this.#ended;
    this.daemon = null;
    return status;
  }

  async send(path: string, body: NonNullable<RequestInit['body']>, headers: Record<string, string>, method = 'POST') {
    const response = await fetch(`${this.url}/${path}`, { method, headers, body, duplex: 'half' } as RequestInit);
    const said = await response.text();
    return { status: response.status, headers: response.headers, body: said ? JSON.parse(said) : null } as Answer;
  }

  /** Pushes a list of records. */
  async push(data: unknown, query = '', headers: Record<string, string> = {}): Promise<Answer> {
    return this.json(JSON.stringify({ data }), query, headers);
  }

  /** Pushes a body as it is. */
  async json(body: string, query = '', headers: Record<string, string> = {}): Promise<Answer> {
    return this.send(`students${query}`, body, { API_KEY: key, 'content-type': 'application/json', ...headers });
  }

  async upload(table: string | Buffer, query = '', headers: Record<string, string> = {}): Promise<Answer> {
    return this.send(`upload${query}`, table, { API_KEY: key, 'content-type': 'text/csv', ...headers });
  }

  /** Bytes as they are; what comes back until the other side ends. */
  async raw(bytes: string | Buffer, end = true): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    if (end) socket.end();
    return text(socket);
  }

  /** Runs a command to its end. */
  async rosterd(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
    const child = this.spawn([...args, '-c', this.config]);
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
    return { status: await ended, stdout, stderr };
  }

  async runs(): Promise<Run[]> {
    const store = openEmbeddedStore(this.stateDir);
    const runs = await store.runs.list({ limit: 1000 });
    await store.close();
    return runs.reverse();
  }

  /** The accounts of the roster by id, and the courses that each is in. */
  async accounts(): Promise<Map<string, AccountFacts & { courses: string[] }>> {
    const store = openEmbeddedStore(this.stateDir);
    const all = new Map<string, AccountFacts & { courses: string[] }>();
    for await (const facts of store.roster.accounts()) all.set(facts.id!, { ...facts, courses: [] });
    for await (const { id, course } of store.roster.enrolments()) all.get(id!)!.courses.push(course);
    await store.close();
    return all;
  }

  async active(): Promise<string[]> {
    const order = new Intl.Collator('en', { numeric: true });
    return [...(await this.accounts()).values()]
      .filter(({ status }) => status === 'active')
      .map(({ id }) => id!)
      .sort(order.compare);
  }

  async close(): Promise<void> {
    if (this.daemon) await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
