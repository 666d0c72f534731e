import { describe, expect, test } from 'vitest';
import { Rejected } from '../../../src/base/errors.ts';
import type { Run } from '../../../src/store/port.ts';
import { Site, type SiteOptions, type View } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** Plans that waited, and what happened to their people meanwhile. */

const limits = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };

function row(id: string, email: string, course = 'C1', [first, last] = ['Ann', 'Lee']): MemoryRow {
  return ['F', 'D', course, first!, last!, email, '1', id];
}
const zoe = row('i9', 'zoe@x.edu', 'C2', ['Zoe', 'Lee']);
const bob = row('i2', 'bob@x.edu', 'C1', ['Bob', 'Lee']);

async function siteOf(options: Partial<SiteOptions> = {}): Promise<Site> {
  const site = new Site({ sources: ['a', 'b'], limits, ...options });
  await site.run('b', [zoe]);
  return site;
}

const ann = (view: View) => view.members.find(({ firstName }) => firstName === 'Ann');

async function refused(site: Site, held: Run): Promise<void> {
  const before = await site.look();
  await expect(site.approve(held.run, held.digest!)).rejects.toThrow(Rejected);
  expect(await site.look()).toEqual(before);
}

describe('an approval is refused', () => {
  test('when another source knows the person by another address since, whom the held plan knew without an id', async () => {
    await using site = await siteOf();
    await site.run('a', [row('', 'ann@x.edu'), bob]);
    const held = await site.run('a', [bob]);
    expect(held.heldTypes).toContain('account.disable');
    await site.run('b', [zoe, row('i7', 'ann@x.edu', 'C2')]);
    await site.run('b', [zoe, row('i7', 'ann.lee@x.edu', 'C2')]);
    await refused(site, held);
    expect(ann(await site.look())).toMatchObject({ id: 'i7', email: 'ann.lee@x.edu', status: 'active' });
  });

  test('when another source says since that the person is in the course', async () => {
    await using site = await siteOf();
    const [one, two] = [row('', 'ann@x.edu', 'C1'), row('', 'ann@x.edu', 'C2')];
    await site.run('a', [one, two]);
    const held = await site.run('a', [two]);
    expect(held).toMatchObject({ status: 'held', changes: { 'enrolment.remove': 1 } });
    await site.run('b', [zoe, row('i7', 'ann@x.edu', 'C1')]);
    await site.run('b', [zoe, row('i7', 'ann.lee@x.edu', 'C1')]);
    await refused(site, held);
  });

  test('when somebody who was gone for good is back with another source, in another course', async () => {
    await using site = await siteOf();
    await site.run('a', [row('i1', 'ann@x.edu'), bob]);
    const held = await site.run('a', [bob]);
    expect(held.changes).toEqual({ 'account.disable': 1, 'enrolment.remove': 1 });
    await site.run('b', [zoe, row('i1', 'ann@x.edu', 'C2')]);
    await refused(site, held);
    // the new plan takes only what nobody says any more
    const again = await site.run('a', [bob]);
    expect(again.changes).toEqual({ 'enrolment.remove': 1 });
  });

  test.each([
    ['readable', 'C1', '1'],
    ['in quarantine', 'C1', 'x'],
  ])('when a course that it archives has a row again, %s', async (_, course, year) => {
    await using site = await siteOf({ emptyCourses: 'archive' });
    const rest = [row('i2', 'bob@x.edu', 'C2', ['Bob', 'Lee']), row('i3', 'cid@x.edu', 'C2', ['Cid', 'Lee'])];
    await site.run('a', [row('i1', 'ann@x.edu'), ...rest]);
    const held = await site.run('a', rest);
    expect(held.heldTypes).toContain('course.archive');
    const newcomer = ['F', 'D', course, 'Dan', 'Lee', 'dan@x.edu', year, 'i8'];
    await site.run('b', [zoe, newcomer]);
    await refused(site, held);
    const again = await site.run('a', rest);
    expect(again.changes).toEqual({ 'account.disable': 1, 'enrolment.remove': 1 });
    const approved = await site.approve(again.run, again.digest!);
    expect(approved.status).toBe('applied');
    expect((await site.look()).courses.find((one) => one.course === 'C1')?.status).toBe('enrolled');
  });
});

test('an approval takes the last people out of a course and archives it', async () => {
  await using site = await siteOf({ emptyCourses: 'archive' });
  const rest = [row('i2', 'bob@x.edu', 'C2', ['Bob', 'Lee']), row('i3', 'cid@x.edu', 'C2', ['Cid', 'Lee'])];
  await site.run('a', [row('i1', 'ann@x.edu'), ...rest]);
  const held = await site.run('a', rest);
  await site.approve(held.run, held.digest!);
  expect((await site.look()).courses.find((one) => one.course === 'C1')?.status).toBe('archived');
});

