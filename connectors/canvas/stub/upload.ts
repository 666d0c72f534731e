import { parse } from 'csv-parse/sync';
import { unzipSync } from 'fflate';

/**
 * What Canvas makes of uploaded bytes before it looks at a row: which files there are, whether they are UTF-8 CSV, and
 * what each is, told by its headers (canvas-lms `import_refactored.rb` and the `*_csv?` tests of its importers).
 */

/** Importers in the order in which Canvas asks them about a header, which is also the order in which they run. */
export const importers = ['account', 'term', 'course', 'section', 'user', 'enrollment'] as const;
export type Importer = (typeof importers)[number];

/** A file that some importer takes. Its cells are read by column name; blank and absent cells are empty texts. */
export interface Table {
  file: string;
  importer: Importer;
  columns: ReadonlyMap<string, number>;
  rows: readonly (readonly string[])[];
}

/** An entry of the errors list. Only a failure fails the import; anything else leaves it `imported_with_messages`. */
export interface Problem {
  file: string | null;
  message: string;
  row: number | null;
  rowInfo: string | null;
  failure: boolean;
}

const headerTests: Record<Importer, (has: (column: string) => boolean) => boolean> = {
  account: (has) => has('account_id') && has('parent_account_id'),
  term: (has) => has('term_id') && has('name'),
  course: (has) => has('course_id') && has('short_name'),
  section: (has) => has('section_id') && has('name'),
  user: (has) => has('user_id') && has('login_id'),
  enrollment: (has) => (has('section_id') || has('course_id')) && (has('user_id') || has('user_integration_id')),
};

/** Names that Canvas passes over in an archive without a word. */
const ignored = /__macosx|desktop d[bf]|^\..*/i;

const largestUpload = 50 * 1024 ** 3;

/** Reads an upload: the tables that can be imported, the problems met on the way, and its size when it is unpacked. */
export function readUpload(
  bytes: Uint8Array,
  extension: string,
): { tables: Table[]; problems: Problem[]; plain: number } {
  const tables: Table[] = [];
  const problems: Problem[] = [];
  const problem = (file: string | null, message: string, failure: boolean): void => {
    problems.push({ file, message, row: null, rowInfo: null, failure });
  };
  let files: Record<string, Uint8Array>;
  try {
    files = extension === 'zip' ? unpack(bytes) : { [`sis_import.${extension}`]: bytes };
  } catch {
    problem(null, 'Error while importing CSV. Please contact support. (Error report 1)', true);
    return { tables, problems, plain: bytes.length };
  }
  const plain = Object.values(files).reduce((sum, { length }) => sum + length, 0);
  for (const [path, content] of Object.entries(files)) {
    const file = path.split('/').at(-1)!;
    if (path.endsWith('/') || ignored.test(path)) continue;
    if (!/\.csv$/i.test(file)) {
      problem(file, 'Skipping unknown file type', false);
      continue;
    }
    const table = readTable(file, content);
    if (typeof table === 'string') problem(file, table, true);
    else tables.push(table);
  }
  return { tables, problems, plain };
}

/** Sizes are compared before anything is unpacked: an archive that grows 100 times or more is refused. */
function unpack(bytes: Uint8Array): Record<string, Uint8Array> {
  let plain = 0;
  unzipSync(bytes, {
    filter: (entry) => {
      plain += entry.originalSize;
      return false;
    },
  });
  if (plain >= bytes.length * 100 || plain > largestUpload) throw new Error('the archive grows too much');
  return unzipSync(bytes);
}

function readTable(file: string, content: Uint8Array): Table | string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return 'Invalid UTF-8';
  }
  let records: string[][];
  try {
    records = parse(text, { relax_column_count: true, skip_empty_lines: true, trim: false });
  } catch {
    return 'Malformed CSV';
  }
  const columns = new Map((records[0] ?? []).map((name, index) => [name.trim().toLowerCase(), index]));
  const importer = importers.find((name) => headerTests[name]((column) => columns.has(column)));
  if (!importer) return "Couldn't find Canvas CSV import headers";
  return { file, importer, columns, rows: records.slice(1) };
}
