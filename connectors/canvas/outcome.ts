import { parse } from 'csv-parse/sync';
import type { ItemResult } from '../../src/connector/target.ts';
import { isOfDiffing } from './history.ts';
import { type Cells, type FileName, fileNames, identity, keyOf } from './layout.ts';
import type { SisImport, SisImportError } from './schema.ts';
import { type Changes, emptySheets, type Row, type Sheet, type Sheets } from './sheets.ts';

/** What an ended import means for its items, and the messages that name none of them. */
export interface Outcome {
  results: ItemResult[];
  unplaced: SisImportError[];
}

/** After an abort Canvas lets ten minutes pass before it begins the next import. */
const afterAbortMs = 600_000;

/**
 * Gives every item, by its id, its result. Canvas applies the good rows of an import that ends `imported_with_messages`, and also
 * the good files of one that ends `failed_with_messages`; in the latter an item that no error names may or may not
 * have arrived, so it is sent again, which does no harm. `note` is added to what is said of items that arrived.
 */
export function judge(
  items: readonly string[],
  index: RowIndex,
  ended: SisImport,
  errors: readonly SisImportError[],
  note = '',
): Outcome {
  const label = `import ${ended.id}`;
  const state = ended.workflow_state;
  const all = (result: (item: string) => ItemResult): Outcome => ({
    results: items.map(result),
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
  const results = items.map((item, at): ItemResult => {
    const reasons = refused.get(at);
    if (reasons) return { item, outcome: 'failed', answer: `${label}: ${reasons.join('; ')}` };
    if (imported) return { item, outcome: 'sent', answer: sent };
    return { item, outcome: 'retry', answer: `${label} failed, though not over this change` };
  });
  return { results, unplaced };
}

/** Puts each error on the items of its row; `wholeFile`: an error that names no row is on all rows of its file. */
function place(index: RowIndex, errors: readonly SisImportError[], wholeFile: boolean) {
  const refused = new Map<number, string[]>();
  const unplaced: SisImportError[] = [];
  for (const error of errors) {
    if (isOfDiffing(error)) continue;
    const items = index.itemsOf(error, wholeFile);
    if (items.length === 0) unplaced.push(error);
    const reason = reasonOf(error);
    for (const item of items) {
      const reasons = refused.get(item);
      if (!reasons) refused.set(item, [reason]);
      else if (!reasons.includes(reason)) reasons.push(reason);
    }
  }
  return { refused, unplaced };
}

/** The words of Canvas, and what is behind them where it is a setting of ours: an e-mail address is never missing. */
function reasonOf({ message }: SisImportError): string {
  if (!message.startsWith('No login_id given for user ')) return message;
  return `${message} (login: id, and this person has no id)`;
}

/** The items of the row of a number. */
type Numbered = (file: FileName, row: number) => readonly number[];

/** Finds the items, by their place in the batch, whose rows errors are about. */
export class RowIndex {
  readonly #sheets: Sheets;
  readonly #numbered: Numbered | null;
  readonly #allOf: (file: FileName) => readonly number[];
  #byPerson: Map<string, Row[]> | null = null;

  /**
   * `numbered`: null where Canvas counts rows of something else than what was sent. `allOf`: all items of a file, where the
   * sheets do not hold all its rows.
   */
  constructor(
    sheets: Sheets,
    numbered: Numbered | null,
    allOf = (file: FileName) => itemsOf([...sheets[file].values()]),
  ) {
    this.#sheets = sheets;
    this.#numbered = numbered;
    this.#allOf = allOf;
  }

  /**
   * By the number of the row; else by the row as Canvas quotes it, because of a compared import Canvas counts the rows of
   * the difference; else by the ids that are named: an item must not count as sent when Canvas said otherwise.
   */
  itemsOf(error: SisImportError, wholeFile: boolean): readonly number[] {
    const file = fileOf(error);
    if (!file) return [];
    if (this.#numbered && error.row != null) return this.#numbered(file, error.row);
    const sheet = this.#sheets[file];
    const quoted = sheet.get(quotedKey(file, error.row_info));
    if (quoted) return quoted.items;
    const named = this.#named(file, sheet, wordsOf(error));
    return named.length === 0 && wholeFile ? this.#allOf(file) : itemsOf(named);
  }

  /** The rows that `isNamed` is true of. */
  #named(file: FileName, sheet: Sheet, words: ReadonlySet<string>): Row[] {
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
    return people.filter(({ cells }) => isNamed(file, cells, words));
  }
}

function itemsOf(rows: readonly Row[]): number[] {
  return rows.flatMap(({ items }) => items);
}

function fileOf(error: SisImportError): FileName | undefined {
  const name = (error.file ?? '').split('/').at(-1)!.toLowerCase();
  return fileNames.find((one) => one === name);
}

/** The words of an error that may be ids. */
function wordsOf({ message, row_info }: SisImportError): Set<string> {
  // This one names two people: the one whose row it is, and the one who was there first.
  const claimed = /already claimed (\S+)'s /.exec(message)?.[1];
  return new Set(claimed === undefined ? `${row_info ?? ''} ${message}`.split(/[^\w-]+/) : [claimed]);
}

/** True when all ids of a row are among the words; of enrolments that is course and person. */
function isNamed(file: FileName, cells: Cells, words: ReadonlySet<string>): boolean {
  return words.has(cells[0]!) && (file !== 'enrollments.csv' || words.has(cells[2]!));
}

/** What errors ask about the rows of a file. */
interface Asked {
  /** Of each number that is named, the items of its row. */
  numbers: Map<number, number | readonly number[]>;
  keys: Set<string>;
  words: Set<string>;
  /** Items of all its rows; null: not wanted. */
  all: number[] | null;
  /** Number of the row that went past last; the header is row 1. */
  row: number;
}

/**
 * The index of an import of changes. Their rows are read once more, and only those are held that the errors may be about;
 * without errors none is looked at.
 */
export function indexFor(changes: Changes, errors: readonly SisImportError[], wholeFile: boolean): RowIndex {
  const asked = new Map<FileName, Asked>();
  for (const error of errors) {
    const file = fileOf(error);
    if (!file) continue;
    const of = asked.get(file) ?? { numbers: new Map(), keys: new Set(), words: new Set(), all: null, row: 1 };
    asked.set(file, of);
    if (error.row != null) of.numbers.set(error.row, []);
    else {
      of.keys.add(quotedKey(file, error.row_info));
      for (const word of wordsOf(error)) of.words.add(word);
      if (wholeFile) of.all ??= [];
    }
  }
  const sheets = emptySheets();
  if (asked.size > 0)
    for (const { file, cells, items } of changes.rows()) {
      const of = asked.get(file);
      if (!of) continue;
      of.row += 1;
      if (of.numbers.has(of.row)) of.numbers.set(of.row, items);
      if (of.keys.size === 0) continue;
      const key = keyOf(file, cells);
      if (of.keys.has(key) || isNamed(file, cells, of.words)) sheets[file].set(key, { cells, items: [items].flat() });
      if (of.all) for (const item of [items].flat()) of.all.push(item);
    }
  return new RowIndex(
    sheets,
    (file, row) => [asked.get(file)?.numbers.get(row) ?? []].flat(),
    (file) => asked.get(file)?.all ?? [],
  );
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