test('the removals of an empty list can be approved although what it means for the rest of a person waits', async () => {
  await using site = await siteOf();
  await site.run('a', [row('i1', 'ann@x.edu', 'C1'), bob]);
  // `b` says another address, which counts only without `a`
  await site.run('b', [zoe, row('i1', 'ann.lee@x.edu', 'C2')]);
  const held = await site.run('a', []);
  expect(held).toMatchObject({ status: 'held', changes: { 'enrolment.remove': 2, 'account.disable': 1 } });
  await site.approve(held.run, held.digest!);
  expect(ann(await site.look())).toMatchObject({ status: 'active', enrolments: ['F\u001fD\u001fC2'] });
});

test('an approval changes nothing of a person but what it says, here and at the targets', async () => {
  await using site = await siteOf();
  await site.run('a', [row('i1', 'ann@x.edu'), bob]);
  const held = await site.run('a', [bob]);
  expect(held.changes).toEqual({ 'account.disable': 1, 'enrolment.remove': 1 });
  // another source knew a newer name, and let go as well
  await site.run('b', [zoe, row('i1', 'ann@x.edu', 'C1', ['Ann', 'Kay'])]);
  await site.run('b', [zoe]);
  expect(ann(await site.look())).toMatchObject({ status: 'active', lastName: 'Kay' });
  await site.approve(held.run, held.digest!);
  const view = await site.look();
  expect(ann(view)).toMatchObject({ status: 'disabled', enrolments: [], lastName: 'Kay' });
  const told = view.outbox.slice(-2).map(({ type, body }) => [type, JSON.parse(body).account]);
  const account = expect.objectContaining({ status: 'disabled', lastName: 'Kay' });
  expect(told).toEqual([
    ['enrolment.remove', account],
    ['account.disable', account],
  ]);
});

describe('a plan that is held again by a newer run', () => {
  const rest = [row('i2', 'bob@x.edu', 'C2', ['Bob', 'Lee']), row('i3', 'cid@x.edu', 'C2', ['Cid', 'Lee'])];
  const all = [row('i1', 'ann@x.edu'), row('i4', 'dan@x.edu', 'C1', ['Dan', 'Lee']), ...rest];

  test('is approved by the id of the older one, for the digest is what was looked at', async () => {
    await using site = await siteOf();
    await site.run('a', all);
    const older = await site.run('a', rest);
    const newer = await site.run('a', rest);
    expect([newer.status, newer.digest]).toEqual(['held', older.digest]);
    // neither another digest nor a part of one
    for (const digest of ['f'.repeat(64), older.digest!.slice(0, 12)])
      await expect(site.approve(older.run, digest)).rejects.toThrow(
        `was replaced by run ${newer.run}, which holds back`,
      );
    const approved = await site.approve(older.run, older.digest!);
    expect(approved).toMatchObject({ run: newer.run, status: 'applied', decision: { verdict: 'approved' } });
    expect(ann(await site.look())?.status).toBe('disabled');
    // once: the approval is used up, whichever of the two is named
    await expect(site.approve(older.run, older.digest!)).rejects.toThrow(
      `run ${older.run} was replaced by run ${newer.run}, which was approved at`,
    );
  });

  test.each(['approved', 'rejected'])(
    'is not approved by the word on an older one when it was %s since',
    async (what) => {
      await using site = await siteOf();
      await site.run('a', all);
      const [oldest, older] = [await site.run('a', rest), await site.run('a', rest)];
      if (what === 'approved') {
        await site.approve(older.run, older.digest!);
        await site.run('a', all);
      } else await site.reject(older.run);
      const newest = await site.run('a', rest);
      expect([newest.status, newest.digest]).toEqual(['held', oldest.digest]);
      await expect(site.approve(oldest.run, oldest.digest!)).rejects.toThrow(`run ${older.run}, which was ${what} at`);
      expect((await site.held('a'))?.run).toBe(newest.run);
    },
  );

  test('is refused when the newer one has other changes, with the true reason', async () => {
    await using site = await siteOf();
    await site.run('a', all);
    const older = await site.run('a', rest);
    const newer = await site.run('a', rest.slice(1));
    expect(newer.status).toBe('held');
    const [text, remedy] = [`was replaced by run ${newer.run}, whose plan has other changes`, `show ${newer.run}`];
    for (const digest of [older.digest!, newer.digest!])
      await expect(site.approve(older.run, digest)).rejects.toMatchObject({
        message: expect.stringContaining(text),
        remedy: expect.stringContaining(remedy),
      });
    await expect(site.reject(older.run)).rejects.toThrow(text);
    await site.run('a', all);
    await expect(site.approve(older.run, older.digest!)).rejects.toThrow('holds nothing back any more');
  });
});
