import { changeOf, type PlannedChange } from '../../../reconcile/plan.ts';
import { whole } from '../documents.ts';
import type { Mongo } from '../mongo.ts';
import { sameCourse } from './effects.ts';

/** Which of the changes no longer find what they take away. */
export async function staleOf(m: Mongo, changes: readonly PlannedChange[]): Promise<string[]> {
  const removals = changes.filter(({ type }) => type === 'account.disable' || type === 'enrolment.remove');
  const numbers = [...new Set(removals.map((planned) => changeOf(planned).account!.account))];
  const docs = await m.attempt(() => m.accounts.find({ _id: { $in: numbers } }, { batchSize: whole }).toArray());
  const accounts = new Map(docs.map((doc) => [doc._id, doc]));
  return removals
    .filter((planned) => {
      const { type, account, course } = changeOf(planned);
      const doc = accounts.get(account!.account);
      if (type === 'account.disable') return doc?.status !== 'active';
      return !doc?.enrolments.some((one) => sameCourse(one, course!));
    })
    .map(({ type, key }) => `${type} ${key}`);
}
