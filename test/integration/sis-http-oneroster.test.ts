import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sisHttp } from '../../connectors/sis-http/connector.ts';
import { oneRosterColumns } from '../../src/connector/oneroster/columns.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { failure, type ReadRow, readAll, steppedClock, temporaryFolder } from '../support/drop.ts';
import {
  enrolment,
  type Habits,
  type OneRosterSet,
  oneRosterRule,
  smallSet,
  user11,
  user12,
} from '../support/oneroster.ts';
import { pulledSis, type SisServer, secret, sisContext, sisServer, sisSettings } from '../support/sis.ts';

const all = [...oneRosterColumns];

async function served(set: OneRosterSet, habits?: Habits): Promise<SisServer> {
  return sisServer(oneRosterRule(set, habits));
}

const settingsFor = (sis: SisServer, more: Record<string, unknown> = {}) =>
  sisSettings({ url: `${sis.url}/base`, preset: 'oneroster-1.1', ...more });

async function rowsOf(sis: SisServer, more: Record<string, unknown> = {}, columns: readonly string[] = all) {
  return readAll(await pulledSis(settingsFor(sis, more), sisContext(columns)));
}

/** A row as an object, or why it is broken. */
const read = (row: ReadRow, columns: readonly string[] = all) =>
  'cells' in row ? Object.fromEntries(columns.map((column, at) => [column, row.cells[at]])) : row.broken;

const short = ['sourcedId', 'class.sourcedId', 'enrolment.role'];
const brief = (rows: ReadRow[]) => rows.map((row) => ('cells' in row ? row.cells.join(' ') : row.broken));

describe('a set', () => {
  test('of 1.1 gives a row for each enrolment, with everything it refers to', async () => {
    const sis = await served(smallSet());
    const rows = await rowsOf(sis);
    expect(rows).toHaveLength(4);
    expect(read(rows[0]!)).toEqual({
      sourcedId: 'u1',
      username: 'user-u1',
      identifier: 'Nu1',
      email: 'u1@example.edu',
      givenName: 'Given u1',
      familyName: 'Example',
      middleName: '',
      preferredFirstName: '',
      role: 'student',
      enabledUser: 'true',
      grades: '12',
      status: 'active',
      'class.sourcedId': 'c1',
      'class.title': 'Car Design A',
      'class.code': 'CAR1-A',
      'course.sourcedId': 'k1',
      'course.title': 'Car Design',
      'course.code': 'CAR1',
      'school.sourcedId': 'school',
      'school.name': 'School of Engineering',
      'department.sourcedId': 'dept',
      'department.name': 'Mechanical Engineering',
      'term.title': 'Autumn 2025',
      'enrolment.role': 'student',
      'enrolment.primary': 'true',
      'enrolment.beginDate': '2025-09-01',
      'enrolment.endDate': '2026-07-01',
    });
    expect(rows[0]).toMatchObject({ origin: `${sis.url}/base users/u1 enrollments/e1` });
    // nobody is lost for being in no class
    expect(read(rows[3]!)).toMatchObject({
      sourcedId: 'u3',
      'class.title': '',
      'department.name': 'Mechanical Engineering',
    });
  });

  test('of 1.2 has roles, a preferred name and true truth values', async () => {
    const rows = await rowsOf(await served(smallSet(user12)), { preset: 'oneroster-1.2' });
    expect(read(rows[0]!)).toMatchObject({
      role: 'student',
      preferredFirstName: 'Pref u1',
      enabledUser: 'true',
      'department.name': 'Mechanical Engineering',
    });
  });

  test.each<[string, Habits]>([
    ['no total', { noTotal: true }],
    ['a total', {}],
    ['no total and links', { noTotal: true, links: true }],
    ['links', { links: true }],
  ])('is whole from a server with %s that clamps the page', async (_what, habits) => {
    const set = smallSet();
    set.users = Array.from({ length: 23 }, (_, n) => user11(`p${String(n).padStart(2, '0')}`));
    set.enrollments = set.users.map(({ sourcedId }) => enrolment(`e-${sourcedId}`, sourcedId, 'c1'));
    for (const most of [1, 2, 5, 22, 23])
      for (const concurrency of [1, 3])
        expect(await rowsOf(await served(set, { ...habits, most }), { pageSize: 50, concurrency }, short)).toHaveLength(
          23,
        );
  });

  test('loses nobody when somebody vanishes between pages', async () => {
    const set = smallSet();
    set.users = Array.from({ length: 30 }, (_, n) => user11(`p${String(n).padStart(2, '0')}`));
    set.enrollments = [];
    const honest = oneRosterRule(set, { noTotal: true });
    const sis = await sisServer((asked, response) => {
      if (asked.query.get('offset') === '18') set.users.splice(15, 1);
      return honest(asked, response);
    });
    const { kind, line } = await failure(sisHttp.pull(settingsFor(sis, { pageSize: 10 }), sisContext(short)));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('does not begin with the last record')]);
  });
});

