import type { AccountFacts, CourseName, DeliveryBatch, DeliveryItem } from '../../src/connector/target.ts';
import {
  accountRows,
  type Cells,
  courseRow,
  csvLine,
  type EnrolmentStatus,
  enrolmentRow,
  type FileName,
  fileNames,
  header,
  keyOf,
  removedStatus,
  sectionRow,
  termRow,
  userRow,
} from './layout.ts';
import type { CanvasSettings } from './schema.ts';
import { type Leaver, leaverOf } from './sessions.ts';

/** A row, and the file that it belongs to. */
type FileRow = readonly [file: FileName, cells: Cells];

/** A row and the items that depend on it, by their place in the batch. */
export interface Row {
  cells: Cells;
  items: number[];
}

/**
 * One file's rows by `keyOf`, in the order of their first mention. Of one row there is one: two in one import would be two
 * truths, and which of them counts is Canvas' to say. The last change of the outbox has the last word on it, and the row
 * answers for all of them.
 */
export type Sheet = Map<string, Row>;

/** Rows by file. */
export type Sheets = Record<FileName, Sheet>;

/** Sheets without a row. */
export function emptySheets(): Sheets {
  return Object.fromEntries(fileNames.map((name) => [name, new Map()])) as Sheets;
}

/** The rows of items, held by what they are about. */
export function buildSheets(items: Iterable<DeliveryItem>, settings: CanvasSettings): Sheets {
  const sheets = emptySheets();
  let at = 0;
  for (const item of items) {
    for (const [file, cells] of rowsOf(item, settings)) put(sheets[file], keyOf(file, cells), cells, at);
    at += 1;
  }
  return sheets;
}

function put(sheet: Sheet, key: string, cells: Cells, item: number): void {
  const row = sheet.get(key);
  if (!row) sheet.set(key, { cells, items: [item] });
  else {
    row.cells = cells;
    if (row.items.at(-1) !== item) row.items.push(item);
  }
}

/** Accounts go to users, courses to courses, enrolments to all but users. */
function rowsOf(item: DeliveryItem, settings: CanvasSettings): FileRow[] {
  const { type, account, course } = item;
  if (type === 'course.create') return courseRows(course!, 'active', settings);
  if (type === 'course.archive') return courseRows(course!, 'completed', settings);
  const rows: FileRow[] = [];
  const enrolment = (name: CourseName, kind: AccountFacts['kind'], status: EnrolmentStatus): void => {
    // Only an active enrolment needs its course: `active` would also bring a concluded course back.
    if (status === 'active' && settings.courses === 'ensure') rows.push(...courseRows(name, 'active', settings));
    if (settings.sections === 'course') rows.push(['sections.csv', sectionRow(name)]);
    rows.push(['enrollments.csv', enrolmentRow(name, account!.account, kind, status, settings)]);
  };
  if (course) enrolment(course, account!.kind, type === 'enrolment.add' ? 'active' : removedStatus(settings));
  else {
    rows.push(['users.csv', userRow(account!, settings)]);
    if (changesRole(item, settings)) {
      // A full roster that no longer names the old one would have Canvas make of it what removed enrolments become.
      const old = settings.mode === 'full' ? removedStatus(settings) : 'deleted';
      for (const name of item.enrolments ?? []) {
        enrolment(name, item.before!.kind!, old);
        enrolment(name, account!.kind, 'active');
      }
    }
  }
  return rows;
}

function courseRows(name: CourseName, status: 'active' | 'completed', settings: CanvasSettings): FileRow[] {
  const rows = accountRows(name, settings).map((cells): FileRow => ['accounts.csv', cells]);
  if (settings.term) rows.push(['terms.csv', termRow(settings.term)]);
  rows.push(['courses.csv', courseRow(name, status, settings)]);
  return rows;
}

/** Canvas never changes a role: the enrolment in the old one goes, and one in the new one comes. */
function changesRole({ type, changed, before }: DeliveryItem, { roles }: CanvasSettings): boolean {
  return type === 'account.update' && changed.includes('kind') && !!before?.kind && roles.staff !== roles.student;
}

/** A row of an import of changes, in its place. */
export interface PlacedRow {
  file: FileName;
  cells: Cells;
  /** One or several, by their place in the batch. */
  items: number | number[];
}

/**
 * The rows of an import of changes, each file's in their order, and as often as they are asked for. The batch may be large,
 * so nothing is held that grows with the people in it but the ids of its items: a person occurs in it once, and so does an
 * enrolment, and their rows can go at once. What several items have a say in comes at the end: the few rows of accounts,
 * terms, courses and sections, and the enrolments of people whose role changes.
 */
export class Changes {
  readonly #batch: DeliveryBatch;
  readonly #settings: CanvasSettings;
  /** Accounts whose enrolments more than one item may be about, as far as the batch has been read. */
  readonly #inNewRoles = new Set<string>();
  /** Ids of the items, once their rows have been read. */
  readonly ids: string[] = [];
  /** Whom items disable, once their rows have been read. */
  leavers: Leaver[] = [];
  /**
   * True when the rows have to be read again, and what was made of them is to be thrown away: enrolments had gone before
   * it turned out whose role changes, which happens when a batch is of several plans. The second time all are known.
   */
  again = false;

  constructor(batch: DeliveryBatch, settings: CanvasSettings) {
    this.#batch = batch;
    this.#settings = settings;
  }

  *rows(): Generator<PlacedRow> {
    const held = emptySheets();
    this.again = false;
    this.leavers = [];
    let enrolmentsGone = false;
    let at = 0;
    for (const item of this.#batch) {
      this.ids[at] = item.item;
      const leaver = leaverOf(item, at);
      if (leaver) this.leavers.push(leaver);
      const account = item.account?.account ?? '';
      if (changesRole(item, this.#settings) && !this.#inNewRoles.has(account)) {
        this.#inNewRoles.add(account);
        this.again ||= enrolmentsGone;
      }
      const several = this.#inNewRoles.has(account);
      for (const [file, cells] of rowsOf(item, this.#settings)) {
        if (file === 'users.csv' || (file === 'enrollments.csv' && !several)) {
          enrolmentsGone ||= file === 'enrollments.csv';
          yield { file, cells, items: at };
        } else put(held[file], keyOf(file, cells), cells, at);
      }
      at += 1;
    }
    for (const file of fileNames) for (const row of held[file].values()) yield { file, ...row };
  }
}

/** The files that have rows, as text. */
export function toFiles(changes: Changes, settings: CanvasSettings): Record<string, string> {
  const lines = new Map<FileName, string[]>();
  do {
    lines.clear();
    for (const { file, cells } of changes.rows()) {
      if (!lines.has(file)) lines.set(file, [csvLine(header(file, settings))]);
      lines.get(file)!.push(csvLine(cells));
    }
  } while (changes.again);
  const files = fileNames.filter((name) => lines.has(name));
  return Object.fromEntries(files.map((name) => [name, lines.get(name)!.join('')]));
}
