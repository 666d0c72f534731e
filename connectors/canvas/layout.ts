import { createHash } from 'node:crypto';
import { type AccountFacts, type CourseName, courseKey, courseTitle } from '../../src/connector/target.ts';
import type { CanvasSettings } from './schema.ts';

/**
 * The CSV files of an import (Canvas SIS CSV format). Canvas tells a file's type by its headers, in the order of its
 * importers, so a column may only be added with the table of header tests at hand: a courses file with `term_id` and
 * `name` would be read as terms. A column that stays blank leaves what Canvas has. It is there all the same where its
 * absence would be another header: Canvas compares no files whose headers differ.
 */
const columns = {
  'accounts.csv': ['account_id', 'parent_account_id', 'name', 'status'],
  'terms.csv': ['term_id', 'name', 'status'],
  'courses.csv': ['course_id', 'short_name', 'long_name', 'account_id', 'term_id', 'status'],
  'sections.csv': ['section_id', 'course_id', 'name', 'status'],
  'users.csv': ['user_id', 'integration_id', 'login_id', 'first_name', 'last_name', 'email', 'status'],
  'enrollments.csv': ['course_id', 'section_id', 'user_id', 'role', 'status'],
} as const;

/** Name of a file of an import; in the order in which Canvas works on them. */
export type FileName = keyof typeof columns;

/** All of them. */
export const fileNames = Object.keys(columns) as FileName[];

/** How many cells at the beginning of a row say which row it is; what Canvas tells rows of two data sets apart by. */
export const identity: Record<FileName, number> = {
  'accounts.csv': 1,
  'terms.csv': 1,
  'courses.csv': 1,
  'sections.csv': 1,
  'users.csv': 1,
  'enrollments.csv': 4,
};

/** A row's cells, in the order of its file's columns. */
export type Cells = readonly string[];

/** Which row of its file it is. */
export function keyOf(file: FileName, cells: Cells): string {
  return cells.slice(0, identity[file]).join('\u001f');
}

/** The header of a file. A blank date clears the one in Canvas, so a term has the columns of the dates that are set. */
export function header(file: FileName, { term }: CanvasSettings): string[] {
  const dates =
    file === 'terms.csv' ? [...(term?.start ? ['start_date'] : []), ...(term?.end ? ['end_date'] : [])] : [];
  return [...columns[file], ...dates];
}

/** The row of the configured term. */
export function termRow(term: NonNullable<CanvasSettings['term']>): Cells {
  return [term.id, shorten(term.name), 'active', ...[term.start, term.end].filter((date) => date !== undefined)];
}

/** The sub-accounts of a course, parents first. */
export function accountRows(name: CourseName, { accounts }: CanvasSettings): Cells[] {
  if (accounts === 'none') return [];
  const faculty = sisId([name.faculty]);
  const rows = [[faculty, '', shorten(name.faculty), 'active']];
  if (accounts === 'departments')
    rows.push([sisId([name.faculty, name.department]), faculty, shorten(name.department), 'active']);
  return rows;
}

/** The row of a course, in the deepest of its sub-accounts. */
export function courseRow(name: CourseName, status: 'active' | 'completed', settings: CanvasSettings): Cells {
  const account = accountRows(name, settings).at(-1)?.[0] ?? '';
  const term = settings.term?.id ?? '';
  return [courseId(name), shorten(name.course), shorten(courseTitle(name)), account, term, status];
}

/** The row of the one section that rosterd makes in a course. */
export function sectionRow(name: CourseName): Cells {
  return [sectionId(name), courseId(name), shorten(name.course), 'active'];
}

/**
 * The row of a person. The account number is the SIS ID: it never changes and is never reused, so an e-mail change is an
 * update. A blank integration_id leaves the one in Canvas. A blank login_id is refused; were the row left out instead, a
 * comparison would suspend the person.
 */
export function userRow(person: AccountFacts, settings: CanvasSettings): Cells {
  const { account, id, email, firstName, lastName } = person;
  const status = person.status === 'active' ? 'active' : settings.userStatusOnDisable;
  const login = settings.login === 'id' ? (id ?? '') : email;
  return [account, id ?? '', login, firstName, lastName, email, status];
}

/** What an enrolment can become. */
export type EnrolmentStatus = 'active' | 'deleted' | 'completed' | 'inactive';

/** The row of an enrolment. Course, section, person and role are what it is: another role is another enrolment. */
export function enrolmentRow(
  name: CourseName,
  account: string,
  kind: AccountFacts['kind'],
  status: EnrolmentStatus,
  { sections, roles }: CanvasSettings,
): Cells {
  const role = kind === 'staff' ? roles.staff : roles.student;
  return [courseId(name), sections === 'course' ? sectionId(name) : '', account, role, status];
}

/** What a removed enrolment becomes. */
export function removedStatus({ mode, removedEnrolments }: CanvasSettings): EnrolmentStatus {
  return removedEnrolments ?? (mode === 'full' ? 'inactive' : 'deleted');
}

/** A line of CSV with every cell quoted, so that commas, quotes and line ends inside names are of no concern (RFC 4180). */
export function csvLine(cells: Cells): string {
  let line = '';
  for (const cell of cells) line += `${line && ','}"${cell.includes('"') ? cell.replaceAll('"', '""') : cell}"`;
  return `${line}\n`;
}

/** Ids made lately: a roster names each course many times. Forgotten all at once, so that they stay few. */
const courseIds = new Map<string, string>();
const mostIds = 20_000;

/** A course's SIS ID. */
export function courseId(name: CourseName): string {
  const key = courseKey(name);
  const known = courseIds.get(key);
  if (known !== undefined) return known;
  if (courseIds.size >= mostIds) courseIds.clear();
  const id = sisId([name.faculty, name.department, name.course]);
  courseIds.set(key, id);
  return id;
}

/** The SIS ID of a course's section. */
export function sectionId(name: CourseName): string {
  return `${courseId(name)}-section`;
}

/**
 * A readable part for people, and twelve hex digits of the exact names that keep apart what reads alike. At most 64
 * characters; the end of a long readable part is kept, because what is most particular comes last.
 */
function sisId(names: readonly string[]): string {
  const digest = createHash('sha256').update(names.join('\u001f')).digest('hex').slice(0, 12);
  const readable = names
    .join(' ')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(-51)
    .replace(/^-+|-+$/g, '');
  return readable ? `${readable}-${digest}` : digest;
}

/** Canvas keeps at most 255 characters of a name. */
function shorten(text: string): string {
  if (text.length <= 255) return text;
  const points = [...text];
  return points.length <= 255 ? text : `${points.slice(0, 254).join('')}…`;
}