describe('who and what is there', () => {
  test('deleted and inactive records are not, disabled users by choice', async () => {
    const set = smallSet();
    set.users.push(user11('gone', { status: 'tobedeleted' }), user11('idle', { status: 'inactive' }));
    set.users.push(user11('off', { enabledUser: 'false' }));
    set.enrollments.push(
      enrolment('x1', 'u3', 'c1', { status: 'tobedeleted' }),
      enrolment('x2', 'gone', 'c1'),
      enrolment('x3', 'off', 'c2'),
    );
    const sis = await served(set);
    expect(brief(await rowsOf(sis, {}, short))).toEqual(['u1 c1 student', 'u1 c2 student', 'u2 c1 student', 'u3  ']);
    expect(brief(await rowsOf(sis, { disabledUsers: 'keep' }, short))).toContain('off c2 student');
  });

  test('a class that is deleted ends its enrolments', async () => {
    const set = smallSet();
    set.classes[0]!.status = 'tobedeleted';
    expect(brief(await rowsOf(await served(set), {}, short))).toEqual(['u1 c2 student', 'u2  ', 'u3  ']);
  });

  test.each([
    ['not-ended', ['u1 c1 student', 'u1 c2 student', 'u2  ', 'u3 c1 student']],
    ['current', ['u1 c2 student', 'u2  ', 'u3  ']],
    ['all', ['u1 c1 student', 'u1 c2 student', 'u2 c1 student', 'u3 c1 student']],
  ])('enrolments count by their dates: %s', async (enrolments, wanted) => {
    const set = smallSet();
    // it is 02:15 UTC on 15 January: the 14th has ended everywhere, the 15th has not
    set.enrollments = [
      enrolment('a', 'u1', 'c1', { beginDate: '2026-02-01' }),
      enrolment('b', 'u1', 'c2', { endDate: '2026-01-15' }),
      enrolment('c', 'u2', 'c1', { endDate: '2026-01-14' }),
      enrolment('d', 'u3', 'c1', { beginDate: '2026-01-17', endDate: null }),
    ];
    expect(brief(await rowsOf(await served(set), { enrolments }, short))).toEqual(wanted);
  });

  test('what cannot be read or refers to nothing is a broken row, and its neighbours are not', async () => {
    const set = smallSet();
    set.users.push(
      user11('v1', { enabledUser: 'yes' }),
      user11('v2', { givenName: ['a', 'b'] }),
      user11('v3', { status: 'x' }),
    );
    set.enrollments.push(
      enrolment('y1', 'nobody', 'c1'),
      enrolment('y2', 'u3', 'no-class'),
      enrolment('y3', 'u3', 'c1', { endDate: '1/9/2026' }),
      enrolment('y4', 'u3', 'c2', { primary: 'maybe' }),
    );
    set.classes.push({ ...set.classes[0]!, sourcedId: 'c3', course: { sourcedId: 'no-course' } });
    set.enrollments.push(enrolment('y5', 'u3', 'c3'));
    const rows = brief(await rowsOf(await served(set), {}, short));
    expect(rows.slice(0, 3)).toEqual(['u1 c1 student', 'u1 c2 student', 'u2 c1 student']);
    expect(rows.slice(3)).toEqual([
      'the enrolment is in a class that is not in the set',
      'enrolment: endDate is no date YYYY-MM-DD',
      'enrolment: primary is neither true nor false',
      'the course of a class is not in the set (sourcedId no-course)',
      'user: enabledUser is neither true nor false',
      'user: givenName is no single value',
      'user: status is neither active nor tobedeleted',
      'the enrolment is of a user that is not in the set',
    ]);
  });

  test('a column that OneRoster does not have is refused', async () => {
    const { kind, line } = await failure(sisHttp.pull(settingsFor(await served(smallSet())), sisContext(['mail'])));
    expect([kind, line]).toEqual(['Misconfigured', expect.stringContaining('OneRoster has no column mail')]);
  });
});

