import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type CourseName, courseKey, type RosterView } from '../../src/connector/target.ts';
import {
  accountRows,
  type Cells,
  courseRow,
  csvLine,
  enrolmentRow,
  type FileName,
  fileNames,
  header,
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
  files: { name: FileName; path: string }[];
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
  const outs: Out[] = [];
  const out = async (name: FileName): Promise<(cells: Cells) => void | Promise<void>> => {
    const file = await Out.create(name, join(dir, name), settings);
    outs.push(file);
    return (cells) => {
      const row = sheets[name].get(keyOf(name, cells));
      if (row) {
        at.set(placeOf(name, file.next), row);
        met.add(row);
      }
      return file.add(cells);
    };
  };
  try {
    const enrolled = new Map<string, CourseName>();
    const news = new Map<string, Cells>();
    let people = 0;
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
    return { files: await finish(outs), people, at };
  } catch (error) {
    for (const file of outs) await file.close().catch(() => {});
    throw error;
  }
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

async function finish(outs: readonly Out[]): Promise<Whole['files']> {
  for (const file of outs) await file.close();
  const order = (name: FileName): number => fileNames.indexOf(name);
  return outs.map(({ name, path }) => ({ name, path })).sort((a, b) => order(a.name) - order(b.name));
}

/** A CSV file that is being written. */
class Out {
  readonly name: FileName;
  readonly path: string;
  /** The number that the next row will have. */
  next = 2;
  readonly #handle: FileHandle;
  #lines: string[] = [];
  #size = 0;

  private constructor(name: FileName, path: string, handle: FileHandle) {
    this.name = name;
    this.path = path;
    this.#handle = handle;
  }

  static async create(name: FileName, path: string, settings: CanvasSettings): Promise<Out> {
    const out = new Out(name, path, await open(path, 'w', 0o600));
    out.#push(header(name, settings));
    return out;
  }

  #push(cells: Cells): void {
    const line = csvLine(cells);
    this.#lines.push(line);
    this.#size += line.length;
  }

  /** Waits only now and then, that memory stays flat. */
  add(cells: Cells): void | Promise<void> {
    this.next += 1;
    this.#push(cells);
    if (this.#size >= 256 * 1024) return this.#flush();
  }

  async #flush(): Promise<void> {
    const text = this.#lines.join('');
    this.#lines = [];
    this.#size = 0;
    await this.#handle.appendFile(text);
  }

  async close(): Promise<void> {
    await this.#flush();
    await this.#handle.close();
  }
}
