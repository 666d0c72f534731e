import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Incomplete } from '../../src/base/errors.ts';
import type { ColumnExpectation, Judge } from '../../src/connector/columns.ts';
import { isSecret } from '../../src/connector/passwords.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { type Spooled, SpoolWriter, spoolLine, spoolLines } from '../../src/connector/spool.ts';
import type { Waiting } from './files.ts';
import type { Whole } from './whole.ts';

/**
 * A delta merged into the whole list. Only the people that the delta names are looked at; of them their places in both
 * files are kept in memory, not their rows. The rules, for all records of one key:
 *
 * - A column that a record does not bring stays as it is. Where the person's records differ in it, the record is refused:
 *   nobody can tell which of them it means.
 * - One record that brings only columns in which the person's records agree changes all of them.
 * - Otherwise the records are all that the person has from now on. That a lone record which does not bring every column
 *   of the format means to replace several is not believed.
 * - A record of an unknown key brings what a new person needs, or is refused.
 * - `deleted` takes the person out; beside other records of the same key it is refused.
 * - A record that would make a row unreadable that could be read is refused, or a wrong address would take the right one away.
 * - What is refused stays in the list as broken until the next word on the person; what stood before stays with it.
 */

type Cells = readonly string[];
type DeltaRow = (string | null)[] | { deleted: true } | Broken;
interface Broken {
  broken: string;
  column: number | null;
  about?: Cells;
}

/** Places of lines in a file: where, how long, and which record it is. */
type Places = [at: number, bytes: number, record: number][];

/** Writes the merged list to `file`. Throws `Incomplete` when the list is not what it was, or lacks a column. */
export async function merge(
  whole: Whole & { file: string },
  delta: Pick<Waiting, 'run' | 'columns' | 'spooled' | 'rows'>,
  { columns: expected, judge, signal }: Pick<SourceContext, 'columns' | 'judge' | 'signal'>,
  file: string,
): Promise<{ spooled: Spooled; columns: string[] }> {
  const lost = expected.required.filter((column) => !whole.columns.includes(column));
  if (lost.length)
    throw new Incomplete(`a delta came, and the list in force was read without ${lost.join(', ')}`, {
      remedy: 'send a whole list (answer=snapshot): the format of this source has changed',
    });
  // kept by an older rosterd, to which not all of them were passwords: the next whole list is kept in its place
  if (whole.columns.some((column) => isSecret(expected, column)))
    throw new Incomplete('a delta came, and the list in force was kept with a column of passwords', {
      remedy: 'send a whole list (answer=snapshot): passwords are not kept any more',
    });
  const columns = [...whole.columns, ...delta.columns.filter((column) => !whole.columns.includes(column))];
  const said = await placesOf(delta);
  const stood = new Map<string, Places>();
  const writer = await SpoolWriter.create(file);
  const [base, news] = [await open(whole.file, 'r'), await open(delta.rows, 'r')];
  try {
    const hash = createHash('sha256');
    let record = 0;
    for await (const { key, line, at, bytes } of spoolLines(whole.file)) {
      signal.throwIfAborted();
      hash.update(line).update('\n');
      record += 1;
      if (key === '' || !said.has(key)) await writer.addLine(widened(line, whole.run, record, columns.length));
      else if (stood.has(key)) stood.get(key)!.push([at, bytes, record]);
      else stood.set(key, [[at, bytes, record]]);
    }
    if (hash.digest('hex') !== whole.spooled.sha256)
      throw new Incomplete('the whole list that a delta is to change is damaged', { remedy: 'send a whole list' });
    const of = <R>(places: Places, fd: number, run: string): Line<R>[] =>
      places.map(([at, bytes, number]) => readLine<R>(fd, at, bytes, run, number));
    const merging = new Merging(columns, delta.columns, expected, judge(columns, 'blank'));
    for (const [key, places] of said) {
      signal.throwIfAborted();
      const before = of<Cells | Broken>(stood.get(key) ?? [], base.fd, whole.run);
      for (const { origin, row } of merging.rows(key, before, of<DeltaRow>(places, news.fd, delta.run)))
        await writer.addLine(spoolLine({ key, origin }, row));
    }
    return { spooled: await writer.finish(), columns };
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    await base.close();
    await news.close();
  }
}