describe('a server that fails', () => {
  test.each([
    [
      {
        imsx_codeMajor: 'failure',
        imsx_description: 'No such sort field',
        imsx_CodeMinor: {
          imsx_codeMinorField: [
            { imsx_codeMinorFieldName: 'TargetEndSystem', imsx_codeMinorFieldValue: 'invalid_sort_field' },
          ],
        },
      },
      'No such sort field, invalid_sort_field',
    ],
    [{ imsx_StatusInfo: { imsx_description: 'Wrapped' } }, 'Wrapped'],
    ['flat words about ann@example.edu and 9500000001', 'flat words about [e-mail] and …'],
  ])('says why: %j', async (body, words) => {
    const sis = await sisServer(() => ({ status: 400, body }));
    const { kind, line } = await failure(sisHttp.pull(settingsFor(sis), sisContext(short)));
    expect([kind, line]).toEqual(['Misconfigured', expect.stringContaining(`enrollments answered 400: ${words}`)]);
  });

  test('in the middle leaves nothing behind for the next attempt in the same directory', async () => {
    const set = smallSet();
    const honest = oneRosterRule(set);
    const sis = await sisServer((asked, response) =>
      asked.url.pathname.endsWith('/courses') ? { status: 500 } : honest(asked, response),
    );
    const context = sisContext(short);
    expect((await failure(sisHttp.pull(settingsFor(sis), context))).kind).toBe('Unavailable');
    set.users.pop();
    sis.rule = honest;
    expect(brief(await readAll(await pulledSis(settingsFor(sis), context)))).toHaveLength(3);
  });

  test('in one collection of six gives nothing', async () => {
    const set = smallSet();
    const honest = oneRosterRule(set);
    const sis = await sisServer((asked, response) =>
      asked.url.pathname.endsWith('/orgs') ? { body: { imsx_codeMajor: 'failure' } } : honest(asked, response),
    );
    const { kind, line } = await failure(sisHttp.pull(settingsFor(sis), sisContext(short)));
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('orgs is missing')]);
  });
});

