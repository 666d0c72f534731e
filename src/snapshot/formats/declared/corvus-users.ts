import { z } from 'zod';
import type { FieldSource } from '../../../configure/config.ts';
import { all, column, type FormatDeclaration, must, oneOf } from './declaration.ts';

const month = { form: must('[1-9]|1[0-2]', 'is not a month from 1 to 12') };
const calendarYear = { form: must('\\d{4}', 'is not a year of four digits') };
const flag = { form: must('true|false', 'is neither true nor false') };
const whole = { form: must('\\d{1,4}', 'is not a whole number') };
const list = { list: all(null) };
const among = (...allowed: string[]) => ({ list: oneOf(allowed) });

/** Fields of the user that become attributes of the same name. */
const userFields: Readonly<Record<string, Partial<FieldSource>>> = {
  schoolProgram: {},
  degree: {},
  monthOfEntry: month,
  yearOfEntry: calendarYear,
  monthOfGraduation: month,
  yearOfGraduation: calendarYear,
  domain: {},
  userTags: list,
  role: {},
  programId: {},
  name: {},
  middleInitial: {},
  isAffiliatedWithUniversity: flag,
  genderPronoun: {},
  nationalities: list,
  hideProfilePage: flag,
  unsubscribeAllGroupEmails: flag,
  careerInterests: list,
  languages: list,
};

/** Fields of a faculty member's profile. */
const facultyFields: Readonly<Record<string, Partial<FieldSource>>> = {
  highestDegree: {},
  degreeField: {},
  facultyRank: {},
  contentExpertiseTags: list,
  methodsExpertise: list,
  technicalExpertiseTags: list,
  tools: list,
  expertiseNotes: {},
  eligibleProgramIds: list,
  committeeRolesSupported: {
    list: all(null, { allowed: ['chair', 'content_expert', 'methodologist_technical_expert', 'member'] }),
  },
  availabilityStatus: among('available', 'limited', 'unavailable'),
  maxConcurrentCommittees: whole,
  graduateFacultyStatus: flag,
  canServeAsChair: flag,
  isExternal: flag,
  externalOrganization: {},
  leaveUntil: { form: must('\\d{4}-\\d{2}-\\d{2}', 'is not a date such as 2030-12-31') },
  isCommitteeEligible: flag,
};

/** A number of the house: 950 and 951 with seven digits. */
const houseNumber = '95[01]\\d{7}';

const options = z.strictObject({});

/**
 * The field table of Corvus’ user calls, faculty profile included, as JSON objects (`facultyProfile.tools` by dots) or as
 * columns of these names. An external id that is a 950/951 number is that number, any other is the id. Somebody `inactive`
 * gets no account over this row, and loses one that nobody else has a reason for. `customFields` has no fixed names: whatever
 * is in it becomes attributes `customFields.NAME`.
 */
export const corvusUsers: FormatDeclaration<z.output<typeof options>> = {
  name: 'corvus-users',
  description: 'users by Corvus’ field table, faculty profile included',
  options,
  declare: () => {
    const profile = Object.keys(facultyFields).map((field) => `facultyProfile.${field}`);
    return {
      columns: {
        required: ['email', 'firstName', 'lastName', 'accountType'],
        optional: ['accountStatus', 'externalId', ...Object.keys(userFields), ...profile, 'customFields'],
        objects: ['customFields'],
        exact: false,
      },
      fields: {
        number: column('externalId', { form: { pattern: houseNumber, mode: 'only', says: '' } }),
        id: column('externalId', { form: { pattern: houseNumber, mode: 'except', says: '' } }),
        email: column('email'),
        firstName: column('firstName'),
        lastName: column('lastName'),
        kind: column('accountType', {
          required: true,
          list: oneOf(['Student', 'Faculty', 'Staff']),
          values: { Student: 'student', Faculty: 'staff', Staff: 'staff' },
        }),
        provision: column('accountStatus', {
          list: oneOf(['active', 'inactive']),
          values: { active: 'yes', inactive: 'no' },
        }),
        'attributes.accountType': column('accountType'),
        ...attributes(userFields, ''),
        ...attributes(facultyFields, 'facultyProfile.'),
        'attributes.customFields': column('customFields', { object: true }),
      },
      rest: false,
    };
  },
};

function attributes(fields: Readonly<Record<string, Partial<FieldSource>>>, prefix: string) {
  const named = Object.entries(fields).map(([name, more]) => [
    `attributes.${prefix}${name}`,
    column(`${prefix}${name}`, more),
  ]);
  return Object.fromEntries(named) as Record<string, FieldSource>;
}
