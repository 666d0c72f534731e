import type { RosterEntry } from '../../port.ts';
import type { Mongo } from '../mongo.ts';
import { accountDocs, factsOf } from './accounts.ts';

/** Every account with what its sources stand for. */
export async function* rosterEntries(m: Mongo): AsyncGenerator<RosterEntry> {
  for await (const doc of accountDocs(m))
    yield { account: factsOf(doc), source: doc.source, enrolments: doc.enrolments };
}
