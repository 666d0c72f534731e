import { describe, expect, onTestFinished, test } from 'vitest';
import type { FormatConfig } from '../../../src/configure/config.ts';
import type { Run } from '../../../src/store/port.ts';
import { noLimits, Site, type SiteOptions } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** Departments at a site that provisions new courses: which the operator chose, and which only came by themselves. */

const usual = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };
function siteOf(options: Partial<SiteOptions> = {}): Site {
  const made = new Site({ sources: ['sis'], limits: usual, newCourses: 'provision', ...options });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}
const row = (id: string, department: string, course = `${department} 1`): MemoryRow => [
  ...['F', department, course, id, 'L', `${id}@x.edu`, '1', id],
];
const many = (count: number, department: string, course?: string): MemoryRow[] =>
  Array.from({ length: count }, (_, n) => row(`${department}${n}`, department, course));

function choose(site: Site, departments: RegExp, courses = /^.*$/): void {
  site.setScope({ departments, courses });
}
const mechOnly = /^Mech$/;
const both = /^(Mech|Phys)$/;

/** How many are in each course. */
async function sizes(site: Site): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { enrolments } of (await site.look()).members)
    for (const key of enrolments) {
      const course = key.split('\u001f').at(-1)!;
      counts[course] = (counts[course] ?? 0) + 1;
    }
  return counts;
}
async function statusOf(site: Site, course: string): Promise<string | undefined> {
  return (await site.look()).courses.find((one) => one.course === course)?.status;
}

describe('patterns', () => {
  const rows = [...many(300, 'Mech'), ...many(10, 'Phys')];

  test.each([
    ['the same as before', both],
    ['everything', /^.*$/],
  ])('that leave a department out and take it in again give everybody back: %s', async (_, again) => {
    const site = siteOf();
    choose(site, both);
    await site.run('sis', rows);
    choose(site, mechOnly);
    expect(await site.run('sis', rows)).toMatchObject({ status: 'applied', changes: { 'enrolment.remove': 10 } });
    expect(await statusOf(site, 'Phys 1')).toBe('known');
    choose(site, again);
    expect(await site.run('sis', rows)).toMatchObject({ status: 'applied', changes: { 'enrolment.add': 10 } });
    expect(await sizes(site)).toEqual({ 'Mech 1': 300, 'Phys 1': 10 });
    expect(await statusOf(site, 'Phys 1')).toBe('enrolled');
    // and now that it is known, what is new of it is provisioned
    const run = await site.run('sis', [...rows, row('new', 'Phys', 'Phys 2')]);
    expect(run.changes).toEqual({ 'course.create': 1, 'account.create': 1, 'enrolment.add': 1 });
  });

  test('that take in a department which they always left out give it to its people', async () => {
    const site = siteOf();
    choose(site, mechOnly);
    await site.run('sis', rows);
    // it goes on being left out, also as its courses come and go
    await site.run('sis', [...rows, row('new', 'Phys', 'Phys 2')]);
    expect(await sizes(site)).toEqual({ 'Mech 1': 300 });
    choose(site, both);
    await site.run('sis', [...rows, row('new', 'Phys', 'Phys 2')]);
    expect(await sizes(site)).toEqual({ 'Mech 1': 300, 'Phys 1': 10, 'Phys 2': 1 });
  });

  const half = [...many(100, 'Mech'), ...many(100, 'Phys')];
  /** Patterns that leave out half of all enrolments, which waits. */
  async function narrowed(): Promise<{ site: Site; held: Run }> {
    const site = siteOf();
    choose(site, both);
    await site.run('sis', half);
    choose(site, mechOnly);
    return { site, held: await site.run('sis', half) };
  }

  test('that are put back while what they would have taken waits let nothing wait any more', async () => {
    const { site, held } = await narrowed();
    expect(held).toMatchObject({ status: 'held', changes: { 'enrolment.remove': 100 } });
    choose(site, both);
    await expect(site.approve(held.run, held.digest!)).rejects.toThrow('out of date');
    const next = await site.run('sis', [...half.slice(1), row('new', 'Phys')]);
    expect(next).toMatchObject({ status: 'applied', heldTypes: [] });
    expect(next.changes).toEqual({
      ...{ 'account.create': 1, 'enrolment.add': 1, 'enrolment.remove': 1, 'account.disable': 1 },
    });
    expect(await sizes(site)).toEqual({ 'Mech 1': 99, 'Phys 1': 101 });
  });

  test('that stay narrow let what waits be approved', async () => {
    const { site, held } = await narrowed();
    await site.approve(held.run, held.digest!);
    expect(await sizes(site)).toEqual({ 'Mech 1': 100 });
  });
});

