import { Incomplete } from '../../base/errors.ts';
import { attributePrefix } from '../../configure/canonical.ts';
import type { FieldMap, FieldSource, ListRule, Role } from '../../configure/config.ts';
import { manyValues } from '../../connector/source.ts';
import type { CourseName } from '../../connector/target.ts';
import type { Hints, Normalised, Normaliser, PersonRecord, Remark } from '../record.ts';
import {
  blankEmail,
  readAlias,
  readAttribute,
  readCourseName,
  readEmail,
  readId,
  readKind,
  readNumber,
  readPersonName,
  readProvision,
  readYear,
  Unreadable,
} from './fields.ts';
import { readObject } from './objects.ts';
import { collapsed, lowered, shown, tidy } from './text.ts';

type Text = string | Unreadable;
type Read = (cells: readonly string[]) => Text;
type Rule<T> = (cells: readonly string[]) => T | Unreadable;

/**
 * Compiles a map for one header. Everything that depends on the header alone (indexes, value tables, attribute names)
 * is worked out here, once, so that a row costs little more than looking at its characters. Rows of a directory have no
 * courses, and an id or an e-mail will do; so have rows of a map without courses.
 */
export function compileNormaliser(fields: FieldMap, columns: readonly string[], role: Role, lists?: true): Normaliser {
  let remarks: Remark[] = [];
  const { directory, courseless, courseText, rules, attributes } = compileRules(
    fields,
    columns,
    role,
    lists,
    (remark) => remarks.push(remark),
  );
  const { faculty, department, course, firstName, lastName, email, id, alias, number, year, kind, provision } = rules;

  const refuse = (cells: readonly string[], field: string, { reason }: Unreadable): Normalised => {
    const sources = fields[field]?.columns ?? [];
    const hints: Hints = {
      number: readable(number(cells)),
      id: readable(id(cells)),
      email: readable(email(cells)) || null,
    };
    return {
      quarantined: { reason, column: sources.length === 1 ? sources[0]! : null, hints, course: courseOf(cells) },
    };
  };
  const courseOf = (cells: readonly string[]): CourseName | null => {
    if (courseless) return null;
    const names = { faculty: faculty(cells), department: department(cells), course: course(cells) };
    return Object.values(names).some((name) => name instanceof Unreadable) ? null : (names as CourseName);
  };

  return (cells) => {
    if (cells.length !== columns.length) return wrongWidth(cells.length, columns.length);
    remarks = [];
    const names: CourseName = { faculty: '', department: '', course: '' };
    if (!courseless && !(fields['course']?.optional && blank(courseText(cells)))) {
      const facultyName = faculty(cells);
      if (facultyName instanceof Unreadable) return refuse(cells, 'faculty', facultyName);
      const departmentName = department(cells);
      if (departmentName instanceof Unreadable) return refuse(cells, 'department', departmentName);
      const courseName = course(cells);
      if (courseName instanceof Unreadable) return refuse(cells, 'course', courseName);
      names.faculty = facultyName;
      names.department = departmentName;
      names.course = courseName;
    }
    const first = firstName(cells);
    if (first instanceof Unreadable) return refuse(cells, 'firstName', first);
    const last = lastName(cells);
    if (last instanceof Unreadable) return refuse(cells, 'lastName', last);
    if (first === '' && last === '' && !directory) return refuse(cells, 'lastName', nameless);
    const address = email(cells);
    if (address instanceof Unreadable) return refuse(cells, 'email', address);
    const ownId = id(cells);
    if (ownId instanceof Unreadable) return refuse(cells, 'id', ownId);
    const ownNumber = number(cells);
    if (ownNumber instanceof Unreadable) return refuse(cells, 'number', ownNumber);
    if (address === '' && ownId === null && ownNumber === null) return refuse(cells, 'id', nobody);
    const ownAlias = alias?.(cells) ?? null;
    if (ownAlias instanceof Unreadable) return refuse(cells, 'alias', ownAlias);
    const ownYear = year(cells);
    if (ownYear instanceof Unreadable) return refuse(cells, 'year', ownYear);
    const ownKind = kind(cells);
    if (ownKind instanceof Unreadable) return refuse(cells, 'kind', ownKind);
    const account = provision?.(cells) ?? true;
    if (account instanceof Unreadable) return refuse(cells, 'provision', account);
    const extra: Record<string, string> = {};
    for (const attribute of attributes) {
      const raw = attribute.read(cells);
      if (attribute.object && typeof raw === 'string') {
        const read = readObject(attribute.name, raw);
        if (read instanceof Unreadable) return refuse(cells, attribute.field, read);
        for (const [name, value] of read) extra[`${attribute.name}.${name}`] = value;
        continue;
      }
      const value = typeof raw === 'string' ? readAttribute(attribute.name, raw) : raw;
      if (value instanceof Unreadable) return refuse(cells, attribute.field, value);
      if (value !== null) extra[attribute.name] = value;
    }
    const record: PersonRecord = {
      ...names,
      number: ownNumber,
      id: ownId,
      email: address,
      firstName: first,
      lastName: last,
      kind: ownKind,
      year: ownYear,
      attributes: extra,
    };
    if (ownAlias !== null) record.alias = ownAlias;
    if (!account) record.provision = false;
    return remarks.length ? { record, remarks } : { record };
  };
}

