import { Misconfigured } from '../../base/errors.ts';
import { type ColumnExpectation, cellOf } from '../source.ts';
import type { SpoolWriter } from '../spool.ts';
import { type OneRosterColumn, oneRosterColumns } from './columns.ts';
import type { Class, Course, Enrolment, Org, Read, Role, Session, User } from './entities.ts';
import type { Whole } from './whole.ts';

/** The set as rows: one for each enrolment that counts, and one for each user without. Nothing that is in doubt is left out. */

/** What of the set counts. */
export interface JoinRules {
  disabledUsers: 'leave-out' | 'keep';
  enrolments: 'not-ended' | 'current' | 'all';
  now: Date;
  /** What a row is looked up under: base URL or file. */
  name: string;
}

/** Columns that the format wants, proved to be columns of OneRoster. */
export function wantedColumns({ required, optional }: ColumnExpectation): OneRosterColumn[] {
  const known: readonly string[] = oneRosterColumns;
  const wanted = [...required, ...optional.filter((column) => known.includes(column))];
  const stranger = wanted.find((column) => !known.includes(column));
  if (stranger !== undefined)
    throw new Misconfigured(`OneRoster has no column ${stranger}`, { remedy: `columns are ${known.join(', ')}` });
  return wanted as OneRosterColumn[];
}

type Cells = Record<OneRosterColumn, string>;
const blank = Object.fromEntries(oneRosterColumns.map((column) => [column, ''])) as Cells;

/** Why a row cannot be read. */
class Broken extends Error {}

/** Writes all rows. `pause` is called now and then, and may end it. */
export async function joinRows(
  whole: Whole,
  columns: readonly OneRosterColumn[],
  rules: JoinRules,
  writer: SpoolWriter,
  pause: () => void,
): Promise<void> {
  const orgs = whole.map('orgs');
  const sessions = whole.map('academicSessions');
  const courses = whole.map('courses');
  const classes = whole.map('classes');
  const rolesOf = whole.lookUp('roles');
  const enrolmentsOf = whole.lookUp('enrollments');
  const counts = countsBy(rules);
  const classCells = new Map<string, Partial<Cells> | string>();

  const write = (cells: Cells, key: string, origin: string): Promise<void> =>
    writer.add(
      { key, origin },
      columns.map((column) => cells[column]),
    );
  const refuse = (key: string, origin: string, error: unknown): Promise<void> => {
    if (!(error instanceof Broken)) throw error;
    return writer.addBroken({ key, origin }, error.message);
  };

  for (const user of whole.each('users')) {
    pause();
    const place = `${rules.name} users/${user.id}`;
    if (user.gone) continue;
    let person: Partial<Cells>;
    let known: User;
    try {
      known = withRoles(dataOf(user, 'user'), rolesOf(user.id));
      person = userCells(user.id, known);
    } catch (error) {
      await refuse(user.id, place, error);
      continue;
    }
    if (known.enabledUser === 'false' && rules.disabledUsers === 'leave-out') continue;
    let rows = 0;
    for (const enrolment of enrolmentsOf(user.id)) {
      const origin = `${place} enrollments/${enrolment.id}`;
      try {
        const given = enrolment.gone ? null : enrolmentCells(enrolment, known);
        if (given === null) continue;
        rows += 1;
        await write({ ...blank, ...person, ...given }, user.id, origin);
      } catch (error) {
        rows += 1;
        await refuse(user.id, origin, error);
      }
    }
    if (rows > 0) continue;
    try {
      await write({ ...blank, ...person, ...placeCells([], known.orgs) }, user.id, place);
    } catch (error) {
      await refuse(user.id, place, error);
    }
  }
  for (const stray of whole.strays('enrollments'))
    if (!stray.gone)
      await writer.addBroken(
        { key: stray.id, origin: `${rules.name} enrollments/${stray.id}` },
        'the enrolment is of a user that is not in the set',
      );
  for (const stray of whole.strays('roles'))
    if (!stray.gone)
      await writer.addBroken(
        { key: stray.id, origin: `${rules.name} roles/${stray.id}` },
        'the role is of a user that is not in the set',
      );

  /** Null: the enrolment does not count, or its class is deleted. */
  function enrolmentCells(enrolment: Read<Enrolment>, user: User): Partial<Cells> | null {
    const data = dataOf(enrolment, 'enrolment');
    if (!counts(data)) return null;
    const of = classes.get(data.class);
    if (of === undefined) throw new Broken('the enrolment is in a class that is not in the set');
    if (of.gone) return null;
    let cells = classCells.get(of.id);
    if (cells === undefined) {
      try {
        cells = cellsOfClass(of);
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        cells = error.message;
      }
      classCells.set(of.id, cells);
    }
    if (typeof cells === 'string') throw new Broken(cells);
    const { course, school } = dataOf(of, 'class');
    const org = courses.get(course)?.data as Course | undefined;
    return {
      ...cells,
      ...placeCells([school || data.school, org?.org ?? ''], user.orgs),
      'enrolment.role': data.role,
      'enrolment.primary': data.primary,
      'enrolment.beginDate': data.beginDate,
      'enrolment.endDate': data.endDate,
    };
  }

  function cellsOfClass(one: Read<Class>): Partial<Cells> {
    const { title, code, course, terms } = dataOf(one, 'class');
    const taught = course === '' ? null : dataOf(found(courses, course, 'course of a class'), 'course');
    const titles = terms.map((term) => dataOf<Session>(found(sessions, term, 'term of a class'), 'term').title);
    return {
      'class.sourcedId': one.id,
      'class.title': title,
      'class.code': code,
      'course.sourcedId': course,
      'course.title': taught?.title ?? '',
      'course.code': taught?.code ?? '',
      'term.title': cellOf([...new Set(titles)]),
    };
  }

  /** School and department: the class's own first, then the user's; each is looked for upwards, too. */
  function placeCells(ofClass: readonly string[], ofUser: readonly string[]): Partial<Cells> {
    const named = [...ofClass, ...ofUser].filter((id) => id !== '');
    const chains = named.map((id) => chainOf(id));
    const first = (type: string) => chains.flat().find((org) => (org.data as Org).type === type);
    // a college may call its schools districts: what the class names as its school is one
    const school = first('school') ?? chains[0]?.[0];
    const department = first('department');
    return {
      'school.sourcedId': school?.id ?? '',
      'school.name': school === undefined ? '' : (school.data as Org).name,
      'department.sourcedId': department?.id ?? '',
      'department.name': department === undefined ? '' : (department.data as Org).name,
    };
  }

  /** An organisation and those above it. A circle ends where it closes. */
  function chainOf(id: string): Read<Org>[] {
    const chain: Read<Org>[] = [];
    for (let next = id; next !== '' && !chain.some((org) => org.id === next); ) {
      const org = found(orgs, next, chain.length ? 'parent of an organisation' : 'organisation');
      chain.push(org);
      next = dataOf(org, 'organisation').parent;
    }
    return chain;
  }
}

