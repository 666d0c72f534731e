import { fileURLToPath } from 'node:url';

/** Apart from the program itself, so that whoever starts it needs no package: the tests also say what to do without any. */

/** Prints the path of a real server, downloaded into the folder given as argument. */
export const downloadProgram = fileURLToPath(new URL('binary.ts', import.meta.url));

/** Where it goes. */
export const downloadFolder = fileURLToPath(new URL('../../../node_modules/.cache/mongodb-binaries', import.meta.url));

/** How long it may take. */
export const DOWNLOAD_MS = 240_000;