/** The rules of each field, for one header. `remark`: what is strange in a value that is taken all the same. */
function compileRules(
  fields: FieldMap,
  columns: readonly string[],
  role: Role,
  lists: true | undefined,
  remark: (remark: Remark) => void,
) {
  const read = (field: string, many: 'one' | 'all' = 'one'): Read => {
    const source = fields[field];
    return compileRead(field, source, columns, lists ? many : null, (reason) =>
      remark({ reason, column: source?.columns[0] ?? null }),
    );
  };
  const rule = <T>(field: string, apply: (raw: string) => T | Unreadable): Rule<T> => {
    const text = read(field);
    return (cells) => {
      const raw = text(cells);
      return typeof raw === 'string' ? apply(raw) : raw;
    };
  };
  const directory = role === 'directory';
  const courseless = directory || !fields['course'];
  const faculty = rule('faculty', (raw) => readCourseName('faculty', raw));
  const department = rule('department', (raw) => readCourseName('department', raw));
  const courseText = read('course');
  const course = rule('course', (raw) => readCourseName('course', raw));
  const firstName = rule('firstName', (raw) => readPersonName('firstName', raw));
  const lastName = rule('lastName', (raw) => readPersonName('lastName', raw));
  const noEmail = directory ? '' : new Unreadable(blankEmail(fields['email']?.blank));
  const email = rule('email', (raw) => (tidy(raw) === '' ? noEmail : readEmail(raw)));
  const id = rule('id', readId);
  const alias = fields['alias'] ? rule('alias', readAlias) : null;
  const number = rule('number', readNumber);
  const year = rule('year', readYear);
  const kind = rule('kind', readKind);
  const provision = fields['provision'] ? rule('provision', readProvision) : null;
  const attributes = Object.keys(fields)
    .filter((field) => field.startsWith(attributePrefix))
    .map((field) => ({
      field,
      name: field.slice(attributePrefix.length),
      object: fields[field]!.object,
      read: read(field, 'all'),
    }));
  const rules = {
    ...{ faculty, department, course, firstName, lastName, email, id, alias, number, year, kind, provision },
  };
  return { directory, courseless, courseText, rules, attributes };
}

/** What a row of which some cells are unknown says that cannot be; null: nothing. `column`: null where there are several. */
export type PartJudge = (cells: readonly (string | null)[]) => { column: string | null; reason: string } | null;

/**
 * Compiles the same rules for rows that bring only some of what there is: each field is judged by itself, where all that it is
 * made of is known. A name of a course may be blank where a row may have no course: whether it has one is not known.
 */
export function compilePartJudge(fields: FieldMap, columns: readonly string[], role: Role, lists?: true): PartJudge {
  const { courseless, rules, attributes } = compileRules(fields, columns, role, lists, () => {});
  const { faculty, department, course, ...others } = rules;
  const ofCourse = courseless ? {} : { faculty, department, course };
  const each = [
    ...Object.entries({ ...ofCourse, ...others }),
    ...attributes.map(
      ({ field, name, object, read }) =>
        [
          field,
          (cells: readonly string[]): unknown => {
            const raw = read(cells);
            if (typeof raw !== 'string') return raw;
            return object ? readObject(name, raw) : readAttribute(name, raw);
          },
        ] as const,
    ),
  ].flatMap(([field, rule]) => {
    const own = fields[field]?.columns ?? [];
    const places = own.map((column) => columns.indexOf(column));
    if (!rule || !places.length || places.includes(-1)) return [];
    const mayBeBlank = field in ofCourse && fields['course']?.optional === true;
    return [{ rule, places, mayBeBlank, column: own.length === 1 ? own[0]! : null }];
  });
  return (cells) => {
    for (const { rule, places, mayBeBlank, column } of each) {
      if (places.some((place) => cells[place] === null)) continue;
      if (mayBeBlank && places.every((place) => tidy(cells[place]!) === '')) continue;
      const value = rule(cells as readonly string[]);
      if (value instanceof Unreadable) return { column, reason: value.reason };
    }
    return null;
  };
}

const nobody = new Unreadable('id and email are both blank');
const nameless = new Unreadable('firstName and lastName are both blank');

