import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { csvDrop } from '../../../connectors/csv-drop/connector.ts';
import { drop, dropSettings, temporaryFolder } from '../../support/drop.ts';
import { requireServer } from '../../support/requirements.ts';
import { sshdMissing, startSshd } from '../../support/sshd.ts';
import { asking, type SourceRig, sourceConformance } from '../source.ts';

/** Larger than what can be under way at once, so that a transfer can be cut in the middle. */
const large = 64 * 2 ** 20;

requireServer('sftp', sshdMissing)('source contract: csv-drop over SFTP', () => {
  let rig: SourceRig;
  beforeAll(async () => {
    rig = await open();
  }, 60_000);
  afterAll(() => rig?.stop());
  sourceConformance(() => rig);
});

async function open(): Promise<SourceRig> {
  const server = await startSshd();
  const password = server.password ?? 'no account could be made';
  const file = (text: string) => ({ file: drop(temporaryFolder(), 'secret', text) });
  const own = server.hostKeys.ed25519.fingerprint;
  const settings = (more: Record<string, unknown> = {}, port = server.port) =>
    dropSettings(`sftp://${server.user}@127.0.0.1:${port}${server.drops}`, {
      hostKey: own,
      ...(server.password === null ? { privateKey: { file: server.key } } : { password: file(password) }),
      connectTimeout: '1s',
      settle: '10ms',
      ...more,
    });
  const holding = (content: string, size?: number): void => {
    for (const name of readdirSync(server.drops)) rmSync(join(server.drops, name));
    const path = drop(server.drops, 'students-1.csv', content);
    if (size !== undefined) truncateSync(path, size);
    server.own(path);
  };
  const header = 'id,email,name\n';
  const people = Array.from({ length: 2000 }, (_, n) => `${n},p${n}@x.edu,"Person, ${n}"\n`).join('');
  const good = () => {
    holding(header + people);
    return { settings: settings() };
  };
  return asking({
    connector: csvDrop,
    columns: ['id', 'email', 'name'],
    rows: 2000,
    secrets: [password, 'wrong-password'],
    good,
    cases: {
      'wrong credentials': () => ({ settings: settings({ privateKey: undefined, password: file('wrong-password') }) }),
      'wrong trust': () => ({ settings: settings({ hostKey: `SHA256:${'A'.repeat(43)}` }) }),
      silence: ({ port }) => ({ settings: settings({}, port) }),
      'nobody there': (port) => ({ settings: settings({}, port) }),
      'half an answer': () => {
        holding(header, large);
        return { settings: settings(), meanwhile: () => server.dropSessions() };
      },
      'an answer that is larger than the settings allow': () => {
        holding(header + people);
        return { settings: settings({ maxRows: 1999 }) };
      },
      'an empty answer': {
        refused: () => {
          holding('');
          return { settings: settings() };
        },
      },
    },
    stop: () => server.stop(),
  });
}
