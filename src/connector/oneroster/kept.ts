import { rm } from 'node:fs/promises';
import { copyKept, keepFile } from '../keep.ts';
import type { SourceContext } from '../source.ts';
import { Whole } from './whole.ts';

/** The whole set of the snapshot in force, as sources of OneRoster keep it for the delta that comes next. */

const suffix = '.oneroster';

/**
 * A copy of the kept set in `file`, open for merging, and what `known` says of it. Null, and no file, when there is none,
 * when it is damaged, or when `known` says null: what it is of is not what is asked now.
 */
export async function openKept<T>(
  context: SourceContext,
  file: string,
  known: (whole: Whole) => T | null,
): Promise<{ whole: Whole; known: T } | null> {
  if (!(await copyKept(context, suffix, file))) return null;
  let whole: Whole | null = null;
  try {
    whole = new Whole(file);
    const what = known(whole);
    if (what !== null) return { whole, known: what };
  } catch {
    // a damaged file is as good as none
  }
  whole?.abandon();
  await rm(file, { force: true });
  return null;
}

/** Keeps the finished set in `file` with the snapshot of that content. */
export function keepWhole(context: SourceContext, file: string, content: string): Promise<void> {
  return keepFile(context, file, content, suffix);
}
