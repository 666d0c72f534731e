import { z } from 'zod';
import { column, type FormatDeclaration, firstOf } from './declaration.ts';

const options = z.strictObject({
  id: z.enum(['sourcedId', 'identifier', 'username']).default('sourcedId').describe('the field that is the id'),
  course: z
    .enum(['class', 'course'])
    .default('class')
    .describe('what people are enrolled in: the class, or the course that it is a class of'),
});

/** Roles of people who study; others that are named here work; whoever is neither gets no account. */
const kinds = { student: 'student', guardian: 'student', parent: 'student', relative: 'student' };
const noAccount = { guardian: 'no', parent: 'no', relative: 'no' };

/**
 * OneRoster 1.1 and 1.2, by REST or CSV: one row for each active enrolment of a user in a class, one without a class for
 * users who have none. Schools are faculties; a class without a department belongs to its school.
 */
export const oneRoster: FormatDeclaration<z.output<typeof options>> = {
  name: 'oneroster',
  description: 'OneRoster 1.1 and 1.2: users with their classes',
  options,
  declare: ({ id, course }) => ({
    columns: {
      required: ['sourcedId', 'email', 'givenName', 'familyName', 'role', 'school.name', `${course}.title`],
      optional: [
        ...['identifier', 'username', 'preferredFirstName', 'middleName', 'enabledUser', 'grades', 'status'],
        ...['department.name', 'term.title', 'enrolment.role', `${course}.code`],
      ],
      exact: false,
    },
    fields: {
      id: column(id, { required: true }),
      email: column('email'),
      firstName: firstOf('preferredFirstName', 'givenName'),
      lastName: column('familyName'),
      kind: column('role', { required: true, values: kinds, otherwise: 'staff', anyCase: true }),
      provision: column('role', { values: noAccount, otherwise: 'yes', anyCase: true }),
      faculty: column('school.name'),
      department: firstOf('department.name', 'school.name'),
      course: column(`${course}.title`, { optional: true }),
      'attributes.role': column('role'),
      'attributes.username': column('username'),
      'attributes.grades': column('grades'),
    },
    rest: false,
  }),
};
