import type { CourseName, DeliveryItem } from '../../src/connector/target.ts';
import type { OutboxItem } from '../../src/store/port.ts';

/** What deliveries are measured with: the cases, and items that are the same every time. */

/** One delivery to measure. */
export interface DeliveryCase {
  name: string;
  kind: 'salesforce' | 'canvas' | 'peoplesoft';
  items: number;
  /** Settings of the target, without its address. */
  settings: object;
  /** Requests side by side, of the bare loop as of the connector. */
  concurrency: number;
  /** What the project promises, in items a second; left out: only the ratio. */
  perSecond?: number;
}

/** The name of the target in every case. */
export const targetName = 'bench';

/** The variable that holds the secret of whichever target it is. */
export const secretVariable = 'ROSTERD_BENCH_SECRET';
const secret = { env: secretVariable };

const salesforce = { clientId: 'bench', clientSecret: secret };
/** Looks come soon: what is measured is work, not waiting. */
const canvas = { token: secret, batch: 100_000, pollEvery: '100ms' };
const peoplesoft = { auth: { username: 'ROSTERD', password: secret } };

export const deliveryCases: readonly DeliveryCase[] = [
  {
    ...{ name: 'salesforce, collections', kind: 'salesforce', items: 20_000, settings: salesforce, concurrency: 2 },
    perSecond: 1500,
  },
  {
    ...{ name: 'salesforce, bulk', kind: 'salesforce', items: 100_000, concurrency: 1, perSecond: 5000 },
    settings: { ...salesforce, bulk: { pollEvery: '20ms' } },
  },
  { name: 'canvas, one import', kind: 'canvas', items: 10_000, settings: canvas, concurrency: 1 },
  { name: 'canvas, one import', kind: 'canvas', items: 100_000, settings: canvas, concurrency: 1 },
  ...[1, 8].map((concurrency) => ({
    ...{ name: `peoplesoft, ${concurrency} at a time`, kind: 'peoplesoft' as const, items: 5000, concurrency },
    settings: { ...peoplesoft, concurrency },
  })),
];

/** Items as a first load queues them: half are accounts, the other half enrolments of these people. */
export function deliveryItems(count: number): DeliveryItem[] {
  const people = Math.ceil(count / 2);
  return Array.from({ length: count }, (_, at): DeliveryItem => {
    const n = at % people;
    const account = String(9_500_000_000 + n);
    const isPerson = at < people;
    return {
      item: `plan-of-the-bench:${isPerson ? 1 : 4}:${account}:${targetName}`,
      type: isPerson ? 'account.create' : 'enrolment.add',
      account: {
        ...{ account, id: `s${String(n).padStart(8, '0')}`, email: `student.${n}@students.example.edu` },
        ...{ firstName: `First${n % 997}`, lastName: `Last${n % 7919}`, kind: 'student', year: n % 5 },
        ...{ status: 'active', attributes: {} },
      },
      course: isPerson ? null : courseOf(n),
      ...{ changed: [], before: null, emailConfirmed: true },
    };
  });
}

function courseOf(n: number): CourseName {
  const department = n % 40;
  return {
    faculty: 'Faculty of Engineering',
    department: `Department ${department}`,
    course: `Course ${department}-${n % 400}, Advanced`,
  };
}

/** The same items as they stand in a queue. */
export function queuedItems(items: readonly DeliveryItem[]): OutboxItem[] {
  return items.map((delivery, at) => ({
    ...{ item: delivery.item, seq: at + 1, target: targetName, plan: 'plan-of-the-bench', type: delivery.type },
    ...{ person: delivery.account!.account, status: 'queued', attempts: 0, answer: null, because: null, trail: [] },
    delivery,
  }));
}
