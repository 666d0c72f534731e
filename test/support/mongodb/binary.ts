import { MongoBinary } from 'mongodb-memory-server-core';

/**
 * Prints the path of a real `mongod`, which mongodb-memory-server downloads when it is not there yet: into the folder given
 * as argument, or into the one of its own environment variable. A program of its own, so that a download that hangs can be
 * ended.
 */
const downloadDir = process.env['MONGOMS_DOWNLOAD_DIR'] ?? process.argv[2]!;
try {
  process.stdout.write(`${await MongoBinary.getPath({ downloadDir })}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