async function placesOf({ rows, spooled }: Pick<Waiting, 'spooled' | 'rows'>): Promise<Map<string, Places>> {
  const places = new Map<string, Places>();
  let record = 0;
  for await (const { key, at, bytes } of spoolLines(rows)) {
    record += 1;
    const its = places.get(key);
    if (its) its.push([at, bytes, record]);
    else places.set(key, [[at, bytes, record]]);
  }
  if (record !== spooled.rows) throw new Incomplete('what was received is damaged', { remedy: 'send it again' });
  return places;
}

/** How a record of a push is told to people. */
const originOf = (run: string, record: number): string => `push ${run} record ${record}`;

interface Line<R> {
  origin: string;
  row: R;
}

function parsed<R>(line: string, run: string, record: number): Line<R> & { key: string } {
  const tab = line.indexOf('\t');
  const [key, origin] = JSON.parse(line.slice(0, tab)) as [string, string?];
  return { key, origin: origin ?? originOf(run, record), row: JSON.parse(line.slice(tab + 1)) as R };
}

/** A line that stays, with its origin told, and cells for columns that are new. */
function widened(line: string, run: string, record: number, columns: number): string {
  const { key, origin, row } = parsed<Cells | Broken>(line, run, record);
  return spoolLine({ key, origin }, widenedRow(row, columns));
}

function widenedRow(row: Cells | Broken, columns: number): Cells | Broken {
  const filled = (cells: Cells): Cells => [...cells, ...Array<string>(columns - cells.length).fill('')];
  if ('broken' in row) return row.about ? { ...row, about: filled(row.about) } : row;
  return filled(row);
}

function readLine<R>(fd: number, at: number, bytes: number, run: string, record: number): Line<R> {
  const line = Buffer.allocUnsafe(bytes);
  for (let filled = 0; filled < bytes; ) {
    const more = readSync(fd, line, filled, bytes - filled, at + filled);
    if (!more) throw new Incomplete('a file of the keep directory was cut', { remedy: 'send a whole list' });
    filled += more;
  }
  return parsed<R>(line.toString('utf8'), run, record);
}

/** The rules of merging, for the columns of one delta. */
class Merging {
  readonly #columns: readonly string[];
  /** Place in the merged columns of each column of the delta. */
  readonly #to: number[];
  readonly #required: number[];
  readonly #known: number[];
  readonly #judge: Judge;

  constructor(
    columns: readonly string[],
    delta: readonly string[],
    { required, optional }: ColumnExpectation,
    judge: Judge,
  ) {
    this.#columns = columns;
    this.#judge = judge;
    this.#to = delta.map((column) => columns.indexOf(column));
    this.#required = required.map((column) => columns.indexOf(column));
    this.#known = [...required, ...optional].map((column) => columns.indexOf(column)).filter((at) => at >= 0);
  }

