import { createHash } from 'node:crypto';
import { type CourseName, courseKey, courseTitle, type DeliveryItem } from '../../src/connector/target.ts';
import type { CanvasSettings } from './schema.ts';

/**
 * The CSV files of one import (Canvas SIS CSV format). Canvas tells a file's type by its headers, so a column may only
 * be added with the table of header tests at hand: a courses file with `term_id` and `name` would be read as terms.
 */
const columns = {
  'users.csv': ['user_id', 'integration_id', 'login_id', 'first_name', 'last_name', 'email', 'status'],
  'courses.csv': ['course_id', 'short_name', 'long_name', 'status'],
  'enrollments.csv': ['course_id', 'user_id', 'role', 'status'],
} as const;

/** Name of a file of an import. */
export type FileName = keyof typeof columns;

/** One line of a file and the items that depend on it. */
export interface Row {
  cells: readonly string[];
  /** What identifies the row in a message that names no row number. */
  ids: readonly string[];
  items: string[];
}

/** Rows by file; row number n of Canvas is index n - 2, because the header is row 1. */
export type Sheets = Record<FileName, Row[]>;

/** Turns the items into rows: account changes to users, course changes to courses, enrolments to both of the others. */
export function buildSheets(items: readonly DeliveryItem[], settings: CanvasSettings): Sheets {
  const sheets: Sheets = { 'users.csv': [], 'courses.csv': [], 'enrollments.csv': [] };
  const courses = new Map<string, Row>();
  const courseRow = (item: DeliveryItem, status: 'active' | 'completed'): void => {
    const name = item.course!;
    const id = courseId(name);
    const cells = [id, shorten(name.course), shorten(courseTitle(name)), status];
    const row = courses.get(id);
    // The later change of the outbox has the last word on a course.
    if (row) Object.assign(row, { cells }).items.push(item.item);
    else courses.set(id, { cells, ids: [id], items: [item.item] });
  };
  for (const item of items) {
    const { account, course } = item;
    if (item.type === 'course.create') courseRow(item, 'active');
    else if (item.type === 'course.archive') courseRow(item, 'completed');
    else if (course === null) sheets['users.csv'].push(userRow(item, settings));
    else {
      const add = item.type === 'enrolment.add';
      // Only an added enrolment needs its course: `active` would also bring a concluded course back.
      if (add && settings.courses === 'ensure') courseRow(item, 'active');
      const role = account!.kind === 'staff' ? 'teacher' : settings.role;
      const ids = [courseId(course), account!.account];
      sheets['enrollments.csv'].push({ cells: [...ids, role, add ? 'active' : 'deleted'], ids, items: [item.item] });
    }
  }
  sheets['courses.csv'] = [...courses.values()];
  return sheets;
}

/**
 * The account number is the SIS ID: it never changes and is never reused, so an e-mail change is an update. A blank
 * integration_id leaves the one in Canvas as it is.
 */
function userRow(item: DeliveryItem, settings: CanvasSettings): Row {
  const person = item.account!;
  const status = person.status === 'active' ? 'active' : settings.userStatusOnDisable;
  const { account, id, email, firstName, lastName } = person;
  return {
    cells: [account, id ?? '', email, firstName, lastName, email, status],
    ids: [account],
    items: [item.item],
  };
}

/** Files that have rows, as CSV text by name. */
export function toFiles(sheets: Sheets): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, rows] of Object.entries(sheets))
    if (rows.length > 0) files[name] = toCsv([columns[name as FileName], ...rows.map((row) => row.cells)]);
  return files;
}

/** CSV with every cell quoted, so that commas, quotes and line ends inside names are of no concern (RFC 4180). */
export function toCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((cells) => `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')}\n`).join('');
}

/**
 * A course's SIS ID: a readable part for people, and twelve hex digits of the exact three names that keep apart what
 * reads alike. At most 64 characters; the end of a long readable part is kept, because the course comes last.
 */
export function courseId(name: CourseName): string {
  const digest = createHash('sha256').update(courseKey(name)).digest('hex').slice(0, 12);
  const readable = `${name.faculty} ${name.department} ${name.course}`
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
  const points = [...text];
  return points.length <= 255 ? text : `${points.slice(0, 254).join('')}…`;
}
