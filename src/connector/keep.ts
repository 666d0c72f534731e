import { copyFile, link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceContext } from './source.ts';

/**
 * What a source keeps of its last answer for the next pull: one file, named after the answer's content. It counts only
 * when that is the answer of the snapshot in force, so that a file of a run that came to nothing is never believed.
 */

/** Copies the file that was kept with the snapshot in force to `file`; false when there is none. */
export async function copyKept(context: SourceContext, suffix: string, file: string): Promise<boolean> {
  if (context.lastContent === null) return false;
  try {
    await copyFile(join(context.keepDir, context.lastContent + suffix), file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Keeps a file of the spool directory under the answer's content, whole or not at all, and drops what was kept before. */
export async function keepFile(context: SourceContext, file: string, content: string, suffix: string): Promise<void> {
  await mkdir(context.keepDir, { recursive: true, mode: 0o700 });
  const kept = join(context.keepDir, content + suffix);
  const fresh = `${kept}.new`;
  await rm(fresh, { force: true });
  // a second name for the same bytes where the file system has that
  await link(file, fresh).catch(() => copyFile(file, fresh));
  const handle = await open(fresh, 'r+');
  // on the disk before it has its name: after a power cut a name never stands for half a file
  await handle.sync().finally(() => handle.close());
  await rename(fresh, kept);
  for (const name of await readdir(context.keepDir))
    if (name !== content + suffix) await rm(join(context.keepDir, name), { force: true });
}

/** Drops what was kept: rows of people that nobody will ask for again. */
export async function keepNothing({ keepDir }: SourceContext): Promise<void> {
  await rm(keepDir, { recursive: true, force: true });
}
