import type { DeliveryItem, ItemResult } from '../../src/connector/target.ts';
import type { SisImport, SisImportError } from './schema.ts';
import type { FileName, Row, Sheets } from './sheets.ts';

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
 * have arrived, so it is sent again, which does no harm.
 */
export function judge(
  items: readonly DeliveryItem[],
  sheets: Sheets,
  ended: SisImport,
  errors: readonly SisImportError[],
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

  const { refused, unplaced } = place(sheets, errors, !imported);
  if (!imported && refused.size === 0) {
    const reason = ended.data?.error_message ?? errors.map((error) => error.message).join('; ');
    return all((item) => ({ item, outcome: 'failed', answer: reason ? `${label}: ${reason}` : `${label}: ${state}` }));
  }
  const results = items.map(({ item }): ItemResult => {
    const reasons = refused.get(item);
    if (reasons) return { item, outcome: 'failed', answer: `${label}: ${[...reasons].join('; ')}` };
    if (imported) return { item, outcome: 'sent', answer: label };
    return { item, outcome: 'retry', answer: `${label} failed, though not over this change` };
  });
  return { results, unplaced };
}

/** Puts each error on the items of its row; `wholeFile`: an error that names no row is on all rows of its file. */
function place(sheets: Sheets, errors: readonly SisImportError[], wholeFile: boolean) {
  const refused = new Map<string, Set<string>>();
  const unplaced: SisImportError[] = [];
  for (const error of errors) {
    const rows = rowsOf(sheets, error, wholeFile);
    if (rows.length === 0) unplaced.push(error);
    for (const row of rows)
      for (const item of row.items) {
        const reasons = refused.get(item) ?? new Set();
        refused.set(item, reasons.add(error.message));
      }
  }
  return { refused, unplaced };
}

/**
 * The rows that an error is about. Some importers give no row number; then the row is the one whose ids the message
 * names, because an item must not count as sent when Canvas said otherwise.
 */
function rowsOf(sheets: Sheets, error: SisImportError, wholeFile: boolean): readonly Row[] {
  const file = (error.file ?? '').split('/').at(-1)!.toLowerCase();
  const rows = sheets[file as FileName] ?? [];
  if (error.row != null) return rows.slice(error.row - 2, error.row - 1);
  const named = new Set(error.message.split(/[^\w-]+/));
  const meant = rows.filter((row) => row.ids.every((id) => named.has(id)));
  return meant.length === 0 && wholeFile ? rows : meant;
}
