import { Incomplete } from '../../src/base/errors.ts';
import { type Inner, objectCell } from '../../src/connector/objects.ts';
import { type ColumnExpectation, cellOf, manyValues } from '../../src/connector/source.ts';
import type { SpoolWriter } from '../../src/connector/spool.ts';
import { type Json, kindOf, type Path, parsePath, pathText, valueAt, WrongShape } from './path.ts';

/** Records to rows: the columns of the format are ways into a record. */
export class RowMaker {
  readonly columns: readonly string[];
  readonly #required: number;
  readonly #paths: readonly Path[];
  /** For each column the rest of its way inside an element of `each`; null where it does not lead there. */
  readonly #inner: readonly (Path | null)[];
  /** For each column whether it is an object with names of its own. */
  readonly #isObject: readonly boolean[];
  readonly #key: Path | undefined;
  readonly #each: Path | undefined;
  readonly #name: string;
  /** Columns that at least one record has, be it as null. */
  readonly #found: boolean[];
  #records = 0;
  constructor(columns: ColumnExpectation, key: Path | undefined, each: Path | undefined, name: string) {
    this.columns = [...columns.required, ...columns.optional];
    this.#required = columns.required.length;
    this.#isObject = this.columns.map((column) => columns.objects?.includes(column) ?? false);
    this.#paths = this.columns.map(parsePath);
    this.#inner = this.#paths.map((path) =>
      each?.every((part, at) => path[at] === part) ? path.slice(each.length) : null,
    );
    this.#key = key;
    this.#each = each;
    this.#name = name;
    this.#found = this.columns.map(() => false);
  }

  /** Writes the rows of one record. */
  async add(record: Json, writer: SpoolWriter): Promise<void> {
    this.#records += 1;
    const key = this.#key === undefined ? undefined : valueAt(record, this.#key);
    const name = typeof key === 'string' && key !== '' ? key : null;
    const named = {
      key: name ?? String(this.#records),
      ...(name === null ? {} : { origin: `${this.#name} ${pathText(this.#key!)}=${name}` }),
    };
    if (record === null || typeof record !== 'object' || Array.isArray(record))
      return writer.addBroken(named, `is ${kindOf(record)}, no object`);
    if (this.#key !== undefined && name === null)
      return writer.addBroken(named, `has no ${pathText(this.#key)}, which is its key`);
    for (const element of this.#elements(record)) {
      if (element instanceof WrongShape) {
        await writer.addBroken(named, element.reason);
        continue;
      }
      const row = this.#cells(record, element);
      if (Array.isArray(row)) await writer.add(named, row);
      else await writer.addBroken(named, row.reason, row.column);
    }
  }

  /** What a row is made for: the elements of `each`; without elements the record is one row all the same. */
  #elements(record: Json): readonly (Json | undefined | WrongShape)[] {
    if (this.#each === undefined) return [undefined];
    const list = valueAt(record, this.#each);
    if (list instanceof WrongShape) return [list];
    if (list === undefined || list === null) return [undefined];
    if (!Array.isArray(list)) return [new WrongShape(`${pathText(this.#each)} is ${kindOf(list)}, no list`)];
    return list.length === 0 ? [undefined] : list;
  }

  #cells(record: Json, element: Json | undefined): string[] | { reason: string; column: number } {
    const cells: string[] = [];
    for (const [at, path] of this.#paths.entries()) {
      const inner = this.#inner[at]!;
      const value =
        inner === null ? valueAt(record, path) : element === undefined ? undefined : valueAt(element, inner);
      if (value !== undefined) this.#found[at] = true;
      const cell =
        value instanceof WrongShape ? value : this.#isObject[at] ? objectText(value, path) : cellText(value, path);
      if (cell instanceof WrongShape) return { reason: cell.reason, column: at + 1 };
      cells.push(cell);
    }
    return cells;
  }

  /** Throws when a column that the format needs was in no record at all: read as blank, it would be emptied for everybody. */
  prove(): void {
    if (this.#records === 0) return;
    const missing = this.columns.filter((_, at) => at < this.#required && !this.#found[at]);
    if (missing.length === 0) return;
    const what = missing.length === 1 ? `has ${missing[0]}` : `has any of ${missing.join(', ')}`;
    throw new Incomplete(`${this.#name}: none of ${this.#records} records ${what}`, {
      remedy: 'correct the map, or take the column out of it if the server leaves it out for good',
    });
  }
}

function cellText(value: Json | undefined, path: Path): string | WrongShape {
  if (value === undefined || value === null) return '';
  const wrong = (what: string): WrongShape => new WrongShape(`${pathText(path)} is ${what}, no single value`);
  if (typeof value === 'string')
    return value.includes(manyValues) ? new WrongShape(`${pathText(path)} has a separator character in it`) : value;
  if (!Array.isArray(value)) return wrong('an object');
  const values = value.filter((one) => one !== null);
  if (!values.every((one) => typeof one === 'string'))
    return wrong(values.some((one) => Array.isArray(one)) ? 'a list of lists' : 'a list of objects');
  if (values.some((one) => one.includes(manyValues)))
    return new WrongShape(`${pathText(path)} has a separator character in it`);
  return cellOf(values);
}

/** Passwords in it are left out without a word: nobody sent them to us, and nobody would hear it. */
function objectText(value: Json | undefined, path: Path): string | WrongShape {
  if (value === undefined || value === null) return '';
  const inner = innerOf(value);
  if (inner instanceof Map) return objectCell(inner, () => {});
  return new WrongShape(`${pathText(path)} is ${kindOf(value)}, and has to be an object`);
}

function innerOf(value: Json): Inner {
  if (value === null || typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(innerOf);
  return new Map(Object.entries(value).map(([name, inner]) => [name, innerOf(inner)]));
}

/** Every way into a record that ends at a single value or a list of them; for people who write a map. */
export function waysInto(record: Json, before = ''): string[] {
  if (record === null || typeof record !== 'object' || Array.isArray(record)) return [before];
  return Object.entries(record).flatMap(([name, value]) => {
    const way = before ? `${before}.${name.replaceAll('.', '\\.')}` : name.replaceAll('.', '\\.');
    const objects = Array.isArray(value) && value.some((one) => one !== null && typeof one === 'object');
    return objects ? waysInto(value[0]!, `${way}.0`) : waysInto(value, way);
  });
}
