/** Over 400 lines: every command once, and all of them share one site. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openEmbeddedStore } from '../../../src/store/embedded/index.ts';

/** The program as people and scripts meet it: a process with arguments, two streams and an exit status. */

// each starts processes
vi.setConfig({ testTimeout: 120_000 });

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** What Node has compiled already; each start is about half as long with it. */
let cache: string;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'rosterd-cli-cache-'));
});
afterAll(() => rmSync(cache, { recursive: true, force: true }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rosterd-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function started(args: readonly string[], cwd = folder) {
  // no colour and no log level of whoever runs the tests
  const env = { PATH: process.env['PATH'], HOME: cwd, NODE_COMPILE_CACHE: cache };
  return spawn(process.execPath, [main, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function rosterd(...args: string[]): Promise<Ended> {
  const child = started(args);
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { status, stdout, stderr };
}

const header = 'faculty,department,course,firstName,lastName,email,id,year';
const person = (i: number): string =>
  `Engineering,Mechanical Engineering,Car Design,First ${i},Last ${i},person-${i}@example.edu,S${i},1`;

/** A drop with so many people, and the configuration that reads it. */
function site(people: number, more = '', where = folder): string {
  mkdirSync(join(where, 'drops'), { recursive: true });
  const rows = Array.from({ length: people }, (_, i) => person(i));
  writeFileSync(join(where, 'drops/students-1.csv'), `${[header, ...rows].join('\n')}\n`);
  const file = join(where, 'rosterd.yaml');
  const source = (name: string): string =>
    `  ${name}: { kind: csv-drop, from: "file://${where}/drops", files: "students-*.csv", settle: 0s, format: unitu }`;
  writeFileSync(
    file,
    `version: 1
institution: example-university
stateDir: ${where}/var
store: { kind: embedded }
roster: { newCourses: provision }
sources:
${source('sis-students')}
targets: {}
${more}`,
  );
  return file;
}

const lines = (output: string): unknown[] =>
  output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** Commands with their options, as the design gives them to scripts. */
const commands: Record<string, string[]> = {
  demo: ['--json'],
  check: ['-c, --config <file>', '--connect', '--json'],
  sync: ['-c, --config <file>', '--source <name>', '--dry-run', '--no-deliver', '--json'],
  daemon: ['-c, --config <file>'],
  run: ['-c, --config <file>', '[source...]', '--dry-run', '--wait', '--json'],
  status: ['-c, --config <file>', '--json'],
  reload: ['-c, --config <file>', '--json'],
  'log-level': ['-c, --config <file>', '[level]', '--json'],
  stubs: ['--canvas-port <n>', '--salesforce-port <n>', '--peoplesoft-port <n>', '--json'],
  export: ['-c, --config <file>', 'accounts', 'enrolments', 'courses'],
  runs: ['-c, --config <file>', '--source <name>', '--limit <n>', '--json'],
  show: ['-c, --config <file>', '<run>', '--json'],
  explain: ['-c, --config <file>', '<who>', '--limit <n>', '--json'],
  snapshots: ['-c, --config <file>', '--source <name>', '--limit <n>', '--json'],
  compare: ['-c, --config <file>', '<from>', '<to>', '--limit <n>', '--json'],
  approve: ['-c, --config <file>', '<run>', '--digest <digest>', '--json'],
  reject: ['-c, --config <file>', '<run>', '--json'],
  'push-key': ['--json'],
  'integration-key': ['<name>', '--write', '--json'],
  'migrate-store': ['-c, --config <file>', '--from <file>', '--json'],
};

/** The same of the commands below `queue`. */
const queueCommands: Record<string, string[]> = {
  list: ['--target <name>', '--status <status>', '--run <run>', '--person <account>', '--limit <n>'],
  show: ['<item>'],
  preview: ['[item...]', '--target <name>'],
  replay: ['[item...]', '--person <account>', '--run <run>', '--target <name>', '--failed', '--no-deliver'],
  ack: ['<item>', '<status>', '--answer <text>', '--target <name>'],
  pause: ['<target>', '--reason <text>'],
  resume: ['<target>'],
  fill: ['<target>', '--no-deliver'],
  moved: ['<target>', '<platform>', 'same', 'new', '--no-deliver'],
  discrepancies: [],
  review: ['<account>', '--discrepancy <digest>', '--note <text>'],
};

/** Commands that a help text lists. */
const namedIn = (help: string): string[] =>
  [...help.matchAll(/^ {2}([a-z-]+)(?: \[options\])?(?: |$)/gm)]
    .map((match) => match[1]!)
    .filter((name) => name !== 'help' && !name.startsWith('-'))
    .sort();

describe('help', () => {
  test('names every command, and none that is not looked at here', async () => {
    const { status, stdout, stderr } = await rosterd('--help');
    expect(namedIn(stdout)).toEqual([...Object.keys(commands), 'queue'].sort());
    expect(stdout).toContain('0 done, 1 something failed, 2 usage or configuration, 3 something is held');
    expect([status, stderr]).toEqual([0, '']);
  });

  test.each(Object.entries(commands))('%s --help names what it takes', async (name, options) => {
    const { status, stdout, stderr } = await rosterd(name, '--help');
    expect(stdout).toContain(`rosterd ${name}`);
    for (const option of options) expect(stdout).toContain(option);
    expect([status, stderr]).toEqual([0, '']);
  });

  test('queue --help names every command below it, and none that is not looked at here', async () => {
    const { status, stdout, stderr } = await rosterd('queue', '--help');
    expect(namedIn(stdout)).toEqual(Object.keys(queueCommands).sort());
    expect([status, stderr]).toEqual([0, '']);
  });

  test.each(Object.entries(queueCommands))('queue %s --help names what it takes', async (name, options) => {
    const { status, stdout, stderr } = await rosterd('queue', name, '--help');
    expect(stdout).toContain(`rosterd queue ${name}`);
    for (const option of ['-c, --config <file>', ...options, '--json']) expect(stdout).toContain(option);
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe('usage errors end with 2, say what is wrong on standard error, and print nothing else', () => {
  test.each([
    [['chek'], /unknown command 'chek'[\s\S]*Did you mean check/],
    [['sync', '-c', 'x.yaml', '--dryrun'], /unknown option '--dryrun'[\s\S]*Did you mean --dry-run/],
    [['sync', '-c', 'x.yaml', 'sis-students'], /too many arguments/],
    [['sync'], /required option '-c, --config <file>'/],
    [['check'], /required option '-c, --config <file>'/],
    [['sync', '-c'], /argument missing/],
    [['show', '-c', 'x.yaml'], /missing required argument 'run'/],
    [['approve', '-c', 'x.yaml', 'r1'], /required option '--digest <digest>'/],
    [['export', '-c', 'x.yaml', 'people'], /Allowed choices are accounts, enrolments, courses/],
    [['runs', '-c', 'x.yaml', '--limit', '0'], /whole number from 1/],
    [['queue', 'list', '-c', 'x.yaml', '--limit', '9007199254740993'], /whole number up to 9007199254740991/],
    [['queue', 'lst', '-c', 'x.yaml'], /unknown command 'lst'[\s\S]*Did you mean list/],
    [['queue', 'list', '-c', 'x.yaml', '--status', 'lost'], /Allowed choices are queued, processing, sent/],
    [['queue', 'ack', '-c', 'x.yaml', 'item'], /missing required argument 'status'/],
    [['integration-key'], /missing required argument 'name'/],
    [['integration-key', 'Registrar Office'], /name of a key has small letters, digits and "-"/],
    [['stubs', '--canvas-port', '65536'], /port is a number from 0 to 65535/],
    [[], /Usage: rosterd/],
  ])('rosterd %j', async (args, message) => {
    const { status, stdout, stderr } = await rosterd(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, '']);
  });
});

describe('configuration errors end with 2', () => {
  test('all at once, each with file, line and column', async () => {
    const file = site(1, 'guards: { removals: { percents: 10 } }\nstor: {}\n');
    const { status, stdout, stderr } = await rosterd('check', '-c', file);
    expect(status).toBe(2);
    expect(stderr).toContain(`${file}:9:`);
    expect(stderr).toMatch(/rosterd\.yaml:9:\d+: guards\.removals\.percents: .*percent/);
    expect(stderr).toMatch(/rosterd\.yaml:10:1: stor: .*store/);
    expect(lines(stdout)).toMatchObject([{ ok: false, file, problems: [{ line: 9 }, { line: 10, column: 1 }] }]);
  });

  test('also when the file is no YAML, or not there', async () => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, 'version: 1\nsources: [\n');
    const broken = await rosterd('check', '-c', file);
    expect([broken.status, broken.stderr]).toEqual([2, expect.stringMatching(/broken\.yaml:\d+:\d+: /)]);
    const none = await rosterd('sync', '-c', join(folder, 'none.yaml'));
    expect([none.status, none.stderr]).toEqual([2, expect.stringMatching(/none\.yaml: .*there is no such file/)]);
  });

  test('a source that does not exist is refused before anything runs', async () => {
    const file = site(1);
    const refused = await rosterd('sync', '-c', file, '--source', 'sis-students', '--source', 'sis-student');
    expect([refused.status, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/there is no source sis-student in .*did you mean sis-students/);
    expect(lines((await rosterd('runs', '-c', file)).stdout)).toEqual([]);
  });

  test('a run that does not exist', async () => {
    const { status, stderr } = await rosterd('show', 'r-none', '-c', site(1));
    expect([status, stderr]).toEqual([2, expect.stringContaining('there is no run r-none')]);
  });
});

describe('output that goes into a pipe is JSON', () => {
  test('for every command that looks or works', async () => {
    const file = site(3);
    const check = await rosterd('check', '-c', file);
    expect([check.status, lines(check.stdout)]).toEqual([0, [expect.objectContaining({ ok: true, connected: false })]]);
    expect(existsSync(join(folder, 'var')), 'check changes nothing').toBe(false);

    const planned = await rosterd('sync', '-c', file, '--dry-run');
    expect([planned.status, lines(planned.stdout)]).toMatchObject([
      0,
      [{ runs: [{ status: 'planned', dryRun: true }] }],
    ]);
    expect((await rosterd('export', 'accounts', '-c', file)).stdout).toBe('');

    const synced = await rosterd('sync', '-c', file);
    expect(synced.status).toBe(0);
    const [result] = lines(synced.stdout) as [{ runs: { run: string; plan: { digest: string } }[] }];
    expect(result).toMatchObject({
      runs: [
        {
          source: 'sis-students',
          trigger: 'cli',
          dryRun: false,
          status: 'applied',
          snapshot: { complete: true, records: 3, quarantined: 0 },
          plan: { changes: { 'account.create': 3, 'enrolment.add': 3 } },
          guards: [],
          error: null,
        },
      ],
      outbox: {},
    });
    const { run, plan } = result.runs[0]!;
    expect(lines((await rosterd('runs', '-c', file)).stdout)).toMatchObject([{ run }, { status: 'planned' }]);
    const [shown] = lines((await rosterd('show', run, '-c', file)).stdout);
    expect(shown).toMatchObject({ run, plan: { digest: plan.digest } });
    expect((shown as { changes: unknown[] }).changes).toHaveLength(7);
    const again = await rosterd('sync', '-c', file);
    expect([again.status, lines(again.stdout)]).toMatchObject([0, [{ runs: [{ status: 'unchanged' }] }]]);
  });

  test('snapshots are listed with the files they come from, and compared row by row', async () => {
    const file = site(3);
    await rosterd('sync', '-c', file);
    const source = join(folder, 'drops/students-1.csv');
    writeFileSync(source, `${[header, person(0), person(1).replace('Last 1', 'Renamed'), person(9)].join('\n')}\n`);
    await rosterd('sync', '-c', file);
    const listed = lines((await rosterd('snapshots', '-c', file)).stdout);
    expect(listed).toMatchObject([
      { snapshot: 'sis-students-2', inForce: true, records: 3, added: 2, gone: 2, parts: [{ name: source }] },
      { snapshot: 'sis-students-1', inForce: false, records: 3, added: 3, gone: 0 },
    ]);
    expect(lines((await rosterd('snapshots', '-c', file, '--limit', '1')).stdout)).toEqual(listed.slice(0, 1));
    const compared = await rosterd('compare', 'sis-students-1', 'sis-students-2', '-c', file);
    expect([compared.status, lines(compared.stdout)]).toMatchObject([
      0,
      [
        {
          ...{ from: listed[1], to: listed[0], added: 2, gone: 2 },
          differences: [
            { what: 'changed', person: 'i:S1', fields: ['lastName'], from: { line: 3 }, to: { file: source, line: 3 } },
            { what: 'gone', person: 'i:S2', from: { line: 4 }, to: null },
            { what: 'added', person: 'i:S9', from: null, to: { line: 4, record: { email: 'person-9@example.edu' } } },
          ],
        },
      ],
    ]);
    for (const id of ['sis-students-9', 'sis-students', '../1'])
      expect(await rosterd('compare', 'sis-students-1', id, '-c', file), id).toMatchObject({
        ...{ status: 2, stdout: '' },
        stderr: expect.stringContaining(`there is no snapshot ${id}; rosterd snapshots lists those that are kept`),
      });
  });

  test('and the log on standard error is one JSON object a line, with an event', async () => {
    const { stderr } = await rosterd('sync', '-c', site(1));
    expect(lines(stderr).map((line) => (line as { event: string }).event)).toContain('run.applied');
  });

  test.each(['accounts', 'enrolments', 'courses'])('export %s of an empty roster prints nothing', async (what) => {
    expect(await rosterd('export', what, '-c', site(0))).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('export prints one object a line, with the keys that scripts hold on to', async () => {
    const file = site(2);
    await rosterd('sync', '-c', file);
    const exported = async (what: string) => lines((await rosterd('export', what, '-c', file)).stdout);
    expect(await exported('accounts')).toEqual(
      [0, 1].map((i) => ({
        account: expect.stringMatching(/^950\d{7}$/),
        id: `S${i}`,
        email: `person-${i}@example.edu`,
        firstName: `First ${i}`,
        lastName: `Last ${i}`,
        kind: 'student',
        year: 1,
        status: 'active',
        attributes: {},
      })),
    );
    const course = { faculty: 'Engineering', department: 'Mechanical Engineering', course: 'Car Design' };
    expect(await exported('enrolments')).toEqual(
      [0, 1].map((i) => ({ account: expect.any(String), id: `S${i}`, email: `person-${i}@example.edu`, ...course })),
    );
    expect(await exported('courses')).toEqual([{ ...course, status: 'enrolled' }]);
  });
});

describe('exit status', () => {
  test('1 when a run failed; the reason is in the result', async () => {
    const file = site(1);
    writeFileSync(join(folder, 'drops/students-1.csv'), 'not,the,header\n1,2,3\n');
    const { status, stdout } = await rosterd('sync', '-c', file);
    expect([status, lines(stdout)]).toMatchObject([
      1,
      [{ runs: [{ status: 'failed', error: { kind: 'Incomplete' } }] }],
    ]);
  });

  test('3 when removals wait, and approve lets them through', async () => {
    const file = site(100);
    await rosterd('sync', '-c', file);
    writeFileSync(join(folder, 'drops/students-2.csv'), `${[header, person(0), person(1)].join('\n')}\n`);
    const held = await rosterd('sync', '-c', file);
    expect(held.status).toBe(3);
    const [{ runs }] = lines(held.stdout) as [{ runs: [{ run: string; plan: { digest: string } }] }];
    expect(runs).toMatchObject([{ status: 'held' }]);
    expect((runs[0] as unknown as { guards: unknown[] }).guards).toContainEqual({
      guard: 'disables.percent',
      measured: 98,
      limit: 10,
    });
    const [{ run, plan }] = runs;

    const wrong = await rosterd('approve', run, '--digest', 'f'.repeat(64), '-c', file);
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining(plan.digest)]);
    const approved = await rosterd('approve', run, '--digest', plan.digest, '-c', file);
    expect([approved.status, lines(approved.stdout)]).toMatchObject([0, [{ decision: { verdict: 'approved' } }]]);
    const accounts = lines((await rosterd('export', 'accounts', '-c', file)).stdout) as { status: string }[];
    expect(accounts.filter(({ status }) => status === 'active')).toHaveLength(2);
    expect((await rosterd('approve', run, '--digest', plan.digest, '-c', file)).status, 'used up').toBe(2);
  });

  test('1 while another process is at work on the same state, which stays as it is', async () => {
    const file = site(1);
    const store = openEmbeddedStore(join(folder, 'var'));
    const lock = await store.lock('source:sis-students');
    expect(lock).not.toBeNull();
    const refused = await rosterd('sync', '-c', file);
    expect([refused.status, refused.stdout], refused.stderr).toEqual([1, '']);
    expect(refused.stderr).toContain(`another rosterd is at work on sis-students in ${folder}/var`);
    await lock!.release();
    await store.close();
    const { status, stderr } = await rosterd('sync', '-c', file);
    expect(status, stderr).toBe(0);
  });
});

describe('a reader that leaves early', () => {
  let big: string;
  let file: string;
  let run: string;
  beforeAll(async () => {
    big = mkdtempSync(join(tmpdir(), 'rosterd-cli-'));
    file = site(5000, '', big);
    const child = started(['sync', '-c', file], big);
    child.stderr.resume();
    run = (JSON.parse(await text(child.stdout)) as { runs: [{ run: string }] }).runs[0].run;
  });
  afterAll(() => rmSync(big, { recursive: true, force: true }));

  test.each([
    ['export', () => ['export', 'accounts']],
    ['show', () => ['show', run]],
  ])('is no failure of %s', async (_name, args) => {
    const child = started([...args(), '-c', file], big);
    const stderr = text(child.stderr);
    const exited = once(child, 'exit');
    const [first] = (await Promise.race([once(child.stdout, 'data'), exited])) as [Buffer];
    child.stdout.destroy();
    const [status, signal] = await exited;
    expect(String(first)).toMatch(/^\{"/);
    expect([status, signal, await stderr]).toEqual([0, null, '']);
  });
});

test('a state directory that cannot be had is named with a remedy, and no source is blamed', async () => {
  const file = site(2);
  writeFileSync(join(folder, 'var'), 'no directory');
  // a socket elsewhere: else that would be the first to miss it
  writeFileSync(file, `${readFileSync(file, 'utf8')}control: { socket: ${folder}/s.sock }\n`);
  const said = `${file}: the state directory ${folder}/var cannot be made or written to`;
  for (const command of [['sync'], ['daemon'], ['runs']]) {
    const { status, stderr } = await rosterd(...command, '-c', file);
    expect([command, status, stderr]).toEqual([command, 2, expect.stringContaining(said)]);
    expect(stderr).toContain('give a stateDir that this user may write to');
  }
  const { status, stdout } = await rosterd('check', '--connect', '-c', file);
  const [{ findings }] = lines(stdout) as [{ findings: { name: string; error: { message: string } }[] }];
  expect([status, findings.map(({ name }) => name)]).toEqual([2, ['store', 'sis-students']]);
  expect(findings[0]!.error.message).toContain(said);
  expect(findings[1]!.error.message).toContain('see store');
});

test('a stub whose port is taken is said with the port, and none is left running', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const { status, stdout, stderr } = await rosterd('stubs', '--salesforce-port', String(port));
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain(`the salesforce stub cannot listen on 127.0.0.1 port ${port}: it is taken`);
});

test('stubs listen where they say, until a signal ends them', async () => {
  const child = started(['stubs']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { stubs } = JSON.parse(line.toString()) as { stubs: Record<string, string> };
  expect(Object.keys(stubs).sort()).toEqual(['canvas', 'peoplesoft', 'salesforce']);
  for (const url of Object.values(stubs)) expect((await fetch(`${url}/_stub/state`)).status).toBe(200);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});
