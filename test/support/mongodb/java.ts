import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locked } from './lock.ts';
import { type Guarded, onPath, output, startGuarded } from './process.ts';

/**
 * mongo-java-server, for a machine that can have no MongoDB but has Java and Maven. It speaks the wire protocol from its
 * own implementation of the database, so what it answers is good evidence for our side of a connection and none for the
 * behaviour of MongoDB itself.
 */
const sources = fileURLToPath(new URL('java', import.meta.url));
const cache = fileURLToPath(new URL('../../../node_modules/.cache', import.meta.url));

/** Name with version, from the file that Maven reads. */
export const javaServerName = `mongo-java-server ${/<version>([\d.]{3,})<\/version>/.exec(read('pom.xml'))![1]}`;

/** What Java and Maven need to be there; null when all is. */
export function javaMissing(): string | null {
  const missing = ['java', 'javac', 'mvn'].filter((name) => onPath(name) === null);
  return missing.length ? `${missing.join(' and ')} not on PATH` : null;
}

/** Starts the server on a port, or on a free one; says `listening PORT`. */
export async function startJava(): Promise<Guarded> {
  const folder = await prepareJava();
  // without a logger for its log lines, and quick to start: a test file is done before the compiler for long runs is
  const args = ['-Dslf4j.internal.verbosity=ERROR', '-XX:+UseParallelGC', '-cp'];
  const classes = `${join(folder, 'classes')}:${join(folder, 'lib/*')}`;
  return startGuarded('java', [...args, classes, 'de.bwaldvogel.mongo.backend.TestServer']);
}

/** The folder with the server, made once for each version of its sources. */
export async function prepareJava(): Promise<string> {
  const version = createHash('sha256');
  for (const name of readdirSync(sources).sort()) version.update(name).update(read(name));
  const folder = join(cache, 'rosterd-mongo-java', version.digest('hex').slice(0, 12));
  if (existsSync(folder)) return folder;
  mkdirSync(join(folder, '..'), { recursive: true });
  return locked(`${folder}.lock`, async () => {
    if (!existsSync(folder)) await build(folder);
    return folder;
  });
}

async function build(folder: string): Promise<void> {
  const half = `${folder}.half`;
  rmSync(half, { recursive: true, force: true });
  const lib = join(half, 'lib');
  const maven = [
    '-q',
    '-B',
    '-f',
    join(sources, 'pom.xml'),
    'dependency:copy-dependencies',
    `-DoutputDirectory=${lib}`,
  ];
  await output('mvn', maven, 180_000);
  const files = readdirSync(sources)
    .filter((name) => name.endsWith('.java'))
    .map((name) => join(sources, name));
  await output('javac', ['-nowarn', '-d', join(half, 'classes'), '-cp', join(lib, '*'), ...files], 60_000);
  renameSync(half, folder);
}

function read(name: string): string {
  return readFileSync(join(sources, name), 'utf8');
}
