import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Misconfigured } from '../../../src/base/errors.ts';
import { Secret } from '../../../src/base/secret.ts';

const value = 'correct horse battery';
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rosterd-secret-'));
  file = join(folder, 'token');
  writeFileSync(file, `${value}\n`);
  vi.stubEnv('ROSTERD_TEST_SECRET', value);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const logged = (thing: unknown): string => {
  const lines: string[] = [];
  pino({}, { write: (line: string) => void lines.push(line) }).info({ thing }, 'said');
  return lines.join('');
};

describe.each([
  ['environment', () => new Secret({ env: 'ROSTERD_TEST_SECRET' }), () => 'ROSTERD_TEST_SECRET'],
  ['file', () => new Secret({ file }), () => file],
])('a secret from the %s', (_from, make, origin) => {
  test('is read', () => {
    expect(make().reveal()).toBe(value);
  });

  test.each<[string, (secret: Secret) => string]>([
    ['a template', (secret) => `${secret}`],
    ['a sum', (secret) => ` ${String(secret)}`],
    ['JSON', (secret) => JSON.stringify({ token: secret })],
    ['inspect', (secret) => inspect({ deep: { token: secret } }, { depth: 9, showHidden: true })],
    ['format', (secret) => format('%s %o %O %j', secret, secret, secret, secret)],
    ['the log', (secret) => logged({ token: secret })],
    ['an error', (secret) => inspect(new Misconfigured('wrong', { cause: secret }))],
    ['its keys', (secret) => inspect(Object.entries(secret)) + secret],
  ])('shows its origin and never its value in %s', (_where, show) => {
    const secret = make();
    secret.reveal();
    const shown = show(secret);
    expect(shown).toContain(origin());
    expect(shown).not.toContain(value);
  });
});

describe('reading', () => {
  test('takes away one line end, and nothing else', () => {
    for (const [written, read] of [
      ['a b ', 'a b '],
      ['a\n', 'a'],
      ['a\r\n', 'a'],
      ['a\n\n', 'a\n'],
      ['ünïcode', 'ünïcode'],
    ] as const) {
      writeFileSync(file, written);
      expect(new Secret({ file }).reveal()).toBe(read);
    }
  });

  test('happens at the moment of use: a new value needs no restart', () => {
    const secret = new Secret({ file });
    expect(secret.reveal()).toBe(value);
    writeFileSync(file, 'rotated\n');
    expect(secret.reveal()).toBe('rotated');
  });
});

describe('a secret that is not there is a matter for a person', () => {
  test.each([
    ['not set', () => new Secret({ env: 'ROSTERD_TEST_NO_SUCH' }), /\{ env: ROSTERD_TEST_NO_SUCH \} is not set/],
    ['empty', () => new Secret({ env: 'ROSTERD_TEST_EMPTY' }), /\{ env: ROSTERD_TEST_EMPTY \} is empty/],
    ['an empty file', () => new Secret({ file: join(folder, 'empty') }), /empty \} is empty/],
    ['no file', () => new Secret({ file: join(folder, 'none') }), /none cannot be read: ENOENT/],
    ['a folder', () => new Secret({ file: folder }), /cannot be read: EISDIR/],
  ])('%s', (_case, make, message) => {
    vi.stubEnv('ROSTERD_TEST_EMPTY', '');
    writeFileSync(join(folder, 'empty'), '\n');
    expect(() => make().reveal()).toThrow(Misconfigured);
    expect(() => make().reveal()).toThrow(message);
  });

  test('the remedy names the variable', () => {
    expect(() => new Secret({ env: 'ROSTERD_TEST_NO_SUCH' }).reveal()).toThrow(
      expect.objectContaining({ remedy: 'set the environment variable ROSTERD_TEST_NO_SUCH' }),
    );
  });
});
