import type { PackKind } from '../../port.ts';
import { under } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { packKey } from './put-pack.ts';

/** The whole pack; empty when there is none. */
export async function getPack(m: Mongo, source: string, number: number, kind: PackKind): Promise<Uint8Array> {
  const pieces = await m.attempt(() =>
    m.packs
      .find({ _id: under(packKey(source, number, kind)) })
      .sort({ _id: 1 })
      .toArray(),
  );
  const whole = new Uint8Array(pieces.reduce((sum, { bytes }) => sum + bytes.length(), 0));
  let at = 0;
  for (const { bytes } of pieces) {
    whole.set(bytes.value(), at);
    at += bytes.length();
  }
  return whole;
}
