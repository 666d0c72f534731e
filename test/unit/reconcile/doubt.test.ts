import { expect, onTestFinished, test } from 'vitest';
import { Site } from '../../support/history.ts';
import type { MemoryRow } from '../../support/memory-source.ts';

/** What could make somebody seem to be gone, or another, at a whole site with the usual limits. */

const usual = { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } };
function site(...sources: string[]): Site {
  const made = new Site({ sources, limits: usual });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}
const row = (id: string, { email = `${id}@x.edu`, year = '1' } = {}): MemoryRow => [
  ...['F', 'D', 'C1', id, 'L', email, year, id],
];
const many = (count: number, prefix = 's'): MemoryRow[] =>
  Array.from({ length: count }, (_, n) => row(`${prefix}${n}`));
const active = async (at: Site, prefix = 's'): Promise<number> =>
  (await at.look()).members.filter(({ id, status }) => id!.startsWith(prefix) && status === 'active').length;
const day = 86_400_000;

test.each(['waits', 'was rejected'])(
  'a removal that %s does not pass by itself when others came meanwhile',
  async (how) => {
    const at = site('sis');
    await at.run('sis', many(100));
    // another campus' file, which comes again
    for (let n = 0; n < 3; n += 1) {
      at.time += day;
      const run = await at.run('sis', many(950, 'w'));
      expect(run).toMatchObject({ status: 'held', heldTypes: ['account.disable', 'enrolment.remove'] });
      if (how === 'was rejected') await at.reject(run.run);
    }
    expect(await active(at)).toBe(100);
    const { run, digest } = await at.run('sis', many(950, 'w'));
    await at.approve(run, digest!);
    expect(await active(at)).toBe(0);
    // decided: what was given meanwhile stands like everything else
    expect(await at.run('sis', many(930, 'w'))).toMatchObject({
      status: 'applied',
      changes: { 'account.disable': 20 },
    });
  },
);

test('nor when the removals were in doubt meanwhile, and no guard had to hold them', async () => {
  const at = site('sis');
  await at.run('sis', many(100));
  expect(await at.run('sis', [...many(950, 'w'), 'torn'])).toMatchObject({ status: 'applied', blocked: 100 });
  expect(await at.run('sis', many(950, 'w'))).toMatchObject({ status: 'held' });
  expect(await active(at)).toBe(100);
});

test('an empty answer counts for nothing, also where nothing would be removed over it', async () => {
  const at = site('hr', 'sis');
  await at.run('hr', many(50));
  await at.run(
    'sis',
    many(50).map((_, n) => row(`s${n}`, { email: `s${n}@old.edu` })),
  );
  const before = await at.look();
  for (let n = 0; n < 2; n += 1)
    expect(await at.run('hr', [])).toMatchObject({
      status: 'failed',
      plan: null,
      error: {
        kind: 'Incomplete',
        message: expect.stringMatching(/^the answer is empty, and the one before has 50 records/),
      },
    });
  expect(await at.look()).toEqual(before);
  expect(await at.run('hr', many(50))).toMatchObject({ status: 'unchanged' });
});

test('an empty answer stays out of force while a conflict keeps its removals back', async () => {
  const at = site('a', 'b');
  const [both, only] = [many(20), [row('p1'), row('p2')]];
  await at.run('a', [...both, ...only]);
  await at.run('b', both);
  await at.run('b', [...both, row('z1', { email: 'p1@x.edu' }), row('z2', { email: 'p2@x.edu' })]);
  expect(await at.run('a', [])).toMatchObject({ status: 'failed', error: { kind: 'Incomplete' } });
  await at.run('b', both);
  expect(await at.run('a', [])).toMatchObject({ status: 'held' });
  expect(await active(at, 'p')).toBe(2);
});

test('an empty answer that a person approved comes into force with the next one', async () => {
  const at = site('hr', 'sis');
  await at.run('hr', many(5));
  await at.run('sis', [row('s0', { email: 's0@old.edu' })]);
  const { run, digest, status } = await at.run('hr', []);
  expect(status).toBe('held');
  await at.approve(run, digest!);
  expect(await at.run('hr', [])).toMatchObject({ status: 'applied', changes: { 'account.update': 1 } });
  expect(await active(at)).toBe(1);
  expect((await at.look()).members[0]).toMatchObject({ email: 's0@old.edu' });
  // and with people again it is as it was
  await at.run('hr', many(5));
  expect(await at.run('hr', [])).toMatchObject({ status: 'held' });
});

test('a source whose people are all gone may be empty', async () => {
  const at = site('a');
  await at.run('a', many(3));
  const { run, digest } = await at.run('a', []);
  await at.approve(run, digest!);
  expect(await at.run('a', [])).toMatchObject({ status: 'unchanged', error: null });
  expect((await at.store.sources.get('a')).current).toBeGreaterThan(1);
});

test('a row whose cells have moved could be anybody’s: nobody has what it seems to say', async () => {
  const at = site('sis');
  await at.run('sis', many(9));
  // a comma too many in the name of s5
  const moved = ['F', 'D', 'C1', 's5', 'Jr', 'L', 's5@x.edu', '1'];
  const run = await at.run('sis', [...many(9).filter((_, n) => n !== 5), moved]);
  expect(run).toMatchObject({ changes: {}, blocked: 1, snapshot: { quarantined: 1 } });
  expect(await active(at)).toBe(9);
});

test('a row whose address cannot be read is that of the person who has its id, and holds back nobody else', async () => {
  const at = site('sis');
  await at.run('sis', many(9));
  const run = await at.run('sis', [row('s0', { email: 'no address' }), ...many(8).slice(1)]);
  expect(run).toMatchObject({ changes: { 'account.disable': 1 }, snapshot: { quarantined: 1 } });
  expect(await active(at)).toBe(8);
});

test('a newcomer who has no address yet holds back nobody', async () => {
  const at = site('sis');
  await at.run('sis', many(9));
  const run = await at.run('sis', [row('new', { email: '' }), ...many(8)]);
  expect(run).toMatchObject({ changes: { 'account.disable': 1 }, snapshot: { quarantined: 1 } });
});

test.each([10_000, 10_001])('with %i rows in quarantine nobody goes who could be in one of them', async (bad) => {
  const at = site('sis');
  await at.run('sis', many(3, 'g'));
  const broken = Array.from({ length: bad - 1 }, (_, n) => row(`q${n}`, { year: '9' }));
  const run = await at.run('sis', [...many(2, 'g'), ...broken, 'torn']);
  expect(run).toMatchObject({ changes: {}, blocked: 1, snapshot: { quarantined: bad } });
  expect(await active(at, 'g')).toBe(3);
});

test('what an unreadable row says is not replaced by the word of a later source', async () => {
  const at = site('hr', 'sis');
  const old = many(30).map((_, n) => row(`s${n}`, { email: `s${n}@old.edu` }));
  await at.run('hr', many(30));
  await at.run('sis', old);
  const before = (await at.look()).members;
  // whose row it is can be told; then, nobody can tell
  expect(await at.run('hr', [row('s0', { year: '9' }), ...many(30).slice(1)])).toMatchObject({ changes: {} });
  expect(await at.run('hr', ['torn', ...many(30).slice(1)])).toMatchObject({ changes: {} });
  expect((await at.look()).members).toEqual(before);
  // a row that is gone is another matter: then the later source has the word
  expect(await at.run('hr', many(30).slice(1))).toMatchObject({ changes: { 'account.update': 1 } });
  expect((await at.look()).members[0]).toMatchObject({ email: 's0@old.edu' });
});
