import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { z } from 'zod';
import type { Config, Registry } from '../../../src/configure/config.ts';
import { loadConfig } from '../../../src/configure/load.ts';
import { ConfigErrors, type Problem } from '../../../src/configure/problems.ts';
import { duration, secret, size } from '../../../src/connector/settings.ts';
import type { SourceConnector } from '../../../src/connector/source.ts';
import type { TargetConnector } from '../../../src/connector/target.ts';

/** A small registry of the test's own: one source and one target that use every shared piece of settings. */

const never = (): never => {
  throw new Error('not called by configuration');
};

const dropSettings = z
  .strictObject({
    from: z.string(),
    password: secret.optional(),
    privateKey: secret.optional(),
    files: z.string().default('*.csv'),
    settle: duration.default(10_000),
    largest: size.optional(),
    retries: z.number().int().min(0).max(9).default(3),
    pick: z.enum(['newest', 'all']).default('newest'),
    archive: z.strictObject({ folder: z.string(), keep: duration.optional() }).optional(),
  })
  .superRefine((settings, context) => {
    if (settings.password && settings.privateKey)
      context.addIssue({ code: 'custom', path: ['privateKey'], message: 'give password or privateKey, not both' });
    if (settings.from.startsWith('sftp:') && !settings.password && !settings.privateKey)
      context.addIssue({ code: 'custom', path: ['password'], message: 'sftp needs password or privateKey' });
  });

export const drop: SourceConnector = {
  kind: 'drop',
  direction: 'source',
  description: 'files in a folder',
  settings: dropSettings,
  pull: never,
  probe: never,
};

export const wire: TargetConnector = {
  kind: 'wire',
  direction: 'target',
  description: 'a service',
  settings: z.strictObject({ url: z.url(), account: z.number().int(), token: secret }),
  address: () => '',
  accepts: () => [],
  batchSize: () => 1,
  open: never,
  probe: never,
  preview: () => [],
};

export const registry: Registry = { sources: [drop], targets: [wire] };

/** For files of this test run. */
export const folder = mkdtempSync(join(tmpdir(), 'rosterd-configure-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

/** Writes a configuration to a file of its own. */
export function fileOf(text: string | Uint8Array): string {
  count += 1;
  const file = join(folder, `config-${count}.yaml`);
  writeFileSync(file, text);
  return file;
}

export function load(text: string): Config {
  return loadConfig(fileOf(text), registry);
}

/** The problems of a configuration; throws when it has none. */
export function problemsOf(text: string): readonly Problem[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigErrors) return error.problems;
    throw error;
  }
  throw new Error('the configuration was taken');
}

/** Problems as people see them, without the file: `3:5: path: message; remedy`. */
export function linesOf(text: string): string[] {
  const file = fileOf(text);
  try {
    loadConfig(file, registry);
  } catch (error) {
    if (error instanceof ConfigErrors) return error.message.split('\n').map((line) => line.replace(`${file}:`, ''));
    throw error;
  }
  throw new Error('the configuration was taken');
}

/** The least that is a configuration; six lines. */
export const least = `version: 1
institution: example-university
sources:
  sis:
    kind: drop
    from: /drops
    format: unitu
`;
