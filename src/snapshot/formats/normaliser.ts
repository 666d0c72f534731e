import { Incomplete } from '../../base/errors.ts';
import { attributePrefix, type CanonicalField } from '../../configure/canonical.ts';
import type { FieldMap, FieldSource } from '../../configure/config.ts';
import type { CourseName } from '../../connector/target.ts';
import type { Hints, Normalised, Normaliser } from '../record.ts';
import {
  readAttribute,
  readCourseName,
  readEmail,
  readId,
  readKind,
  readNumber,
  readPersonName,
  readYear,
  Unreadable,
} from './fields.ts';
import { collapsed, tidy } from './text.ts';

type Read = (cells: readonly string[]) => string;

/**
 * Compiles a map for one header. Everything that depends on the header alone (indexes, value tables, attribute names)
 * is worked out here, once, so that a row costs little more than looking at its characters.
 */
export function compileNormaliser(fields: FieldMap, columns: readonly string[]): Normaliser {
  const read = (field: CanonicalField): Read => compileRead(fields[field], columns);
  const faculty = read('faculty');
  const department = read('department');
  const course = read('course');
  const firstName = read('firstName');
  const lastName = read('lastName');
  const email = read('email');
  const id = read('id');
  const number = read('number');
  const year = read('year');
  const kind = read('kind');
  const attributes = Object.keys(fields)
    .filter((field) => field.startsWith(attributePrefix))
    .map((field) => ({ field, name: field.slice(attributePrefix.length), read: compileRead(fields[field], columns) }));

  const refuse = (cells: readonly string[], field: string, { reason }: Unreadable): Normalised => {
    const sources = fields[field]?.columns ?? [];
    const hints: Hints = {
      number: readable(readNumber(number(cells))),
      id: readable(readId(id(cells))),
      email: readable(readEmail(email(cells))),
    };
    return {
      quarantined: { reason, column: sources.length === 1 ? sources[0]! : null, hints, course: courseOf(cells) },
    };
  };
  const courseOf = (cells: readonly string[]): CourseName | null => {
    const names = {
      faculty: readCourseName('faculty', faculty(cells)),
      department: readCourseName('department', department(cells)),
      course: readCourseName('course', course(cells)),
    };
    return Object.values(names).some((name) => name instanceof Unreadable) ? null : (names as CourseName);
  };

  return (cells) => {
    if (cells.length !== columns.length) return wrongWidth(cells.length, columns.length);
    const facultyName = readCourseName('faculty', faculty(cells));
    if (facultyName instanceof Unreadable) return refuse(cells, 'faculty', facultyName);
    const departmentName = readCourseName('department', department(cells));
    if (departmentName instanceof Unreadable) return refuse(cells, 'department', departmentName);
    const courseName = readCourseName('course', course(cells));
    if (courseName instanceof Unreadable) return refuse(cells, 'course', courseName);
    const first = readPersonName('firstName', firstName(cells));
    if (first instanceof Unreadable) return refuse(cells, 'firstName', first);
    const last = readPersonName('lastName', lastName(cells));
    if (last instanceof Unreadable) return refuse(cells, 'lastName', last);
    if (first === '' && last === '') return refuse(cells, 'lastName', nameless);
    const address = readEmail(email(cells));
    if (address instanceof Unreadable) return refuse(cells, 'email', address);
    const ownId = readId(id(cells));
    if (ownId instanceof Unreadable) return refuse(cells, 'id', ownId);
    const ownNumber = readNumber(number(cells));
    if (ownNumber instanceof Unreadable) return refuse(cells, 'number', ownNumber);
    const ownYear = readYear(year(cells));
    if (ownYear instanceof Unreadable) return refuse(cells, 'year', ownYear);
    const ownKind = readKind(kind(cells));
    if (ownKind instanceof Unreadable) return refuse(cells, 'kind', ownKind);
    const extra: Record<string, string> = {};
    for (const attribute of attributes) {
      const value = readAttribute(attribute.name, attribute.read(cells));
      if (value instanceof Unreadable) return refuse(cells, attribute.field, value);
      if (value !== null) extra[attribute.name] = value;
    }
    return {
      record: {
        faculty: facultyName,
        department: departmentName,
        course: courseName,
        number: ownNumber,
        id: ownId,
        email: address,
        firstName: first,
        lastName: last,
        kind: ownKind,
        year: ownYear,
        attributes: extra,
      },
    };
  };
}

const nameless = new Unreadable('firstName and lastName are both blank');

/** Cells of a row with another number of them may be shifted: nothing in it can be believed, not even a hint. */
function wrongWidth(cells: number, columns: number): Normalised {
  const reason = `the row has ${cells} ${cells === 1 ? 'value' : 'values'} for ${columns} columns`;
  return { quarantined: { reason, column: null, hints: { number: null, id: null, email: null }, course: null } };
}

function readable(value: string | null | Unreadable): string | null {
  return value instanceof Unreadable ? null : value;
}

function compileRead(source: FieldSource | undefined, columns: readonly string[]): Read {
  if (source === undefined) return () => '';
  const { constant, join } = source;
  if (constant !== null) return () => constant;
  const indexes = source.columns.map((column) => indexOf(columns, column));
  const raw: Read = indexes.length === 1 ? cellAt(indexes[0]!) : joined(indexes, join);
  if (source.values === null) return raw;
  const values = new Map(Object.entries(source.values).map(([from, to]) => [collapsed(from), to ?? '']));
  return (cells) => {
    const value = raw(cells);
    return values.get(collapsed(value)) ?? value;
  };
}

function cellAt(index: number): Read {
  return index < 0 ? () => '' : (cells) => cells[index]!;
}

/** Blank parts are left out, so that a missing middle name leaves no separator behind. */
function joined(indexes: readonly number[], join: string): Read {
  const parts = indexes.map(cellAt);
  return (cells) =>
    parts
      .map((part) => tidy(part(cells)))
      .filter((text) => text !== '')
      .join(join);
}

/** -1 for an optional column that this header does not have. */
function indexOf(columns: readonly string[], column: string): number {
  const index = columns.indexOf(column);
  if (index !== columns.lastIndexOf(column))
    throw new Incomplete(`the column ${column} occurs twice, so nobody can tell which one counts`);
  return index;
}