/** Cells of a row with another number of them may be shifted: nothing in it can be believed, not even a hint. */
function wrongWidth(cells: number, columns: number): Normalised {
  const reason = `the row has ${cells} ${cells === 1 ? 'value' : 'values'} for ${columns} columns`;
  return { quarantined: { reason, column: null, hints: { number: null, id: null, email: null }, course: null } };
}

function readable(value: string | null | Unreadable): string | null {
  return value instanceof Unreadable ? null : value;
}

function compileRead(
  field: string,
  source: FieldSource | undefined,
  columns: readonly string[],
  many: 'one' | 'all' | null,
  remark: (reason: string) => void,
): Read {
  if (source === undefined) return () => '';
  const { constant, join, first, otherwise, values, anyCase } = source;
  if (constant !== null) return () => constant;
  const cells = source.columns.map((column) => cellAt(indexOf(columns, column)));
  const rule = source.list ?? (many && { split: null, pick: many, allowed: null, unknown: 'refuse' });
  const same = anyCase ? (text: string): string => lowered(collapsed(text)) : collapsed;
  const list = rule && compileList(rule.called ?? nameOf(field), rule, many !== null, same, remark);
  const parts: Read[] = list ? cells.map((cell) => (row) => list(cell(row))) : cells;
  const taken = parts.length === 1 ? parts[0]! : first ? firstOf(parts) : joined(parts, join);
  const raw = source.required || source.form ? checked(field, taken, source) : taken;
  if (values === null && otherwise === undefined) return raw;
  const known = new Map(Object.entries(values ?? {}).map(([from, to]) => [same(from), to ?? '']));
  return (row) => {
    const value = raw(row);
    return typeof value === 'string' ? (known.get(same(value)) ?? otherwise ?? value) : value;
  };
}

/** What becomes of a cell that may have several values. Most have one, and nothing is asked of it. `same`: of what is one value. */
function compileList(
  name: string,
  rule: ListRule,
  lists: boolean,
  same: (text: string) => string,
  remark: (reason: string) => void,
) {
  const { split, pick, unknown } = rule;
  const allowed = rule.allowed && new Map(rule.allowed.map((value) => [same(value), collapsed(value)]));
  return (raw: string): Text => {
    if (!allowed && !(lists && raw.includes(manyValues)) && (split === null || !raw.includes(split))) return raw;
    const parts = (lists ? raw.split(manyValues) : [raw]).flatMap((part) =>
      split === null ? part : part.split(split),
    );
    const values = new Map<string, string>();
    for (const part of parts.map(collapsed)) {
      const key = same(part);
      if (part === '' || values.has(key)) continue;
      values.set(key, allowed?.get(key) ?? part);
      if (!allowed || allowed.has(key)) continue;
      const reason = `${name} ${shown(part)} is not on the list`;
      if (unknown === 'refuse') return new Unreadable(reason);
      remark(reason);
    }
    if (pick === 'one' && values.size > 1) return new Unreadable(`${name} has ${values.size} values`);
    const [first = ''] = values.values();
    return pick === 'first' ? first : [...values.values()].join('|');
  };
}

function blank(text: Text): boolean {
  return typeof text === 'string' && tidy(text) === '';
}

/** Holds a value against what it has to look like. */
function checked(field: string, taken: Read, { required, form }: FieldSource): Read {
  const pattern = form && new RegExp(`^(?:${form.pattern})$`, 'u');
  return (cells) => {
    const text = taken(cells);
    if (typeof text !== 'string') return text;
    const value = tidy(text);
    if (value === '') return required ? new Unreadable(`${nameOf(field)} is blank`) : '';
    if (!pattern || pattern.test(value) === (form.mode !== 'except')) return text;
    return form.mode === 'must' ? new Unreadable(`${nameOf(field)} ${form.says}`) : '';
  };
}

function nameOf(field: string): string {
  return field.startsWith(attributePrefix) ? field.slice(attributePrefix.length) : field;
}

function cellAt(index: number): (cells: readonly string[]) => string {
  return index < 0 ? () => '' : (cells) => cells[index]!;
}

function firstOf(parts: readonly Read[]): Read {
  return (cells) => {
    for (const part of parts) {
      const text = part(cells);
      if (!blank(text)) return text;
    }
    return '';
  };
}

/** Blank parts are left out, so that a missing middle name leaves no separator behind. */
function joined(parts: readonly Read[], join: string): Read {
  return (cells) => {
    const texts: string[] = [];
    for (const part of parts) {
      const text = part(cells);
      if (typeof text !== 'string') return text;
      if (tidy(text) !== '') texts.push(tidy(text));
    }
    return texts.join(join);
  };
}

/** -1 for an optional column that this header does not have. */
function indexOf(columns: readonly string[], column: string): number {
  const index = columns.indexOf(column);
  if (index !== columns.lastIndexOf(column))
    throw new Incomplete(`the column ${column} occurs twice, so nobody can tell which one counts`);
  return index;
}