describe('between whole pulls', () => {
  const on = { delta: 'on', full: '1d' };

  /** A server and its source, day after day: each pull is committed. */
  async function days(set: OneRosterSet, habits?: Habits) {
    const sis = await served(set, habits);
    const keepDir = join(temporaryFolder(), 'keep');
    let lastContent: string | null = null;
    const clock = steppedClock();
    const next = async (more: Partial<SourceContext> = {}, commit = true): Promise<string[]> => {
      sis.asked.length = 0;
      const answer = await pulledSis(settingsFor(sis, on), sisContext(short, { keepDir, lastContent, clock, ...more }));
      const rows = brief(await readAll(answer));
      if (commit) {
        await answer.accepted();
        lastContent = answer.content;
      }
      return rows;
    };
    const isWhole = () => !sis.asked.some(({ query }) => query.has('filter'));
    return { next, isWhole, clock, sis };
  }
  const later = '2026-01-14T12:00:00.000Z';

  test('only what changed is asked for, and merged: new, changed, deleted', async () => {
    const set = smallSet();
    const { next, isWhole, sis } = await days(set);
    expect(await next()).toEqual(['u1 c1 student', 'u1 c2 student', 'u2 c1 student', 'u3  ']);
    expect(isWhole()).toBe(true);
    set.users.push(user11('u4', { dateLastModified: later }));
    Object.assign(set.users[1]!, { status: 'tobedeleted', dateLastModified: later });
    Object.assign(set.enrollments[0]!, { role: 'teacher', dateLastModified: later });
    Object.assign(set.enrollments[1]!, { status: 'tobedeleted', dateLastModified: later });
    expect(await next()).toEqual(['u1 c1 teacher', 'u3  ', 'u4  ']);
    expect(isWhole()).toBe(false);
    expect(sis.asked[0]!.query.get('filter')).toBe("dateLastModified>='2025-12-31T23:00:00.000Z'");
    // nothing new: the same again
    expect(await next()).toEqual(['u1 c1 teacher', 'u3  ', 'u4  ']);
    expect(sis.asked[0]!.query.get('filter')).toBe("dateLastModified>='2026-01-14T11:00:00.000Z'");
  });

  test('what is merely not in a delta is still there; a whole pull finds it gone', async () => {
    const set = smallSet();
    const { next, isWhole, clock } = await days(set);
    await next();
    set.users.pop();
    expect(await next()).toContain('u3  ');
    await clock.wait(86_400_000);
    expect(await next()).not.toContain('u3  ');
    expect(isWhole()).toBe(true);
  });

  test('a pull that came to nothing leaves no trace, and another base asks for a whole one', async () => {
    const set = smallSet();
    const { next, isWhole } = await days(set);
    await next();
    Object.assign(set.enrollments[0]!, { role: 'teacher', dateLastModified: later });
    expect(await next({}, false)).toContain('u1 c1 teacher');
    expect(await next()).toContain('u1 c1 teacher');
    expect(isWhole()).toBe(false);
    await next({ lastContent: 'another' }, false);
    expect(isWhole()).toBe(true);
    await next({ keepDir: temporaryFolder() }, false);
    expect(isWhole()).toBe(true);
  });

  test.each([
    ['in the future', '2099-01-01T00:00:00.000Z'],
    // in whose time? The one of this machine may be hours before the server's
    ['without a time zone', '2026-01-14T12:00:00'],
    ['of a day', '2026-01-14'],
  ])('a date %s is none: what changes later is not missed for it', async (_what, dateLastModified) => {
    const set = smallSet();
    Object.assign(set.users[2]!, { dateLastModified });
    const { next, sis } = await days(set);
    await next();
    set.users.push(user11('u4', { dateLastModified: '2026-01-14T10:00:00.000Z' }));
    expect(await next()).toContain('u4  ');
    const filters = () =>
      Object.fromEntries(
        sis.asked.map(({ url, query }) => [url.pathname.replace('/base/', ''), query.get('filter')] as const),
      );
    // users are asked for as a whole, the others from the latest change on
    expect(filters()).toMatchObject({ users: null, classes: "dateLastModified>='2025-12-31T23:00:00.000Z'" });
    Object.assign(set.users[2]!, { dateLastModified: '2026-01-14T11:00:00.000+01:00' });
    await next();
    await next();
    expect(filters()).toMatchObject({ users: "dateLastModified>='2026-01-14T09:00:00.000Z'" });
  });

  test('a date in the future in a delta moves nothing', async () => {
    const set = smallSet();
    const { next, sis } = await days(set);
    await next();
    Object.assign(set.users[2]!, { dateLastModified: '2099-01-01T00:00:00.000Z' });
    await next();
    set.users.push(user11('u4', { dateLastModified: '2026-01-14T10:00:00.000Z' }));
    expect(await next()).toContain('u4  ');
    expect(sis.asked.find(({ url }) => url.pathname === '/base/users')!.query.get('filter')).toBe(
      "dateLastModified>='2025-12-31T23:00:00.000Z'",
    );
  });

  test('another login has other rights: what it does not say may be what the one before saw', async () => {
    const sis = await served(smallSet());
    const keepDir = temporaryFolder();
    const pull = (lastContent: string | null, more: object) =>
      pulledSis(settingsFor(sis, { ...on, ...more }), sisContext(short, { keepDir, lastContent }));
    const login = (name: string) => ({ auth: { kind: 'basic', username: name, password: secret('SIS_PW', 'p') } });
    const first = await pull(null, login('all'));
    await first.accepted();
    const isWhole = async (more: object) => {
      sis.asked.length = 0;
      await pull(first.content, more);
      return !sis.asked.some(({ query }) => query.has('filter'));
    };
    expect(await isWhole(login('all'))).toBe(false);
    expect(await isWhole(login('some'))).toBe(true);
    expect(await isWhole({ ...login('all'), headers: { 'X-School': 'north' } })).toBe(true);
  });

  test('a server that knows no filter gives everything, which does no harm', async () => {
    const set = smallSet();
    const { next } = await days(set, { noFilter: true });
    await next();
    expect(await next()).toHaveLength(4);
  });
});

test('a probe says what there is of each collection', async () => {
  const sis = await served(smallSet());
  const said = await sisHttp.probe(settingsFor(sis), sisContext(short));
  expect(said[0]).toBe(`OneRoster 1.1 at ${sis.url}/base`);
  expect(said[2]).toMatch(
    /^users: 3 on the first page, 3 declared; the first has sourcedId, status, .*orgs\.0\.sourcedId/,
  );
  expect(said.join()).not.toContain('example.edu');
});
