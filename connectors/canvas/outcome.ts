import { parse } from 'csv-parse/sync';
import type { DeliveryItem, ItemResult } from '../../src/connector/target.ts';
import { isOfDiffing } from './history.ts';
import { type FileName, fileNames, identity, keyOf } from './layout.ts';
import type { SisImport, SisImportError } from './schema.ts';
import type { Row, Sheet, Sheets } from './sheets.ts';

/** What an ended import means for its items, and the messages that name none of them. */
export interface Outcome {
  results: ItemResult[];
  unplaced: SisImportError[];
}

/** After an abort Canvas lets ten minutes pass before it begins the next import. */
const afterAbortMs = 600_000;

/**
 * Gives every item its result. Canvas applies the good rows of an import that ends `imported_with_messages`, and also
 * the good files of one that ends `failed_with_messages`; in the latter an item that no error names may or may not
 * have arrived, so it is sent again, which does no harm. `note` is added to what is said of items that arrived.
 */
export function judge(
  items: readonly DeliveryItem[],
  index: RowIndex,
  ended: SisImport,
  errors: readonly SisImportError[],
  note = '',
): Outcome {
  const label = `import ${ended.id}`;
  const state = ended.workflow_state;
  const all = (result: (item: string) => ItemResult): Outcome => ({
    results: items.map(({ item }) => result(item)),
    unplaced: [],
  });
  if (state === 'aborted')
    return all((item) => ({ item, outcome: 'retry', answer: `${label} was aborted in Canvas`, delayMs: afterAbortMs }));
  const imported = state === 'imported' || state === 'imported_with_messages';
  if (!imported && !state.startsWith('failed'))
    return all((item) => ({ item, outcome: 'failed', answer: `${label} was undone in Canvas (${state})` }));

  const { refused, unplaced } = place(index, errors, !imported);
  if (!imported && refused.size === 0) {
    const reason = ended.data?.error_message ?? errors.map((error) => error.message).join('; ');
    return all((item) => ({ item, outcome: 'failed', answer: reason ? `${label}: ${reason}` : `${label}: ${state}` }));
  }
  const sent = note ? `${label}: ${note}` : label;
  const results = items.map(({ item }, at): ItemResult => {
    const reasons = refused.get(at);
    if (reasons) return { item, outcome: 'failed', answer: `${label}: ${[...reasons].join('; ')}` };
    if (imported) return { item, outcome: 'sent', answer: sent };
    return { item, outcome: 'retry', answer: `${label} failed, though not over this change` };
  });
  return { results, unplaced };
}

/** Puts each error on the items of its row; `wholeFile`: an error that names no row is on all rows of its file. */
function place(index: RowIndex, errors: readonly SisImportError[], wholeFile: boolean) {
  const refused = new Map<number, Set<string>>();
  const unplaced: SisImportError[] = [];
  for (const error of errors) {
    if (isOfDiffing(error)) continue;
    const rows = index.rowsOf(error, wholeFile);
    if (rows.length === 0) unplaced.push(error);
    for (const row of rows)
      for (const item of row.items) {
        const reasons = refused.get(item) ?? new Set();
        refused.set(item, reasons.add(error.message));
      }
  }
  return { refused, unplaced };
}

/** The row of a number. */
type Numbered = (file: FileName, row: number) => Row | undefined;

/** Finds the rows that errors are about. */
export class RowIndex {
  readonly #sheets: Sheets;
  readonly #numbered: Numbered | null;
  #byPerson: Map<string, Row[]> | null = null;

  /** `numbered`: null where Canvas counts rows of something else than what was sent. */
  constructor(sheets: Sheets, numbered: Numbered | null) {
    this.#sheets = sheets;
    this.#numbered = numbered;
  }

  /**
   * By its number; else by the row as Canvas quotes it, because of a compared import Canvas counts the rows of the
   * difference; else by the ids that are named: an item must not count as sent when Canvas said otherwise.
   */
  rowsOf(error: SisImportError, wholeFile: boolean): readonly Row[] {
    const file = fileNames.find((name) => name === (error.file ?? '').split('/').at(-1)!.toLowerCase());
    if (!file) return [];
    if (this.#numbered && error.row != null) {
      const row = this.#numbered(file, error.row);
      return row ? [row] : [];
    }
    const sheet = this.#sheets[file];
    const quoted = sheet.get(quotedKey(file, error.row_info));
    if (quoted) return [quoted];
    const named = this.#named(file, sheet, error);
    return named.length === 0 && wholeFile ? [...sheet.values()] : named;
  }

  /** Rows all of whose ids are words of the message; of enrolments that is course and person. */
  #named(file: FileName, sheet: Sheet, { message, row_info }: SisImportError): Row[] {
    // This one names two people: the one whose row it is, and the one who was there first.
    const claimed = /already claimed (\S+)'s /.exec(message)?.[1];
    const words = new Set(claimed === undefined ? `${row_info ?? ''} ${message}`.split(/[^\w-]+/) : [claimed]);
    if (file !== 'enrollments.csv') return [...words].flatMap((word) => sheet.get(word) ?? []);
    if (!this.#byPerson) {
      this.#byPerson = new Map();
      for (const row of sheet.values()) {
        const rows = this.#byPerson.get(row.cells[2]!);
        if (rows) rows.push(row);
        else this.#byPerson.set(row.cells[2]!, [row]);
      }
    }
    const people = [...words].flatMap((word) => this.#byPerson!.get(word) ?? []);
    return people.filter(({ cells }) => words.has(cells[0]!));
  }
}

/** The row of a number in an import that was made of the sheets themselves: the header is row 1. */
export function numberedIn(sheets: Sheets): Numbered {
  const lists = new Map<FileName, Row[]>();
  return (file, row) => {
    if (!lists.has(file)) lists.set(file, [...sheets[file].values()]);
    return lists.get(file)![row - 2];
  };
}

/** Which row it is that Canvas quotes; the quote is CSV in the order of the columns. */
function quotedKey(file: FileName, quoted: string | null | undefined): string {
  if (!quoted) return '';
  try {
    const [cells] = parse(quoted, { relax_column_count: true, relax_quotes: true, trim: true }) as string[][];
    return cells && cells.length >= identity[file] ? keyOf(file, cells) : '';
  } catch {
    return '';
  }
}
