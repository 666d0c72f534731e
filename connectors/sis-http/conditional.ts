import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { copyKept, keepFile, keepNothing } from '../../src/connector/keep.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import type { Spooled } from '../../src/connector/spool.ts';

/**
 * Conditional requests: what the server calls its answer is kept with the rows of it, so that 304 means these rows. Both
 * are in one file (rows, then one line about them), and it counts only while its answer is the snapshot in force.
 */

const suffix = '.answer';
const lastLine = z.object({
  asked: z.string(),
  etag: z.string().optional(),
  modified: z.string().optional(),
  rows: z.number(),
  bytes: z.number(),
  sha256: z.string(),
});
/** The last line has a fixed length, so that it is found from the end. */
const lineBytes = 4096;

/** A kept answer, proved to be whole. */
export interface Kept {
  spooled: Spooled;
  modified: string | undefined;
  /** Headers that make a request conditional. */
  headers: Record<string, string>;
}

/** The kept answer to what is `asked` now (address, columns, key); null when it is none, or no longer the one in force. */
export async function readKept(context: SourceContext, asked: string): Promise<Kept | null> {
  const copy = join(context.spoolDir, 'kept');
  if (!(await copyKept(context, suffix, copy))) return null;
  const handle = await open(copy, 'r+');
  try {
    const { size } = await handle.stat();
    if (size < lineBytes) return null;
    const end = Buffer.alloc(lineBytes);
    await handle.read(end, 0, lineBytes, size - lineBytes);
    const line = lastLine.safeParse(jsonOf(end.toString('utf8')));
    if (!line.success || line.data.asked !== asked || line.data.bytes !== size - lineBytes) return null;
    await handle.truncate(size - lineBytes);
    const { etag, modified, rows, bytes, sha256 } = line.data;
    const hash = createHash('sha256');
    await pipeline(createReadStream(copy), hash);
    if (hash.digest('hex') !== sha256) return null;
    const headers: Record<string, string> = {};
    if (etag !== undefined) headers['if-none-match'] = etag;
    if (modified !== undefined) headers['if-modified-since'] = modified;
    return { spooled: { file: copy, rows, bytes, sha256 }, modified, headers };
  } finally {
    await handle.close();
  }
}

/** Keeps an answer that the server gave a name to; called once its snapshot is committed. */
export async function keepAnswer(
  context: SourceContext,
  asked: string,
  spooled: Spooled,
  content: string,
  headers: Record<string, string>,
): Promise<void> {
  const named = { etag: headers['etag'], modified: isCertain(headers) ? headers['last-modified'] : undefined };
  if (named.etag === undefined && named.modified === undefined) return keepNothing(context);
  const { file, rows, bytes, sha256 } = spooled;
  const text = JSON.stringify({ asked, ...named, rows, bytes, sha256 });
  if (Buffer.byteLength(text) >= lineBytes) return keepNothing(context);
  const copy = join(context.spoolDir, 'keep');
  await copyFile(file, copy);
  const handle = await open(copy, 'a');
  try {
    await handle.appendFile(Buffer.concat([Buffer.from(text)], lineBytes).map((byte) => byte || 32));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await keepFile(context, copy, content, suffix);
}

/**
 * Times have whole seconds, so an answer may change once more within its own: the time tells it from a later one only when
 * it was old enough when it was given, by the server's own clock (RFC 9110 §8.8.2.2).
 */
function isCertain(headers: Record<string, string>): boolean {
  const age = Date.parse(headers['date'] ?? '') - Date.parse(headers['last-modified'] ?? '');
  return age >= 60_000;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
