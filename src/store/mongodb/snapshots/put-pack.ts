import { Binary } from 'mongodb';
import type { PackKind } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { snapshotKey } from './put.ts';

const pieceBytes = 1024 * 1024;

/** Pieces of at most 1 MiB: a document holds 16, and a slow line likes small ones. Nobody reads them before they count. */
export async function putPack(
  m: Mongo,
  source: string,
  number: number,
  kind: PackKind,
  digests: Uint8Array,
): Promise<void> {
  const pack = packKey(source, number, kind);
  let piece = 0;
  for (let at = 0; at < digests.length; at += pieceBytes, piece += 1) {
    const _id = pieceId(pack, piece);
    const bytes = new Binary(digests.subarray(at, at + pieceBytes));
    const doc = { source, number, kind, piece, bytes };
    await m.attempt(() => m.packs.replaceOne({ _id }, doc, { upsert: true }));
  }
  const rest = { $gte: pieceId(pack, piece), $lt: `${pack}0` };
  await m.attempt(() => m.packs.deleteMany({ _id: rest }));
}

/** The beginning of the ids of a pack's pieces. */
export function packKey(source: string, number: number, kind: PackKind): string {
  return `${snapshotKey(source, number)}/${kind}`;
}

/** Ids of pieces sort as the pieces do. */
function pieceId(pack: string, piece: number): string {
  return `${pack}/${String(piece).padStart(6, '0')}`;
}
