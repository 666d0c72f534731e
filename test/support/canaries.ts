import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { Process } from './daemon-site.ts';

/**
 * People and secrets that nobody else is called like, and the command line among them. What it says is looked through for
 * any part of them: a canary that sings has got out.
 */

const main = join(import.meta.dirname, '../../src/main.ts');
/** Halves the time that a process takes to start. */
const compiled = join(import.meta.dirname, '../../node_modules/.cache/rosterd-tests');

/** Secrets as the configurations of these tests name them: environment variable → value. */
export const secrets = {
  CANARY_TOKEN: 'kanarie~token+7Qz/41',
  CANARY_CLIENT: 'kanarie client & secret',
  CANARY_PASSWORD: 'pärol-Kanarinka-88',
  CANARY_URI: 'mongodb://vogel:Piepmatz%2F99@127.0.0.1:1/?serverSelectionTimeoutMS=300',
} as const;

/** One person, in every field that a row has. */
export interface Canary {
  firstName: string;
  lastName: string;
  email: string;
  id: string;
  phone: string;
}

/** Person `n`: parts that the words below find, whatever the number is. */
export function canary(n: number): Canary {
  return {
    firstName: `Canarina${n}`,
    lastName: `Zwitsch O'Kanari${n}`,
    email: `canarina.${n}@vogelhaus.example`,
    id: `CNRY-${7300 + n}`,
    phone: `+44 7700 90${n}`,
  };
}

const plain = ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'year', 'id'];
const header = [...plain, 'phone'].join(',');

/** The row of a person. */
export function rowOf({ firstName, lastName, email, id, phone }: Canary, year = '1'): string {
  return `Science,Biology,Ornithology,${firstName},${lastName},${email},${year},${id},${phone}`;
}

/** What must be found nowhere: pieces of people and secrets, in any case, also as they look inside of a URL or a header. */
const pieces: readonly string[] = [
  ...['canarina', 'zwitsch', 'okanari', "o'kanari", 'vogelhaus', 'cnry', '7700 90'],
  ...['kanarie', 'kanarinka', 'piepmatz'],
  ...Object.values(secrets).flatMap((value) => [encodeURIComponent(value), Buffer.from(value).toString('base64')]),
  Buffer.from(`ROSTERD:${secrets.CANARY_PASSWORD}`).toString('base64'),
];

/** The canaries in a text; account numbers count as well. */
export function singing(text: string): string[] {
  const low = text.toLowerCase();
  return [...pieces.filter((piece) => low.includes(piece.toLowerCase())), ...(text.match(/\b95[01]\d{7}\b/g) ?? [])];
}

/** What a command said. */
export interface Said {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A place with a configuration, a drop folder, and everything that was ever said there. */
export class Aviary {
  readonly directory = mkdtempSync(join(tmpdir(), 'rosterd-canaries-'));
  readonly drops = join(this.directory, 'drops');
  readonly config = join(this.directory, 'rosterd.yaml');
  /** All that must be silent, with the command that said it. */
  readonly heard: { command: string; text: string }[] = [];
  /** More of the environment. */
  environment: Readonly<Record<string, string>> = {};
  #time = 1_768_000_000;
  readonly #daemons: Process[] = [];

  constructor() {
    mkdirSync(this.drops);
  }

  /** Writes the configuration: `source` in place of the usual one, `targets`, `store`. */
  configure(parts: { source?: string; targets?: string; store?: string; more?: string } = {}): void {
    const { source, targets = '{}', store = '{ kind: embedded }', more = '' } = parts;
    const usual = `
    kind: csv-drop
    from: 'file://${this.drops}'
    files: '*.csv'
    settle: 0s
    archive: read
    map: { ${plain.map((name) => `${name}: ${name}`).join(', ')}, attributes: { phone: phone } }`;
    writeFileSync(
      this.config,
      `version: 1
institution: example-university
stateDir: ${join(this.directory, 'var')}
store: ${store}
roster: { newCourses: provision }
sources:
  sis-students:${source ?? usual}
targets: ${targets}
${more}`,
    );
  }

