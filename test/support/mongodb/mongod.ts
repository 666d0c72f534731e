import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { freePort } from '../free-port.ts';
import { type Guarded, startWatched } from './process.ts';

/** Real `mongod` processes of our own on loopback ports, with their data in a temp folder. */
export interface Mongods {
  uri: string;
  ports: number[];
  /** Kills the only one, or the one that is primary: what it had not yet written to disk is lost. */
  kill(): Promise<void>;
  /** Starts again what was killed, on its port and with its data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const SET = 'rosterd';

/** Starts one, or three that are a replica set. Returns when writes are taken. */
export async function startMongods(file: string, replicaSet: boolean): Promise<Mongods> {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-mongod-'));
  const members: Member[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.running?.end()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (let i = 0; i < (replicaSet ? 3 : 1); i += 1) {
      const member: Member = { file, port: await freePort(), data: join(folder, String(i)), replicaSet, running: null };
      mkdirSync(member.data);
      members.push(member);
    }
    await Promise.all(members.map(start));
    if (replicaSet) await initiate(members);
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = members.map((member) => `127.0.0.1:${member.port}`).join(',');
  const uri = replicaSet ? `mongodb://${hosts}/?replicaSet=${SET}` : `mongodb://${hosts}/`;
  return {
    uri,
    ports: members.map((member) => member.port),
    async kill() {
      const victim = replicaSet ? await primary(members) : members[0]!;
      await victim.running?.end();
      victim.running = null;
    },
    async restart() {
      await Promise.all(members.filter((member) => member.running === null).map(start));
      await withClient(uri, (client) => client.db('admin').command({ ping: 1 }));
    },
    stop,
  };
}

interface Member {
  file: string;
  port: number;
  data: string;
  replicaSet: boolean;
  running: Guarded | null;
}

async function start(member: Member): Promise<void> {
  const log = `${member.data}.log`;
  const args = ['--port', String(member.port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--dbpath', member.data];
  // fail points, with which a test makes a real server fail
  const usual = ['--logpath', log, '--wiredTigerCacheSizeGB', '0.25', '--setParameter', 'enableTestCommands=1'];
  const running = startWatched(member.file, [...args, ...usual, ...(member.replicaSet ? ['--replSet', SET] : [])]);
  const gone = running.said('never').catch(() => {
    const words = readLog(log).slice(-3).join(' | ');
    throw new Error(`mongod ended: ${words}`);
  });
  await Promise.race([withClient(direct(member), (client) => client.db('admin').command({ ping: 1 })), gone]);
  gone.catch(() => {});
  member.running = running;
}

async function initiate(members: readonly Member[]): Promise<void> {
  const config = {
    _id: SET,
    members: members.map(({ port }, _id) => ({ _id, host: `127.0.0.1:${port}` })),
    // a test waits for an election
    settings: { electionTimeoutMillis: 2000, heartbeatIntervalMillis: 500 },
  };
  await withClient(direct(members[0]!), (client) => client.db('admin').command({ replSetInitiate: config }));
  await primary(members);
}

async function primary(members: readonly Member[]): Promise<Member> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    for (const member of members.filter((one) => one.running !== null)) {
      const hello = await withClient(direct(member), (client) => client.db('admin').command({ hello: 1 }));
      if (hello['isWritablePrimary'] === true) return member;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the replica set has no primary after 30 s');
}

const direct = (member: Member): string => `mongodb://127.0.0.1:${member.port}/?directConnection=true`;

async function withClient<T>(uri: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 30_000 });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

function readLog(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return ['it wrote no log'];
  }
}
