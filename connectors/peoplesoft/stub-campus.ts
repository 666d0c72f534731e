import { z } from 'zod';

/** The campus behind the stub: persons and enrolments, kept by two services with the checks of component interfaces. */

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
});

const enrolmentBody = z.strictObject({
  ACTION: z.enum(['ADD', 'REMOVE']),
  ACCOUNT: z.string(),
  EMPLID: z.string().nullable().default(null),
  COURSE_CODE: z.string().min(1),
  FACULTY: z.string().min(1),
  DEPARTMENT: z.string().min(1),
  COURSE: z.string().min(1),
});

function message(MessageSetNumber: number, MessageNumber: number, text: string): CiMessage {
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

  /** Keeps a person. CREATE of one that is there sets it again: a request whose answer was lost comes twice. */
  person(account: string, body: unknown): CiAnswer {
    const parsed = personBody.safeParse(body);
    if (!parsed.success) return invalid('RSTR_PERSON', parsed.error);
    const given = parsed.data;
    if (given.ACCOUNT !== account)
      return [message(91, 37, 'Key in the path and key in the body differ. {RSTR_PERSON}')];
    if (given.ACTION !== 'CREATE' && !this.persons.has(account))
      return [message(91, 50, 'No rows exist for the specified keys. {RSTR_PERSON}')];
    this.persons.set(account, {
      account,
      emplid: given.EMPLID,
      email: given.EMAIL_ADDR,
      firstName: given.FIRST_NAME,
      lastName: given.LAST_NAME,
      kind: given.PERSON_KIND,
      year: given.STUDY_YEAR,
      status: given.STATUS,
    });
    return [];
  }

  /** Keeps an enrolment. A removed one stays as `dropped`; removing what is not there changes nothing. */
  enrolment(account: string, courseCode: string, body: unknown): CiAnswer {
    const parsed = enrolmentBody.safeParse(body);
    if (!parsed.success) return invalid('RSTR_ENRL', parsed.error);
    const given = parsed.data;
    if (given.ACCOUNT !== account || given.COURSE_CODE !== courseCode)
      return [message(91, 37, 'Key in the path and key in the body differ. {RSTR_ENRL}')];
    if (!this.persons.has(account)) return [message(91, 50, 'No rows exist for the specified keys. {RSTR_PERSON}')];
    const key = `${account}/${courseCode}`;
    if (given.ACTION === 'REMOVE') {
      const existing = this.enrolments.get(key);
      if (existing) existing.status = 'dropped';
      return [];
    }
    this.enrolments.set(key, {
      account,
      courseCode,
      faculty: given.FACULTY,
      department: given.DEPARTMENT,
      course: given.COURSE,
      status: 'enrolled',
    });
    return [];
  }
}

function invalid(component: string, error: z.ZodError): CiAnswer {
  return error.issues.map((issue) => {
    const property = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.');
    return message(91, 34, `Invalid value or property. {${component}.${property || 'body'}}`);
  });
}
