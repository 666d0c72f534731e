import type { AccountFacts, ChangeType, CourseName, DeliveryItem } from '../../../../src/connector/target.ts';

/** Items for the Canvas tests: a person by number, a course by its last name. */

export function person(number: number, facts: Partial<AccountFacts> = {}): AccountFacts {
  return {
    account: `950${String(number).padStart(7, '0')}`,
    id: `S${number}`,
    email: `p${number}@example.edu`,
    firstName: 'Pat',
    lastName: `Number ${number}`,
    kind: 'student',
    year: 1,
    status: 'active',
    attributes: {},
    ...facts,
  };
}

export function course(name: string): CourseName {
  return { faculty: 'Engineering', department: 'Mechanical Engineering', course: name };
}

export function item(type: ChangeType, about: { account?: AccountFacts; course?: CourseName }): DeliveryItem {
  const subject = [about.account?.account, about.course?.course].filter((part) => part !== undefined).join('@');
  return {
    item: `${type}:${subject}`,
    type,
    account: about.account ?? null,
    course: about.course ?? null,
    changed: [],
    before: null,
    emailConfirmed: false,
  };
}