function found<T>(all: ReadonlyMap<string, Read<T>>, id: string, what: string): Read<T> {
  const one = all.get(id);
  if (one === undefined) throw new Broken(`the ${what} is not in the set (sourcedId ${id.slice(0, 80)})`);
  return one;
}

function dataOf<T>({ data }: Read<T>, what: string): T {
  if (typeof data === 'string') throw new Broken(`${what}: ${data}`);
  return data;
}

/** The user with roles that stand in a table of their own, and the organisations of all roles. */
function withRoles(user: User, more: readonly Read<Role>[]): User {
  const roles = [...user.roles, ...more.filter((role) => !role.gone).map((role) => dataOf(role, 'role'))];
  const orgs = [...user.orgs, ...roles.map(({ org }) => org)].filter((id) => id !== '');
  return { ...user, roles, orgs: [...new Set(orgs)] };
}

function userCells(id: string, { roles, ...user }: User): Partial<Cells> {
  const primary = roles.filter((role) => role.type === 'primary');
  const names = (primary.length ? primary : roles).map(({ role }) => role).filter((role) => role !== '');
  return {
    sourcedId: id,
    username: user.username,
    identifier: user.identifier,
    email: user.email,
    givenName: user.givenName,
    familyName: user.familyName,
    middleName: user.middleName,
    preferredFirstName: user.preferredFirstName,
    role: cellOf([...new Set(names)].sort()),
    enabledUser: user.enabledUser,
    grades: cellOf(user.grades),
    status: 'active',
  };
}

/**
 * Which enrolments count today. A set does not say in which time zone its days are, so an enrolment has ended when it has
 * everywhere on earth, and has begun when it has anywhere: doubt takes nobody out of a class.
 */
function countsBy({ enrolments, now }: JoinRules): (enrolment: Enrolment) => boolean {
  const hour = 3_600_000;
  const dayAt = (offset: number): string => new Date(now.getTime() + offset * hour).toISOString().slice(0, 10);
  const [last, first] = [dayAt(-12), dayAt(14)];
  return ({ beginDate, endDate }) => {
    if (enrolments === 'all') return true;
    if (endDate !== '' && endDate <= last) return false;
    return enrolments === 'not-ended' || beginDate === '' || beginDate <= first;
  };
}
