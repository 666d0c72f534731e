import { describe, expect, onTestFinished, test } from 'vitest';
import { noLimits, Site, type SiteOptions } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** A source that becomes a directory, or a directory that comes to say who exists: edits of the file between runs. */

const row = (who: string, course = 'C1'): MemoryRow => ['F', 'D', course, who, 'L', `${who}@x.edu`, '1', who];
/** An entry that names nobody: it has an id and a telephone. */
const entry = (who: string): MemoryRow => ['', '', '', '123', '', '', '', who];

function siteOf(options: Partial<SiteOptions> = {}): Site {
  const site = new Site({ sources: ['sis', 'hr'], limits: noLimits, ...options });
  onTestFinished(() => site[Symbol.asyncDispose]());
  return site;
}

/** Who is there, with the last name of each course. */
async function standing(site: Site): Promise<string[]> {
  const { members } = await site.look();
  return members
    .filter(({ status }) => status === 'active')
    .map(({ id, enrolments }) => [id, ...enrolments.map((key) => key.split('\u001f').at(-1))].join(' '))
    .sort();
}

describe('a source that only filled in for a while', () => {
  test('lets go of those who left in the meantime', async () => {
    const site = siteOf();
    await site.run('sis', [row('sam')]);
    await site.run('hr', [row('ann'), row('bob'), row('cy')]);
    site.setRole('hr', 'directory');
    expect(await site.run('hr', [row('bob'), row('cy')])).toMatchObject({ changes: {} });
    expect(await standing(site)).toEqual(['ann C1', 'bob C1', 'cy C1', 'sam C1']);
    site.setRole('hr', 'authoritative');
    const run = await site.run('hr', [row('bob'), row('cy')]);
    expect(run).toMatchObject({ status: 'applied', changes: { 'account.disable': 1, 'enrolment.remove': 1 } });
    expect(await standing(site)).toEqual(['bob C1', 'cy C1', 'sam C1']);
  });

  test('asks a person when many left in the meantime', async () => {
    const site = siteOf({ limits: { percent: 10, atLeast: 1, window: { days: 7, percent: 25 } } });
    await site.run('hr', [row('ann'), row('bob'), row('cy'), row('di')]);
    site.setRole('hr', 'directory');
    await site.run('hr', [row('ann'), row('bob')]);
    site.setRole('hr', 'authoritative');
    expect(await site.run('hr', [row('ann'), row('bob')])).toMatchObject({ status: 'held' });
    expect(await standing(site)).toEqual(['ann C1', 'bob C1', 'cy C1', 'di C1']);
  });

  test('takes the courses that it gave and names no more, and nobody whom a broken row may name', async () => {
    const site = siteOf();
    await site.run('sis', [row('ann')]);
    await site.run('hr', [row('ann', 'C2'), row('bob'), row('cy')]);
    site.setRole('hr', 'directory');
    await site.run('hr', [row('cy')]);
    site.setRole('hr', 'authoritative');
    const broken = ['F', 'D', 'C1', 'bob', 'L', 'bob@x.edu', 'x', 'bob'];
    expect(await site.run('hr', [row('cy'), broken])).toMatchObject({ blocked: 1 });
    expect(await standing(site)).toEqual(['ann C1', 'bob C1', 'cy C1']);
    await site.run('hr', [row('cy')]);
    expect(await standing(site)).toEqual(['ann C1', 'cy C1']);
  });

  test('takes nobody with an answer that is empty, whatever the limits; the next one decides', async () => {
    const site = siteOf();
    await site.run('hr', [row('ann'), row('bob')]);
    site.setRole('hr', 'directory');
    await site.run('hr', []);
    site.setRole('hr', 'authoritative');
    await site.run('hr', []);
    await site.run('hr', []);
    expect(await standing(site)).toEqual(['ann C1', 'bob C1']);
    await site.run('hr', [row('bob')]);
    expect(await standing(site)).toEqual(['bob C1']);
  });
});

test('who had left one source before the other one became a directory leaves, as those do who leave later', async () => {
  const site = siteOf();
  await site.run('sis', [row('ann'), row('bob'), row('cy')]);
  await site.run('hr', [row('ann'), row('bob'), row('hal')]);
  await site.run('sis', [row('bob'), row('cy')]);
  await site.run('sis', [row('bob'), row('cy'), row('dan')]);
  expect(await standing(site)).toEqual(['ann C1', 'bob C1', 'cy C1', 'dan C1', 'hal C1']);
  site.setRole('hr', 'directory');
  await site.run('sis', [row('bob'), row('cy'), row('dan')]);
  expect(await standing(site)).toEqual(['bob C1', 'cy C1', 'dan C1', 'hal C1']);
});

describe('a directory that comes to say who exists, before it is read as one that does', () => {
  function siteWithEntries(sources: readonly string[]): Promise<Site> {
    const site = siteOf({ sources, directories: ['hr'] });
    return site
      .run('sis', [row('ann'), row('bob'), row('cy')])
      .then(() => site.run('hr', [entry('ann'), entry('bob'), entry('guest')]))
      .then(() => site);
  }

  test.each([
    ['first', ['hr', 'sis']],
    ['last', ['sis', 'hr']],
  ])('goes on filling in, makes nobody, and keeps whom it names; it is named %s', async (_, sources) => {
    const site = await siteWithEntries(sources);
    site.setRole('hr', 'authoritative');
    const run = await site.run('sis', [row('ann'), row('dan')]);
    expect(run).toMatchObject({ status: 'applied', conflicts: 0, blocked: 1 });
    expect(run.changes).toEqual({
      ...{ 'account.create': 1, 'account.disable': 1 },
      ...{ 'enrolment.add': 1, 'enrolment.remove': 1 },
    });
    expect(await standing(site)).toEqual(['ann C1', 'bob C1', 'dan C1']);
    const { members } = await site.look();
    expect(members.find(({ id }) => id === 'ann')).toMatchObject({
      ...{ firstName: 'ann', email: 'ann@x.edu', attributes: { phone: '123' } },
    });

    // read again, it has the word
    const { config } = site.rosterd;
    const read = config.sources.map((one) => ({ ...one, format: { kind: 'unitu' } as const }));
    site.rosterd.config = { ...config, sources: read };
    const held = await site.run('hr', [row('bob', 'C2'), row('gus')]);
    // the course that it takes it never gave
    expect(held).toMatchObject({ status: 'held', heldTypes: ['enrolment.remove'] });
    await site.approve(held.run, held.digest!);
    expect(await site.run('sis', [row('ann'), row('dan')])).toMatchObject({ blocked: 0 });
    expect(await standing(site)).toEqual(['ann C1', 'bob C2', 'dan C1', 'gus C1']);
  });

  test('has it no sooner because an empty answer was refused', async () => {
    const site = await siteWithEntries(['hr', 'sis']);
    site.setRole('hr', 'authoritative');
    expect((await site.run('hr', [])).status).not.toBe('applied');
    expect(await site.run('sis', [row('ann'), row('cy'), row('dan')])).toMatchObject({ status: 'applied', blocked: 1 });
    expect(await standing(site)).toEqual(['ann C1', 'bob C1', 'cy C1', 'dan C1']);
  });
});
