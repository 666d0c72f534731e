import { constants } from 'node:fs';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PushAnswer, Receipt } from '../../src/connector/inbox.ts';
import type { Spooled } from '../../src/connector/spool.ts';

/** Files that a process may die over: each is there whole or not at all, and stays. */

/** What stands beside the rows of a push. */
export interface Entry {
  run: string;
  answer: PushAnswer;
  /** Columns of the cells, in order. */
  columns: string[];
  /** The column by which the rows were keyed: the configuration may have another one when they are run. See `keyedBy`. */
  idField?: string;
  spooled: Omit<Spooled, 'file'>;
  receivedAt: string;
  /** Of a push with an idempotency key: the hash of the key, and of what was sent with it. */
  idempotency: { key: string; body: string } | null;
  receipt: Receipt;
}

/** An entry that waits for its run, and where it lies. */
export interface Waiting extends Entry {
  rows: string;
  meta: string;
}

/** Where pushes wait. */
export const inboxOf = (keepDir: string): string => join(keepDir, 'inbox');

/** True for the name of a file that makes a push count. */
export const isMeta = (name: string): boolean => /^\d{12}-.*\.json$/.test(name);

/** Names of what waits, oldest first. */
export async function waitingNames(keepDir: string): Promise<string[]> {
  return (await readdir(inboxOf(keepDir)).catch(missing([]))).filter(isMeta).sort();
}

/** Reads what waits under a name. */
export async function readWaiting(keepDir: string, name: string): Promise<Waiting> {
  const meta = join(inboxOf(keepDir), name);
  return { ...(await readJson<Entry>(meta)), meta, rows: meta.replace(/json$/, 'rows') };
}

/** The push that came first of those that wait, or null. */
export async function oldest(keepDir: string): Promise<Waiting | null> {
  const [name] = await waitingNames(keepDir);
  return name === undefined ? null : readWaiting(keepDir, name);
}

/** Reads a file of ours. */
export async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8')) as T;
}

/** Writes a file that is there whole or not at all, also after a power cut. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await placeJson(file, value);
  await syncFolder(dirname(file));
}

/** The same but for its name, which lasts from the next `syncFolder` on. When this throws, nothing of it is there. */
export async function placeJson(file: string, value: unknown): Promise<void> {
  const draft = `${file}.tmp`;
  try {
    const handle = await open(draft, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify(value));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    // what could not be written says more than what cannot be removed
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
}

/** Makes the names in a directory last. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What is taken for a file or folder that is not there; any other failure is one. */
export function missing<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code !== 'ENOENT') throw error;
    return instead;
  };
}
