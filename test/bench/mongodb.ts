import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { type MongoServer, startMongo } from '../support/mongodb/server.ts';
import {
  cases,
  configText,
  dropWriter,
  emptyDrop,
  main,
  outcomeOf,
  say,
  startTime,
  syncArgs,
  thrice,
  workOf,
} from './cases.ts';
import { measureNode, timed } from './measure.ts';
import { type Counts, report } from './mongodb-report.ts';
import { lookAt, since, type Work } from './server-work.ts';

/**
 * The MongoDB store beside the driver's insertMany, the plain script and the embedded store: all on the same server and
 * in the same run. The server itself counts commands and its own time (serverStatus), which slows nobody; nobody else may
 * use it meanwhile.
 */

/**
 * One case, measured once. Seconds are of work: the start of a process is taken off; but where there is next to no work,
 * a start more or less would be all that is compared, so of the same file again they are those of whole processes.
 */
export interface Result {
  rows: number;
  name: string;
  rosterd: number;
  peakMb: number;
  embedded: number;
  plain: number;
  /** Only beside the first load. */
  insertMany: number | null;
  hash: number;
  served: Work;
}

/** People changed, gone and new of the change that is the same for every size. */
const fixed = { modified: 50, gone: 25, fresh: 25 };

/** A server that has compiled nothing yet answers several times slower. */
const warmUpRows = 20_000;

export async function benchMongodb(sizes: readonly number[], repeat: number): Promise<void> {
  // The stand-in in Java keeps everything in memory, and would stop at a quarter of the machine's.
  process.env['JAVA_TOOL_OPTIONS'] ??= '-XX:MaxRAMPercentage=65';
  const server = await startMongo();
  const client = new MongoClient(server.uri);
  try {
    say(`MongoDB server: ${server.name}`);
    await benchSize(server, client, warmUpRows, () => {});
    const results: Result[] = [];
    const counts: Counts[] = [];
    for (const rows of sizes)
      for (let at = 0; at < repeat; at += 1) {
        const one = await benchSize(server, client, rows, say);
        results.push(...one.results);
        if (at === 0) counts.push(one.counts);
      }
    report(results, counts);
  } finally {
    await client.close();
    await server.stop();
  }
}

async function benchSize(
  server: MongoServer,
  client: MongoClient,
  rows: number,
  tell: (line: string) => void,
): Promise<{ results: Result[]; counts: Counts }> {
  const home = mkdtempSync(join(tmpdir(), 'rosterd-bench-'));
  const [database, plainDatabase] = [server.database(), server.database()];
  try {
    const drop = join(home, 'drop');
    mkdirSync(drop);
    const file = join(drop, 'students.csv');
    const write = dropWriter(file, rows);
    const empty = join(home, 'empty.csv');
    writeFileSync(empty, emptyDrop);
    const [config, embeddedConfig] = [join(home, 'mongodb.yaml'), join(home, 'embedded.yaml')];
    const store = `{ kind: mongodb, uri: '${server.uri}', database: ${database} }`;
    writeFileSync(config, configText(join(home, 'mongodb'), drop, store));
    writeFileSync(embeddedConfig, configText(join(home, 'embedded'), drop));
    const script = (name: string, at: string, of: string): string[] => [`test/bench/${name}.ts`, server.uri, at, of];
    const start = await startTime([...main, 'runs', '-c', config]);
    const embeddedStart = await startTime([...main, 'runs', '-c', embeddedConfig]);
    const plainStart = await startTime(script('plain-mongodb', plainDatabase, empty));
    const insertStart = await startTime(script('insert-many', plainDatabase, empty));

    const db = client.db(database);
    const sync = async (name: string) => {
      const before = await lookAt(db);
      const rosterd = await measureNode(syncArgs(config));
      tell(`${rows.toLocaleString('en')} rows, ${name}: ${outcomeOf(rosterd.stdout)}`);
      return { rosterd, served: since(before, await lookAt(db)) };
    };
    const results: Result[] = [];
    let counts: Counts | null = null;
    for (const { name, change } of cases) {
      await write(change);
      const work = (seconds: number, its: number): number =>
        name === 'same file again' ? seconds : workOf(seconds, its);
      const hash = Math.min(...(await thrice(async () => (await timed('sha256sum', [file])).seconds)));
      let insertMany: number | null = null;
      if (name === 'first load') {
        const inserted = server.database();
        insertMany = workOf((await measureNode(script('insert-many', inserted, file))).seconds, insertStart);
        await client.db(inserted).dropDatabase();
      }
      const embedded = work((await measureNode(syncArgs(embeddedConfig))).seconds, embeddedStart);
      const { rosterd, served } = await sync(name);
      const plain = await measureNode(script('plain-mongodb', plainDatabase, file));
      results.push({
        ...{ rows, name, embedded, insertMany, hash, served, peakMb: rosterd.peakMb },
        rosterd: work(rosterd.seconds, start),
        plain: work(plain.seconds, plainStart),
      });
      if (name !== 'same file again') continue;
      const share = (count: number): number => count / rows;
      await write({ modified: share(fixed.modified), gone: share(fixed.gone), fresh: share(fixed.fresh) });
      counts = { rows, ...(await sync('100 rows changed')).served };
      await write(change);
      await sync('and back');
    }
    return { results, counts: counts! };
  } finally {
    await client.db(database).dropDatabase();
    await client.db(plainDatabase).dropDatabase();
    rmSync(home, { recursive: true, force: true });
  }
}
