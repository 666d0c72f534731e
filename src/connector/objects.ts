import { isPassword } from './passwords.ts';

/** Objects with names of the sender's own, as one cell: see `objects` of `ColumnExpectation`. */

/** A value inside of such an object. */
export type Inner = string | null | readonly Inner[] | ReadonlyMap<string, Inner>;

/**
 * The object as JSON: the same text whatever the order of its names, and without passwords. `drop` is told the way to each
 * of these, because who sends should know.
 */
export function objectCell(object: ReadonlyMap<string, Inner>, drop: (way: readonly string[]) => void): string {
  return textOf(object, [], drop);
}

function textOf(value: Inner, way: readonly string[], drop: (way: readonly string[]) => void): string {
  if (value === null || typeof value === 'string') return JSON.stringify(value);
  if (isList(value)) return `[${value.map((one) => textOf(one, way, drop)).join()}]`;
  const kept: string[] = [];
  for (const [name, inner] of [...value].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (isPassword(name)) drop([...way, name]);
    else kept.push(`${JSON.stringify(name)}:${textOf(inner, [...way, name], drop)}`);
  }
  return `{${kept.join()}}`;
}

// `Array.isArray` does not tell a read-only list from the rest
function isList(value: Exclude<Inner, string | null>): value is readonly Inner[] {
  return Array.isArray(value);
}
