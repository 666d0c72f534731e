import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Incomplete } from '../../src/base/errors.ts';
import type { Spooled } from '../../src/connector/spool.ts';
import { missing, readJson, syncFolder, writeJson } from './files.ts';

/**
 * The whole list that a delta is merged into. Each list lies under the content of the snapshot that it makes, so that
 * only the one of the snapshot in force can be taken. `whole.json` says what the last push came to: where one was
 * refused, or ended as a plan, the list in force is not what the sender thinks, and no delta counts until a whole list.
 */

/** A whole list: rows as `spoolLine` writes them, those of one person under one key. */
export interface Whole {
  /** The run that brought it. */
  run: string;
  columns: readonly string[];
  /** The column by which its rows are keyed. See `keyedBy`. */
  idField?: string;
  spooled: Omit<Spooled, 'file'>;
}

interface Pointer {
  run: string;
  content: string | null;
}

const remedy = 'send a whole list (answer=snapshot)';

/** Keeps a list that may come into force. `how`: whether the file may be taken away from where it is. */
export async function keepWhole(
  keepDir: string,
  content: string,
  file: string,
  how: 'link' | 'move',
  whole: Whole,
): Promise<void> {
  const rows = join(keepDir, `whole-${content}.rows`);
  if (how === 'move') await rename(file, rows);
  else
    await link(file, rows).catch((error: NodeJS.ErrnoException) => {
      // the same content has the same bytes
      if (error.code !== 'EEXIST') throw error;
    });
  await writeJson(join(keepDir, `whole-${content}.json`), whole);
  await syncFolder(keepDir);
}

/** Writes down what the push of a run came to, and throws away every other list. */
export async function settleWhole(keepDir: string, run: string, content: string | null): Promise<void> {
  await writeJson(join(keepDir, 'whole.json'), { run, content } satisfies Pointer);
  for (const name of await readdir(keepDir))
    if (name.startsWith('whole-') && !name.startsWith(`whole-${content}.`))
      await rm(join(keepDir, name), { force: true });
}

/** The list that a delta is merged into. Throws `Incomplete` when there is none that can be trusted. */
export async function wholeInForce(keepDir: string, lastContent: string | null): Promise<Whole & { file: string }> {
  const pointer = await readJson<Pointer>(join(keepDir, 'whole.json')).catch(missing(null));
  if (pointer === null || lastContent === null)
    throw new Incomplete('a delta came, and there is no whole list here that it could change', { remedy });
  if (pointer.content === null)
    throw new Incomplete(`a delta came, and the push before it (${pointer.run}) did not come into force`, { remedy });
  const file = join(keepDir, `whole-${lastContent}.rows`);
  const whole = await readJson<Whole>(join(keepDir, `whole-${lastContent}.json`)).catch(missing(null));
  const size = (await stat(file).catch(missing(null)))?.size;
  if (pointer.content !== lastContent || whole === null || size !== whole.spooled.bytes)
    throw new Incomplete('a delta came, and the whole list that is kept here is not the one in force', { remedy });
  return { ...whole, file };
}
