import type { RosterRules } from '../../port.ts';
import type { Mongo } from '../mongo.ts';

/** The rules that the roster was last changed under. */
export async function rosterRules(m: Mongo): Promise<RosterRules> {
  const doc = await m.attempt(() => m.roster.findOne({ _id: 'roster' }));
  return doc?.rules ?? { fingerprint: null, times: 0 };
}
