import {
  type Entities,
  type EntityName,
  type Flag,
  type Read,
  readDay,
  readFlag,
  readStatus,
} from '../../src/connector/oneroster/entities.ts';
import { manyValues } from '../../src/connector/source.ts';
import { type Json, valueAt, WrongShape } from './path.ts';

/** Records of OneRoster REST, 1.1 and 1.2, as entities. What cannot be read becomes a reason, never a guess. */

/** The collections that are read, in this order: what others refer to comes last, so that it is the newest. */
export const collections = ['enrollments', 'users', 'classes', 'courses', 'academicSessions', 'orgs'] as const;
/** One of them. */
export type CollectionName = (typeof collections)[number];

/** Fields of one record; the first one that cannot be read is remembered. */
class Fields {
  problem: string | null = null;
  readonly #record: Json;
  constructor(record: Json) {
    this.#record = record;
  }

  #wrong(name: string, what: string): '' {
    this.problem ??= `${name} ${what}`;
    return '';
  }

  value(...path: string[]): Json | undefined {
    const found = valueAt(this.#record, path);
    if (!(found instanceof WrongShape)) return found;
    this.#wrong(path.join('.'), 'has another shape than OneRoster says');
    return undefined;
  }

  text(...path: string[]): string {
    const found = this.value(...path);
    if (found === undefined || found === null) return '';
    if (typeof found !== 'string') return this.#wrong(path.join('.'), 'is no single value');
    return found.includes(manyValues) ? this.#wrong(path.join('.'), 'has a separator character in it') : found;
  }

  flag(name: string): Flag {
    return readFlag(this.text(name)) ?? this.#wrong(name, 'is neither true nor false');
  }

  day(name: string): string {
    return readDay(this.text(name)) ?? this.#wrong(name, 'is no date YYYY-MM-DD');
  }

  /** The elements of a list; a missing one has none. */
  list(name: string): Json[] {
    const found = this.value(name);
    if (found === undefined || found === null) return [];
    if (Array.isArray(found)) return found;
    this.#wrong(name, 'is no list');
    return [];
  }

  texts(name: string): string[] {
    // some servers give one value where a list belongs
    const found = this.value(name);
    const values = typeof found === 'string' ? [found] : this.list(name);
    return values.flatMap((one) => {
      if (one === null || one === '') return [];
      if (typeof one === 'string' && !one.includes(manyValues)) return [one];
      this.#wrong(name, 'is no list of single values');
      return [];
    });
  }

  /** The sourcedId of a reference `{ href, sourcedId, type }`; blank where there is none. */
  reference(name: string): string {
    const found = this.value(name);
    if (found === undefined || found === null) return '';
    return this.#idOf(name, found);
  }

  references(name: string): string[] {
    return this.list(name).map((one) => this.#idOf(name, one));
  }

  #idOf(name: string, reference: Json): string {
    const id = valueAt(reference, ['sourcedId']);
    return typeof id === 'string' && id !== '' ? id : this.#wrong(name, 'is a reference without sourcedId');
  }
}

const readers: { [N in CollectionName]: (fields: Fields) => Entities[N] } = {
  orgs: (f) => ({ name: f.text('name'), type: f.text('type').toLowerCase(), parent: f.reference('parent') }),
  academicSessions: (f) => ({ title: f.text('title') }),
  courses: (f) => ({ title: f.text('title'), code: f.text('courseCode'), org: f.reference('org') }),
  classes: (f) => ({
    title: f.text('title'),
    code: f.text('classCode'),
    course: f.reference('course'),
    school: f.reference('school'),
    terms: f.references('terms'),
  }),
  users: (f) => {
    const roles = f.list('roles').map((one) => {
      const inside = new Fields(one);
      const read = {
        role: inside.text('role'),
        type: inside.text('roleType').toLowerCase(),
        org: inside.reference('org'),
      };
      f.problem ??= inside.problem === null ? null : `roles: ${inside.problem}`;
      return read;
    });
    const primary = f.reference('primaryOrg');
    const orgs = [primary, ...f.references('orgs')].filter((id) => id !== '');
    const own = f.text('role');
    return {
      username: f.text('username'),
      identifier: f.text('identifier'),
      email: f.text('email'),
      givenName: f.text('givenName'),
      familyName: f.text('familyName'),
      middleName: f.text('middleName'),
      preferredFirstName: f.text('preferredFirstName'),
      enabledUser: f.flag('enabledUser'),
      roles: own === '' ? roles : [{ role: own, type: '', org: '' }],
      grades: f.texts('grades'),
      orgs,
    };
  },
  enrollments: (f) => ({
    class: f.reference('class'),
    school: f.reference('school'),
    role: f.text('role'),
    primary: f.flag('primary'),
    beginDate: f.day('beginDate'),
    endDate: f.day('endDate'),
  }),
};

/** Reads a record. Null: it has no sourcedId, so nothing can refer to it, and nobody can look it up. */
export function readEntity<N extends CollectionName & EntityName>(name: N, record: Json): Read<Entities[N]> | null {
  const fields = new Fields(record);
  const id = fields.text('sourcedId');
  if (id === '') return null;
  const status = readStatus(fields.text('status'));
  const user = name === 'enrollments' ? { user: fields.reference('user') } : {};
  const data = readers[name](fields);
  const problem = status === null ? 'status is neither active nor tobedeleted' : fields.problem;
  return { id, gone: status === 'gone', ...user, data: problem ?? data };
}

/**
 * When a record changed last, in milliseconds; null where it does not say so. What it says without a time zone is read as
 * nothing: in the time of this machine it may be hours off. So is a time that has not come: changes from now on would all
 * be before it, and nobody would ask for them.
 */
export function changedAt(record: Json, now: Date): number | null {
  const found = valueAt(record, ['dateLastModified']);
  const time = typeof found === 'string' && /T.*(Z|[+-]\d\d:?\d\d)$/i.test(found) ? Date.parse(found) : Number.NaN;
  return Number.isNaN(time) || time > now.getTime() ? null : time;
}
