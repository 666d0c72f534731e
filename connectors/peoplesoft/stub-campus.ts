import { z } from 'zod';

/**
 * The campus behind the stub: persons and enrolments. They are written by two REST services, by component interfaces of the
 * same names, and by messages; all with the checks of component interfaces. Names and properties are the stub's own: what
 * PeopleSoft delivers for this is not public.
 */

/** One message of a component interface, in the names of the documented Error-Warning. */
export interface CiMessage {
  Type: 'Error';
  MessageSetNumber: number;
  MessageNumber: number;
  MessageText: string;
}

/** What a service answers: nothing to say, or why it refuses. */
export type CiAnswer = CiMessage[];

/** A person as the campus keeps it. */
export interface Person {
  account: string;
  emplid: string | null;
  email: string;
  firstName: string;
  lastName: string;
  kind: string | null;
  year: number | null;
  status: string;
  /** Of the row that counts today, where rows are effective-dated. */
  effdt?: string;
}

/** One person in one course; dropped ones stay. */
export interface Enrolment {
  account: string;
  courseCode: string;
  faculty: string;
  department: string;
  course: string;
  status: 'enrolled' | 'dropped';
}

const personBody = z.strictObject({
  ACTION: z.enum(['CREATE', 'UPDATE', 'ENABLE', 'DISABLE']),
  ACCOUNT: z.string().regex(/^95[01]\d{7}$/),
  EMPLID: z.string().nullable().default(null),
  EMAIL_ADDR: z.string().regex(/@/),
  FIRST_NAME: z.string(),
  LAST_NAME: z.string().min(1),
  PERSON_KIND: z.string().nullable().default(null),
  STUDY_YEAR: z.number().int().nullable().default(null),
  STATUS: z.enum(['active', 'disabled']),
  EFFDT: z.iso.date().optional(),
});
type PersonBody = z.infer<typeof personBody>;

const enrolmentBody = z.strictObject({
  ACTION: z.enum(['ADD', 'REMOVE']),
  ACCOUNT: z.string(),
  EMPLID: z.string().nullable().default(null),
  COURSE_CODE: z.string().min(1),
  FACULTY: z.string().min(1),
  DEPARTMENT: z.string().min(1),
  COURSE: z.string().min(1),
});
type EnrolmentBody = z.infer<typeof enrolmentBody>;

/** What a component interface has: keys, and properties that must be there. */
export const components = {
  RSTR_PERSON: {
    keys: ['ACCOUNT'],
    required: ['EMAIL_ADDR', 'LAST_NAME', 'STATUS'],
    optional: ['EMPLID', 'FIRST_NAME', 'PERSON_KIND', 'STUDY_YEAR', 'EFFDT'],
  },
  RSTR_ENRL: {
    keys: ['ACCOUNT', 'COURSE_CODE'],
    required: ['FACULTY', 'DEPARTMENT', 'COURSE', 'STATUS'],
    optional: ['EMPLID'],
  },
} as const;
/** Name of a component interface that the stub has. */
export type ComponentName = keyof typeof components;
/** What may be done with a component interface. */
export type CiAction = 'CREATE' | 'UPDATE' | 'UPDATEDATA';

/** A message as component interfaces word them, with its numbers behind it. */
export function message(MessageSetNumber: number, MessageNumber: number, text: string): CiMessage {
  return {
    Type: 'Error',
    MessageSetNumber,
    MessageNumber,
    MessageText: `${text} (${MessageSetNumber},${MessageNumber})`,
  };
}

/** What the stub knows: people by account, enrolments by account and course. */
export class Campus {
  readonly persons = new Map<string, Person>();
  readonly enrolments = new Map<string, Enrolment>();
  /** Effective-dated rows of a person, by date. */
  readonly rows = new Map<string, Map<string, Person>>();
  /** Everything that had an effect, in order. */
  readonly effects: string[] = [];

  /** Keeps a person. CREATE of one that is there sets it again: a request whose answer was lost comes twice. */
  person(account: string, body: unknown): CiAnswer {
    const parsed = personBody.safeParse(body);
    if (!parsed.success) return invalid('RSTR_PERSON', parsed.error);
    const given = parsed.data;
    if (given.ACCOUNT !== account)
      return [message(91, 37, 'Key in the path and key in the body differ. {RSTR_PERSON}')];
    if (given.ACTION !== 'CREATE' && !this.persons.has(account)) return noRows('RSTR_PERSON');
    this.#keepPerson(given);
    return [];
  }

  /** Keeps an enrolment. A removed one stays as `dropped`; removing what is not there changes nothing. */
  enrolment(account: string, courseCode: string, body: unknown): CiAnswer {
    const parsed = enrolmentBody.safeParse(body);
    if (!parsed.success) return invalid('RSTR_ENRL', parsed.error);
    const given = parsed.data;
    if (given.ACCOUNT !== account || given.COURSE_CODE !== courseCode)
      return [message(91, 37, 'Key in the path and key in the body differ. {RSTR_ENRL}')];
    if (!this.persons.has(account)) return noRows('RSTR_PERSON');
    this.#keepEnrolment(given);
    return [];
  }

