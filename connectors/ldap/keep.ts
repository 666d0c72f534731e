import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { SourceContext } from '../../src/connector/source.ts';
import type { LdapSettings } from './schema.ts';

/**
 * The whole answer that the changes of the next pull are merged into: its rows, and how far it reaches. Its files are
 * named by the content, so that they count only for the snapshot that was made of them.
 */

const mark = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('usn'), server: z.string(), invocation: z.string(), usn: z.string().regex(/^\d+$/) }),
  z.strictObject({ by: z.literal('time'), server: z.string(), time: z.string().regex(/^\d{14}Z$/) }),
]);

/** How far an answer reaches, in the server's own count. */
export type Mark = z.output<typeof mark>;

const state = z.strictObject({ version: z.literal(1), query: z.string(), fullAt: z.iso.datetime(), mark });

/** What is known of a kept answer. `query`: see `queryPrint`. `fullAt`: when everything was read last. */
export type Kept = z.output<typeof state> & { file: string };

/** Everything that decides what a pull reads and how, as one text: another one makes what is kept worthless. */
export function queryPrint(settings: LdapSettings, columns: readonly string[], filters: readonly string[]): string {
  const { url, bindDN, searches, each, binary, disabledAccounts, referrals } = settings;
  const all = [url.url, bindDN ?? null, searches, filters, each ?? null, binary, disabledAccounts, referrals, columns];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}

const rowsFile = (context: SourceContext, content: string): string => join(context.keepDir, `${content}.rows`);
const stateFile = (context: SourceContext, content: string): string => join(context.keepDir, `${content}.json`);

/** The answer of the snapshot in force; null when it is not there or cannot be read. */
export async function readKept(context: SourceContext): Promise<Kept | null> {
  if (context.lastContent === null) return null;
  try {
    const text = await readFile(stateFile(context, context.lastContent), 'utf8');
    const file = rowsFile(context, context.lastContent);
    const files = await readdir(context.keepDir);
    return files.includes(`${context.lastContent}.rows`) ? { ...state.parse(JSON.parse(text)), file } : null;
  } catch {
    // not there, cut, or of another version: then everything is read
    return null;
  }
}

/** Keeps an answer. `file` is moved; who has it open reads on. */
export async function keep(
  context: SourceContext,
  content: string,
  file: string,
  kept: Omit<z.output<typeof state>, 'version'>,
): Promise<void> {
  await mkdir(context.keepDir, { recursive: true, mode: 0o700 });
  const { query, fullAt, mark } = kept;
  const text = JSON.stringify({ version: 1, query, fullAt, mark } satisfies z.output<typeof state>);
  const waiting = join(context.keepDir, `${content}.writing`);
  await writeFile(waiting, text, { mode: 0o600, flush: true });
  await rename(file, rowsFile(context, content));
  await rename(waiting, stateFile(context, content));
}

/** Removes what is kept of other answers than this one; with null, of all. */
export async function forget(context: SourceContext, but: string | null): Promise<void> {
  for (const name of await readdir(context.keepDir).catch(() => []))
    if (but === null || !name.startsWith(`${but}.`)) await rm(join(context.keepDir, name), { force: true });
}

/** Removes what is kept of this answer. */
export async function forgetOne(context: SourceContext, content: string): Promise<void> {
  await rm(rowsFile(context, content), { force: true });
  await rm(stateFile(context, content), { force: true });
}
