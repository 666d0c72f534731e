import { type Account, withPrefix } from '../../../reconcile/model.ts';
import type { AccountDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { factsOf } from '../roster/accounts.ts';
import { enrolmentsOf } from '../roster/enrolments.ts';
import { anyOf, findKnown, type Known } from './known.ts';

/** Accounts under any of the keys, with their enrolments. */
export async function accountsOf(m: Mongo, keys: readonly string[], known: Known<AccountDoc>): Promise<Account[]> {
  const byEmail = anyOf('email', withPrefix(keys, 'e:'));
  const others = [...anyOf('id', withPrefix(keys, 'i:')), ...anyOf('_id', withPrefix(keys, 'n:'))];
  const conditions = [...others, ...byEmail, ...anyOf('alias', withPrefix(keys, 'a:'))];
  const docs = await findKnown(m, m.accounts, conditions, known, !others.length);
  return docs.map((doc) => ({ ...factsOf(doc), source: doc.source, enrolments: enrolmentsOf(doc) }));
}
