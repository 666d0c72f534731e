import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { approveOf, expectSame, finish, syncOf, workplace } from '../support/kill-days.ts';
import { History } from '../support/kill-history.ts';
import { type Ended, makeSite, picture, type Site } from '../support/kill-site.ts';
import type { Command } from '../support/mongodb/proxy.ts';
import { type MongoServer, mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { asleepAt, FenceLog, keptBy, work, writes } from '../support/mongodb/together.ts';
import { requireServer } from '../support/requirements.ts';

/**
 * Several rosterd on one database: whoever comes second says so, whoever dies or sleeps is taken over from, and whoever
 * wakes up changes nothing any more. Judged by what one process alone comes to, and by every write on its way.
 */

const missing = await mongodbMissing();

const [first, second] = ['sis-students', 'sis-staff'] as const;

/** Two sources of a university whose people are all different, day by day. */
function twoSources() {
  const places = { [first]: workplace(), [second]: workplace() };
  const [students, staff] = [new History(11, 50), new History(12, 50)];
  let day = 0;
  return {
    base: places[first].base,
    drops: { [first]: places[first].drops, [second]: places[second].drops },
    next(): void {
      places[first].drop(day, students.next());
      const others = staff
        .next()
        .replace(/\bS(\d{4})\b/g, 'M$1')
        .replace(/\bT(\d+),/g, 'U$1,');
      places[second].drop(day, others.replaceAll('person', 'member').replace(/Course (\d)/g, 'Seminar $1'));
      day += 1;
    },
  };
}

/** What a site came to, with people for the numbers of their accounts: these depend on which source was first. */
async function comparable(site: Site): Promise<unknown> {
  const { inOrder, ...rest } = await picture(site);
  const people = rest.roster.accounts
    .split('\n')
    .map((line) => JSON.parse(line) as { account: string; id: string | null; email: string });
  const names = new Map(people.map(({ account, id, email }) => [account, id ?? email]));
  const named = (value: unknown): string =>
    JSON.stringify(value).replace(/\b[A-Z]*\d{7}\b/g, (number) => names.get(number) ?? number);
  const lines = Object.entries(rest.roster).map(([name, text]) => [name, text.split('\n')]);
  return {
    ...(sorted(JSON.parse(named({ ...rest, roster: Object.fromEntries(lines) }))) as object),
    inOrder: JSON.parse(named(inOrder)) as unknown,
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const texts = value.map((one) => JSON.stringify(sorted(one))).sort();
    return texts.map((text) => JSON.parse(text) as unknown);
  }
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, one]): [string, unknown] => [key, sorted(one)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

requireServer('mongodb', () => missing)('several rosterd on one database', () => {
  let server: MongoServer;
  beforeAll(async () => {
    server = await startMongo();
  });
  afterAll(() => server?.stop());

  /** A site and one with the same sources that only ever one process at a time works on. */
  async function pair() {
    const university = twoSources();
    const make = (name: string): Promise<Site> => makeSite(university.base, name, university.drops, keptBy(server));
    const [site, reference] = [await make('shared'), await make('alone')];
    onTestFinished(async () => void (await Promise.all([site.close(), reference.close()])));
    return { site, reference, next: () => university.next() };
  }

  /** A sync of its own, as another machine would start it. */
  const machine = (site: Site, name: string): string[] => syncOf(site.another(name));

  function expectQuiet(log: FenceLog): void {
    expect(log.faults).toEqual([]);
    expect(log.effective).toBeGreaterThan(0);
  }

  test.each([2, 4])('%i at the same moment come to what one alone does', { timeout: 900_000 }, async (count) => {
    const { site, reference, next } = await pair();
    const log = new FenceLog();
    let busy = 0;
    for (let day = 0; day < 3; day += 1) {
      next();
      const names = Array.from({ length: count }, (_, n) => `machine-${n}`);
      const workers = await Promise.all(names.map((name) => work(site, server, machine(site, name), { log })));
      const ended = await Promise.all(workers.map((worker) => worker.ended));
      for (const { status, out, err } of ended) {
        if (status === 0) continue;
        busy += 1;
        // somebody was at both sources, or at one of them
        const told = out ? (JSON.parse(out) as { busy: string[] }).busy.join() : err;
        expect([status, told]).toEqual([1, expect.stringMatching(/sis-st|took over/)]);
        // on a machine that is slow enough a holder sleeps through its lease
        if (!out) expect(err).toMatch(/another rosterd (is at work on|took over)/);
      }
      expect(ended.some(({ status }) => status === 0 || status === 1)).toBe(true);
      // whatever was left because somebody else was at it
      await finish(site, syncOf(site.config.open));
      await finish(reference, syncOf(reference.config.open));
      const again = JSON.parse((await finish(site, machine(site, 'machine-0'))).out) as {
        runs: { status: string }[];
        outbox: Record<string, { queued: number; failed: number }>;
      };
      expect(again.runs.map(({ status }) => status)).toEqual(['unchanged', 'unchanged']);
      expect(Object.values(again.outbox).map(({ queued }) => queued)).toEqual([0, 0, 0]);
      expect(await comparable(site), `day ${day}`).toEqual(await comparable(reference));
    }
    expect(busy).toBeGreaterThan(0);
    expectQuiet(log);
  });

  test('a dead holder is taken over from after the time of its lease, by whoever looks', async () => {
    const { site, reference, next } = await pair();
    const log = new FenceLog();
    next();
    const dead = await work(site, server, machine(site, 'dead'), { log });
    await asleepAt(dead, writes('accounts'), 'at once');
    dead.signal('SIGKILL');
    expect((await dead.ended).killed).toBe(true);
    const before = new Map([...log.taken].map(([lock, fences]) => [lock, fences.at(-1)!]));

    const heir = await work(site, server, machine(site, 'heir'), { log });
    let looks = 0;
    heir.proxy.fault(({ name, collection }: Command) => {
      if (name === 'find' && collection === 'leases') looks += 1;
      return 'pass';
    });
    const { status, err } = await heir.ended;
    expect(status, err).toBe(0);
    // a look every twentieth of a lease, at the two sources and the roster, and some for each of the locks that are taken,
    // those of the targets as well; whoever does not wait between looks has thousands
    expect(looks).toBeGreaterThan(6);
    expect(looks).toBeLessThan(3 * 21 + 100);
    for (const lock of [`source:${first}`, `source:${second}`, 'roster'])
      expect(log.taken.get(lock)!.find((fence) => fence > (before.get(lock) ?? 0))).toBe((before.get(lock) ?? 0) + 1);
    expectQuiet(log);
    await finish(reference, syncOf(reference.config.open));
    await expectSame(site, reference, 'after the take-over');
  });

  describe('one that slept through its lease', () => {
    const moments: [string, (command: Command) => boolean][] = [
      ['staging', writes('rows')],
      ['its snapshot comes into force', writes('sources', ({ u }) => u?.$set?.applying)],
      ['applying: the mark', writes('roster', ({ u }) => u?.$set?.batch)],
      ['applying: accounts', writes('accounts')],
      ['applying: outbox', writes('outbox', ({ u }) => u?.$setOnInsert)],
      ['applying: counts', writes('roster', ({ u }) => u?.$set?.last)],
      ['delivering: the mark', writes('outbox', ({ u }) => u?.$set?.status === 'processing')],
      ['delivering: the answer', writes('outbox', ({ u }) => u?.$set?.settled)],
    ];
    const brief = moments.filter(([moment]) => /staging|accounts|delivering/.test(moment));

    test.each([
      ['late', moments],
      ['at once', brief],
    ] as const)('changes nothing any more; its write arriving %s', { timeout: 1_200_000 }, async (arrives, moments) => {
      const { site, reference, next } = await pair();
      const log = new FenceLog();
      for (const [moment, fits] of moments) {
        next();
        await finish(reference, syncOf(reference.config.open));
        const worker = await work(site, server, machine(site, 'sleeper'), { log });
        const sleeper = await asleepAt(worker, fits, arrives);
        const heir = await (await work(site, server, machine(site, 'heir'), { log })).ended;
        expect(heir.status, `${moment}: ${heir.err}`).toBe(0);
        await expectSame(site, reference, `${moment}: after the take-over`);

        const woken = await sleeper.wake();
        expect(woken.status, `${moment}: ${woken.err}`).toBe(1);
        expect(woken.out + woken.err, moment).toContain('took over');
        await expectSame(site, reference, `${moment}: after it woke`);
      }
      expectQuiet(log);
      // and nothing is in anybody's way
      await finish(site, syncOf(site.config.open));
      await expectSame(site, reference, 'after the next sync');
    });
  });

  describe('wall clocks an hour wrong', () => {
    const hour = 3_600_000;
    const clocks = { ahead: hour, behind: -hour };

    test('one ahead, one behind, day by day, also with something held', { timeout: 900_000 }, async () => {
      const { site, reference, next } = await pair();
      const log = new FenceLog();
      const shifts = [clocks.ahead, clocks.behind, 0, clocks.behind, clocks.ahead];
      for (const [day, clockShift] of shifts.entries()) {
        next();
        const config = day === 2 ? 'strict' : 'open';
        const args = syncOf(site.config[config]);
        const { status, out, err } = await (await work(site, server, args, { log, clockShift })).ended;
        const alone = await finish(reference, syncOf(reference.config[config]));
        expect(status, err).toBe(alone.status);
        if (status === 3)
          for (const [n, run] of heldRuns({ out }).entries()) {
            const approving = approveOf(site.config.open, run);
            const shift = n ? clocks.ahead : clocks.behind;
            const approved = await (await work(site, server, approving, { log, clockShift: shift })).ended;
            expect(approved.status, approved.err).toBe(0);
            await finish(reference, approveOf(reference.config.open, heldRuns(alone)[n]!));
          }
        await expectSame(site, reference, `day ${day}`);
      }
      expectQuiet(log);
    });

    test.each([
      ['ahead', 'behind'],
      ['behind', 'ahead'],
    ] as const)(
      'one %s is never taken over from while it lives, and taken over from by one %s when it is dead',
      {
        timeout: 600_000,
      },
      async (one, other) => {
        const { site, reference, next } = await pair();
        const log = new FenceLog();
        next();
        const holder = await work(site, server, machine(site, one), { log, clockShift: clocks[one] });
        const sleeper = await asleepAt(holder, writes('accounts'), 'at once');
        holder.signal('SIGCONT');
        const early = await work(site, server, machine(site, other), { log, clockShift: clocks[other] });
        const [alive, refused] = await Promise.all([sleeper.wake(), early.ended]);
        expect(alive.status, alive.err).toBe(0);
        expect([0, 1], refused.err).toContain(refused.status);
        await finish(reference, syncOf(reference.config.open));
        await expectSame(site, reference, 'while both live');

        next();
        const dying = await work(site, server, machine(site, one), { log, clockShift: clocks[one] });
        await asleepAt(
          dying,
          writes('outbox', ({ u }) => u?.$setOnInsert),
          'at once',
        );
        dying.signal('SIGKILL');
        await dying.ended;
        const heir = await work(site, server, machine(site, other), { log, clockShift: clocks[other] });
        const { status, err } = await heir.ended;
        expect(status, err).toBe(0);
        await finish(reference, syncOf(reference.config.open));
        await expectSame(site, reference, 'after the take-over');
        expectQuiet(log);
      },
    );
  });
});

function heldRuns({ out }: Pick<Ended, 'out'>): { run: string; digest: string }[] {
  const { runs } = JSON.parse(out) as { runs: { run: string; status: string; plan: { digest: string } }[] };
  return runs.filter(({ status }) => status === 'held').map(({ run, plan }) => ({ run, digest: plan.digest }));
}
