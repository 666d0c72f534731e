import { type CourseName, courseKey, type DeliveryItem } from '../connector/target.ts';
import type { Change } from '../reconcile/model.ts';
import { effectOf, type PlannedChange } from '../reconcile/plan.ts';

/** The id of an outbox item: (plan, position, target). The same change to the same target is the same item for ever. */
export function itemId(plan: string, change: Pick<PlannedChange, 'rank' | 'key'>, target: string): string {
  return `${plan}:${change.rank}:${change.key}:${target}`;
}

/** True for a change whose item takes along what the person is enrolled in. */
export function takesEnrolments(change: Pick<Change, 'type' | 'after'>): boolean {
  return change.type === 'account.update' && change.after?.kind !== undefined;
}

/** What a target is given of a change. `enrolments`: of the person at this moment, asked for where they are taken along. */
export function deliveryOf(
  item: string,
  planned: PlannedChange,
  enrolments: (account: string) => readonly CourseName[],
): DeliveryItem {
  const change = effectOf(planned);
  return {
    item,
    type: change.type,
    account: change.account,
    course: change.course,
    changed: Object.keys(change.after ?? {}).sort(),
    before: change.before,
    emailConfirmed: change.emailConfirmed,
    ...(takesEnrolments(change) ? { enrolments: enrolments(change.account!.account) } : {}),
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

/** Answers that an item keeps, in every store. */
export const mostAnswers = 20;