  /** Writes by a component interface: an unknown property, a missing key and a row that is there already are refused. */
  component(name: ComponentName, action: CiAction, given: Readonly<Record<string, unknown>>): CiAnswer {
    const { keys, required, optional } = components[name];
    const known: readonly string[] = [...keys, ...required, ...optional];
    for (const property of Object.keys(given))
      if (!known.includes(property)) return [message(91, 34, `Invalid property. {${name}.${property}}`)];
    for (const key of keys)
      if (blank(given[key])) return [message(91, 36, `Required key is missing. {${name}.${key}}`)];
    const { STATUS, ...rest } = given;
    const account = String(given['ACCOUNT']);
    if (name === 'RSTR_PERSON') {
      const existing = this.persons.get(account);
      if (action === 'CREATE' && existing) return rowExists(name);
      if (action !== 'CREATE' && !existing) return noRows(name);
      const before = existing ? propertiesOf(existing) : {};
      const status =
        STATUS === undefined ? {} : { STATUS: STATUS === 'A' ? 'active' : STATUS === 'I' ? 'disabled' : STATUS };
      const parsed = personBody.safeParse({
        FIRST_NAME: '',
        ...before,
        ...nullable(rest),
        ...status,
        ACTION: action === 'CREATE' ? 'CREATE' : 'UPDATE',
      });
      if (!parsed.success) return invalid(name, parsed.error);
      this.#keepPerson(parsed.data);
      return [];
    }
    if (!this.persons.has(account)) return noRows('RSTR_PERSON');
    const exists = this.enrolments.get(`${account}/${given['COURSE_CODE']}`);
    if (action === 'CREATE' && exists?.status === 'enrolled') return rowExists(name);
    if (action !== 'CREATE' && !exists) return noRows(name);
    const parsed = enrolmentBody.safeParse({ ...nullable(rest), ACTION: STATUS === 'I' ? 'REMOVE' : 'ADD' });
    if (!parsed.success) return invalid(name, parsed.error);
    this.#keepEnrolment(parsed.data);
    return [];
  }

  #keepPerson(given: PersonBody): void {
    const person: Person = {
      account: given.ACCOUNT,
      emplid: given.EMPLID,
      email: given.EMAIL_ADDR,
      firstName: given.FIRST_NAME,
      lastName: given.LAST_NAME,
      kind: given.PERSON_KIND,
      year: given.STUDY_YEAR,
      status: given.STATUS,
      ...(given.EFFDT === undefined ? {} : { effdt: given.EFFDT }),
    };
    this.effects.push(`${given.ACCOUNT} ${given.STATUS} ${given.LAST_NAME}`);
    if (given.EFFDT === undefined) {
      this.persons.set(given.ACCOUNT, person);
      return;
    }
    const rows = this.rows.get(given.ACCOUNT) ?? new Map<string, Person>();
    this.rows.set(given.ACCOUNT, rows.set(given.EFFDT, person));
    // the last row that has begun; before any has, the first one that will
    const today = new Date().toISOString().slice(0, 10);
    const dates = [...rows.keys()].sort();
    const current = dates.findLast((date) => date <= today) ?? dates[0]!;
    this.persons.set(given.ACCOUNT, rows.get(current)!);
  }

  #keepEnrolment(given: EnrolmentBody): void {
    const key = `${given.ACCOUNT}/${given.COURSE_CODE}`;
    this.effects.push(`${given.ACCOUNT} ${given.ACTION} ${given.COURSE_CODE}`);
    if (given.ACTION === 'REMOVE') {
      const existing = this.enrolments.get(key);
      if (existing) existing.status = 'dropped';
      return;
    }
    this.enrolments.set(key, {
      account: given.ACCOUNT,
      courseCode: given.COURSE_CODE,
      faculty: given.FACULTY,
      department: given.DEPARTMENT,
      course: given.COURSE,
      status: 'enrolled',
    });
  }
}

/** A person in the properties of RSTR_PERSON. */
export function propertiesOf(person: Person): Record<string, string | number | null> {
  return {
    ACCOUNT: person.account,
    EMPLID: person.emplid,
    EMAIL_ADDR: person.email,
    FIRST_NAME: person.firstName,
    LAST_NAME: person.lastName,
    PERSON_KIND: person.kind,
    STUDY_YEAR: person.year,
    STATUS: person.status,
    ...(person.effdt === undefined ? {} : { EFFDT: person.effdt }),
  };
}

/** Properties as texts, as XML has them: an empty one is none, and the year is a number. */
export function nullable(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(given).map(([name, value]): [string, unknown] => {
    if (!['EMPLID', 'PERSON_KIND', 'STUDY_YEAR'].includes(name)) return [name, value];
    if (blank(value)) return [name, null];
    return [name, name === 'STUDY_YEAR' ? Number(value) : value];
  });
  return Object.fromEntries(entries);
}

function blank(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function noRows(component: string): CiAnswer {
  return [message(91, 50, `No rows exist for the specified keys. {${component}}`)];
}

function rowExists(component: string): CiAnswer {
  return [message(91, 49, `Row already exists with the specified keys. {${component}}`)];
}

function invalid(component: string, error: z.ZodError): CiAnswer {
  return error.issues.map((issue) => {
    const property = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.');
    return message(91, 34, `Invalid value or property. {${component}.${property || 'body'}}`);
  });
}
