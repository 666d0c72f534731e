import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { openRosterd, readConfig } from '../../src/daemon.ts';
import { runOnce } from '../../src/run.ts';
import { steppedClock } from '../support/drop.ts';
import { csv, header, Installation, line, lines } from '../support/installation.ts';

/**
 * What happened to others must not happen here: each accident as a drop can cause it, by the command line on a real
 * folder. A university of 100 has been loaded before each test: p0 to p59 of Engineering, p60 to p99 of Arts.
 */

const everybody = [...lines(0, 60), ...lines(60, 100, 'Arts')];
const ids = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `id${from + n}`);
let loaded: Installation;
let untouched: string;

beforeAll(async () => {
  loaded = new Installation();
  loaded.drop(csv(everybody));
  expect(await loaded.sync()).toMatchObject({ exit: 0, status: 'applied' });
  untouched = (await loaded.rosterd('export', 'accounts')).stdout;
  expect((await loaded.accounts()).text).toBe(untouched);
});
/** Tests run side by side, so that nothing is taken away before the last one has ended. */
const made: Installation[] = [];
afterAll(() => {
  for (const one of [loaded, ...made]) one.close();
});
function kept(installation: Installation): Installation {
  made.push(installation);
  return installation;
}

/** A copy of the loaded university. */
function university(source = ''): Installation {
  return kept(new Installation({ source, from: loaded }));
}

/** A site of its own, loaded with these rows. */
async function siteOf(rows: readonly string[]): Promise<Installation> {
  const site = kept(new Installation());
  site.drop(csv(rows));
  expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied' });
  return site;
}

describe.concurrent('an answer that is not whole is no answer: the run fails, nobody goes', () => {
  const whole = csv(everybody);
  test.for<[string, string | Buffer, string]>([
    ['an empty file', '', 'is empty'],
    ['a file that was cut in the middle of a row', whole.slice(0, whole.length / 2), 'line'],
    [
      'a file without a column',
      csv(
        lines(0, 9).map((row) => row.replace(/,1,/, ',')),
        header.replace(',year', ''),
      ),
      'year',
    ],
    [
      'a file with a column that nobody knows',
      csv(
        lines(0, 9).map((row) => `${row},x`),
        `${header},mood`,
      ),
      'mood',
    ],
    ['a file in UTF-16', Buffer.from(`\ufeff${whole}`, 'utf16le'), 'utf-16'],
    ['an error page', '<html><body>503 Service Unavailable</body></html>\n', 'faculty'],
    ['a file in which no row can be read', whole.replaceAll(',1,id', ',first,id'), 'none of the 100 rows can be read'],
  ])('%s', async ([, content, reason], { expect }) => {
    const site = university();
    site.drop(content);
    const run = await site.sync();
    expect(run).toMatchObject({
      exit: 1,
      status: 'failed',
      error: { kind: 'Incomplete' },
      snapshot: { complete: false },
    });
    expect(run.error!.message.toLowerCase()).toContain(reason.toLowerCase());
    expect((await site.accounts()).text).toBe(untouched);
  });

  test('no file at all', async ({ expect }) => {
    const site = university();
    expect(await site.sync()).toMatchObject({ exit: 1, status: 'failed', error: { kind: 'Incomplete' } });
    expect((await site.accounts()).text).toBe(untouched);
  });

  test('a folder that is not mounted', async ({ expect }) => {
    const site = university();
    site.removeFolder();
    expect(await site.sync()).toMatchObject({ exit: 1, status: 'failed', error: { kind: 'Misconfigured' } });
    expect((await site.accounts()).text).toBe(untouched);
  });

  test.for<[string, string]>([
    ['has another header', 'name;mail\nAnn;ann@example.edu\n'],
    ['was cut', csv(lines(60, 100, 'Arts')).slice(0, -20)],
    ['is empty', ''],
  ])('one of several files that %s: nobody of any file goes', async ([, broken], { expect }) => {
    const site = university('    pick: all');
    site.drop(csv(lines(0, 60)), 'engineering.csv');
    site.drop(broken, 'arts.csv');
    expect(await site.sync()).toMatchObject({ exit: 1, status: 'failed', error: { kind: 'Incomplete' } });
    expect((await site.accounts()).text).toBe(untouched);
  });

  test('a file without its marker', async ({ expect }) => {
    const site = university('    done: .done');
    site.drop(csv(lines(0, 5)));
    expect(await site.sync()).toMatchObject({ exit: 1, status: 'failed' });
    expect((await site.accounts()).text).toBe(untouched);
    site.drop(csv([...everybody, line(100)]));
    site.drop('', 'students.csv.done');
    expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied' });
  });
});

