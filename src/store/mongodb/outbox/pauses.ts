import type { Pause } from '../../port.ts';
import type { Mongo } from '../mongo.ts';

/** Targets that nothing is sent to, by name. */
export async function pausesOf(m: Mongo): Promise<Pause[]> {
  const docs = await m.attempt(() => m.pauses.find().sort({ _id: 1 }).toArray());
  return docs.map(({ _id, at, reason }) => ({ target: _id, at: at.toISOString(), reason }));
}

/** Stops sending to a target; null: goes on. */
export async function pauseTarget(m: Mongo, target: string, pause: Omit<Pause, 'target'> | null): Promise<void> {
  if (pause) {
    const doc = { at: new Date(pause.at), reason: pause.reason };
    await m.attempt(() => m.pauses.replaceOne({ _id: target }, doc, { upsert: true }));
  } else await m.attempt(() => m.pauses.deleteOne({ _id: target }));
}
