/**
 * The columns of a OneRoster source, REST or CSV: one row for each enrolment of a user in a class, and one with blank
 * class columns for a user without any. Columns with several values (`role`, `grades`, `term.title`) join them.
 */
export const oneRosterColumns = [
  'sourcedId',
  'username',
  'identifier',
  'email',
  'givenName',
  'familyName',
  'middleName',
  'preferredFirstName',
  'role',
  'enabledUser',
  'grades',
  'status',
  'class.sourcedId',
  'class.title',
  'class.code',
  'course.sourcedId',
  'course.title',
  'course.code',
  'school.sourcedId',
  'school.name',
  'department.sourcedId',
  'department.name',
  'term.title',
  'enrolment.role',
  'enrolment.primary',
  'enrolment.beginDate',
  'enrolment.endDate',
] as const;

/** One of them. */
export type OneRosterColumn = (typeof oneRosterColumns)[number];
