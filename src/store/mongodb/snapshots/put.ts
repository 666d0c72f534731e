import type { Snapshot } from '../../port.ts';
import { rowsName } from '../behind.ts';
import { dateOf } from '../documents.ts';
import { fenced, type Mongo } from '../mongo.ts';

/** `sis-students/7`: the id of a snapshot's document, and the beginning of the ids of its rows and packs. */
export function snapshotKey(source: string, number: number): string {
  return `${source}/${number}`;
}

/** Writes the document of a snapshot, when all its rows are written; refused when that number was discarded. */
export async function putSnapshot(m: Mongo, { at, parts, ...rest }: Snapshot): Promise<void> {
  const _id = snapshotKey(rest.source, rest.number);
  const fence = m.fence(`source:${rest.source}`);
  await m.behind.settled(rowsName(rest.source));
  const doc = {
    ...rest,
    at: new Date(at),
    parts: parts.map(({ modified, ...part }) => ({ ...part, modified: dateOf(modified) })),
    fence,
  };
  await m.attempt(() =>
    fenced(_id, () =>
      m.snapshots.replaceOne({ _id, fence: { $lte: fence }, discarded: { $ne: true } }, doc, { upsert: true }),
    ),
  );
}
