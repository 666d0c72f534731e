import { z } from 'zod';
import type { FieldMap } from '../../../configure/config.ts';
import { readColumn } from '../../../configure/map.ts';
import { sameName } from '../../../connector/passwords.ts';
import { column, type FormatDeclaration, must, oneOf } from './declaration.ts';

const name = (fallback: string) => readColumn.default(fallback).describe('the column that has it');
const optional = readColumn.optional().describe('the column that has it, if one does');

/** Roles as Cloudwork lists them, and those of people who work. */
const roles = ['Teacher', 'Student', 'Alum', 'Staff', 'Employee', 'Parent'];
const staffRoles = ['Teacher', 'Staff', 'Employee'];

const columns = {
  username: name('Username'),
  firstName: name('Firstname'),
  lastName: name('Lastname'),
  email: name('Email'),
  secondaryEmail: optional,
  sisId: optional,
  role: optional,
  recoveryEmail: optional,
  recoveryPhone: optional,
  form: optional,
};

const options = z
  .strictObject({
    ...columns,
    password: z
      .string()
      .min(1)
      .optional()
      .describe('the column that has passwords, where its name does not say so: it is never read, stored or logged'),
    roles: z
      .array(z.string().min(1))
      .min(1)
      .default(roles)
      .describe('the roles there are, in any letter case; a row with another one goes to quarantine'),
    staffRoles: z
      .array(z.string().min(1))
      .optional()
      .describe('of these roles, those of staff; default: Teacher, Staff and Employee. All others are students'),
    usernames: z
      .string()
      .default('[^\\s@,;:"<>]+(@[^\\s@,;:"<>]+)?')
      .superRefine((text, context) => {
        try {
          new RegExp(text, 'u');
        } catch (error) {
          context.addIssue({ code: 'custom', message: (error as Error).message });
        }
      })
      .describe('a regular expression that usernames match as a whole'),
  })
  .superRefine(({ password, ...named }, context) => {
    const isRole = (role: string): boolean => named.roles.some((one) => one.toLowerCase() === role.toLowerCase());
    for (const [at, role] of (named.staffRoles ?? []).entries())
      if (!isRole(role)) context.addIssue({ code: 'custom', path: ['staffRoles', at], message: 'is not among roles' });
    if (password === undefined) return;
    for (const field of Object.keys(columns) as (keyof typeof columns)[]) {
      const from = named[field];
      if (from !== undefined && sameName(from, password))
        context.addIssue({ code: 'custom', path: ['password'], message: `is the column that ${field} names` });
    }
  });

/**
 * The CSV of Cloudwork's upload profile: columns go by configured names, and what nothing maps becomes a custom attribute.
 * Creating somebody needs username, e-mail and both names; whoever only updates sends the username and what changes (a
 * delta to a push source, or a source with `role: directory`).
 */
export const cloudworkUpload: FormatDeclaration<z.output<typeof options>> = {
  name: 'cloudwork-upload',
  description: 'Cloudwork’s upload: mapped columns, the others as custom attributes',
  options,
  declare(named) {
    const { username, firstName, lastName, email, role, password } = named;
    const attributes = ['secondaryEmail', 'sisId', 'recoveryEmail', 'recoveryPhone', 'form'] as const;
    const given = attributes.flatMap((field) => {
      const from = named[field];
      const more = /Email$/.test(field) ? { form: must(address, 'is not an address') } : {};
      return from === undefined ? [] : [[`attributes.${field}`, column(from, more)] as const];
    });
    const known = [username, firstName, lastName, email, role, ...given.map(([, { columns }]) => columns[0]!)];
    const fields: FieldMap = {
      id: column(username, { required: true, form: must(named.usernames, 'is no valid username') }),
      firstName: column(firstName),
      lastName: column(lastName),
      email: column(email),
      ...(role === undefined ? {} : roleFields(role, named.roles, named.staffRoles ?? staffRoles)),
      ...Object.fromEntries(given),
    };
    return {
      columns: {
        required: [username],
        optional: known.filter((from) => from !== undefined && from !== username) as string[],
        ...(password === undefined ? {} : { secret: [password] }),
        exact: false,
      },
      fields,
      rest: true,
    };
  },
};

/** The shape of an address; the main one is held to stricter rules, as everywhere. */
const address = '[^\\s@,;:"<>()]+@[^\\s@,;:"<>()]+\\.[^\\s@,;:"<>()]+';

/**
 * Staff get numbers of their own series, and keep the number that they got first. So a role that nobody knows is no
 * reason to take somebody for a student; only who has none at all is one, as everybody is where no column has roles.
 */
function roleFields(role: string, roles: readonly string[], staff: readonly string[]): FieldMap {
  const list = oneOf(roles, { called: 'role' });
  const values = Object.fromEntries(staff.map((one) => [one, 'staff']));
  return {
    kind: column(role, { list, values, otherwise: 'student', anyCase: true }),
    'attributes.role': column(role, { list, anyCase: true }),
  };
}
