import { difference } from './diff.ts';
import type { ImportOptions, Upload } from './request.ts';
import { emptyRoster, type StubRoster } from './roster.ts';
import { RowError } from './row.ts';
import { applyRow } from './rows.ts';
import { importers, type Problem, readUpload, type Table } from './upload.ts';

/** One SIS import and what is needed to run it. Its state moves only when somebody polls. */
export interface StubImport {
  id: number;
  state: 'created' | 'importing' | 'imported' | 'imported_with_messages' | 'failed_with_messages' | 'aborted';
  progress: number;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  updatedAt: string;
  options: ImportOptions;
  /** Kept after its end as well where it belongs to a data set. */
  upload: Pick<Upload, 'bytes' | 'extension'> | null;
  /** The import that it was compared with, whether that made a difference to import, and whether that was too much. */
  comparedWith: number | null;
  thresholdExceeded: boolean | null;
  counts: Record<string, number>;
  supplied: string[];
  problems: Problem[];
  looks: number;
}

/** The imports of one account: they run one after another, each over several polls. */
export interface ImportQueue {
  roster: StubRoster;
  imports: StubImport[];
  add(upload: Upload): StubImport;
  /** Lets time pass: the oldest import that has not ended takes one step. */
  advance(): void;
  abort(found: StubImport): void;
}

/** Progress as it is shown while an import runs; it falls back once, as it does when Canvas begins to clean up. */
const progressShown = [40, 80, 60];

/** True when nothing more happens to the import. */
export function hasEnded(found: StubImport): boolean {
  return found.state !== 'created' && found.state !== 'importing';
}

/** An empty account and the imports that it is given. */
export function openQueue(): ImportQueue {
  const roster = emptyRoster();
  const imports: StubImport[] = [];
  const now = (): string => new Date().toISOString();
  const end = (found: StubImport, state: StubImport['state']): void => {
    Object.assign(found, { state, endedAt: now(), updatedAt: now() });
    if (found.options.dataSet === null || !hasSucceeded(found)) found.upload = null;
  };
  return {
    roster,
    imports,
    add({ bytes, extension, options }) {
      const added: StubImport = {
        id: imports.length + 1,
        state: 'created',
        progress: 0,
        createdAt: now(),
        startedAt: null,
        endedAt: null,
        updatedAt: now(),
        options,
        upload: { bytes, extension },
        comparedWith: null,
        thresholdExceeded: null,
        counts: {},
        supplied: [],
        problems: [],
        looks: 0,
      };
      imports.push(added);
      return added;
    },
    advance() {
      const running = imports.find((candidate) => !hasEnded(candidate));
      if (!running) return;
      const progress = progressShown[running.looks];
      running.looks += 1;
      running.startedAt ??= now();
      if (progress !== undefined) {
        Object.assign(running, { state: 'importing', progress, updatedAt: now() });
        return;
      }
      run(running, roster, imports);
      const failed = running.problems.some((problem) => problem.failure);
      running.progress = 100;
      end(running, failed ? 'failed_with_messages' : running.problems.length ? 'imported_with_messages' : 'imported');
    },
    abort: (found) => end(found, 'aborted'),
  };
}

function hasSucceeded({ state }: StubImport): boolean {
  return state === 'imported' || state === 'imported_with_messages';
}

/** Applies the good rows of the good files, in the order of the importers whatever the order of the files. */
function run(found: StubImport, roster: StubRoster, imports: readonly StubImport[]): void {
  const { bytes, extension } = found.upload!;
  const { tables: uploaded, problems, plain } = readUpload(bytes, extension);
  found.problems.push(...problems);
  const tables = compare(found, uploaded, plain, imports);
  for (const importer of importers) {
    found.counts[`${importer}s`] = 0;
    for (const table of tables.filter((candidate) => candidate.importer === importer)) {
      if (!found.supplied.includes(importer)) found.supplied.push(importer);
      found.counts[`${importer}s`]! += applyTable(table, roster, found);
    }
  }
  found.counts['error_count'] = found.problems.filter((problem) => problem.failure).length;
  found.counts['warning_count'] = found.problems.length - found.counts['error_count'];
}

/** So many imports in a row may exceed a threshold; then the data set has to be remastered (Canvas SIS CSV format). */
const mostExceeded = 5;

/**
 * What of the tables is to be imported, compared with an earlier import of the data set (canvas-lms `sis_batch.rb`): the
 * last one that was compared itself or is a remaster, else the first; only imports that ended well count.
 */
function compare(found: StubImport, tables: Table[], plain: number, imports: readonly StubImport[]): readonly Table[] {
  const { options } = found;
  if (options.dataSet === null) return tables;
  if (options.remaster) return tables;
  const set = imports.filter((one) => one !== found && hasSucceeded(one) && one.options.dataSet === options.dataSet);
  const base = set.findLast((one) => one.options.remaster || one.comparedWith !== null) ?? set[0];
  if (!base) return tables;
  const exceeded = (what: string): readonly Table[] => {
    found.thresholdExceeded = true;
    const message = `Diffing not performed because ${what} exceeded threshold`;
    found.problems.push({ file: null, message, row: null, rowInfo: null, failure: false });
    return tables;
  };
  const before = readUpload(base.upload!.bytes, base.upload!.extension);
  const grown = Math.abs(1 - plain / before.plain) * 100;
  const worn = set.length >= mostExceeded && set.slice(-mostExceeded).every((one) => one.thresholdExceeded);
  if (worn || (options.changeThreshold !== null && grown > options.changeThreshold))
    return exceeded('file size difference');
  const differing = difference(before.tables, tables, options);
  if (options.rowThreshold !== null && differing.rows > options.rowThreshold) return exceeded('difference row count');
  found.thresholdExceeded = false;
  found.comparedWith = base.id;
  found.problems.push(...differing.problems);
  return differing.tables;
}

function applyTable(table: Table, roster: StubRoster, { options, problems }: StubImport): number {
  let applied = 0;
  for (const [index, row] of table.rows.entries()) {
    if (row.every((text) => text.trim() === '')) continue;
    const cell = (column: string): string => (row[table.columns.get(column) ?? -1] ?? '').trim();
    try {
      applyRow[table.importer](roster, cell, options);
      applied += 1;
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      // Rows are counted from 1 and the header is row 1.
      const { file } = table;
      problems.push({ file, message: error.message, row: index + 2, rowInfo: csvOf(row), failure: false });
    }
  }
  return applied;
}

/** A row as Canvas quotes it. */
function csvOf(row: readonly string[]): string {
  return row.map((cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',');
}
