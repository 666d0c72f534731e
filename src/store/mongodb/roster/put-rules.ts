import type { RosterRules } from '../../port.ts';
import { fenced, type Mongo } from '../mongo.ts';

/** Writes the rules beside what else is known of the roster as a whole. */
export async function putRosterRules(m: Mongo, { fingerprint, times }: RosterRules): Promise<void> {
  const fence = m.fence('roster');
  await m.attempt(() =>
    fenced('the roster', () =>
      m.roster.updateOne(
        { _id: 'roster', fence: { $lte: fence } },
        { $set: { rules: { fingerprint, times }, fence } },
        { upsert: true },
      ),
    ),
  );
}
