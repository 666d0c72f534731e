import { expect, test } from 'vitest';
import { Unavailable } from '../../../src/base/errors.ts';
import { openLog } from '../../../src/base/log.ts';
import { exitOf, syncJson, syncOnce } from '../../../src/operate/sync.ts';
import { crashingStore } from '../../support/crashing-store.ts';
import { noLimits, Site } from '../../support/history.ts';

/** Ann in the source `a`, Bob in `b`, whose process dies while it applies that Cid came. */
async function cutSecond(site: Site): Promise<void> {
  const cid = ['F', 'D', 'C1', 'Cid', 'Three', 'p3@x.edu', '1', 'i3'];
  const bob = ['F', 'D', 'C1', 'Bob', 'Two', 'p2@x.edu', '1', 'i2'];
  await site.run('a', [['F', 'D', 'C1', 'Ann', 'One', 'p1@x.edu', '1', 'i1']]);
  await site.run('b', [bob]);
  for (let write = 1; !(await site.store.sources.get('b')).applying; write += 1) {
    site.rosterd.store = crashingStore(site.store, { write, when: 'after' }).store;
    await site.run('b', [bob, cid]).catch(() => {});
    await site.restart();
  }
}

test('a sync finishes what a dead process left half applied, whichever of its sources that is', async () => {
  await using site = new Site({ sources: ['a', 'b'], limits: noLimits });
  await cutSecond(site);
  // nobody else is at work here: whoever waits, waits for ever
  const clock = {
    ...site.rosterd.work.clock,
    wait: () => Promise.reject(new Error('the sync waits for a lock that it holds itself')),
  };
  const rosterd = { ...site.rosterd, work: { ...site.rosterd.work, clock } };
  const { runs } = await syncOnce(rosterd, rosterd.config.sources, { dryRun: false, deliver: false });
  expect(runs.map(({ source, status }) => [source, status])).toEqual([
    ['a', 'unchanged'],
    ['b', 'unchanged'],
  ]);
  expect((await site.store.sources.get('b')).applying).toBeNull();
  expect((await site.look()).members.map(({ id, enrolments }) => [id, enrolments.length])).toEqual([
    ['i1', 1],
    ['i2', 1],
    ['i3', 1],
  ]);
});

test('every sync says whose rows still count although the configuration names the source no more', async () => {
  await using site = new Site({ sources: ['sis', 'hr'], limits: noLimits });
  await site.run('sis', [['F', 'D', 'C1', 'Ann', 'One', 'p1@x.edu', '1', 'i1']]);
  await site.run('hr', [['F', 'D', 'C1', 'Bob', 'Two', 'p2@x.edu', '1', 'i2']]);
  const { at } = (await site.store.snapshots.get('sis', 1))!;
  const said: Record<string, unknown>[] = [];
  const to = { write: (line: string) => void said.push(JSON.parse(line)) };
  const work = { ...site.rosterd.work, log: openLog({ level: 'warn', terminal: false, journal: false, to }) };
  const { config } = site.rosterd;
  const named = (names: readonly string[]) => ({
    ...{ ...site.rosterd, work },
    config: { ...config, sources: config.sources.map((source, n) => ({ ...source, name: names[n]! })) },
  });
  const how = { dryRun: false, deliver: false };
  await syncOnce(named(['sis', 'hr']), named(['sis', 'hr']).config.sources, how);
  expect(said).toEqual([]);
  const renamed = named(['sis-students', 'hr']);
  for (const _ of [1, 2]) await syncOnce(renamed, renamed.config.sources.slice(1), how);
  const warning = { level: 'warn', event: 'source.unnamed', source: 'sis', lastGood: at };
  expect(said).toMatchObject([warning, warning]);
  expect(said[0]!['msg']).toMatch(/^sis: .* 1 row still counts/);
});