  rows(key: string, base: Line<Cells | Broken>[], delta: Line<DeltaRow>[]): Line<Cells | Broken>[] {
    const width = this.#columns.length;
    const before = base.map(({ origin, row }) => ({ origin, row: widenedRow(row, width) }));
    const good = before.filter((line): line is Line<Cells> => Array.isArray(line.row));
    const broken: Line<Broken>[] = [];
    const refuse = (origin: string, row: (string | null)[], reason: string, column: number | null = null): void => {
      broken.push({ origin, row: { broken: reason, column, about: this.#about(row) } });
    };
    const records: Line<(string | null)[]>[] = [];
    let deleted: string | null = null;
    for (const { origin, row } of delta)
      if (Array.isArray(row)) records.push({ origin, row });
      else if ('broken' in row) broken.push({ origin, row: this.#placed(row) });
      else deleted = origin;
    if (key === '') return broken;
    if (deleted !== null) {
      if (!records.length && !broken.length) return [];
      for (const { origin, row } of records) refuse(origin, row, 'the same push takes this person out as well');
      return [...before, ...broken];
    }
    const taken = this.#taken(good, records, refuse);
    return taken.length ? [...taken, ...broken] : [...before, ...broken];
  }

  #taken(
    good: readonly Line<Cells>[],
    records: readonly Line<(string | null)[]>[],
    refuse: (origin: string, row: (string | null)[], reason: string, column?: number | null) => void,
  ): Line<Cells>[] {
    const differ = this.#columns.map((_, at) => good.some(({ row }) => row[at] !== good[0]!.row[at]));
    const [only] = records;
    if (records.length === 1 && good.length) {
      const { origin, row } = only!;
      const brought = this.#to.filter((_, from) => row[from] !== null);
      if (!brought.some((at) => differ[at])) {
        const merged = good.map((line) => ({ ...line, row: this.#over(line.row, row) }));
        const problem = merged
          .map(({ row: after }, at) => this.#spoils(good[at]!.row, after))
          .find((one) => one !== null);
        if (!problem) return merged;
        refuse(origin, row, problem.reason, problem.column);
        return [];
      }
      const whole = this.#known.every((at) => brought.includes(at));
      if (good.length > 1 && !whole) {
        refuse(origin, row, `this person has ${good.length} records, and one that is not whole cannot replace them`);
        return [];
      }
    }
    const taken: Line<Cells>[] = [];
    for (const { origin, row } of records) {
      const brought = new Set(this.#to.filter((_, from) => row[from] !== null));
      const left = [...this.#columns.keys()].filter((at) => !brought.has(at));
      const lacking = good.length ? [] : left.filter((at) => this.#required.includes(at));
      const unclear = left.filter((at) => differ[at]);
      if (lacking.length)
        refuse(origin, row, `nobody is known by this key, and a new person needs ${this.#names(lacking)}`);
      else if (unclear.length)
        refuse(origin, row, `does not bring ${this.#names(unclear)}, in which the records of this person differ`);
      else {
        const merged = this.#over(good[0]?.row ?? this.#columns.map(() => ''), row);
        const problem = good.length ? this.#spoils(good[0]!.row, merged) : null;
        if (problem) refuse(origin, row, problem.reason, problem.column);
        else taken.push({ origin, row: merged });
      }
    }
    return taken;
  }

  /** What keeps a row from becoming a record that did not keep the one before from it; `column` from 1. */
  #spoils(before: Cells, after: Cells): { reason: string; column: number | null } | null {
    const problem = this.#judge(after);
    if (!problem) return null;
    const was = this.#judge(before);
    if (was?.reason === problem.reason && was.column === problem.column) return null;
    const at = problem.column === null ? -1 : this.#columns.indexOf(problem.column);
    return { reason: problem.reason, column: at < 0 ? null : at + 1 };
  }

  #names(places: readonly number[]): string {
    return places.map((at) => this.#columns[at]).join(', ');
  }

  #over(cells: Cells, delta: readonly (string | null)[]): Cells {
    const merged = [...cells];
    for (const [from, cell] of delta.entries()) if (cell !== null) merged[this.#to[from]!] = cell;
    return merged;
  }

  #about(delta: readonly (string | null)[]): Cells {
    return this.#over(
      this.#columns.map(() => ''),
      delta,
    );
  }

  #placed({ broken, column, about }: Broken): Broken {
    return {
      broken,
      column: column === null ? null : this.#to[column - 1]! + 1,
      ...(about ? { about: this.#about(about as string[]) } : {}),
    };
  }
}
