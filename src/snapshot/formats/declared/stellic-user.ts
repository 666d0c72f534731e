import { z } from 'zod';
import { configuredList } from '../../../configure/map.ts';
import { all, column, constant, type FormatDeclaration, firstOf, oneOf } from './declaration.ts';

const options = z.strictObject({
  id: z.enum(['username', 'user_id']).default('username').describe('the column that is the id; usernames persist'),
  types: z.array(z.string().min(1)).default([]).describe('types there are beside instructor, advisor and admin'),
  instructorAccounts: z
    .boolean()
    .default(false)
    .describe('true: people who are instructors and nothing else get accounts as well'),
  activation: z
    .enum(['at-once', 'later'])
    .default('at-once')
    .describe('later: accounts carry the attribute activated: false until this is at-once'),
  campuses: configuredList.optional(),
  schools: configuredList.optional(),
  departments: configuredList.optional(),
  groups: configuredList.optional(),
});

/**
 * The user feed of Stellic (`user.csv`): people who are not students, without courses. Its field table has six required
 * columns; lists are delimited by bars; the four foreign keys are held against the lists of the configuration. Somebody who
 * is an instructor and nothing else is there for names in schedules, and gets no account unless the site says so. Stellic
 * takes a user without an address as well; here an account is told by it, and such a row waits in quarantine until it has one.
 */
export const stellicUser: FormatDeclaration<z.output<typeof options>> = {
  name: 'stellic-user',
  description: 'Stellic’s user feed, user.csv: staff, advisors and instructors',
  options,
  declare: ({ id, types, instructorAccounts, activation, campuses, schools, departments, groups }) => ({
    columns: {
      required: ['username', 'user_id', 'email', 'types', 'first_name', 'last_name'],
      optional: ['preferred_first_name', 'campus_id', 'title', 'school_ids', 'department_ids', 'group_names'],
      exact: true,
    },
    fields: {
      id: column(id, { required: true }),
      email: column('email', {
        blank: 'Stellic takes a user without one, an account here does not; have user.csv give it',
      }),
      firstName: firstOf('preferred_first_name', 'first_name'),
      lastName: column('last_name'),
      kind: constant('staff'),
      ...(instructorAccounts
        ? {}
        : {
            provision: column('types', {
              ...{ list: all('|'), values: { instructor: 'no' }, otherwise: 'yes', anyCase: true },
            }),
          }),
      'attributes.username': column('username', { required: true }),
      'attributes.userId': column('user_id'),
      'attributes.types': column('types', {
        required: true,
        anyCase: true,
        list: all('|', { allowed: ['instructor', 'advisor', 'admin', ...types], unknown: 'remark' }),
      }),
      'attributes.campus': column('campus_id', campuses ? { list: oneOf(campuses) } : {}),
      'attributes.title': column('title'),
      'attributes.schools': column('school_ids', { list: all('|', { allowed: schools ?? null }) }),
      'attributes.departments': column('department_ids', { list: all('|', { allowed: departments ?? null }) }),
      'attributes.groups': column('group_names', { list: all('|', { allowed: groups ?? null }) }),
      ...(activation === 'later' ? { 'attributes.activated': constant('false') } : {}),
    },
    rest: false,
  }),
};
