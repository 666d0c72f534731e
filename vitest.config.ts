import { defineConfig } from 'vitest/config';
import { nameRun } from './test/support/mongodb/run.ts';
import { nameSeed } from './test/support/seed.ts';

// workers inherit both
nameRun();
nameSeed();

/**
 * One project for each kind of test, so that a report says which kind failed. Times in milliseconds; they end what hangs,
 * and are several times what the slowest test takes on a busy machine.
 */
const kinds = {
  unit: { testTimeout: 20_000 },
  property: { testTimeout: 600_000 },
  conformance: { testTimeout: 120_000 },
  structure: { testTimeout: 60_000 },
  // real servers and killed processes: last, so that nothing else takes the processor from them
  integration: { testTimeout: 400_000, sequence: { groupOrder: 1 } },
};

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    hookTimeout: 300_000,
    setupFiles: ['./test/support/properties.ts'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
    projects: Object.entries(kinds).map(([name, options]) => ({
      extends: true as const,
      test: { name, include: [`test/${name}/**/*.test.ts`], ...options },
    })),
  },
});