  /** Drops a file under a name of its own, newer than the one before. */
  drop(rows: readonly string[], head: string | null = header): void {
    this.#time += 60;
    const file = join(this.drops, `students-${this.#time}.csv`);
    writeFileSync(file, `${[...(head === null ? [] : [head]), ...rows].join('\n')}\n`);
    utimesSync(file, this.#time, this.#time);
  }

  /** Runs a command and keeps what it said, of `show` and `export` only the log. */
  async rosterd(command: string, ...args: string[]): Promise<Said> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, command, ...args], {
      env: {
        PATH: process.env['PATH'],
        NODE_COMPILE_CACHE: compiled,
        ROSTERD_LOG_LEVEL: 'debug',
        ...secrets,
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: Said = { status: null, stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    said.status = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
    const label = [command, ...args].join(' ');
    this.heard.push({ command: `${label} 2>`, text: said.stderr });
    if (!['show', 'export'].includes(command)) this.heard.push({ command: label, text: said.stdout });
    return said;
  }

  /** A daemon that says everything; what it said counts when it is stopped. Its socket is `var/control.sock`. */
  async daemon(): Promise<Process> {
    const daemon = new Process(['daemon', '-c', this.config], this.directory, {
      ...{ ROSTERD_LOG_LEVEL: 'debug', ...secrets, ...this.environment },
    });
    this.#daemons.push(daemon);
    await daemon.says('daemon.started');
    return daemon;
  }

  /** Stops the daemons, and listens to all that they said. */
  async settle(): Promise<void> {
    for (const daemon of this.#daemons.splice(0)) {
      await daemon.stop();
      this.heard.push({ command: 'daemon 2>', text: daemon.stderr }, { command: 'daemon', text: await daemon.stdout });
    }
  }

  /** `rosterd COMMAND … -c FILE`. */
  on(command: string, ...args: string[]): Promise<Said> {
    return this.rosterd(command, ...args, '-c', this.config);
  }

  /** Each canary that got out, with where. */
  escaped(): string[] {
    return this.heard.flatMap(({ command, text }) =>
      singing(text).map((piece) => {
        const at = text.toLowerCase().indexOf(piece.toLowerCase());
        return `${command}: ${piece} in …${text.slice(Math.max(0, at - 120), at + 60)}…`;
      }),
    );
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Gives each test of a file an aviary of its own; what has got out by its end fails it. */
export function aviaryForEach(take: (at: Aviary) => void): void {
  let at: Aviary;
  beforeEach(() => {
    at = new Aviary();
    at.configure();
    take(at);
  });
  afterEach(async () => {
    await at.settle();
    const escaped = at.escaped();
    at.close();
    expect(escaped).toEqual([]);
  });
}

/** A page that quotes a person and what it was logged in with, in the ways that servers quote. */
export function quoting(one: Canary, known = login()): string {
  return [
    `The user ${one.firstName} ${one.lastName} <${one.email}> (${one.id}, ${one.phone}) is not known.`,
    `${known} ${encodeURIComponent(one.email)} ${JSON.stringify(one)} ${one.lastName.replace("'", '&#39;')}`,
  ].join(' ');
}

/** What a server was logged in with, as it echoes that. */
export function login(): string {
  const { CANARY_TOKEN, CANARY_CLIENT, CANARY_PASSWORD } = secrets;
  const basic = Buffer.from(`ROSTERD:${CANARY_PASSWORD}`).toString('base64');
  const form = new URLSearchParams({ client_secret: CANARY_CLIENT });
  return `Authorization: Bearer ${CANARY_TOKEN}, Basic ${basic}; ${form} ${CANARY_CLIENT} {"token":"${CANARY_TOKEN}"}`;
}

/** Objects of a log or of a result, one a line; other lines are passed over. */
export function objects(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
