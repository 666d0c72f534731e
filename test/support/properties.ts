import fc from 'fast-check';
import { runSeed } from './seed.ts';

/** Runs before each test file: its properties draw by the seed of the run. */
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: runSeed() });
