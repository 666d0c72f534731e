import type { SourceState } from '../../port.ts';
import { rowsName } from '../behind.ts';
import { fenced, type Mongo } from '../mongo.ts';

/** The pivot of every run, one document: written whole, and only by the holder of the source's lock. */
export async function putSource(m: Mongo, { source, ...state }: SourceState): Promise<void> {
  const fence = m.fence(`source:${source}`);
  // The state may put a snapshot in force; nothing of it may still be on its way, or have failed to arrive.
  await m.behind.settled(rowsName(source));
  await m.attempt(() =>
    fenced(source, () =>
      m.sources.updateOne({ _id: source, fence: { $lte: fence } }, { $set: { ...state, fence } }, { upsert: true }),
    ),
  );
}
