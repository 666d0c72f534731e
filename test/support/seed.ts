import { randomInt } from 'node:crypto';

/**
 * One number for all that a run of the tests draws: properties, the histories of kills, the places of cuts. Another one each
 * time finds what nobody thought of; `ROSTERD_SEED` repeats a run. A build machine takes it from the commit: whether a
 * commit lands must not hang on when it was tried.
 */
const SEED = 'ROSTERD_SEED';

/** Draws the seed of this run for this process and those that it starts, unless it has one. */
export function nameSeed(): number {
  process.env[SEED] ??= String(randomInt(2 ** 31));
  return runSeed();
}

/** The seed of this run, from 0 to 2 ** 31 - 1. */
export function runSeed(): number {
  const seed = Number(process.env[SEED]);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31)
    throw new Error(`${SEED} is ${process.env[SEED]}: a whole number from 0 to ${2 ** 31 - 1}`);
  return seed;
}