describe.concurrent('an answer that says too little waits for a person', () => {
  test.for<[string, string[], number]>([
    ['only the header', [], 100],
    ['a file that was cut at the end of a line', everybody.slice(0, 60), 40],
    ['only page 1', everybody.slice(0, 20), 80],
    ['a wrong filter: a faculty is missing', everybody.slice(60), 60],
  ])('%s', async ([, rows, going], { expect }) => {
    const site = university();
    site.drop(csv(rows));
    const run = await site.sync();
    expect(run).toMatchObject({ exit: 3, status: 'held', error: null });
    expect(run.plan.changes).toEqual({ 'account.disable': going, 'enrolment.remove': going });
    expect(run.guards.length).toBeGreaterThan(0);
    expect((await site.accounts()).text).toBe(untouched);
  });

  test('one of several files is not there', async ({ expect }) => {
    const site = university('    pick: all');
    site.drop(csv(lines(0, 60)), 'engineering.csv');
    expect(await site.sync()).toMatchObject({ exit: 3, status: 'held' });
    expect((await site.accounts()).text).toBe(untouched);
  });

  test('the newest file was taken away, and an old one is the newest again', async ({ expect }) => {
    const site = university();
    site.drop(csv(everybody.slice(0, 60)), 'old.csv');
    site.drop(csv(everybody), 'new.csv');
    expect(await site.sync()).toMatchObject({ exit: 0, status: 'unchanged' });
    site.remove('new.csv');
    expect(await site.sync()).toMatchObject({ exit: 3, status: 'held' });
    expect((await site.accounts()).text).toBe(untouched);
  });

  test.for<[number, number]>([
    [27, 1],
    [12, 6],
    [3, 2],
  ])('a small source of %i is wiped down to %i', async ([before, after], { expect }) => {
    const site = await siteOf(lines(0, before));
    site.drop(csv(lines(0, after)));
    expect(await site.sync()).toMatchObject({ exit: 3, status: 'held' });
    expect((await site.accounts()).active).toEqual(ids(0, before));
  });

  test('a small source of 12 may lose 3', async ({ expect }) => {
    const site = await siteOf(lines(0, 12));
    site.drop(csv(lines(0, 9)));
    expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied' });
    expect((await site.accounts()).disabled).toEqual(ids(9, 12));
  });

  test('a slow drain is seen over the days', async ({ expect }) => {
    const site = university();
    for (const left of [90, 80]) {
      site.drop(csv(everybody.slice(0, left)));
      expect(await site.sync()).toMatchObject({ exit: 0, status: 'applied' });
    }
    site.drop(csv(everybody.slice(0, 70)));
    const run = await site.sync();
    expect(run).toMatchObject({ exit: 3, status: 'held' });
    expect(run.guards).toContainEqual({ guard: 'disables.window', measured: 30, limit: 25 });
    expect((await site.accounts()).active).toEqual(ids(0, 80));
  });
});

