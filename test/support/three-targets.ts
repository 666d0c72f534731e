import { createHash } from 'node:crypto';
import { canvas } from '../../connectors/canvas/connector.ts';
import { courseId } from '../../connectors/canvas/layout.ts';
import { canvasStub } from '../../connectors/canvas/stub.ts';
import { peoplesoft } from '../../connectors/peoplesoft/connector.ts';
import { peoplesoftStub } from '../../connectors/peoplesoft/stub.ts';
import { salesforce } from '../../connectors/salesforce/connector.ts';
import { salesforceStub } from '../../connectors/salesforce/stub.ts';
import type { TargetConfig } from '../../src/configure/config.ts';
import { type Stub, startStub } from '../../src/connector/stub.ts';
import {
  type AccountFacts,
  type CourseName,
  courseKey,
  type DeliveryBatch,
  type DeliveryItem,
  type TargetConnector,
} from '../../src/connector/target.ts';

/** The three targets with their stubs, each seen as the same thing: what it holds of whom. */

export type TargetName = 'canvas' | 'salesforce' | 'peoplesoft';
export const targetNames: readonly TargetName[] = ['canvas', 'salesforce', 'peoplesoft'];

/**
 * What a target holds, by subject: an account number, or `account course`. A subject that is not there, and an enrolment
 * that has ended, are none.
 */
export type Holding = Map<string, string>;

/** A change of what a target holds; null: nothing any more. */
export interface Turn {
  subject: string;
  state: string | null;
}

/** What the stubs' states have in common, loosely. */
type Rows = Record<string, string>[];
type State = Record<'users' | 'enrollments' | 'courses' | 'contacts' | 'enrolments' | 'persons' | 'imports', Rows>;

const roles = { student: 'student', staff: 'teacher' };

/** How each target keeps a person and an enrolment, as far as it is compared. */
const kept: Record<
  TargetName,
  {
    person(facts: AccountFacts): string;
    role(facts: AccountFacts): string;
    holding(state: State, name: NameOf): Holding;
  }
> = {
  canvas: {
    person: ({ id, firstName, lastName, email, status }) => [id, `${firstName} ${lastName}`, email, status].join(' | '),
    role: ({ kind }) => roles[kind],
    holding({ users, enrollments }, name) {
      const held: Holding = new Map();
      for (const one of users) {
        const status = one['status'] === 'active' ? 'active' : 'disabled';
        held.set(one['user_id']!, [one['integration_id'], one['name'], one['email'], status].join(' | '));
      }
      for (const one of enrollments) {
        if (one['status'] !== 'active') continue;
        const subject = `${one['user_id']} ${name(one['course_id']!)}`;
        held.set(subject, [...(held.has(subject) ? [held.get(subject)!] : []), one['role']!].sort().join('+'));
      }
      return held;
    },
  },
  salesforce: {
    person: ({ id, firstName, lastName, email, status }) =>
      [id, firstName, lastName, email, status === 'active' ? 'Active' : 'Disabled'].join(' | '),
    role: () => 'Current',
    holding({ contacts, enrolments }) {
      const held: Holding = new Map();
      const names = ['Rosterd_Id__c', 'FirstName', 'LastName', 'Email', 'Rosterd_Status__c'];
      for (const one of contacts) held.set(one['Rosterd_Account__c']!, names.map((name) => one[name]).join(' | '));
      for (const one of enrolments)
        if (one['Rosterd_Status__c'] !== 'Former')
          held.set(`${one['Rosterd_Key__c']!.split(':')[0]} ${one['Rosterd_Course__c']}`, one['Rosterd_Status__c']!);
      return held;
    },
  },
  peoplesoft: {
    person: ({ id, firstName, lastName, email, kind, status }) =>
      [id, firstName, lastName, email, kind, status].join(' | '),
    role: () => 'enrolled',
    holding({ persons, enrolments }) {
      const held: Holding = new Map();
      const names = ['emplid', 'firstName', 'lastName', 'email', 'kind', 'status'];
      for (const one of persons) held.set(one['account']!, names.map((name) => one[name]).join(' | '));
      for (const one of enrolments)
        if (one['status'] !== 'dropped') held.set(`${one['account']} ${one['course']}`, one['status']!);
      return held;
    },
  },
};
type NameOf = (id: string) => string;

/** What a target should hold of a roster. */
export function holdingOf(
  target: TargetName,
  people: Iterable<{ account: AccountFacts; courses: readonly CourseName[] }>,
): Holding {
  const held: Holding = new Map();
  for (const { account, courses } of people) {
    held.set(account.account, kept[target].person(account));
    for (const { course } of courses) held.set(`${account.account} ${course}`, kept[target].role(account));
  }
  return held;
}

/** What an item of the outbox turns at a target. */
export function turnsOf(target: TargetName, { type, account, course, enrolments }: DeliveryItem): Turn[] {
  if (!account) return [];
  const role = kept[target].role(account);
  if (course)
    return [{ subject: `${account.account} ${course.course}`, state: type === 'enrolment.add' ? role : null }];
  return [
    { subject: account.account, state: kept[target].person(account) },
    ...(enrolments ?? []).map((one) => ({ subject: `${account.account} ${one.course}`, state: role })),
  ];
}

/** Ways of the connectors that a test may choose. */
export interface Ways {
  canvas: object;
  salesforce: object;
  peoplesoft: object;
}

