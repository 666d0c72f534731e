import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What one process took: seconds on the clock, and its peak of memory in MB (from the kernel's own account). */
export interface Measured {
  seconds: number;
  peakMb: number;
  stdout: string;
}

/** Runs a Node program and measures it. Its standard error is shown when it fails. */
export async function measureNode(args: readonly string[]): Promise<Measured> {
  const scratch = mkdtempSync(join(tmpdir(), 'rosterd-measure-'));
  const result = join(scratch, 'result');
  const hook = join(scratch, 'hook.mjs');
  writeFileSync(
    hook,
    `import { writeFileSync } from 'node:fs';
     process.on('exit', () => writeFileSync(${JSON.stringify(result)}, String(process.resourceUsage().maxRSS)));`,
  );
  try {
    const run = await timed(process.execPath, ['--import', pathToFileURL(hook).href, ...args]);
    return { ...run, peakMb: Number(readFileSync(result, 'utf8')) / 1024 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Runs any program and takes its time. Throws with what it wrote when it fails. */
export async function timed(command: string, args: readonly string[]): Promise<Omit<Measured, 'peakMb'>> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}${stdout}`);
  return { seconds: (performance.now() - started) / 1000, stdout };
}