describe.concurrent('a limit that trips', () => {
  const arrivals = [...everybody.slice(60), line(100), line(7).replace('First7', 'Firstly')];

  test('lets what is added go on, and applies nothing twice or undiffed afterwards', async ({ expect }) => {
    const site = university();
    site.drop(csv(arrivals));
    expect(await site.sync()).toMatchObject({ exit: 3, status: 'held' });
    const first = await site.accounts();
    expect(first.active).toEqual(ids(0, 101));
    expect(first.text).toContain('"Firstly"');
    const again = await site.sync();
    expect(again).toMatchObject({ exit: 3, status: 'held' });
    expect(again.plan.changes).toEqual({ 'account.disable': 59, 'enrolment.remove': 59 });
    expect((await site.accounts()).text).toBe(first.text);
  });

  test('is passed by approving exactly that plan, once, and no limit is touched', async ({ expect }) => {
    const site = university();
    site.drop(csv(arrivals));
    const run = await site.sync();
    const wrong = await site.rosterd('approve', run.run, '--digest', `${run.plan.digest.slice(0, -1)}x`);
    expect(wrong.status).toBe(2);
    expect((await site.accounts()).active).toEqual(ids(0, 101));
    expect(await site.decide('approve', run.run, '--digest', run.plan.digest)).toMatchObject({
      exit: 0,
      status: 'applied',
    });
    expect((await site.accounts()).active).toEqual(['id7', ...ids(60, 101)]);
    expect((await site.rosterd('approve', run.run, '--digest', run.plan.digest)).status).toBe(2);
    // going on does not trip again, and neither is the next wave let pass
    expect(await site.sync()).toMatchObject({ exit: 0, status: 'unchanged' });
    site.drop(csv(arrivals.slice(0, 10)));
    expect(await site.sync()).toMatchObject({ exit: 3, status: 'held' });
  });

  test('says so in every run until somebody decides, and after a rejection too', async ({ expect }) => {
    const site = university();
    site.drop(csv(everybody.slice(60)));
    const run = await site.sync();
    expect(await site.decide('reject', run.run)).toMatchObject({ exit: 0 });
    const again = await site.sync();
    expect(again).toMatchObject({ exit: 3, status: 'held', plan: run.plan });
    expect((await site.accounts()).text).toBe(untouched);
    expect(await site.decide('approve', again.run, '--digest', run.plan.digest)).toMatchObject({ status: 'applied' });
    expect((await site.accounts()).disabled).toEqual(ids(0, 60));
  });

  test('is forgotten when the next file is whole again', async ({ expect }) => {
    const site = university();
    site.drop(csv([]));
    const run = await site.sync();
    expect(run.guards.map((one) => one.guard)).toContain('empty-snapshot');
    site.drop(csv(everybody));
    expect(await site.sync()).toMatchObject({ exit: 0, status: 'unchanged' });
    expect((await site.rosterd('approve', run.run, '--digest', run.plan.digest)).status).toBe(2);
    expect((await site.accounts()).text).toBe(untouched);
  });
});

describe.concurrent('the same people, written another way, are the same people', () => {
  const cells = header.split(',');
  const turned = everybody.map((row) => row.split(',').reverse().join(','));
  test.for<[string, string]>([
    ['rows in another order', csv(everybody.toReversed())],
    ['every row twice', csv([...everybody, ...everybody])],
    ['columns in another order', csv(turned, cells.toReversed().join(','))],
    ['a byte order mark', `\ufeff${csv(everybody)}`],
    ['lines that end as on Windows', csv(everybody).replaceAll('\n', '\r\n')],
    ['the same file under another name', csv(everybody)],
  ])('%s', async ([, content], { expect }) => {
    const site = university();
    site.drop(content, 'export.csv');
    expect(await site.sync()).toMatchObject({
      exit: 0,
      status: 'unchanged',
      snapshot: { records: 100, quarantined: 0 },
    });
    expect((await site.accounts()).text).toBe(untouched);
  });
});

test('rows that cannot be read are told, good rows go on, and nobody goes who could be one of them', async () => {
  const site = university();
  const broken = Buffer.from(csv([...everybody.slice(2), line(100)]).replace('First5,', 'Fran\u00e7ois,'), 'latin1');
  site.drop(broken);
  const run = await site.sync();
  expect(run).toMatchObject({ exit: 0, status: 'applied', snapshot: { records: 98, quarantined: 1 } });
  expect(run.plan.changes).toEqual({ 'account.create': 1, 'enrolment.add': 1 });
  expect((await site.accounts()).active).toEqual(ids(0, 101));
});

test('a file that is still growing is read when it is whole', async () => {
  const site = kept(new Installation({ settle: '10s', from: loaded }));
  const whole = csv([...everybody, line(100)]);
  site.drop(whole.slice(0, 3000));
  const signal = new AbortController().signal;
  const clock = steppedClock(() => appendFileSync(join(site.drops, 'students.csv'), whole.slice(3000)));
  const work = { clock, log: silentLog, signal, abort: signal, progress() {} };
  const rosterd = await openRosterd(readConfig(site.config), work);
  onTestFinished(() => rosterd.close());
  const run = await runOnce(rosterd, rosterd.config.sources[0]!, {
    trigger: 'test',
    dryRun: false,
  });
  expect(run).toMatchObject({ status: 'applied', changes: { 'account.create': 1, 'enrolment.add': 1 } });
  expect(clock.waits).toEqual([10_000, 10_000]);
  expect((await site.accounts()).active).toEqual(ids(0, 101));
});
