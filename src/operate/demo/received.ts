import { z } from 'zod';
import type { Stub } from '../../connector/stub.ts';
import type { Store } from '../../store/port.ts';

/** What somebody has: the roster, or a target. */
export interface Totals {
  accounts: number;
  /** Accounts that are not disabled. */
  active: number;
  /** Enrolments that have not ended. */
  enrolments: number;
  /** Courses that are not archived; null for a target that keeps no courses. */
  courses: number | null;
}

const statuses = <const Key extends string>(key: Key) => z.array(z.looseObject({ [key]: z.string() }));

/** The state of each stub, as far as it is counted here. */
const canvas = z.object({
  users: statuses('status'),
  courses: statuses('workflow_state'),
  enrollments: statuses('status'),
});
const salesforce = z.object({ contacts: statuses('Rosterd_Status__c'), enrolments: statuses('Rosterd_Status__c') });
const peoplesoft = z.object({ persons: statuses('status'), enrolments: statuses('status') });

const counted: Readonly<Record<string, (state: unknown) => Totals>> = {
  canvas(state) {
    const { users, courses, enrollments } = canvas.parse(state);
    return {
      accounts: users.length,
      active: count(users, 'status', 'active'),
      enrolments: count(enrollments, 'status', 'active'),
      courses: courses.length - count(courses, 'workflow_state', 'completed'),
    };
  },
  salesforce(state) {
    const { contacts, enrolments } = salesforce.parse(state);
    return {
      accounts: contacts.length,
      active: count(contacts, 'Rosterd_Status__c', 'Active'),
      enrolments: count(enrolments, 'Rosterd_Status__c', 'Current'),
      courses: null,
    };
  },
  peoplesoft(state) {
    const { persons, enrolments } = peoplesoft.parse(state);
    return {
      accounts: persons.length,
      active: count(persons, 'status', 'active'),
      enrolments: count(enrolments, 'status', 'enrolled'),
      courses: null,
    };
  },
};

/** What a target has received by now, counted in its stub. */
export function totalsOf(stub: Stub): Totals {
  const counting = counted[stub.kind];
  if (!counting) throw new Error(`nobody has said how the stub ${stub.kind} is counted`);
  return counting(stub.state());
}

/** What rosterd believes, counted in its own store. */
export async function totalsOfRoster({ roster }: Store): Promise<Totals & { courses: number }> {
  const totals = { accounts: 0, active: 0, enrolments: 0, courses: 0 };
  for await (const { status } of roster.accounts()) {
    totals.accounts += 1;
    if (status === 'active') totals.active += 1;
  }
  for await (const _ of roster.enrolments()) totals.enrolments += 1;
  for await (const { status } of roster.courses())
    if (status === 'enrolled' || status === 'vanished') totals.courses += 1;
  return totals;
}

function count(records: readonly Record<string, unknown>[], key: string, value: string): number {
  return records.filter((record) => record[key] === value).length;
}
