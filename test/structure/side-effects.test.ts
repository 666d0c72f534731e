import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { root, sources } from './project.ts';

const watcher = fileURLToPath(new URL('import-all.ts', import.meta.url));

interface Seen {
  imported: number;
  effects: string[];
}

/** Imports the modules one by one in a process of their own, and says what else happened. */
function importing(modules: readonly string[]): Seen & { stderr: string; ended: boolean } {
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, [watcher, ...modules], {
    cwd: root,
    encoding: 'utf8',
    timeout: 50_000,
  });
  expect(stdout, stderr).toMatch(/^\{.*\}\n$/);
  return { ...(JSON.parse(stdout) as Seen), stderr, ended: status === 0 && signal === null };
}

test('importing a module does nothing else: no output, no handle, no listener, no global', () => {
  // main.ts is the program, its import is its start
  const modules = sources.filter((file) => file !== 'src/main.ts');
  const seen = importing(modules);
  expect(seen.effects, 'do it in an exported function that somebody calls').toEqual([]);
  expect(seen.imported).toBe(modules.length);
  expect(seen.stderr).toBe('');
  expect(seen.ended, 'the process did not end by itself: an import left something open').toBe(true);
});

test('each effect would be seen', () => {
  const module = 'test/structure/effects.ts';
  const seen = importing([module]);
  expect(seen.effects).toEqual([
    `${module}: printed "loud\\n" on stdout`,
    `${module}: printed "louder\\n" on stderr`,
    `${module}: opened Timeout`,
    `${module}: listens to SIGUSR2`,
    `${module}: made the global rosterdEffect`,
    `${module}: changed the environment`,
  ]);
});
