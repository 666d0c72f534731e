import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireServer } from '../support/requirements.ts';
import { buildPackage } from '../support/systemd/build.ts';

/** What `npm run package` makes, looked at with the tools of whoever gets it. */

const folder = mkdtempSync(join(tmpdir(), 'rosterd-package-'));
const unpacked = join(folder, 'unpacked');
let first: string[] = [];
let again: string[] = [];
const at = (ending: string): string => join(folder, 'first', first.find((name) => name.endsWith(ending))!);
const missing = (program: string): string | null =>
  spawnSync(program, ['--version']).error ? `${program} is not installed` : null;

beforeAll(async () => {
  [first, again] = await Promise.all([
    buildPackage(join(folder, 'first')),
    buildPackage(join(folder, 'again'), '--deb'),
  ]);
  mkdirSync(unpacked);
  execFileSync('tar', ['-xzf', at('.tar.gz'), '--strip-components=1', '-C', unpacked]);
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the same commit gives the same bytes', () => {
  expect(first).toHaveLength(2);
  expect(again).toHaveLength(1);
  expect(readFileSync(join(folder, 'again', again[0]!)).equals(readFileSync(at('.deb')))).toBe(true);
});

test('the tarball runs where it is unpacked, with the Node inside and no other', () => {
  const run = (...args: string[]) =>
    spawnSync(join(unpacked, 'usr/bin/rosterd'), args, { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(run('--version').stdout.trim()).toBe(version);
  // every connector's target and its stub, the workers that hash, the store
  expect(run('demo', '--json').status).toBe(0);
  expect(run('check', '-c', join(unpacked, 'etc/rosterd/rosterd.yaml.example')).status).toBe(0);
});

test('nothing of tests, tools and types is in it', () => {
  const modules = join(unpacked, 'usr/lib/rosterd/node_modules');
  for (const name of ['typescript', 'vitest', '@biomejs', 'node', 'tar-stream', '@types'])
    expect([name, statSync(join(modules, name), { throwIfNoEntry: false })]).toEqual([name, undefined]);
  expect(statSync(at('.deb')).size).toBeLessThan(80e6);
});

requireServer('man', () => missing('man'))('the manual', () => {
  test('has no fault, and every command', () => {
    const page = join(unpacked, 'usr/share/man/man8/rosterd.8.gz');
    const env = { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100' };
    const { status, stdout, stderr } = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', page], {
      ...{ encoding: 'utf8', env },
    } as const);
    expect([status, stderr]).toEqual([0, '']);
    for (const command of [
      'demo',
      'check',
      'sync',
      'daemon',
      'approve',
      'log-level',
      '--digest',
      '/etc/rosterd/rosterd.yaml',
      'SIGHUP',
    ])
      expect(stdout).toContain(command);
  });
});

describe('the completion', () => {
  const complete = (...words: string[]): string[] => {
    const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rosterd; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const file = join(unpacked, 'usr/share/bash-completion/completions/rosterd');
    const printed = execFileSync('bash', ['-c', script, 'bash', file, 'rosterd', ...words], { encoding: 'utf8' });
    return printed.split('\n').filter(Boolean);
  };

  test.each([
    [['mig'], ['migrate-store']],
    [['approve', '--di'], ['--digest']],
    [['export', 'acc'], ['accounts']],
    [['log-level', 'de'], ['debug']],
    [['check', '-c', join(tmpdir(), 'no-such-')], []],
    [['sync', '--source', ''], []],
  ])('%j', (words, wanted) => {
    expect(complete(...words)).toEqual(wanted);
  });

  test('of files where a file is wanted', () => {
    expect(complete('check', '-c', join(unpacked, 'etc/rosterd/rosterd.y'))).toEqual([
      join(unpacked, 'etc/rosterd/rosterd.yaml.example'),
    ]);
  });
});

requireServer('dpkg', () => missing('dpkg-deb'))('the .deb', () => {
  test('is read by dpkg: control file, sums, who owns what', () => {
    const control = execFileSync('dpkg-deb', ['-f', at('.deb')], { encoding: 'utf8' });
    expect(control).toMatch(/^Package: rosterd\nVersion: \S+\nArchitecture: (amd64|arm64)\n/);
    const listed = execFileSync('dpkg-deb', ['-c', at('.deb')], { encoding: 'utf8', maxBuffer: 1e8 });
    expect(listed).toMatch(/^-rwxr-xr-x root\/root .* \.\/usr\/bin\/rosterd$/m);
    expect(listed.split('\n').filter((line) => line && !line.includes(' root/root'))).toEqual([]);
    expect(execFileSync('dpkg-deb', ['-I', at('.deb'), 'conffiles'], { encoding: 'utf8' })).toBe(
      '/etc/rosterd/rosterd.yaml.example\n',
    );
  });
});
