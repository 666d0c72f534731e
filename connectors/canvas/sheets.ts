import type { AccountFacts, CourseName, DeliveryItem } from '../../src/connector/target.ts';
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

/** The rows of an import. */
export type Sheets = Record<FileName, Sheet>;

/** Turns the items into rows: account changes to users, course changes to courses, enrolments to all but users. */
export function buildSheets(items: readonly DeliveryItem[], settings: CanvasSettings): Sheets {
  const sheets = Object.fromEntries(fileNames.map((name) => [name, new Map()])) as Sheets;
  const put = (file: FileName, cells: Cells, item: number): void => {
    const key = keyOf(file, cells);
    const row = sheets[file].get(key);
    if (!row) sheets[file].set(key, { cells, items: [item] });
    else {
      row.cells = cells;
      if (row.items.at(-1) !== item) row.items.push(item);
    }
  };
  const course = (name: CourseName, status: 'active' | 'completed', item: number): void => {
    for (const cells of accountRows(name, settings)) put('accounts.csv', cells, item);
    if (settings.term) put('terms.csv', termRow(settings.term), item);
    put('courses.csv', courseRow(name, status, settings), item);
  };
  const enrolment = (
    name: CourseName,
    { account }: AccountFacts,
    kind: AccountFacts['kind'],
    status: EnrolmentStatus,
    item: number,
  ): void => {
    // Only an active enrolment needs its course: `active` would also bring a concluded course back.
    if (status === 'active' && settings.courses === 'ensure') course(name, 'active', item);
    if (settings.sections === 'course') put('sections.csv', sectionRow(name), item);
    put('enrollments.csv', enrolmentRow(name, account, kind, status, settings), item);
  };
  items.forEach((item, at) => {
    const { type, account } = item;
    if (type === 'course.create') course(item.course!, 'active', at);
    else if (type === 'course.archive') course(item.course!, 'completed', at);
    else if (item.course)
      enrolment(
        item.course,
        account!,
        account!.kind,
        type === 'enrolment.add' ? 'active' : removedStatus(settings),
        at,
      );
    else {
      put('users.csv', userRow(account!, settings), at);
      for (const { name, kind, status } of roleChange(item, settings)) enrolment(name, account!, kind, status, at);
    }
  });
  return sheets;
}

/** Canvas never changes a role: the enrolment in the old one goes, and one in the new one comes. */
function* roleChange(
  item: DeliveryItem,
  settings: CanvasSettings,
): Generator<{ name: CourseName; kind: AccountFacts['kind']; status: EnrolmentStatus }> {
  const { account, changed, before } = item;
  const { staff, student } = settings.roles;
  if (item.type !== 'account.update' || !changed.includes('kind') || !before?.kind || staff === student) return;
  // A full roster that no longer names the old one would have Canvas make of it what removed enrolments become.
  const old = settings.mode === 'full' ? removedStatus(settings) : 'deleted';
  for (const name of item.enrolments ?? []) {
    yield { name, kind: before.kind, status: old };
    yield { name, kind: account!.kind, status: 'active' };
  }
}

/** A file's text, line by line. */
export function* linesOf(file: FileName, sheet: Sheet, settings: CanvasSettings): Generator<string> {
  yield csvLine(header(file, settings));
  for (const { cells } of sheet.values()) yield csvLine(cells);
}

/** Names of the files that have rows. */
export function filesOf(sheets: Sheets): FileName[] {
  return fileNames.filter((name) => sheets[name].size > 0);
}

/** The files that have rows, as text, for people. */
export function toFiles(sheets: Sheets, settings: CanvasSettings): Record<string, string> {
  return Object.fromEntries(filesOf(sheets).map((name) => [name, [...linesOf(name, sheets[name], settings)].join('')]));
}
