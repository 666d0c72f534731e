import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../../..');

/** Builds packages of this checkout as `npm run package` does; the files, by name. */
export async function buildPackage(out: string, ...args: readonly string[]): Promise<string[]> {
  const build = join(root, 'systemd/package/build.ts');
  // any time: a test may run outside a repository
  const env = { SOURCE_DATE_EPOCH: '1768000000', ...process.env };
  await promisify(execFile)(process.execPath, [build, '--out', out, ...args], { cwd: root, env });
  return readdirSync(out).sort();
}