test('every sync says what lies in the queue of a target that the configuration names no more', async () => {
  await using site = new Site({ sources: ['sis'], limits: noLimits });
  const { config } = site.rosterd;
  const said: Record<string, unknown>[] = [];
  const to = { write: (line: string) => void said.push(JSON.parse(line)) };
  const work = { ...site.rosterd.work, log: openLog({ level: 'warn', terminal: false, journal: false, to }) };
  const syncWith = (names: readonly string[]) => {
    const targets = names.map((name) => ({ ...config.targets[0]!, name }));
    return syncOnce({ ...site.rosterd, work, config: { ...config, targets } }, config.sources, {
      dryRun: false,
      deliver: false,
    });
  };
  await syncWith(['old']);
  expect(said).toEqual([]);
  // the course that came with Ann is there already: Ann and her enrolment
  await site.run('sis', [['F', 'D', 'C1', 'Ann', 'One', 'p1@x.edu', '1', 'i1']]);
  for (const name of ['log', 'new', 'new']) await syncWith([name]);
  const warning = { level: 'warn', event: 'target.unnamed', target: 'log', items: 2 };
  expect(said).toMatchObject([warning, warning]);
  expect(said[0]!['msg']).toMatch(/^log: .* 2 items/);

  // failed ones, and those that another system has in hand, are not delivered either
  const [first, second] = await site.store.outbox.list({ limit: 2 });
  const at = new Date(site.time).toISOString();
  await site.store.outbox.ack(first!.item, 'processing', null, at);
  await site.store.outbox.ack(second!.item, 'failed', 'no', at);
  await syncWith(['new']);
  expect(said.at(-1)).toMatchObject({ ...warning, items: 2 });
  await site.store.outbox.ack(first!.item, 'sent', null, at);
  await syncWith(['new']);
  expect(said.at(-1)).toMatchObject({ ...warning, items: 1 });
  expect(said.at(-1)!['msg']).toMatch(/ 1 item /);
  await site.store.outbox.ack(second!.item, 'sent', null, at);
  const before = said.length;
  await syncWith(['new']);
  expect(said).toHaveLength(before);
});

test('the rows of a source that is gone for good hold up nothing once it is a directory that is not read', async () => {
  await using site = new Site({ sources: ['a', 'b'], limits: noLimits });
  const row = (name: string, n: number, id: string) => ['F', 'D', 'C1', name, 'L', `p${n}@x.edu`, '1', `${id}${n}`];
  await site.run('a', [row('Ann', 1, 'a'), row('Bob', 2, 'a')]);
  await site.run('b', [row('Ann', 1, 'b'), row('Bob', 2, 'b'), row('Cid', 3, 'b')]);
  const { config } = site.rosterd;
  const [a, b] = config.sources;
  const standing = async () => (await site.look()).members.map(({ firstName, status }) => `${firstName} ${status}`);
  site.rosterd.config = { ...config, sources: [a!] };
  // Ann is called otherwise now, and Bob has left
  expect((await site.run('a', [row('Anna', 1, 'a')])).changes).toEqual({});
  expect(await standing()).toEqual(['Ann active', 'Bob active', 'Cid active']);
  site.rosterd.config = { ...config, sources: [a!, { ...b!, enabled: false, role: 'directory' }] };
  expect(await site.run('a', [row('Anna', 1, 'a')])).toMatchObject({ status: 'applied', conflicts: 0, blocked: 0 });
  expect(await standing()).toEqual(['Anna active', 'Bob disabled', 'Cid active']);
});

test('a sync that is stopped between two sources has failed, and names the one whose turn did not come', async () => {
  await using site = new Site({ sources: ['a', 'b'], limits: noLimits });
  const stop = new AbortController();
  const said: { event: string; level: string }[] = [];
  const write = (line: string): void => {
    said.push(JSON.parse(line));
    if (said.at(-1)!.event === 'run.skipped') stop.abort(new Unavailable('stopped by SIGTERM'));
  };
  const log = openLog({ level: 'info', terminal: false, journal: false, to: { write } });
  const rosterd = { ...site.rosterd, work: { ...site.rosterd.work, log, signal: stop.signal } };
  const result = await syncOnce(rosterd, rosterd.config.sources, { dryRun: false, deliver: false });
  expect(result.runs).toMatchObject([{ source: 'a', status: 'skipped' }]);
  expect(exitOf(result)).toBe(1);
  expect(syncJson(result)).toMatchObject({ notRun: ['b'] });
  expect(said.at(-1)).toMatchObject({ event: 'run.not-begun', level: 'info', source: 'b' });
});
