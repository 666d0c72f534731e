import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { selfSigned } from '../certificate.ts';
import { freePort } from '../free-port.ts';
import { startWatched } from './process.ts';

/** A real `mongod` as an institution runs it: TLS only, and nobody without a password. */
export interface LockedDown {
  uri: string;
  /** File with the certificate to trust. */
  ca: string;
  /** Makes a user who may do just this in one database; users are in `admin`. */
  user(name: string, password: string, database: string, actions: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startLockedDown(file: string): Promise<LockedDown> {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-mongod-'));
  const { key, cert } = selfSigned();
  const [pem, ca] = [join(folder, 'server.pem'), join(folder, 'ca.pem')];
  writeFileSync(pem, key + cert, { mode: 0o600 });
  writeFileSync(ca, cert);
  const port = await freePort();
  const running = startWatched(file, [
    ...['--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--dbpath', folder],
    ...['--logpath', join(folder, 'log'), '--wiredTigerCacheSizeGB', '0.25', '--auth'],
    ...['--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', pem],
  ]);
  const uri = `mongodb://127.0.0.1:${port}/`;
  const open = (auth?: { username: string; password: string }): MongoClient =>
    new MongoClient(uri, { tls: true, tlsCAFile: ca, serverSelectionTimeoutMS: 30_000, ...(auth ? { auth } : {}) });
  const root = { username: 'root', password: 'only-for-tests' };
  // the first user is made from this machine, without being one
  const nobody = open();
  await nobody.db('admin').command({ createUser: root.username, pwd: root.password, roles: ['root'] });
  await nobody.close();
  const client = open(root);
  return {
    ...{ uri, ca },
    async user(name, password, database, actions) {
      const admin = client.db('admin');
      const privileges = [{ resource: { db: database, collection: '' }, actions }];
      await admin.command({ createRole: `${name}-role`, privileges, roles: [] });
      await admin.command({ createUser: name, pwd: password, roles: [`${name}-role`] });
    },
    async stop() {
      await client.close();
      await running.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
