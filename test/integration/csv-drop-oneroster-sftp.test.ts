import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import { besideServer, drop, dropSettings, failure, readAll, steppedClock, temporaryFolder } from '../support/drop.ts';
import { brief, changed, set, context as setContext, small } from '../support/oneroster-zip.ts';
import { requireServer } from '../support/requirements.ts';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';

const context = (changes = {}) => setContext({ clock: besideServer(steppedClock()), ...changes });

requireServer('sftp', sshdMissing)('zips on a real SFTP server', () => {
  let server: Sshd;
  beforeAll(async () => {
    server = await startSshd();
  }, 60_000);
  afterAll(() => server?.stop());

  test('are fetched, proved, merged and archived', async () => {
    const upload = (name: string, content: Buffer, modified: number) =>
      server.own(drop(server.drops, name, content, modified));
    const settings = dropSettings(`sftp://${server.user}@127.0.0.1:${server.port}${server.drops}`, {
      hostKey: server.hostKeys.ed25519.fingerprint,
      privateKey: { file: server.key },
      files: '*.zip',
      contents: 'oneroster',
      archive: 'done',
    });
    const keepDir = join(temporaryFolder(), 'keep');
    upload('a.zip', set(small), 1000);
    upload('b.zip', set({ users: [changed(small.users[2]!, 'tobedeleted')] }, { kind: 'delta' }), 2000);
    expect((await csvDrop.probe(settings, context()))[1]).toContain('b.zip');
    const first = (await csvDrop.pull(settings, context({ keepDir })))!;
    expect(brief(await readAll(first))).toEqual(['u1 c1 student', 'u2 c1 teacher']);
    await first.accepted();
    await first.close();
    expect(readdirSync(server.drops)).toEqual(['done']);
    upload('c.zip', set({ users: [changed(small.users[1]!, 'tobedeleted')] }, { kind: 'delta' }), 3000);
    const second = (await csvDrop.pull(settings, context({ keepDir, lastContent: first.content })))!;
    expect(brief(await readAll(second))).toEqual(['u1 c1 student']);
    await second.close();
    // an upload that was cut
    upload('d.zip', set(small).subarray(0, -40), 4000);
    expect((await failure(csvDrop.pull(settings, context({ keepDir })))).line).toContain('d.zip is no whole zip file');
  });
});
