import type { PushAnswer } from '../../src/connector/inbox.ts';
import { type Inner, objectCell } from '../../src/connector/objects.ts';
import { isSecret } from '../../src/connector/passwords.ts';
import { type ColumnExpectation, cellOf, manyValues } from '../../src/connector/source.ts';
import { type Json, type JsonRecord, WrittenNumber } from './json.ts';
import type { PushSettings } from './schema.ts';

/** What a record is to us: cells in the order of the columns, whether it takes somebody out, or why it cannot be read. */
export interface ReadRow {
  /** From 1, in the order of the body. */
  record: number;
  line?: number;
  /** Null: the record does not bring this column, and it stays as it is. Of a broken row: what could be read. */
  cells: (string | null)[];
  deleted: boolean;
  broken: { reason: string; field: string | null } | null;
}

/** Where rows go, after the columns. */
export interface RowTaker {
  begin(columns: readonly string[]): void;
  take(rows: readonly ReadRow[]): Promise<void>;
  /** Counts values of a column that are thrown away. */
  drop(column: string): void;
}

/** What both ways in need to know. */
export interface Reading {
  settings: PushSettings;
  expected: ColumnExpectation;
  answer: PushAnswer;
}

/** True for a column that is thrown away: it is one of passwords, or the source says so. */
export function isDropped({ drop }: PushSettings, expected: ColumnExpectation, column: string): boolean {
  return isSecret(expected, column) || drop.some((one) => one.toLowerCase() === column.toLowerCase());
}

/** Turns JSON records into rows. Formats whose columns have types are taken at their word; other tables want scalars. */
export function rowsOfJson({ settings, expected, answer }: Reading, taker: RowTaker) {
  const columns = [...expected.required, ...expected.optional].filter(
    (column) => !isDropped(settings, expected, column),
  );
  const required = new Set(expected.required);
  const known = new Set(columns);
  /** Where a record has an object on the way to a column. */
  const ways = new Set(
    columns.flatMap((column) => [...column.matchAll(/\./g)].map(({ index }) => column.slice(0, index))),
  );
  /** Says of what lies under a name that it is not kept, unless there is nothing. */
  const drop = (way: readonly string[], value: Json): void => {
    if (value !== null) taker.drop(way.every(isPlain) ? way.join('.') : others);
  };
  const dropUnread = (value: Map<string, Json>, before: readonly string[]): void => {
    for (const [key, its] of value) {
      const way = [...before, key];
      const path = way.join('.');
      if (known.has(path)) continue;
      if (ways.has(path) && its instanceof Map) dropUnread(its, way);
      else drop(way, its);
    }
  };
  const cellAs = (column: string): ((value: Json) => string | Wrong) => {
    if (expected.objects?.includes(column))
      return (value) => objectOf(value, (way) => drop([...column.split('.'), ...way], ''));
    if (expected.numbers === undefined) return scalarCell;
    return expected.numbers.includes(column) ? numberCell : textCell;
  };
  const readers = columns.map((column) => ({ column, cell: cellAs(column), path: column.split('.') }));

  const read = (value: Map<string, Json>, record: number): ReadRow => {
    let broken: ReadRow['broken'] = null;
    const refuse = (field: string | null, reason: string): void => {
      broken ??= { field, reason };
    };
    let deleted = false;
    for (const [key, its] of value) {
      if (isDropped(settings, expected, key)) taker.drop(isPlain(key) ? key : others);
      else if (known.has(key)) continue;
      else if (ways.has(key) && its instanceof Map) dropUnread(its, [key]);
      else if (key === settings.deletedField) {
        if (typeof its !== 'boolean') refuse(key, 'is not true or false');
        else if (its && answer === 'snapshot') refuse(key, onlyInDelta);
        else deleted = its;
      } else if (!expected.exact) drop([key], its);
      else if (isPlain(key)) refuse(key, 'is no field of this format');
      else refuse(null, 'has a key that is no field of this format, and does not look like one');
    }
    const cells = readers.map(({ column, cell, path }) => {
      const its = valueAt(value, column, path);
      if (its === undefined) {
        if (answer === 'delta') return null;
        if (required.has(column)) refuse(column, 'is missing');
        return '';
      }
      const text = cell(its);
      if (typeof text === 'string') return text;
      refuse(column, text.wrong);
      return '';
    });
    return { record, cells, deleted, broken };
  };

  let count = 0;
  return {
    columns,
    read: (one: JsonRecord): ReadRow => {
      count += 1;
      if ('value' in one) return read(one.value, count);
      return {
        record: count,
        cells: columns.map(() => ''),
        deleted: false,
        broken: { field: null, reason: one.broken },
      };
    },
  };
}

/** True for a key that may be shown: one of the sender's making may be an address or a number of somebody. */
const isPlain = (key: string): boolean => /^[\p{L}_][\p{L}\p{N}_ .-]{0,39}$/u.test(key) && !/\d{4}/.test(key);

/** What keys that may not be shown, and more of them than anybody would read, are counted under. */
export const others = '(others)';

/** What is said of a record that takes somebody out of a whole list. */
export const onlyInDelta = 'belongs into a delta; from a whole list somebody is left out';

/** Why a value is no cell. */
interface Wrong {
  wrong: string;
}

function valueAt(value: Map<string, Json>, column: string, path: readonly string[]): Json | undefined {
  if (value.has(column) || path.length === 1) return value.get(column);
  let at: Json | undefined = value;
  for (const name of path) {
    if (!(at instanceof Map)) return undefined;
    at = at.get(name);
  }
  return at;
}

function textCell(value: Json): string | Wrong {
  if (typeof value === 'string') return cellOf([value]);
  return value === null ? '' : { wrong: `is ${kindOf(value)}, and has to be text` };
}

function numberCell(value: Json): string | Wrong {
  if (value instanceof WrittenNumber) return value.text;
  return value === null ? '' : { wrong: `is ${kindOf(value)}, and has to be a number without quotes, or null` };
}

function scalarCell(value: Json): string | Wrong {
  if (Array.isArray(value)) {
    const cells = value.map((one) => (Array.isArray(one) ? { wrong: 'has a list in a list' } : scalarCell(one)));
    return cells.find((cell) => typeof cell !== 'string') ?? cellOf(cells as string[]);
  }
  if (value instanceof Map) return { wrong: 'is an object; the map names the fields in it, with dots' };
  const text = value instanceof WrittenNumber ? value.text : value === null ? '' : String(value);
  return text.includes(manyValues) ? { wrong: 'contains a control character' } : text;
}

function objectOf(value: Json, drop: (way: readonly string[]) => void): string | Wrong {
  if (value === null) return '';
  if (!(value instanceof Map)) return { wrong: `is ${kindOf(value)}, and has to be an object` };
  return objectCell(innerOf(value) as ReadonlyMap<string, Inner>, drop);
}

function innerOf(value: Json): Inner {
  if (value === null) return null;
  if (value instanceof WrittenNumber) return value.text;
  if (Array.isArray(value)) return value.map(innerOf);
  if (value instanceof Map) return new Map([...value].map(([name, inner]) => [name, innerOf(inner)]));
  return String(value);
}

function kindOf(value: Json): string {
  if (typeof value === 'string') return 'text';
  if (value instanceof WrittenNumber) return 'a number';
  if (Array.isArray(value)) return 'a list';
  return value instanceof Map ? 'an object' : 'true or false';
}
