import type { AccountFacts, ChangeType, DeliveryItem } from '../../src/connector/target.ts';

/** A course, the one of every enrolment below. */
export const design = { faculty: 'Engineering', department: 'Mechanical Engineering', course: 'Car Design' };

let counter = 0;

/** Makes items for a target, each with an id of its own. */
export function itemsFor(target: string) {
  return (type: ChangeType, account: string, more: Partial<AccountFacts> = {}): DeliveryItem => {
    counter += 1;
    return {
      item: `plan:${counter}:${target}`,
      type,
      account: {
        account,
        id: `s-${account.slice(-2)}`,
        email: `${account}@example.edu`,
        firstName: 'Ada',
        lastName: 'Byron',
        kind: 'student',
        year: 2,
        status: type === 'account.disable' ? 'disabled' : 'active',
        attributes: {},
        ...more,
      },
      course: type.startsWith('enrolment.') ? design : null,
      changed: [],
      before: null,
      emailConfirmed: false,
    };
  };
}
