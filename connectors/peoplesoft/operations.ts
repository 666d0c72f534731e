import { personChangeTypes } from '../../src/connector/target.ts';
import type { Template } from './template.ts';

/**
 * The operations that are used where the configuration names none. PeopleSoft delivers no public roster API, so these
 * two REST services are rosterd's proposal to a site: `RSTR_PERSON` keeps a person by account, `RSTR_ENRL` an enrolment
 * by account and course code. Both must take the same request twice (a lost answer is followed by a second request).
 */

/** Change types that PeopleSoft takes. */
export const accepted = personChangeTypes;
export type AcceptedType = (typeof accepted)[number];

/** True for a change that takes something away. */
export function removes(type: AcceptedType): boolean {
  return type === 'account.disable' || type === 'enrolment.remove';
}

/** What is sent for a change type that the configuration says nothing about. */
export interface DefaultOperation {
  method: 'POST' | 'PUT';
  path: string;
  body: Template;
}

const connector = '/PSIGW/RESTListeningConnector/{node}';

const person = (action: string): DefaultOperation => ({
  method: 'POST',
  path: `${connector}/RSTR_PERSON.v1/{account}`,
  body: {
    ACTION: action,
    ACCOUNT: '{account}',
    EMPLID: '{id}',
    EMAIL_ADDR: '{email}',
    FIRST_NAME: '{firstName}',
    LAST_NAME: '{lastName}',
    PERSON_KIND: '{kind}',
    STUDY_YEAR: '{year}',
    STATUS: '{status}',
  },
});

const enrolment = (action: string): DefaultOperation => ({
  method: 'POST',
  path: `${connector}/RSTR_ENRL.v1/{account}/{courseCode}`,
  body: {
    ACTION: action,
    ACCOUNT: '{account}',
    EMPLID: '{id}',
    COURSE_CODE: '{courseCode}',
    FACULTY: '{faculty}',
    DEPARTMENT: '{department}',
    COURSE: '{course}',
  },
});

/** One operation for each change type; `path` and `body` are templates. */
export const defaultOperations: Readonly<Record<AcceptedType, DefaultOperation>> = {
  'account.create': person('CREATE'),
  'account.enable': person('ENABLE'),
  'account.update': person('UPDATE'),
  'enrolment.add': enrolment('ADD'),
  'enrolment.remove': enrolment('REMOVE'),
  'account.disable': person('DISABLE'),
};

/** What the probe reads where the configuration names nothing: a GET that changes nothing. */
export const defaultProbe = `${connector}/RSTR_PERSON.v1`;
