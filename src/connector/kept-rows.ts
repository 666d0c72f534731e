import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { parsedJson } from '../base/json.ts';
import { copyKept, keepFile, keepNothing } from './keep.ts';
import type { SourceContext } from './source.ts';
import type { Spooled } from './spool.ts';

/**
 * The rows of the answer in force, kept with what their source knows of them, in one file: the rows as they were spooled,
 * then one line. It has a fixed length, so that it is found from the end.
 */

const suffix = '.rows';
const lineBytes = 4096;
const lastLine = z.object({ facts: z.unknown(), rows: z.number(), bytes: z.number(), sha256: z.string() });

/** The kept rows of the snapshot in force, copied and proved to be whole, and what is known of them; null without any. */
export async function keptRows<T>(
  context: SourceContext,
  facts: z.ZodType<T>,
): Promise<{ spooled: Spooled; facts: T } | null> {
  const file = join(context.spoolDir, 'kept');
  if (!(await copyKept(context, suffix, file))) return null;
  const handle = await open(file, 'r+');
  try {
    const { size } = await handle.stat();
    if (size < lineBytes) return null;
    const end = Buffer.alloc(lineBytes);
    await handle.read(end, 0, lineBytes, size - lineBytes);
    const line = lastLine.safeParse(parsedJson(end.toString('utf8')));
    const known = facts.safeParse(line.data?.facts);
    if (!line.success || !known.success || line.data.bytes !== size - lineBytes) return null;
    await handle.truncate(size - lineBytes);
    const { rows, bytes, sha256 } = line.data;
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    return hash.digest('hex') === sha256 ? { spooled: { file, rows, bytes, sha256 }, facts: known.data } : null;
  } finally {
    await handle.close();
  }
}

/** Keeps spooled rows with the snapshot of that content; called once it is committed. Facts that are too long keep nothing. */
export async function keepRows(
  context: SourceContext,
  { file, rows, bytes, sha256 }: Spooled,
  content: string,
  facts: object,
): Promise<void> {
  const text = JSON.stringify({ facts, rows, bytes, sha256 });
  if (Buffer.byteLength(text) > lineBytes) return keepNothing(context);
  // a copy: whoever reads the answer still has the file
  const copy = join(context.spoolDir, 'keep');
  await copyFile(file, copy);
  const handle = await open(copy, 'a');
  try {
    await handle.appendFile(Buffer.concat([Buffer.from(text)], lineBytes).map((byte) => byte || 32));
  } finally {
    await handle.close();
  }
  await keepFile(context, copy, content, suffix);
}
