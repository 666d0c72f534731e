import { expect, test } from 'vitest';
import { endpoints } from '../../../src/operate/control/api.ts';
import type { Daemon } from '../../../src/operate/control/client.ts';
import { historyOver } from '../../../src/operate/history.ts';

/** A daemon with so many runs, which refuses what its endpoint refuses, and in which one begins after each answer. */
function daemonWith(runs: number): Daemon {
  let all = Array.from({ length: runs }, (_, n) => ({ run: `run-${n}` }));
  let begun = 0;
  const call = async (_: string, { query: asked }: { query: unknown }) => {
    const { skip, limit } = endpoints.runs.query.parse(asked);
    const page = all.slice(skip, skip + limit);
    begun += 1;
    all = [{ run: `new-${begun}` }, ...all];
    return { runs: page };
  };
  return { call } as unknown as Daemon;
}

test.each([
  [5000, 1234, 1234],
  [1100, 1234, 1100],
  [500, 1234, 500],
  [20, 0, 0],
])('%i runs of a daemon that has %i are %i, each of them once', async (limit, runs, expected) => {
  const found = await historyOver(daemonWith(runs)).runs({ limit });
  expect(found.map(({ run }) => run)).toEqual(Array.from({ length: expected }, (_, n) => `run-${n}`));
});
