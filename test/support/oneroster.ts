import type { Json } from '../../connectors/sis-http/path.ts';
import type { Asked, Rule, Said } from './sis.ts';
import { slice } from './sis.ts';

/** A small OneRoster set, and a REST server of it that keeps the specification and misbehaves as it is told. */

type Record_ = { sourcedId: string; status?: string; dateLastModified?: string; [name: string]: unknown };

/** The collections of a server; a test changes what it likes. */
export type OneRosterSet = Record<
  'orgs' | 'academicSessions' | 'courses' | 'classes' | 'users' | 'enrollments',
  Record_[]
>;

const ref = (type: string, sourcedId: string) => ({
  href: `https://sis.example.edu/${type}s/${sourcedId}`,
  sourcedId,
  type,
});
const stamp = '2026-01-01T00:00:00.000Z';
const base = (sourcedId: string) => ({ sourcedId, status: 'active', dateLastModified: stamp });

/** A user in the way of 1.1. */
export const user11 = (id: string, more: object = {}): Record_ => ({
  ...base(id),
  username: `user-${id}`,
  userIds: [{ type: 'LDAP', identifier: id }],
  enabledUser: 'true',
  givenName: `Given ${id}`,
  familyName: 'Example',
  middleName: null,
  role: 'student',
  identifier: `N${id}`,
  email: `${id}@example.edu`,
  orgs: [ref('org', 'dept')],
  grades: ['12'],
  ...more,
});

/** A user in the way of 1.2. */
export const user12 = (id: string, more: object = {}): Record_ => {
  const { role: _role, orgs: _orgs, ...rest } = user11(id) as Record<string, unknown>;
  return {
    ...(rest as Record_),
    enabledUser: true,
    preferredFirstName: `Pref ${id}`,
    roles: [
      { roleType: 'secondary', role: 'aide', org: ref('org', 'school') },
      { roleType: 'primary', role: 'student', org: ref('org', 'dept') },
    ],
    primaryOrg: ref('org', 'dept'),
    ...more,
  };
};

export const enrolment = (id: string, user: string, inClass: string, more: object = {}): Record_ => ({
  ...base(id),
  user: ref('user', user),
  class: ref('class', inClass),
  school: ref('org', 'school'),
  role: 'student',
  primary: 'false',
  beginDate: '2025-09-01',
  endDate: '2026-07-01',
  ...more,
});

/** Three people: one in two classes, one in one, one in none. */
export function smallSet(user = user11): OneRosterSet {
  return {
    orgs: [
      { ...base('school'), name: 'School of Engineering', type: 'school', parent: ref('org', 'district') },
      { ...base('dept'), name: 'Mechanical Engineering', type: 'department', parent: ref('org', 'school') },
      { ...base('district'), name: 'Example University', type: 'district' },
    ],
    academicSessions: [{ ...base('t1'), title: 'Autumn 2025' }],
    courses: [{ ...base('k1'), title: 'Car Design', courseCode: 'CAR1', org: ref('org', 'dept') }],
    classes: [
      {
        ...base('c1'),
        title: 'Car Design A',
        classCode: 'CAR1-A',
        course: ref('course', 'k1'),
        school: ref('org', 'school'),
        terms: [ref('academicSession', 't1')],
      },
      {
        ...base('c2'),
        title: 'Car Design B',
        classCode: 'CAR1-B',
        course: ref('course', 'k1'),
        school: ref('org', 'school'),
      },
    ],
    users: [user('u1'), user('u2'), user('u3')],
    enrollments: [
      enrolment('e1', 'u1', 'c1', { primary: 'true' }),
      enrolment('e2', 'u1', 'c2'),
      enrolment('e3', 'u2', 'c1'),
    ],
  };
}

/** How the server deviates from the friendliest one. */
export interface Habits {
  /** Declares no `X-Total-Count`. */
  noTotal?: boolean;
  /** Sends a Link header. */
  links?: boolean;
  /** More than so many records never come on a page. */
  most?: number;
  /** Ignores `filter`. */
  noFilter?: boolean;
}

/** A server of the set under `/base`. */
export function oneRosterRule(set: OneRosterSet, habits: Habits = {}): Rule {
  return ({ url, query }: Asked): Said => {
    const name = url.pathname.replace('/base/', '') as keyof OneRosterSet;
    const list = set[name];
    if (list === undefined) return { status: 404, body: { imsx_codeMajor: 'failure', imsx_description: 'unknown' } };
    const since = /^dateLastModified>='([^']+)'$/.exec(query.get('filter') ?? '')?.[1];
    const found = since && !habits.noFilter ? list.filter((one) => one.dateLastModified! >= since) : list;
    const page = slice(found, query, habits.most);
    const next = Number(query.get('offset')) + page.length;
    const headers: Record<string, string> = habits.noTotal ? {} : { 'X-Total-Count': String(found.length) };
    if (habits.links)
      headers['Link'] =
        `<${url.pathname}?offset=0>; rel="first"${next < found.length ? `, <${url.pathname}?offset=${next}>; rel="next"` : ''}`;
    return { headers, body: { [name]: page as unknown as Json } };
  };
}
