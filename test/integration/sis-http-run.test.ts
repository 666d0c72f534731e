import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Installation } from '../support/installation.ts';
import { oneRosterRule, smallSet, user11 } from '../support/oneroster.ts';
import { type Rule, sisServer, slice } from '../support/sis.ts';

/** The whole way, by the command line: an HTTP source, its server, and what happened to others. */

const person = (n: number) => ({
  id: `id${n}`,
  first: `First${n}`,
  last: `Last${n}`,
  mail: `p${n}@example.edu`,
  courses: [{ faculty: 'Engineering', department: 'Mechanics', title: n % 2 ? 'Car Design' : 'Bridges' }],
});
const all = Array.from({ length: 60 }, (_, n) => person(n));
const honest: Rule = ({ query }) => ({ body: { total: all.length, people: slice(all, query) } });

async function installation(rule: Rule, source: (url: string) => string) {
  const sis = await sisServer(rule);
  const site = new Installation();
  onTestFinished(() => site.close());
  writeFileSync(
    site.config,
    `version: 1
institution: example-university
stateDir: ${join(site.directory, 'var')}
sources:
  sis:
    kind: sis-http
${source(sis.url)}
`,
  );
  return { sis, site };
}

const mapped = (url: string) => `    url: ${url}/people
    records: people
    key: id
    each: courses
    paging: { kind: offset, size: 25 }
    map:
      id: id
      email: mail
      firstName: first
      lastName: last
      faculty: courses.faculty
      department: courses.department
      course: courses.title`;

test('a source is loaded, unchanged, and loses nobody to an answer that is not whole', async () => {
  const { sis, site } = await installation(honest, mapped);
  expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied', snapshot: { records: 60, quarantined: 0 } });
  expect(await site.sync()).toMatchObject({ exit: 0, status: 'unchanged' });
  const before = (await site.accounts()).text;
  const failures: Rule[] = [
    // only the first page: the end is not said
    ({ query }) => ({ body: { people: query.get('offset') === '0' ? slice(all, query) : { error: 'quota' } } }),
    ({ query }) => ({ body: { people: query.get('offset') === '24' ? all.slice(24, 40) : slice(all, query) } }),
    () => ({ body: { people: null } }),
    () => ({ body: '{"people":[' }),
    ({ query }) => (query.get('offset') === '48' ? { status: 403 } : { body: { people: slice(all, query) } }),
  ];
  for (const rule of failures) {
    sis.rule = rule;
    expect(await site.sync()).toMatchObject({ exit: 1, status: 'failed' });
    expect((await site.accounts()).text).toBe(before);
  }
  // an empty list is what the server says; the guard keeps it from becoming the truth
  sis.rule = () => ({ body: { people: [] } });
  expect((await site.sync()).status).not.toBe('applied');
  expect((await site.accounts()).text).toBe(before);
  // reordered, it is the same
  sis.rule = ({ query }) => ({ body: { people: slice(all.toReversed(), query) } });
  expect(await site.sync()).toMatchObject({ exit: 0, status: 'unchanged' });
  // and one that really went is disabled
  sis.rule = ({ query }) => ({ body: { people: slice(all.slice(1), query) } });
  expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied', plan: { changes: { 'account.disable': 1 } } });
});

test('each record that cannot be read is in quarantine under its own name, day by day', async () => {
  const without = (...numbers: number[]): Rule => {
    const people = all.map((one, n) => (numbers.includes(n) ? { ...one, mail: { no: 'text' } } : one));
    return ({ query }) => ({ body: { people: slice(people, query) } });
  };
  const { sis, site } = await installation(without(3, 4, 5), mapped);
  const quarantine = async () => {
    const { run, snapshot } = await site.sync();
    const shown = JSON.parse((await site.rosterd('show', run)).stdout) as { quarantine: unknown[] };
    expect(shown.quarantine).toHaveLength(snapshot.quarantined);
    return shown.quarantine.map((row) => /id=(id\d+)/.exec(JSON.stringify(row))![1]);
  };
  expect((await quarantine()).sort()).toEqual(['id3', 'id4', 'id5']);
  sis.rule = without(7);
  expect(await quarantine()).toEqual(['id7']);
});

test('OneRoster comes in, and check says what it would read', async () => {
  const set = smallSet();
  const source = (url: string) => `    preset: oneroster-1.1
    url: ${url}/base
    delta: on
    enrolments: all
    format: oneroster`;
  const { site } = await installation(oneRosterRule(set), source);
  const said = await site.rosterd('check', '--connect', '--json');
  expect(said.stdout).toContain('users: 3 on the first page, 3 declared');
  expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied', snapshot: { records: 4, quarantined: 0 } });
  set.users.push(user11('u9', { dateLastModified: '2026-01-10T00:00:00.000Z' }));
  set.enrollments.push({
    ...set.enrollments[0]!,
    sourcedId: 'e9',
    user: { sourcedId: 'u9' },
    dateLastModified: '2026-01-10T00:00:00.000Z',
  });
  expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied', plan: { changes: { 'account.create': 1 } } });
});
