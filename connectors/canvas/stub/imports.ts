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
  upload: { bytes: Uint8Array; extension: string } | null;
  counts: Record<string, number>;
  supplied: string[];
  problems: Problem[];
  looks: number;
}

/** The imports of one account: they run one after another, each over several polls. */
export interface ImportQueue {
  roster: StubRoster;
  imports: StubImport[];
  add(bytes: Uint8Array, extension: string): StubImport;
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
    Object.assign(found, { state, upload: null, endedAt: now(), updatedAt: now() });
  };
  return {
    roster,
    imports,
    add(bytes, extension) {
      const added: StubImport = {
        id: imports.length + 1,
        state: 'created',
        progress: 0,
        createdAt: now(),
        startedAt: null,
        endedAt: null,
        updatedAt: now(),
        upload: { bytes, extension },
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
      run(running, roster);
      const failed = running.problems.some((problem) => problem.failure);
      running.progress = 100;
      end(running, failed ? 'failed_with_messages' : running.problems.length ? 'imported_with_messages' : 'imported');
    },
    abort: (found) => end(found, 'aborted'),
  };
}

/** Applies the good rows of the good files, in the order of the importers whatever the order of the files. */
function run(found: StubImport, roster: StubRoster): void {
  const { tables, problems } = readUpload(found.upload!.bytes, found.upload!.extension);
  found.problems.push(...problems);
  for (const importer of importers) {
    found.counts[`${importer}s`] = 0;
    for (const table of tables.filter((candidate) => candidate.importer === importer)) {
      if (!found.supplied.includes(importer)) found.supplied.push(importer);
      found.counts[`${importer}s`]! += applyTable(table, roster, found.problems);
    }
  }
  found.counts['error_count'] = found.problems.filter((problem) => problem.failure).length;
  found.counts['warning_count'] = found.problems.length - found.counts['error_count'];
}

function applyTable(table: Table, roster: StubRoster, problems: Problem[]): number {
  let applied = 0;
  for (const [index, row] of table.rows.entries()) {
    if (row.every((text) => text.trim() === '')) continue;
    const cell = (column: string): string => (row[table.columns.get(column) ?? -1] ?? '').trim();
    try {
      applyRow[table.importer](roster, cell);
      applied += 1;
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      // Rows are counted from 1 and the header is row 1.
      const { file } = table;
      problems.push({ file, message: error.message, row: index + 2, rowInfo: row.join(','), failure: false });
    }
  }
  return applied;
}
