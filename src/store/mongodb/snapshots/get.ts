import type { Snapshot } from '../../port.ts';
import { isoOf, type SnapshotDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { snapshotKey } from './put.ts';

/** Null when there is none, or none any more. */
export async function getSnapshot(m: Mongo, source: string, number: number): Promise<Snapshot | null> {
  const doc = await m.attempt(() => m.snapshots.findOne({ _id: snapshotKey(source, number) }));
  return doc && snapshotOf(doc);
}

/** A snapshot as the port has it; null for the mark of a discarded one. */
export function snapshotOf(doc: SnapshotDoc): Snapshot | null {
  if ('discarded' in doc) return null;
  const { _id: _, fence: __, at, parts, ...rest } = doc;
  return {
    ...rest,
    at: at.toISOString(),
    parts: parts.map(({ modified, ...part }) => ({ ...part, modified: isoOf(modified) })),
  };
}
