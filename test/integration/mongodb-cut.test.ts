import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Day, type Lived, makeDays } from '../support/cut-mongo.ts';
import { between, randomBy } from '../support/kill-history.ts';
import { type Disturbance, deathAt, faultAt, late, mixture } from '../support/mongodb/disturb.ts';
import { mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { requireServer } from '../support/requirements.ts';
import { runSeed } from '../support/seed.ts';

/**
 * The promise of `cut.test.ts` on MongoDB, where the wire fails as well: whatever happens at whichever write request, the
 * day ends as it does undisturbed. A process that lives brings it to its end by itself, one that dies leaves what the next
 * one makes whole.
 */

const missing = await mongodbMissing();
const seed = runSeed();
/** Most of a trial is waiting: for a driver that looks for its server again, and for leases of the dead. */
const lanes = 4;
/** The day that is cut at every write: with changes of all kinds, removals that are held, and an approval. */
const rich = 2;

requireServer('mongodb', () => missing)('cuts at any write request on MongoDB', () => {
  let days: Day[];
  let should: Lived[];
  let end: () => Promise<void> = async () => {};

  beforeAll(async () => {
    const server = await startMongo();
    const made = await makeDays(server, { seed: 11, people: 40, guards: ['open', 'open', 'strict'], lanes });
    end = async () => {
      await made.close();
      await server.stop();
    };
    days = made.days;
    should = [];
    for (const day of days) should.push(await day.live(0, null));
  });
  afterAll(() => end());

  /** Lives all attempts, as many side by side as there are lanes; `next` gives null when there are enough. */
  async function liveAll(next: () => Attempt | null): Promise<void> {
    const cuts: Record<string, number> = {};
    const faults: Record<string, number> = {};
    let tries = 0;
    const lane = async (number: number): Promise<void> => {
      for (let one = next(); one !== null; one = next()) {
        const day = days[one.day]!;
        const { picture, outcome, disturbed } = await day.live(number, one.disturbance);
        const where = `${day.name}, ${one.name}, at ${disturbed?.at ?? 'nothing'}`;
        tries += 1;
        if (disturbed === null) one.over?.();
        else cuts[disturbed.at] = (cuts[disturbed.at] ?? 0) + 1;
        for (const [fault, count] of Object.entries(disturbed?.faults ?? {}))
          faults[fault] = (faults[fault] ?? 0) + count;
        const { failed, ...got } = picture;
        const { failed: _, ...expected } = should[one.day]!.picture;
        expect(failed, `${where}: ${outcome}`).toEqual([]);
        expect(got, `${where}: ${outcome}`).toEqual(expected);
        if (!disturbed?.dead) expect(outcome, where).toBe(should[one.day]!.outcome);
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
    const sorted = Object.fromEntries(Object.entries(cuts).sort());
    process.stderr.write(`${tries} days, faults ${JSON.stringify(faults)}, at ${JSON.stringify(sorted)}\n`);
  }

  interface Attempt {
    name: string;
    day: number;
    disturbance: Disturbance;
    /** The day was over before it came to anything. */
    over?(): void;
  }

  /** Every write request of a day, until one is beyond its end. */
  function every(day: number, name: string, disturbance: (k: number) => Disturbance): () => Attempt | null {
    let [k, over] = [0, false];
    return () => {
      if (over) return null;
      k += 1;
      const end = (): void => {
        over = true;
      };
      return { name: `${name} ${k}`, day, disturbance: disturbance(k), over: end };
    };
  }

  const each = { timeout: 1_200_000 };

  test('an answer that is lost, at every write of a rich day', each, () =>
    liveAll(every(rich, 'loseAnswer', (k) => faultAt(k, 'loseAnswer'))),
  );

  test('a connection that ends before the request is passed on, at every write of a rich day', each, () =>
    liveAll(every(rich, 'cutBefore', (k) => faultAt(k, 'cutBefore'))),
  );

  test('a process that dies, at every write of a rich day', each, () =>
    liveAll(every(rich, 'death', (k) => deathAt(k, k % 2 ? null : 1 + (k % 7)))),
  );

  test(`other days, half-open peers, refusals, slowness, and all of them mixed (ROSTERD_SEED=${seed})`, each, () => {
    const random = randomBy(seed);
    const at = (): number => between(random, 1, 70);
    const attempts: Attempt[] = [];
    const add = (day: number, name: string, disturbance: Disturbance): void =>
      void attempts.push({ name, day, disturbance });
    for (let n = 0; n < 15; n += 1) {
      for (const kind of ['loseAnswer', 'cutBefore'] as const) {
        const k = at();
        add(n % 2, `${kind} ${k}`, faultAt(k, kind));
      }
      const k = at();
      add(n % 2, `death ${k}`, deathAt(k, n % 3 ? null : 1 + (n % 7)));
      for (const kind of ['swallow', 'swallowAnswers', 'refuse'] as const) {
        if (n % 3) continue;
        const k = at();
        add(rich, `${kind} ${k}`, faultAt(k, kind));
      }
      if (n % 10 === 0) add(rich, 'late', late(4));
      add(n % 3, `mixture ${n}`, mixture(randomBy(seed + 1 + n), 0.1, n % 2 === 1));
    }
    return liveAll(() => attempts.shift() ?? null);
  });
});
