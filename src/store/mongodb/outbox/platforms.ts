import type { Platform } from '../../port.ts';
import type { Mongo } from '../mongo.ts';

/** Platforms that have what was sent, by target. */
export async function platformsOf(m: Pick<Mongo, 'platforms' | 'attempt'>): Promise<Platform[]> {
  const docs = await m.attempt(() => m.platforms.find().sort({ _id: 1 }).toArray());
  return docs.map(({ _id, kind, address }) => ({ target: _id, kind, address }));
}

/** Remembers the platform of a target. The lock is asked first: whoever took over may be told of another one by now. */
export async function putPlatform(m: Mongo, { target, kind, address }: Platform): Promise<void> {
  await m.confirm(`target:${target}`);
  await m.attempt(() => m.platforms.replaceOne({ _id: target }, { kind, address }, { upsert: true }));
}
