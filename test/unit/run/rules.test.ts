import { describe, expect, onTestFinished, test } from 'vitest';
import { lastGoodOf } from '../../../src/run/fresh.ts';
import { noLimits, Site, type SiteOptions } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

const row = (who: string, name = who): MemoryRow => ['F', 'D', 'C1', name, 'L', `${who}@x.edu`, '1', who];
/** An entry of a directory that knows the person by another id: telephone and room, for people found by their address. */
const entry = (who: string): MemoryRow => ['', '', '', '123', 'B 4', `${who}@x.edu`, '', `cn-${who}`];

test('a directory that the configuration does not name any more goes on filling in, and is nobody', async () => {
  const site = new Site({ sources: ['sis', 'ad'], directories: ['ad'], limits: noLimits });
  onTestFinished(() => site[Symbol.asyncDispose]());
  await site.run('sis', [row('ann'), row('bob')]);
  await site.run('ad', [entry('ann'), entry('bob'), entry('guest')]);
  const { config } = site.rosterd;
  site.rosterd.config = { ...config, sources: config.sources.filter(({ name }) => name === 'sis') };

  const run = await site.run('sis', [row('ann', 'Ann'), row('cy')]);
  expect(run).toMatchObject({ status: 'applied', conflicts: 0, blocked: 0 });
  expect(run.changes).toEqual({
    ...{ 'account.create': 1, 'account.update': 1, 'account.disable': 1 },
    ...{ 'enrolment.add': 1, 'enrolment.remove': 1 },
  });
  const { members } = await site.look();
  expect(members.map(({ id, firstName, status, attributes }) => [id, firstName, status, attributes])).toEqual([
    ['ann', 'Ann', 'active', { phone: '123', room: 'B 4' }],
    ['bob', 'bob', 'disabled', { phone: '123', room: 'B 4' }],
    ['cy', 'cy', 'active', {}],
  ]);
});

