import { courses, newCourse } from './courses.ts';
import type { SamplePerson, SampleRow } from './people.ts';

/** Writes people as a student system exports them: byte order mark, CRLF, quotes only where they must be. */

const header = ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'id', 'year'];

/** One record of an export with its line end. */
export interface SampleRecord {
  text: string;
  /** Null for the header, which has the byte order mark before it. */
  person: SamplePerson | null;
}

/** An export of these people. */
export function recordsOf(people: readonly SamplePerson[]): SampleRecord[] {
  const order = new Map(courses.map((course, at) => [course, at]));
  // The new course stands behind the others of its department.
  order.set(newCourse, courses.findLastIndex(({ department }) => department === newCourse.department) + 0.5);
  const rows = people.flatMap((person) => person.rows.map((row) => ({ person, row })));
  rows.sort((a, b) => order.get(a.row.course)! - order.get(b.row.course)! || a.person.serial - b.person.serial);
  return [
    { text: `\ufeff${line(header)}`, person: null },
    ...rows.flatMap(({ person, row }) =>
      Array<SampleRecord>(row.times).fill({ text: line(cellsOf(person, row)), person }),
    ),
  ];
}

function line(cells: readonly string[]): string {
  return `${cells.map(quoted).join(',')}\r\n`;
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function cellsOf(person: SamplePerson, row: SampleRow): string[] {
  const { course, broken } = row;
  const written = (text: string): string => text.normalize(row.decomposed ? 'NFD' : 'NFC');
  const behind = (column: SampleRow['trailing'], space: string): string => (row.trailing === column ? space : '');
  return [
    course.faculty,
    course.department,
    course.course + behind('course', ' '),
    written(person.firstName),
    written(broken?.lastName ?? person.lastName) + behind('lastName', '  '),
    broken?.email ?? inCase(person.email, row.emailCase) + behind('email', ' '),
    person.id,
    broken?.year ?? person.year,
  ];
}

function inCase(email: string, how: SampleRow['emailCase']): string {
  if (how === 'upper') return email.toUpperCase();
  return how === 'title' ? email.replace(/\b[a-z]/g, (letter) => letter.toUpperCase()) : email;
}
