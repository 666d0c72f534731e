/** Ways into a JSON document: names with dots between them, `name.given`, `emails.0.value`; `\.` is a dot in a name. */

/** A JSON value; numbers and truth values are the text that the document has, so that no digit is lost. */
export type Json = string | null | Json[] | { [key: string]: Json };

/** The pieces of a way; the document itself has none. */
export type Path = readonly string[];

/** Reads a way; `''` and `$` are the document itself. */
export function parsePath(text: string): Path {
  const bare = text === '$' ? '' : text.replace(/^\$\./, '');
  return bare === '' ? [] : bare.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'));
}

/** The other way round. */
export const pathText = (path: Path): string => path.map((name) => name.replaceAll('.', '\\.')).join('.');

/** A way that cannot be gone: what is there, as a person would say it. */
export class WrongShape {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** What lies at the end of the way; undefined when nothing does (null on the way counts as nothing). */
export function valueAt(value: Json, path: Path): Json | undefined | WrongShape {
  let now: Json | undefined = value;
  for (const [at, name] of path.entries()) {
    if (now === null || now === undefined) return undefined;
    if (typeof now === 'string') return new WrongShape(`${where(path, at)} is ${kindOf(now)}, no object`);
    if (Array.isArray(now)) {
      if (!/^\d+$/.test(name)) return new WrongShape(`${where(path, at)} is a list, no object`);
      now = now[Number(name)];
    } else now = Object.hasOwn(now, name) ? now[name] : undefined;
  }
  return now;
}

const where = (path: Path, length: number): string => (length === 0 ? 'the record' : pathText(path.slice(0, length)));

/** What sort of value it is, for messages: never the value itself. */
export function kindOf(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'a single value' : 'an object';
}
