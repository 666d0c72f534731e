import { afterAll, test } from 'vitest';
import { surviveKills } from '../support/kill-days.ts';
import { inMongo } from '../support/kill-keeping.ts';
import { mongodbMissing, startMongo } from '../support/mongodb/server.ts';
import { requireServer } from '../support/requirements.ts';
import { runSeed } from '../support/seed.ts';

/**
 * The promise of `kill.test.ts` on MongoDB, which keeps no lock of a process and has no transaction over documents here:
 * kills at the n-th write request, and each next process waits out the leases of the dead one.
 */

const missing = await mongodbMissing();
const seed = runSeed();
const kills = Number(process.env['ROSTERD_KILLS'] ?? 100);

requireServer('mongodb', () => missing)('a kill at any instant is survived on MongoDB', () => {
  const starting = startMongo();
  afterAll(async () => (await starting).stop());

  const name = `${kills} kills leave what no kill leaves (ROSTERD_SEED=${seed})`;
  test(name, { timeout: 1_800_000 }, async () => {
    await surviveKills(inMongo(await starting), { seed, kills, victims: 2, people: 40, killsOfOneDay: 17 });
  });
});
