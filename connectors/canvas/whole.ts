import { type CourseName, courseKey, type RosterView } from '../../src/connector/target.ts';
import { type Written, writing } from './csv-files.ts';
import {
  accountRows,
  type Cells,
  courseRow,
  enrolmentRow,
  type FileName,
  keyOf,
  sectionRow,
  termRow,
  userRow,
} from './layout.ts';
import type { CanvasSettings } from './schema.ts';
import type { Row, Sheets } from './sheets.ts';

/** A roster that has been written down. */
export interface Whole {
  /** Paths by name; in `mode: full` each configured file is there, if only with its header. */
  files: Written[];
  people: number;
  /** For rows that items depend on: file and row number as Canvas counts it, where the files hold the row. */
  at: ReadonlyMap<string, Row>;
}

/** How a row is known by file and number. */
export function placeOf(file: FileName, row: number): string {
  return `${file}:${row}`;
}

/**
 * Writes the whole roster as files into the directory. `sheets` are the rows of the items. A removal among them that the
 * roster bears out is written down as well, in place of leaving it to the comparison: so it happens also where Canvas does
 * not compare (a threshold, a remaster), and nobody else's does. What items say otherwise than the roster is passed over:
 * the roster is later.
 */
export async function writeWhole(
  roster: RosterView,
  dir: string,
  sheets: Sheets,
  settings: CanvasSettings,
): Promise<Whole> {
  const at = new Map<string, Row>();
  const met = new Set<Row>();
  let people = 0;
  const files = await writing(dir, settings, async (create) => {
    const out = async (name: FileName): Promise<(cells: Cells) => void | Promise<void>> => {
      const file = await create(name);
      return (cells) => {
        const row = sheets[name].get(keyOf(name, cells));
        if (row) {
          at.set(placeOf(name, file.next), row);
          met.add(row);
        }
        return file.add(cells);
      };
    };
    const enrolled = new Map<string, CourseName>();
    const news = new Map<string, Cells>();
    const user = await out('users.csv');
    const enrolment = await out('enrollments.csv');
    for await (const { account, enrolments } of roster.people()) {
      people += 1;
      const cells = userRow(account, settings);
      if (sheets['users.csv'].has(account.account)) news.set(account.account, cells);
      else await user(cells);
      for (const name of enrolments) {
        enrolled.set(courseKey(name), name);
        await enrolment(enrolmentRow(name, account.account, account.kind, 'active', settings));
      }
    }
    // In the order of the changes: one may take the address that another has given up.
    for (const account of sheets['users.csv'].keys()) {
      const cells = news.get(account);
      if (cells) await user(cells);
    }
    for (const row of sheets['enrollments.csv'].values())
      if (row.cells.at(-1) !== 'active' && !met.has(row)) await enrolment(row.cells);

    const courses = await coursesOf(roster, enrolled, sheets, settings);
    await structure(courses, enrolled, sheets, settings, out);
  });
  return { files, people, at };
}

/** The rows of courses.csv: all that people are in or may be in, and the archived ones, by `courseKey`. */
async function coursesOf(
  roster: RosterView,
  enrolled: ReadonlyMap<string, CourseName>,
  sheets: Sheets,
  settings: CanvasSettings,
): Promise<Map<string, { name: CourseName; status: 'active' | 'completed' }>> {
  const rows = new Map<string, { name: CourseName; status: 'active' | 'completed' }>();
  const ensure = settings.courses === 'ensure';
  if (ensure) for (const [key, name] of enrolled) rows.set(key, { name, status: 'active' });
  for await (const { status, ...name } of roster.courses()) {
    const made = sheets['courses.csv'].has(courseRow(name, 'active', settings)[0]!);
    if (status === 'archived') rows.set(courseKey(name), { name, status: 'completed' });
    else if ((ensure && status === 'enrolled') || made) rows.set(courseKey(name), { name, status: 'active' });
  }
  return rows;
}

/** Terms, sub-accounts, courses and sections, as far as the settings want them. */
async function structure(
  courses: ReadonlyMap<string, { name: CourseName; status: 'active' | 'completed' }>,
  enrolled: ReadonlyMap<string, CourseName>,
  sheets: Sheets,
  settings: CanvasSettings,
  out: (name: FileName) => Promise<(cells: Cells) => void | Promise<void>>,
): Promise<void> {
  if (settings.term) await (await out('terms.csv'))(termRow(settings.term));
  if (settings.accounts !== 'none') {
    const account = await out('accounts.csv');
    const written = new Set<string>();
    for (const { name } of courses.values())
      for (const cells of accountRows(name, settings)) {
        if (written.has(cells[0]!)) continue;
        written.add(cells[0]!);
        await account(cells);
      }
  }
  const course = await out('courses.csv');
  for (const { name, status } of courses.values()) await course(courseRow(name, status, settings));
  if (settings.sections === 'none') return;
  const section = await out('sections.csv');
  const rows = [
    ...[...enrolled.values()].map(sectionRow),
    ...[...sheets['sections.csv'].values()].map(({ cells }) => cells),
  ];
  for (const cells of new Map(rows.map((row) => [row[0], row])).values()) await section(cells);
}
