import { parsedJson } from '../../base/json.ts';
import { isPassword } from '../../connector/passwords.ts';
import { readAttribute, Unreadable } from './fields.ts';
import { collapsed, damage, shown } from './text.ts';

/** Names become names of attributes, and these are parts of exports and fields in targets. */
const longestName = 64;

/**
 * The attributes in a cell that is an object with names of the sender's own (see `objectCell`). Objects in it are gone into,
 * with dots between the names; a list is its values with bars between them, as everywhere.
 */
export function readObject(field: string, cell: string): [name: string, value: string][] | Unreadable {
  if (cell.trim() === '') return [];
  const object = parsedJson(cell);
  if (!isObject(object)) return new Unreadable(`${field} is no object with names`);
  const found = new Map<string, string>();
  const reason = gather(field, object, '', found);
  return reason ?? [...found];
}

function gather(field: string, object: object, before: string, found: Map<string, string>): Unreadable | null {
  for (const [written, value] of Object.entries(object)) {
    // left out where it was received; in what an older rosterd kept it may still be
    if (isPassword(written)) continue;
    const own = collapsed(written);
    const damaged = own === '' ? 'is blank' : damage(own);
    if (damaged !== null) return new Unreadable(`${field} has a name that ${damaged}`);
    const name = before + own;
    if (name.length > longestName)
      return new Unreadable(`${field} has a name that is longer than ${longestName} characters`);
    if (isObject(value)) {
      const reason = gather(field, value, `${name}.`, found);
      if (reason) return reason;
      continue;
    }
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (list.some((one) => typeof one === 'object' && one !== null))
      return new Unreadable(`${field} ${shown(name)} has a list of more than single values`);
    const texts = list.map((one) => (one === null ? '' : String(one)));
    const several = [...new Set(texts.map(collapsed))].filter((text) => text !== '').join('|');
    const text = readAttribute(`${field} ${shown(name)}`, Array.isArray(value) ? several : texts[0]!);
    if (text instanceof Unreadable) return text;
    if (text === null) continue;
    if (found.has(name)) return new Unreadable(`${field} ${shown(name)} is there twice`);
    found.set(name, text);
  }
  return null;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
