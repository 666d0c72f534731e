import { type AccountFacts, type CourseName, courseKey, type DeliveryItem } from '../connector/target.ts';
import { type Change, isRemoval, toldAs } from '../reconcile/model.ts';
import { effectOf, type PlannedChange } from '../reconcile/plan.ts';

/** The id of an outbox item: (plan, position, target). The same change to the same target is the same item for ever. */
export function itemId(plan: string, change: Pick<PlannedChange, 'rank' | 'key'>, target: string): string {
  return `${plan}:${change.rank}:${change.key}:${target}`;
}

/** True for a change whose item takes along what the person is enrolled in. */
export function takesEnrolments(change: Pick<Change, 'type' | 'after'>): boolean {
  return toldAs(change.type) === 'account.update' && change.after?.kind !== undefined;
}

/** The roster at the moment of a change, asked only for what its items take along. */
export interface Moment {
  /** Nothing of an account that is not there. */
  facts(account: string): AccountFacts | undefined;
  enrolments(account: string): readonly CourseName[];
}

/**
 * What a target is given of a change. A removal may have waited for a person: of whom it is about it gives what is true
 * at this moment, or a target would have the day of the plan back. And who joins a course joins it as what they are now:
 * the plan may say what they become when a person lets it pass.
 */
export function deliveryOf(item: string, planned: PlannedChange, moment: Moment): DeliveryItem {
  const change = effectOf(planned);
  let { account } = change;
  if (account && (isRemoval(change.type) || change.type === 'enrolment.add'))
    account = { ...(moment.facts(account.account) ?? account), status: account.status };
  return {
    item,
    type: toldAs(change.type),
    account,
    course: change.course,
    changed: Object.keys(change.after ?? {}).sort(),
    before: change.before,
    emailConfirmed: change.emailConfirmed,
    ...(takesEnrolments(change) ? { enrolments: moment.enrolments(account!.account) } : {}),
  };
}

/** Whom an item is about: its place in the order. Items of one person never overtake each other. */
export function personOf(item: DeliveryItem): string {
  return item.account ? item.account.account : `course ${courseKey(item.course!)}`;
}

/** What an item writes at the target: two of one subject in one batch would be two truths in one file. */
export function subjectOf(item: DeliveryItem): string {
  return item.account && item.course ? `${personOf(item)} ${courseKey(item.course)}` : personOf(item);
}

/** What only one person has at a time, and a target may refuse to give to a second. */
export const unique = ['email', 'id'] as const;

/** Addresses and ids that a person has no more after an item, each with the name of its field. */
export function givenUpBy({ account, course, before }: DeliveryItem): string[] {
  if (!account || course || !before) return [];
  const given = unique.filter((field) => before[field] != null && before[field] !== account[field]);
  return given.map((field) => `${field} ${before[field]}`);
}

/** Addresses and ids that a person has after an item and had not before. */
export function takenBy({ type, account, course, before }: DeliveryItem): string[] {
  if (!account || course) return [];
  const isNew = (field: (typeof unique)[number]): boolean =>
    type === 'account.create' || (before !== null && field in before && before[field] !== account[field]);
  return unique.filter((field) => account[field] != null && isNew(field)).map((field) => `${field} ${account[field]}`);
}

/** Answers that an item keeps, in every store. */
export const mostAnswers = 20;
