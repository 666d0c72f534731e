import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A directory for what is too large to be held, and what takes it away. */
export interface SpoolDir {
  dir: string;
  drop(): void;
}

/**
 * Makes an empty directory below `stateDir` under a name without a dot. The caller is the only one at work under that
 * name, so what is there of it is a dead process's, and goes.
 */
export function openSpoolDir(stateDir: string, name: string): SpoolDir {
  for (const entry of readdirSync(stateDir))
    if (entry.startsWith(`${name}.`)) rmSync(join(stateDir, entry), { recursive: true, force: true });
  const dir = mkdtempSync(join(stateDir, `${name}.`));
  return { dir, drop: () => rmSync(dir, { recursive: true, force: true }) };
}
