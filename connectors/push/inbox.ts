import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { Unavailable } from '../../src/base/errors.ts';
import { type Inbox, type Receipt, Refused } from '../../src/connector/inbox.ts';
import { isPushKey } from '../../src/connector/push-key.ts';
import {
  type Entry,
  inboxOf,
  isMeta,
  missing,
  oldest,
  placeJson,
  readJson,
  readWaiting,
  syncFolder,
  waitingNames,
  writeJson,
} from './files.ts';
import { receive } from './receive.ts';
import type { PushSettings } from './schema.ts';
import { settleWhole } from './whole.ts';

/**
 * The files of one push source, all in its keep directory:
 *
 *     inbox/000000000042-RUN.rows   the records of a push
 *     inbox/000000000042-RUN.json   what it is; written last: the push counts from here on, and waits until it is removed
 *     inbox/tmp-RUN.rows            one that is being received
 *     receipts/HASH.json            what a push with an idempotency key was told
 *     whole…                        see whole.ts
 */

/** How long, and how many, receipts are kept for repeats. */
const keptMs = 24 * 3_600_000;
const keptReceipts = 1000;

/** The last commit on its way into each keep directory: a reload opens another inbox while this one still receives. */
const commits = new Map<string, Promise<void>>();

/** Commits come one after the other: their order is the order of the runs, and a key is looked up and kept at once. */
function inTurn<T>(keepDir: string, work: () => Promise<T>): Promise<T> {
  const done = (commits.get(keepDir) ?? Promise.resolve()).then(work);
  const over = (): void => {
    if (commits.get(keepDir) === last) commits.delete(keepDir);
  };
  const last: Promise<void> = done.then(over, over);
  commits.set(keepDir, last);
  return done;
}

/** Opens the inbox of a source; makes nothing before something comes in. */
export function openInbox(settings: PushSettings, keepDir: string): Inbox {
  const hashes = settings.key.map(({ sha256 }) => sha256);
  return {
    admits: (key) => isPushKey(key, hashes),
    rate: { pushes: settings.rate.pushes, perMs: settings.rate.per },
    async receive(push, context) {
      await makeFolders(keepDir);
      if ((await waitingNames(keepDir)).length >= settings.maxWaiting)
        throw new Unavailable(`${settings.maxWaiting} pushes wait for their runs`, { delayMs: 60_000 });
      const file = join(inboxOf(keepDir), `tmp-${push.run}.rows`);
      try {
        const { body, ...received } = await receive(settings, push, context, file);
        const key = push.idempotencyKey;
        const idempotency = key === null ? null : { key: createHash('sha256').update(key).digest('hex'), body };
        return await inTurn(keepDir, () => commit(keepDir, { ...received, idempotency }, file, context.clock));
      } finally {
        // it has another name by now when all went well
        await rm(file, { force: true });
      }
    },
    next: async () => (await oldest(keepDir))?.run ?? null,
    async settle(run, content) {
      const name = (await waitingNames(keepDir)).find((one) => one.slice(13, -'.json'.length) === run);
      if (name === undefined) return;
      const { meta, rows, ...entry } = await readWaiting(keepDir, name);
      await settleWhole(keepDir, run, content);
      // in turn with who pushes the same again: its key is either still waiting or has its receipt
      await inTurn(keepDir, () => keepReceipt(keepDir, entry));
      await rm(meta);
      await rm(rows, { force: true });
    },
    async tidy() {
      const names = await readdir(inboxOf(keepDir)).catch(missing([]));
      const rows = new Set(names.filter(isMeta).map((name) => name.replace(/json$/, 'rows')));
      for (const name of names)
        if (!isMeta(name) && !rows.has(name)) await rm(join(inboxOf(keepDir), name), { force: true });
    },
  };
}

/** Makes the folders, once, so that they last like what is in them. */
async function makeFolders(keepDir: string): Promise<void> {
  let made: string | undefined;
  for (const folder of [inboxOf(keepDir), receiptsOf(keepDir)])
    made = (await mkdir(folder, { recursive: true, mode: 0o700 })) ?? made;
  if (made === undefined) return;
  for (const folder of [keepDir, dirname(keepDir), dirname(dirname(keepDir))]) await syncFolder(folder);
}

/** Makes a received push count, unless it is a repeat of one that does already. */
async function commit(
  keepDir: string,
  entry: Entry,
  file: string,
  clock: Clock,
): Promise<{ receipt: Receipt; repeated: boolean }> {
  const before = entry.idempotency && (await findReceipt(keepDir, entry.idempotency.key, clock));
  if (before) {
    if (before.idempotency!.body === entry.idempotency!.body) return { receipt: before.receipt, repeated: true };
    throw new Refused(409, 'this Idempotency-Key came with another body before', 'give every push a key of its own');
  }
  const number = Number((await waitingNames(keepDir)).at(-1)?.slice(0, 12) ?? 0) + 1;
  const name = join(inboxOf(keepDir), `${String(number).padStart(12, '0')}-${entry.run}`);
  await rename(file, `${name}.rows`);
  try {
    await placeJson(`${name}.json`, entry);
  } catch (error) {
    await rm(`${name}.rows`, { force: true }).catch(() => {});
    throw error;
  }
  // it counts from here on; where its name may not last, the sender repeats it and finds it waiting
  await syncFolder(inboxOf(keepDir));
  // it is known as long as it waits, and its end has another try
  await keepReceipt(keepDir, entry).catch(() => {});
  return { receipt: entry.receipt, repeated: false };
}

const receiptsOf = (keepDir: string): string => join(keepDir, 'receipts');

/** The push that came with a key, within the time that repeats are known for. */
async function findReceipt(keepDir: string, key: string, clock: Clock): Promise<Entry | null> {
  const kept = await readJson<Entry>(join(receiptsOf(keepDir), `${key}.json`)).catch(missing(null));
  const entry = kept ?? (await findWaiting(keepDir, key));
  return entry && clock.now().getTime() - Date.parse(entry.receivedAt) <= keptMs ? entry : null;
}

/** A process that died between an entry and its receipt left only the entry, and so did a disk that was full by then. */
async function findWaiting(keepDir: string, key: string): Promise<Entry | null> {
  for (const name of await waitingNames(keepDir)) {
    const entry = await readWaiting(keepDir, name).catch(missing(null));
    if (entry?.idempotency?.key !== key) continue;
    // whoever wrote it may not have come to this
    await syncFolder(inboxOf(keepDir));
    return entry;
  }
  return null;
}

/** Keeps what was told for repeats, unless a newer push has taken the key over. The oldest ones make room. */
async function keepReceipt(keepDir: string, entry: Entry): Promise<void> {
  if (!entry.idempotency) return;
  const folder = receiptsOf(keepDir);
  const file = join(folder, `${entry.idempotency.key}.json`);
  const kept = await readJson<Entry>(file).catch(missing(null));
  if (kept && kept.receivedAt >= entry.receivedAt) return;
  await writeJson(file, entry);
  const names = await readdir(folder);
  if (names.length <= keptReceipts) return;
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (await stat(join(folder, name)).catch(missing(null)))?.mtimeMs ?? 0);
  const old = names.sort((a, b) => times.get(a)! - times.get(b)!).slice(0, names.length - keptReceipts);
  for (const name of old) await rm(join(folder, name), { force: true });
}
