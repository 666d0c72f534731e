import { MongoBinary } from 'mongodb-memory-server-core';

/**
 * Prints the path of a real `mongod`, which mongodb-memory-server downloads into the folder given as argument when it is
 * not there yet. A program of its own, so that a download that hangs can be ended.
 */
try {
  process.stdout.write(`${await MongoBinary.getPath({ downloadDir: process.argv[2]! })}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
