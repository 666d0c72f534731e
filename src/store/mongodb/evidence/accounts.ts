import type { Filter } from 'mongodb';
import type { Account } from '../../../reconcile/model.ts';
import type { AccountDoc } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { factsOf } from '../roster/accounts.ts';
import { enrolmentsOf } from '../roster/enrolments.ts';
import { withPrefix } from './rows.ts';

/** Accounts under any of the keys, with their enrolments. */
export async function accountsOf(m: Mongo, keys: readonly string[]): Promise<Account[]> {
  const found = new Map<string, Account>();
  const look = async (where: Filter<AccountDoc>, values: readonly string[]): Promise<void> => {
    if (!values.length) return;
    for (const doc of await m.attempt(() => m.accounts.find(where).toArray()))
      found.set(doc._id, { ...factsOf(doc), source: doc.source, enrolments: enrolmentsOf(doc) });
  };
  const [ids, emails, numbers] = ['i:', 'e:', 'n:'].map((prefix) => withPrefix(keys, prefix)) as [
    string[],
    string[],
    string[],
  ];
  await Promise.all([
    look({ id: { $in: ids } }, ids),
    look({ email: { $in: emails } }, emails),
    look({ _id: { $in: numbers } }, numbers),
  ]);
  return [...found.values()];
}
