import { fieldNamed, objectNamed, type SObject } from './objects.ts';
import type { Org, Row } from './org.ts';
import { stubUser } from './sessions.ts';

/** As much of SOQL as a client needs to look things up: one object, conditions joined by AND, an order, a limit. */

const query =
  /^\s*select\s+(?<fields>[\w,\s]+?)\s+from\s+(?<object>\w+)(?:\s+where\s+(?<where>.+?))?(?:\s+order\s+by\s+(?<order>\w+)(?:\s+(?<way>asc|desc))?)?(?:\s+limit\s+(?<limit>\d+))?\s*$/is;
const condition = /^(?<field>\w+)\s*(?<op>=|!=)\s*(?:'(?<text>(?:[^'\\]|\\.)*)'|(?<other>null|-?\d+(?:\.\d+)?))$/i;

/** The answer of a query, or the code and message of its refusal. */
export function runQuery(org: Org, soql: string, version: string): object | [errorCode: string, message: string] {
  const groups = query.exec(soql)?.groups;
  if (!groups) return ['MALFORMED_QUERY', 'the stub knows SELECT fields FROM object WHERE … AND … ORDER BY … LIMIT n'];
  const object = objectNamed(groups['object']!);
  if (!object) return ['INVALID_TYPE', `sObject type '${groups['object']}' is not supported.`];
  const names = groups['fields']!.split(',').map((name) => name.trim());
  const tests =
    groups['where'] === undefined ? [] : groups['where'].split(/\s+and\s+/i).map((text) => condition.exec(text.trim()));
  if (tests.includes(null)) return ['MALFORMED_QUERY', `the stub cannot read ${groups['where']}`];
  const conditions = tests.map((test) => test!.groups!);
  const used = [...names, ...conditions.map((each) => each['field']!), ...(groups['order'] ? [groups['order']] : [])];
  const unknown = used.find((name) => nameIn(object, name) === undefined);
  if (unknown !== undefined) return ['INVALID_FIELD', `No such column '${unknown}' on entity '${object.name}'.`];
  const value = (row: Row, name: string): unknown =>
    /^ownerid$/i.test(name) ? stubUser : (row[nameIn(object, name)!] ?? null);
  let rows = org.rows(object.name).filter((row) =>
    conditions.every(({ field, op, text, other }) => {
      const wanted = text !== undefined ? text.replace(/\\(.)/g, '$1') : /null/i.test(other!) ? null : Number(other);
      const has = value(row, field!);
      const equal =
        typeof has === 'string' && typeof wanted === 'string'
          ? has.toLowerCase() === wanted.toLowerCase()
          : has === wanted;
      return equal === (op === '=');
    }),
  );
  const { order, way, limit } = groups;
  if (order) {
    const sign = /desc/i.test(way ?? '') ? -1 : 1;
    rows.sort((a, b) => sign * (String(value(a, order)) < String(value(b, order)) ? -1 : 1));
  }
  if (limit !== undefined) rows = rows.slice(0, Number(limit));
  return {
    totalSize: rows.length,
    done: true,
    records: rows.map((row) => ({
      attributes: { type: object.name, url: `/services/data/${version}/sobjects/${object.name}/${row.Id}` },
      ...Object.fromEntries(names.map((name) => [nameIn(object, name)!, value(row, name)])),
    })),
  };
}

function nameIn(object: SObject, name: string): string | undefined {
  const standard = ['Id', 'OwnerId'].find((each) => each.toLowerCase() === name.toLowerCase());
  return standard ?? fieldNamed(object, name)?.name;
}
