import { Misconfigured } from '../../src/base/errors.ts';
import { isSecret } from '../../src/connector/passwords.ts';
import { type ColumnExpectation, cellOf, manyValues } from '../../src/connector/source.ts';
import { bytesOf, type Entry, guidText, nameOf, utf8 } from './entry.ts';
import type { LdapSettings } from './schema.ts';

/** Entries as rows: which attributes are asked for, and what becomes of their values. */

/** Columns that the connector gives beside attributes. */
const pseudo = {
  '@dn': 'the DN of the entry',
  '@stableId': 'objectGUID or entryUUID: stays when the entry is renamed or moved',
  '@disabled': 'true or false, by userAccountControl',
} as const;

/** How entries of a source are read. */
export interface Reading {
  columns: readonly string[];
  /** To be asked for. */
  attributes: string[];
  /** Attributes that must be seen at somebody, in lower case. */
  expected: readonly string[];
  rowsOf(entry: Entry): EntryRows;
}

/** What one entry came to. */
export interface EntryRows {
  /** Of one thing: stays when the entry is renamed, where the server has something that does. */
  key: string;
  /** False: only the DN is known, which is another one after a move. */
  stable: boolean;
  /** Null where nothing says. */
  disabled: boolean | null;
  rows: Row[];
}

/** Cells, or why the row cannot be read. */
export type Row = readonly string[] | { broken: string; column: number };

const name = /^[A-Za-z0-9][\w.;-]*$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const disabledBit = 2;

/** Works out how the columns that the format wants are read. */
export function readingOf(expected: ColumnExpectation, settings: LdapSettings): Reading {
  const { required, optional } = expected;
  // what is not asked for is not kept
  const columns = [...required, ...optional].filter((column) => !isSecret(expected, column));
  for (const column of required)
    if (!(column in pseudo) && !name.test(column))
      throw new Misconfigured(`"${column}" is no name of an attribute`, {
        remedy: `besides attributes there are ${Object.keys(pseudo).join(', ')}`,
      });
  const wanted = columns.filter((column) => name.test(column));
  const lower = (names: readonly string[]): Set<string> => new Set(names.map(nameOf));
  const [binary, mayBeMissing, each] = [
    lower(settings.binary),
    lower(settings.mayBeMissing),
    settings.each === undefined ? undefined : nameOf(settings.each),
  ];
  const uac = settings.disabledAccounts === 'leave-out' || columns.includes('@disabled') ? ['userAccountControl'] : [];
  const asked = new Map([...uac, 'objectGUID', 'entryUUID', ...wanted].map((one) => [nameOf(one), one]));

  const cells = columns.map((column): CellOf => {
    if (column === '@dn') return ({ dn }) => cellOf([dn]);
    if (column === '@stableId') return (_entry, { stableId }) => stableId ?? '';
    if (column === '@disabled') return (_entry, { disabled }) => (disabled === null ? '' : String(disabled));
    const attribute = nameOf(column);
    if (attribute === 'objectguid') return cellFrom(attribute, guidText, 'is no GUID');
    if (binary.has(attribute)) return cellFrom(attribute, (value) => bytesOf(value).toString('base64'), '');
    return cellFrom(attribute, utf8, 'is no text in UTF-8; list it under binary');
  });
  const eachColumns = columns.flatMap((column, at) => (nameOf(column) === each ? [at] : []));
  if (each !== undefined && !eachColumns.length)
    throw new Misconfigured(`each: ${settings.each} is read by no field of the map`, {
      remedy: 'name it in map:, for example as the course',
    });

  return {
    columns,
    attributes: [...asked.values()],
    expected: required.filter((column) => wanted.includes(column) && !mayBeMissing.has(nameOf(column))).map(nameOf),
    rowsOf(entry) {
      const ids = idsOf(entry);
      const stable = ids.stableId !== null;
      const named = { key: ids.stableId ?? `dn:${entry.dn.toLowerCase()}`, stable, disabled: ids.disabled };
      const row = new Array<string>(cells.length);
      for (const [at, cellOf] of cells.entries()) {
        const cell = cellOf(entry, ids);
        if (typeof cell !== 'string') return { ...named, rows: [{ ...cell, column: at + 1 }] };
        row[at] = cell;
      }
      if (!eachColumns.length) return { ...named, rows: [row] };
      const rows = row[eachColumns[0]!]!.split(manyValues).map((value) =>
        row.map((cell, at) => (eachColumns.includes(at) ? value : cell)),
      );
      return { ...named, rows };
    },
  };
}

interface Ids {
  stableId: string | null;
  disabled: boolean | null;
}

function idsOf({ attributes }: Entry): Ids {
  const guid = attributes.get('objectguid')?.[0];
  const text = attributes.get('entryuuid')?.[0]?.toLowerCase();
  const control = attributes.get('useraccountcontrol')?.[0];
  return {
    stableId: guid ? guidText(guid) : text !== undefined && uuid.test(text) ? text : null,
    // an account that nobody can tell about is not taken for a disabled one
    disabled: control !== undefined && /^-?\d+$/.test(control) ? (Number(control) & disabledBit) !== 0 : null,
  };
}

type CellOf = (entry: Entry, ids: Ids) => string | { broken: string };

/** The values of an attribute in one cell, sorted: a directory keeps no order. `read` gives null for what is wrong. */
function cellFrom(attribute: string, read: (value: string) => string | null, wrong: string): CellOf {
  const broken = { broken: `a value of ${attribute} ${wrong}` };
  return ({ attributes }) => {
    const values = attributes.get(attribute);
    if (!values) return '';
    if (values.length === 1) {
      const text = read(values[0]!);
      return text === null ? broken : cellOf([text]);
    }
    const texts: string[] = [];
    for (const value of values) {
      const text = read(value);
      if (text === null) return broken;
      texts.push(text);
    }
    return cellOf(texts.sort());
  };
}
