import { MongoClient } from 'mongodb';
import { DOWNLOAD_MS, downloadFolder, downloadProgram } from './download.ts';
import { javaMissing, javaServerName, prepareJava, startJava } from './java.ts';
import { startMongods } from './mongod.ts';
import { onPath, output } from './process.ts';
import { type Choice, oncePerRun } from './run.ts';

/**
 * The MongoDB server of a test file, the first that can be had:
 *
 * 1. the one at `ROSTERD_TEST_MONGODB_URI`,
 * 2. `mongod` on PATH,
 * 3. a `mongod` that mongodb-memory-server downloads into `node_modules/.cache`,
 * 4. mongo-java-server, by Java and Maven.
 *
 * Each test file has a server of its own, so that killing it disturbs nobody; all of them take a second to start.
 */
export interface MongoServer {
  uri: string;
  ports: number[];
  /** With version: `mongod 8.0.4 standalone`, `mongo-java-server 1.47.0`. */
  name: string;
  /** Whether it is MongoDB itself. */
  real: boolean;
  /** False for one that we did not start: it cannot be killed, and has no fail points. */
  ours: boolean;
  /** A name for a database that nobody else uses; dropped by `stop` where the server is not ours. */
  database(): string;
  /** Every connection ends and none can be made, as when the machine fails. */
  kill(): Promise<void>;
  /** After `kill`: the same server with its data on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Which kind of server a test wants. */
export interface MongoWish {
  /** Three members, with retryable writes, write concerns and elections: only a real MongoDB. */
  replicaSet?: boolean;
}

/** Why no such server can be started here; null when one can. */
export async function mongodbMissing(wish: MongoWish = {}): Promise<string | null> {
  const choice = await oncePerRun(look);
  if (choice.kind === 'none') return choice.reason;
  if (!wish.replicaSet || choice.kind === 'mongod' || (choice.kind === 'uri' && choice.replicaSet)) return null;
  return `${choice.name} is no replica set`;
}

/** Starts the server of this run. */
export async function startMongo(wish: MongoWish = {}): Promise<MongoServer> {
  const missing = await mongodbMissing(wish);
  if (missing !== null) throw new Error(missing);
  const choice = await oncePerRun(look);
  if (choice.kind === 'uri') return external(choice);
  if (choice.kind === 'mongod') {
    const mongods = await startMongods(choice.file, wish.replicaSet ?? false);
    const form = wish.replicaSet ? 'replica set' : 'standalone';
    return { ...mongods, name: `${choice.name} ${form}`, real: true, ours: true, database: uniqueName };
  }
  const java = await startJava();
  const port = Number(await java.said('listening '));
  const tell = async (line: string): Promise<void> => {
    const done = java.said(line);
    java.child.stdin!.write(`${line}\n`);
    await done;
  };
  return {
    uri: `mongodb://127.0.0.1:${port}/`,
    ports: [port],
    name: javaServerName,
    real: false,
    ours: true,
    database: uniqueName,
    kill: () => tell('down'),
    restart: () => tell('up'),
    stop: () => java.end(),
  };
}

async function look(): Promise<Choice> {
  const uri = process.env['ROSTERD_TEST_MONGODB_URI'];
  if (uri) return whatIsAt(uri);
  const installed = onPath('mongod');
  if (installed !== null) return { kind: 'mongod', file: installed, name: await versionOf(installed) };
  const reasons = ['no mongod on PATH'];
  try {
    const file = (await output(process.execPath, [downloadProgram, downloadFolder], DOWNLOAD_MS)).trim();
    return { kind: 'mongod', file, name: await versionOf(file) };
  } catch (error) {
    reasons.push(`mongodb-memory-server could not download one (${(error as Error).message.split(' | ').at(-1)})`);
  }
  const noJava = javaMissing();
  if (noJava !== null) return { kind: 'none', reason: [...reasons, noJava].join('; ') };
  try {
    await prepareJava();
    return { kind: 'java', name: javaServerName };
  } catch (error) {
    return { kind: 'none', reason: [...reasons, `${javaServerName}: ${(error as Error).message}`].join('; ') };
  }
}

async function versionOf(file: string): Promise<string> {
  const printed = await output(file, ['--version'], 30_000);
  return `mongod ${/db version v(\S+)/.exec(printed)?.[1] ?? 'of unknown version'}`;
}

async function whatIsAt(uri: string): Promise<Choice> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 10_000 });
  try {
    const admin = client.db('admin');
    const [build, hello] = await Promise.all([admin.command({ buildInfo: 1 }), admin.command({ hello: 1 })]);
    const replicaSet = typeof hello['setName'] === 'string';
    const name = `MongoDB ${build['version']} at ROSTERD_TEST_MONGODB_URI`;
    return { kind: 'uri', uri, name, replicaSet };
  } catch (error) {
    return { kind: 'none', reason: `nothing answers at ROSTERD_TEST_MONGODB_URI: ${(error as Error).message}` };
  } finally {
    await client.close();
  }
}

function external(choice: Choice & { kind: 'uri' }): MongoServer {
  const names: string[] = [];
  const cannot = (): Promise<never> => Promise.reject(new Error('this server is not ours to kill'));
  return {
    uri: choice.uri,
    ports: [...choice.uri.matchAll(/:(\d+)(?=[,/?]|$)/g)].map((match) => Number(match[1])),
    name: choice.name,
    real: true,
    ours: false,
    database() {
      const name = uniqueName();
      names.push(name);
      return name;
    },
    kill: cannot,
    restart: cannot,
    async stop() {
      const client = new MongoClient(choice.uri);
      await Promise.all(names.map((name) => client.db(name).dropDatabase()));
      await client.close();
    },
  };
}

let databases = 0;
function uniqueName(): string {
  databases += 1;
  return `rosterd_test_${process.pid}_${Date.now().toString(36)}_${databases}`;
}
