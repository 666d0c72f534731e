import { Misconfigured, Unavailable } from '../base/errors.ts';
import { openStore, readConfig } from '../daemon.ts';
import { finishInterrupted } from '../run/force.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { type Copied, copyStore, type Picture, pictureOf } from '../store/copy.ts';
import type { Store } from '../store/port.ts';
import { openProgress, openScreen, table } from './screen.ts';
import { exit, guarded, workOf } from './session.ts';

/** What `migrate-store` was asked for. */
export interface MoveOptions {
  /** The configuration whose store is the new one. */
  config: string;
  /** The configuration whose store is the old one; left out: the embedded store in `stateDir`. */
  from?: string;
  json: boolean;
}

/**
 * `migrate-store`: copies all of one store into another, empty one, and compares both. The old one is not changed. A
 * copy that was cut is begun again by the same command, and until it has ended the new store serves for nothing else.
 */
export async function migrateStore(options: MoveOptions): Promise<number> {
  return guarded(async () => {
    const config = readConfig(options.config);
    const old =
      options.from === undefined ? { ...config, store: { kind: 'embedded' as const } } : readConfig(options.from);
    if (config.store.kind === 'embedded' && old.store.kind === 'embedded' && config.stateDir === old.stateDir)
      throw new Misconfigured('the old store and the new one are the same', {
        remedy: 'write the new store into the configuration: store: { kind: mongodb, uri: … }',
        where: { file: config.file },
      });
    const screen = openScreen(options.json);
    const progress = openProgress();
    const { work, release } = workOf(progress.report);
    const stores: Store[] = [];
    const open = async (which: typeof config): Promise<Store> => {
      const store = await openStore(which, work.abort);
      stores.push(store);
      return store;
    };
    try {
      const from = await open(old);
      const part = await from.move.from();
      if (part !== null)
        throw new Misconfigured(`the store ${from.place} holds only a part of ${part}: its own move was cut`, {
          remedy: 'end that move first',
        });
      await settled({ config: old, store: from, work });
      let to = await open(config);
      if (to.place === from.place) throw new Misconfigured(`the old store and the new one are the same: ${to.place}`);
      const unfinished = await to.move.from();
      if (unfinished === null && !(await to.move.empty()))
        throw new Misconfigured(`the store ${to.place} is not empty`, {
          remedy: 'name an empty one; what is there belongs to somebody',
        });
      if (unfinished !== null && unfinished !== from.place)
        throw new Misconfigured(`the store ${to.place} waits for the rest of a move from ${unfinished}`, {
          remedy: 'repeat that move',
        });
      await to.move.begin(from.place);
      // What a store remembers of what it had is forgotten with it.
      await to.close();
      to = await open(config);
      const locks = [await to.lock('roster')];
      for (const { source } of await from.sources.all()) locks.push(await to.lock(`source:${source}`));
      if (locks.includes(null))
        throw new Unavailable(`another rosterd is at work on ${to.place}`, { remedy: 'stop it, then repeat this' });
      const copied = await copyStore(from, to, work);
      work.progress('migrate-store', 'comparing');
      const [before, after] = [await pictureOf(from), await pictureOf(to)];
      const different = (Object.keys(before) as (keyof Picture)[]).filter((key) => before[key] !== after[key]);
      if (different.length)
        throw new Unavailable(`the copy in ${to.place} differs from ${from.place} in: ${different.join(', ')}`, {
          remedy: 'nothing was switched over; repeat this, and report it when it happens again',
        });
      await to.move.end();
      for (const lock of locks) await lock?.release();
      progress.done();
      const result = { from: from.place, to: to.place, copied };
      if (screen.human) screen.say(told(result));
      else screen.json(result);
      return exit.done;
    } finally {
      progress.done();
      release();
      for (const store of stores) await store.close();
    }
  });
}

/** Nobody may be at work on the old store, and nothing of it be half done. */
async function settled(rosterd: Rosterd): Promise<void> {
  for (const { source } of await rosterd.store.sources.all()) {
    const lock = await rosterd.store.lock(`source:${source}`);
    if (!lock)
      throw new Unavailable(`another rosterd is at work on ${source} in ${rosterd.store.place}`, {
        remedy: 'stop it, then repeat this',
      });
    try {
      await finishInterrupted(rosterd, source);
    } finally {
      await lock.release();
    }
  }
}

function told({ from, to, copied }: { from: string; to: string; copied: Copied }): string {
  const rows = Object.entries(copied).map(([what, count]): [string, number] => [what, count]);
  return `${table(['copied', 'count'], rows)}\n\nfrom ${from}\nto   ${to}\nBoth give the same exports. The old store is as it was; take it away when you are sure.`;
}