describe('rules that were edited, at a source that has nothing new to say', () => {
  const of = (who: string, department: string): MemoryRow => [
    'F',
    department,
    'C1',
    who,
    'L',
    `${who}@x.edu`,
    '1',
    who,
  ];
  const rows = [of('ann', 'D1'), of('bob', 'D2')];
  const onlyD1 = { departments: /^D1$/, courses: /^.*$/ };

  async function siteOf(options: Partial<SiteOptions> = {}): Promise<Site> {
    const site = new Site({ sources: ['sis', 'hr'], limits: noLimits, ...options });
    onTestFinished(() => site[Symbol.asyncDispose]());
    return site;
  }
  /** How many courses everybody has who is there. */
  async function standing(site: Site): Promise<string[]> {
    const { members } = await site.look();
    return members.filter(({ status }) => status === 'active').map((one) => `${one.id} ${one.enrolments.length}`);
  }

  test('reach its last answer, once; that makes nothing fresher', async () => {
    const site = await siteOf();
    const good = await site.run('sis', rows);
    site.setScope(onlyD1);
    const run = await site.run('sis', 'nothing new');
    expect(run).toMatchObject({ status: 'applied', changes: { 'enrolment.remove': 1 }, blocked: 0 });
    expect(run.snapshot).toEqual({ id: 'sis-1', complete: false, records: 2, quarantined: 0 });
    expect(await standing(site)).toEqual(['ann 1', 'bob 0']);
    expect(await lastGoodOf(site.store, 'sis')).toBe(good.startedAt);
    expect(await site.run('sis', 'nothing new')).toMatchObject({ status: 'skipped', snapshot: { id: null } });

    site.setScope({ departments: /^.*$/, courses: /^.*$/ });
    expect(await site.run('sis', 'nothing new')).toMatchObject({ changes: { 'enrolment.add': 1 } });
    expect(await standing(site)).toEqual(['ann 1', 'bob 1']);
    expect(await lastGoodOf(site.store, 'sis')).toBe(good.startedAt);
    expect((await site.run('sis', rows)).status).toBe('unchanged');
    expect(await lastGoodOf(site.store, 'sis')).not.toBe(good.startedAt);
  });

  test('are tried out by a dry run', async () => {
    const site = await siteOf();
    await site.run('sis', rows);
    site.setScope(onlyD1);
    const run = await site.run('sis', 'nothing new', true);
    expect(run).toMatchObject({ status: 'planned', changes: { 'enrolment.remove': 1 }, snapshot: { complete: false } });
    expect(await standing(site)).toEqual(['ann 1', 'bob 1']);
    expect(await site.run('sis', 'nothing new')).toMatchObject({ status: 'applied' });
  });

  test('are kept within the guards, and what waits can be approved', async () => {
    const site = await siteOf({ limits: { percent: 10, atLeast: 0, window: { days: 7, percent: 25 } } });
    await site.run('sis', rows);
    site.setScope(onlyD1);
    const held = await site.run('sis', 'nothing new');
    expect(held).toMatchObject({ status: 'held', heldTypes: ['enrolment.remove'] });
    expect((await site.run('sis', 'nothing new')).status).toBe('skipped');
    await site.approve(held.run, held.digest!);
    expect(await standing(site)).toEqual(['ann 1', 'bob 0']);
  });

  test('take nobody because that answer did not name them; the next answer does', async () => {
    const site = await siteOf();
    await site.run('sis', [...rows, of('cy', 'D1')]);
    await site.run('hr', [of('hal', 'D1'), ['F', 'D1', 'C1', 'cy', 'L', 'cy@x.edu', 'x', 'cy']]);
    expect(await site.run('sis', rows)).toMatchObject({ changes: {}, blocked: 1 });
    await site.run('hr', [of('hal', 'D1')]);
    site.setScope(onlyD1);
    expect(await site.run('sis', 'nothing new')).toMatchObject({ changes: { 'enrolment.remove': 1 }, blocked: 1 });
    expect(await standing(site)).toEqual(['ann 1', 'bob 0', 'cy 1', 'hal 1']);
    expect(await site.run('sis', rows)).toMatchObject({ changes: { 'account.disable': 1, 'enrolment.remove': 1 } });
    expect(await standing(site)).toEqual(['ann 1', 'bob 0', 'hal 1']);
  });

  test('leave a course open whose people wait, so that it does not come as new when they are back', async () => {
    const site = await siteOf({ limits: { percent: 10, atLeast: 0, window: { days: 7, percent: 25 } } });
    await site.run('sis', [...rows, of('cy', 'D3')]);
    const held = await site.run('sis', rows);
    expect(held).toMatchObject({ status: 'held', courses: { vanished: ['F / D3 / C1'] } });
    await site.reject(held.run);
    site.setScope({ departments: /^.*$/, courses: /^C.*$/ });
    expect(await site.run('sis', 'nothing new')).toMatchObject({ courses: { vanished: [] }, blocked: 1 });
    expect(await site.run('sis', [...rows, of('cy', 'D3')])).toMatchObject({ courses: { new: [] } });
    expect(await standing(site)).toEqual(['ann 1', 'bob 1', 'cy 1']);
  });

  test('wait while removals wait for a person, whose plan stays what it was', async () => {
    const site = await siteOf({ limits: { percent: 10, atLeast: 0, window: { days: 7, percent: 25 } } });
    await site.run('sis', [...rows, of('cy', 'D1')]);
    const held = await site.run('sis', rows);
    expect(held.status).toBe('held');
    site.setScope({ departments: /^.*$/, courses: /^C.*$/ });
    expect((await site.run('sis', 'nothing new')).status).toBe('skipped');
    await site.approve(held.run, held.digest!);
    expect(await standing(site)).toEqual(['ann 1', 'bob 1']);
    expect((await site.run('sis', 'nothing new')).status).toBe('unchanged');
  });

  test('bring nobody back of whom a person has approved that an empty answer takes them', async () => {
    const site = await siteOf();
    await site.run('sis', rows);
    const held = await site.run('sis', []);
    await site.approve(held.run, held.digest!);
    site.setScope(onlyD1);
    expect((await site.run('sis', 'nothing new')).status).toBe('skipped');
    expect(await standing(site)).toEqual([]);
  });

  test('wait for the next answer where its rows have to be read otherwise as well', async () => {
    const site = await siteOf();
    await site.run('sis', rows);
    site.setScope(onlyD1);
    site.setRole('sis', 'directory');
    expect((await site.run('sis', 'nothing new')).status).toBe('skipped');
    site.setRole('sis', 'authoritative');
    expect((await site.run('sis', 'nothing new')).status).toBe('applied');
  });

  test('reach what a directory fills in', async () => {
    const site = await siteOf({ sources: ['sis', 'ad', 'phones'], directories: ['ad', 'phones'] });
    await site.run('sis', [row('ann')]);
    await site.run('ad', [entry('ann')]);
    await site.run('phones', [['', '', '', '456', 'B 5', 'ann@x.edu', '', 'x1']]);
    const { config } = site.rosterd;
    site.rosterd.config = { ...config, sources: config.sources.toReversed() };
    expect(await site.run('phones', 'nothing new')).toMatchObject({ changes: { 'account.update': 1 } });
    expect((await site.look()).members[0]!.attributes).toEqual({ phone: '456', room: 'B 5' });
  });
});