describe('a department that nobody chose', () => {
  const rows = [...many(30, 'Mech'), ...many(5, 'Arts')];
  async function withArts(): Promise<Site> {
    const site = siteOf({ sources: ['sis', 'hr'], limits: noLimits });
    await site.run('sis', many(30, 'Mech'));
    await site.run('hr', [row('ann', 'Mech')]);
    const run = await site.run('sis', rows);
    expect(run).toMatchObject({ status: 'unchanged', courses: { new: ['F / Arts / Arts 1'] } });
    return site;
  }
  const others = { 'Mech 1': 31 };

  test.each<[string, (site: Site) => void]>([
    ['nothing else', () => {}],
    [
      'another rule for empty courses',
      ({ rosterd }) => {
        rosterd.config = { ...rosterd.config, roster: { ...rosterd.config.roster, emptyCourses: 'archive' } };
      },
    ],
    [
      'the sources in another order',
      ({ rosterd }) => {
        rosterd.config = { ...rosterd.config, sources: rosterd.config.sources.toReversed() };
      },
    ],
    ['patterns that leave out something else', (site) => choose(site, /^(?!Law).*$/)],
  ])('is only reported, with its people left alone, also after %s', async (_, change) => {
    const site = await withArts();
    change(site);
    for (const source of ['sis', 'hr', 'sis'] as const) {
      await site.run(source, source === 'hr' ? [row('ann', 'Mech')] : rows);
      expect(await sizes(site)).toEqual(others);
      expect(await statusOf(site, 'Arts 1')).toBe('known');
    }
    await site.run('sis', [...rows, row('new', 'Arts'), row('new2', 'Arts', 'Arts 2')]);
    expect(await sizes(site)).toEqual(others);
  });

  test('is not chosen by patterns that another source has yet to come under', async () => {
    const site = siteOf({ sources: ['sis', 'hr'], limits: noLimits });
    choose(site, /^(Mech|Phys)$/);
    await site.run('sis', many(30, 'Mech'));
    await site.run('hr', [row('ann', 'Mech')]);
    choose(site, /^.*$/);
    await site.run('sis', many(30, 'Mech'));
    await site.run('sis', rows);
    await site.run('hr', [row('ann', 'Mech'), row('bob', 'Arts')]);
    await site.run('sis', rows);
    expect(await sizes(site)).toEqual(others);
  });

  test('is not chosen by a course of its own that vanishes and comes back', async () => {
    const site = await withArts();
    const more = [...rows, row('zoe', 'Arts', 'Arts 2')];
    await site.run('sis', more);
    expect(await site.run('sis', rows)).toMatchObject({ courses: { vanished: ['F / Arts / Arts 2'] } });
    expect(await statusOf(site, 'Arts 2')).toBe('vanished');
    await site.run('sis', [...rows, row('new', 'Arts')]);
    expect(await site.run('sis', more)).toMatchObject({ courses: { new: ['F / Arts / Arts 2'] } });
    expect(await sizes(site)).toEqual(others);
    expect(await statusOf(site, 'Arts 2')).toBe('known');
  });

  test('is what a department is renamed to: its people keep what they have, until somebody decides', async () => {
    const site = siteOf();
    await site.run('sis', [...many(300, 'Mech'), ...many(20, 'Phys', 'Optics')]);
    const renamed = [
      ...many(300, 'Mech'),
      ...Array.from({ length: 20 }, (_, n) => row(`Phys${n}`, 'Physics', 'Optics')),
    ];
    for (let n = 0; n < 2; n += 1) {
      const run = await site.run('sis', renamed);
      expect(run).toMatchObject({ status: 'unchanged', changes: {}, blocked: 20 });
      expect(await sizes(site)).toEqual({ 'Mech 1': 300, Optics: 20 });
    }
    // it goes on for everybody else, and who leaves altogether leaves
    const leaver = await site.run('sis', renamed.slice(0, -1));
    expect(leaver.changes).toEqual({ 'enrolment.remove': 1, 'account.disable': 1 });
    const { roster } = site.rosterd.config;
    site.rosterd.config = { ...site.rosterd.config, roster: { ...roster, newCourses: 'report' } };
    const run = await site.run('sis', renamed.slice(0, -1));
    expect(run).toMatchObject({
      status: 'applied',
      changes: { 'enrolment.add': 19, 'enrolment.remove': 19 },
      blocked: 0,
    });
  });
});

test('people who get no account any more lose it, and their courses, when somebody approves it', async () => {
  const column = (name: string) => ({ columns: [name], join: '', constant: null, values: null });
  const format: FormatConfig = {
    kind: 'map',
    fields: {
      ...Object.fromEntries(
        ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'id'].map((name) => [name, column(name)]),
      ),
      provision: { ...column('lastName'), values: { L: 'yes', GUEST: 'no' } },
    },
  };
  const site = siteOf();
  site.rosterd.config = {
    ...site.rosterd.config,
    sources: site.rosterd.config.sources.map((source) => ({ ...source, format })),
  };
  const guest = (one: MemoryRow): MemoryRow => (one as string[]).with(4, 'GUEST');
  await site.run('sis', [...many(40, 'Mech'), ...many(40, 'Phys')]);
  const held = await site.run('sis', [...many(40, 'Mech'), ...many(40, 'Phys').map(guest)]);
  expect(held).toMatchObject({ status: 'held', heldTypes: ['account.disable', 'enrolment.remove'] });
  await site.approve(held.run, held.digest!);
  expect(await sizes(site)).toEqual({ 'Mech 1': 40 });
});