/** The three stubs, empty, and what was seen of them. `courses`: all that there are. Secrets are in the variable SECRET. */
export class ThreeTargets {
  readonly stubs: Record<TargetName, Stub>;
  /** What each target was seen to turn, in order; looked at after every delivery of a batch. */
  readonly turns: Record<TargetName, Turn[]> = { canvas: [], salesforce: [], peoplesoft: [] };
  /** In which batch of its target an item was first, from 0. */
  readonly firstTries: Record<TargetName, Map<string, number>> = {
    canvas: new Map(),
    salesforce: new Map(),
    peoplesoft: new Map(),
  };
  readonly #batches: Record<TargetName, number> = { canvas: 0, salesforce: 0, peoplesoft: 0 };
  readonly #last: Record<TargetName, Holding> = { canvas: new Map(), salesforce: new Map(), peoplesoft: new Map() };
  readonly #names: ReadonlyMap<string, string>;
  readonly #codes: ReadonlyMap<string, string>;

  private constructor(stubs: Record<TargetName, Stub>, courses: readonly CourseName[]) {
    this.stubs = stubs;
    this.#names = new Map(courses.map((one) => [courseId(one), one.course]));
    this.#codes = new Map(
      courses.map((one) => [createHash('sha256').update(courseKey(one)).digest('hex').slice(0, 16), one.course]),
    );
  }

  static async start(courses: readonly CourseName[]): Promise<ThreeTargets> {
    const [one, two, three] = await Promise.all([canvasStub, salesforceStub, peoplesoftStub].map((s) => startStub(s)));
    return new ThreeTargets({ canvas: one!, salesforce: two!, peoplesoft: three! }, courses);
  }

  /** The targets of a configuration as a new process reads it. */
  config(ways: Ways): TargetConfig[] {
    const secret = { env: 'SECRET' };
    const login: Ways = {
      canvas: { token: secret },
      salesforce: { clientId: 'rosterd', clientSecret: secret },
      peoplesoft: { auth: { username: 'ROSTERD', password: secret } },
    };
    const connectors = { canvas, salesforce, peoplesoft } as unknown as Record<TargetName, TargetConnector>;
    return targetNames.map((name) => ({
      ...{ name, enabled: true, rate: null, giveUpAfter: 1000 },
      connector: this.#watched(name, connectors[name]),
      settings: connectors[name].settings.parse({ url: this.stubs[name].url, ...login[name], ...ways[name] }),
    }));
  }

  /** What a target holds now. */
  holding(name: TargetName): Holding {
    return kept[name].holding(this.stubs[name].state() as State, (id) => this.#names.get(id) ?? id);
  }

  /** Everybody who may signs in to Canvas. */
  async signIn(): Promise<void> {
    const { users } = this.stubs.canvas.state() as State;
    const ids = users.filter(({ status }) => status === 'active').map(({ user_id: id }) => id);
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ users: ids });
    await fetch(`${this.stubs.canvas.url}/_stub/sign-in`, { method: 'POST', headers, body });
  }

  /** Who is signed in to Canvas and could not sign in any more. */
  leftSignedIn(): string[] {
    const { users, signed_in: signedIn } = this.stubs.canvas.state() as State & { signed_in: string[] };
    const active = new Set(users.filter(({ status }) => status === 'active').map(({ user_id: id }) => id));
    return signedIn.filter((id) => !active.has(id));
  }

  /** The courses of Canvas that are not archived. */
  coursesOfCanvas(): string[] {
    const { courses } = this.stubs.canvas.state() as State;
    return courses
      .filter((one) => one['workflow_state'] !== 'completed')
      .map((one) => this.#names.get(one['course_id']!) ?? one['course_id']!)
      .sort();
  }

  /** Every single write of PeopleSoft, in order, as turns; the state of a person is the status with the last name. */
  writesOfPeoplesoft(): Turn[] {
    const { effects } = this.stubs.peoplesoft.state() as { effects: string[] };
    return effects.map((effect) => {
      const [account, what, rest] = effect.split(' ') as [string, string, string];
      if (what !== 'ADD' && what !== 'REMOVE') return { subject: account, state: `${what} ${rest}` };
      return { subject: `${account} ${this.#codes.get(rest) ?? rest}`, state: what === 'ADD' ? 'enrolled' : null };
    });
  }

  #watched(name: TargetName, connector: TargetConnector): TargetConnector {
    return {
      ...connector,
      open: async (settings, context) => {
        const session = await connector.open(settings, context);
        const look = <T>(items: DeliveryBatch, answer: Promise<T>): Promise<T> => {
          for (const { item } of items)
            if (!this.firstTries[name].has(item)) this.firstTries[name].set(item, this.#batches[name]);
          this.#batches[name] += 1;
          return answer.finally(() => this.#look(name));
        };
        return {
          deliver: (items) => look(items, session.deliver(items)),
          ...(session.deliverRoster && {
            deliverRoster: (...given: Parameters<NonNullable<typeof session.deliverRoster>>) =>
              look(given[1], session.deliverRoster!(...given)),
          }),
          close: () => session.close(),
        };
      },
    };
  }

  #look(name: TargetName): void {
    const { imports } = this.stubs[name].state() as State;
    // half of an import is a state that nobody asked for
    if (imports?.some((one) => !/^(imported|failed|aborted)/.test(one['workflow_state']!))) return;
    const [last, now] = [this.#last[name], this.holding(name)];
    for (const subject of new Set([...last.keys(), ...now.keys()]))
      if (last.get(subject) !== now.get(subject)) this.turns[name].push({ subject, state: now.get(subject) ?? null });
    this.#last[name] = now;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.stubs).map((stub) => stub.close()));
  }
}
