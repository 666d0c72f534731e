import type { ImportOptions } from './request.ts';
import type { Importer, Problem, Table } from './upload.ts';

/**
 * The difference between two uploads of a data set, by the rules of Canvas (canvas-lms `diff_generator.rb` and its gem
 * csv_diff): rows are known by the fields below, of two with the same ones the later counts, new and other rows are kept
 * as they are, and rows that are gone come with the status of what is removed.
 */

const identity: Record<Importer, readonly string[]> = {
  account: ['account_id'],
  term: ['term_id'],
  course: ['course_id'],
  section: ['section_id'],
  user: ['user_id'],
  enrollment: ['course_id', 'section_id', 'user_id', 'user_integration_id', 'role', 'associated_user_id'],
};

/** What is left to import, and how many rows that is. */
export interface Difference {
  tables: Table[];
  rows: number;
  problems: Problem[];
}

/** Compares table by table: the one of a type with the one of that type, several by their names. */
export function difference(
  previous: readonly Table[],
  current: readonly Table[],
  { dropStatus, userRemoveStatus }: ImportOptions,
): Difference {
  const found: Difference = { tables: [], rows: 0, problems: [] };
  const whole = (table: Table, message: string | null): void => {
    found.tables.push(table);
    if (message !== null) found.problems.push({ file: table.file, message, row: null, rowInfo: null, failure: false });
  };
  const mismatched = 'Unable to perform diffing against mismatched files of the same type';
  for (const table of current) {
    const before = previous.filter(({ importer }) => importer === table.importer);
    const now = current.filter(({ importer }) => importer === table.importer);
    if (before.length === 0) {
      whole(table, null);
      continue;
    }
    const base = before.length === 1 && now.length === 1 ? before[0] : before.find(({ file }) => file === table.file);
    if (!base || before.length !== now.length) {
      whole(table, mismatched);
      continue;
    }
    if (String([...base.columns.keys()].sort()) !== String([...table.columns.keys()].sort())) {
      whole(table, "Couldn't generate diff: CSV headers do not match, cannot diff");
      continue;
    }
    const removed = { enrollment: dropStatus, user: userRemoveStatus }[table.importer as string] ?? 'deleted';
    const differs = differing(base, table, removed);
    found.rows += differs.rows.length;
    found.tables.push(differs);
  }
  return found;
}

function differing(base: Table, table: Table, removed: string): Table {
  const names = [...table.columns.keys()];
  const read = (of: Table): Map<string, string[]> => {
    const keys = identity[of.importer].map((name) => of.columns.get(name) ?? -1);
    const order = names.map((name) => of.columns.get(name)!);
    const rows = new Map<string, string[]>();
    for (const row of of.rows) {
      if (row.every((cell) => cell.trim() === '')) continue;
      const cells = order.map((at) => (row[at] ?? '').trim());
      rows.set(JSON.stringify(keys.map((at) => (row[at] ?? '').trim())), cells);
    }
    return rows;
  };
  const before = read(base);
  const now = read(table);
  const rows: string[][] = [];
  for (const [key, cells] of now) if (String(before.get(key)) !== String(cells)) rows.push(cells);
  const status = names.indexOf('status');
  for (const [key, cells] of before) if (!now.has(key)) rows.push(cells.with(status, removed));
  return { ...table, columns: new Map(names.map((name, index) => [name, index])), rows };
}
