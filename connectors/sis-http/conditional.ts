import { z } from 'zod';
import { keepNothing } from '../../src/connector/keep.ts';
import { keepRows, keptRows } from '../../src/connector/kept-rows.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import type { Spooled } from '../../src/connector/spool.ts';

/**
 * Conditional requests: what the server calls its answer is kept with the rows of it, so that 304 means these rows. It
 * counts only while that answer is the snapshot in force.
 */

const known = z.object({ asked: z.string(), etag: z.string().optional(), modified: z.string().optional() });

/** A kept answer. */
export interface Kept {
  spooled: Spooled;
  modified: string | undefined;
  /** Headers that make a request conditional. */
  headers: Record<string, string>;
}

/** The kept answer to what is `asked` now (address, columns, key); null when it is none, or no longer the one in force. */
export async function readKept(context: SourceContext, asked: string): Promise<Kept | null> {
  const kept = await keptRows(context, known);
  if (kept?.facts.asked !== asked) return null;
  const { etag, modified } = kept.facts;
  const headers: Record<string, string> = {};
  if (etag !== undefined) headers['if-none-match'] = etag;
  if (modified !== undefined) headers['if-modified-since'] = modified;
  return { spooled: kept.spooled, modified, headers };
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
  await keepRows(context, spooled, content, { asked, ...named });
}

/**
 * Times have whole seconds, so an answer may change once more within its own: the time tells it from a later one only when
 * it was old enough when it was given, by the server's own clock (RFC 9110 §8.8.2.2).
 */
function isCertain(headers: Record<string, string>): boolean {
  const age = Date.parse(headers['date'] ?? '') - Date.parse(headers['last-modified'] ?? '');
  return age >= 60_000;
}
