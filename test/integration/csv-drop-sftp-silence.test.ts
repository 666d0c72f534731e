import { chmodSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import type { Clock } from '../../src/base/clock.ts';
import { drop, dropContext, dropSettings, failure, pulled, steppedClock, unlessStopped } from '../support/drop.ts';
import { requireServer } from '../support/requirements.ts';
import { type Sshd, sftpServer, sshdMissing, startSshd } from '../support/sshd.ts';

const HEADER = 'id,email,name\n';
const ANN = '1,ann@x.edu,Ann\n';
/** Larger than what can be under way at once, so that a transfer can be caught in the middle. */
const LARGE = 64 * 2 ** 20;

const hangs = () => sshdMissing() ?? (sftpServer === null ? 'there is no sftp-server to be stopped' : null);

requireServer('sftp', hangs)('a server whose file system hangs, while SSH goes on answering', () => {
  let server: Sshd;
  let hangingFile: string;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rosterd-hanging-'));
    chmodSync(folder, 0o755);
    hangingFile = join(folder, 'hangs');
    const script = join(folder, 'sftp');
    writeFileSync(script, `#!/bin/sh\n[ -e ${hangingFile} ] && exec sleep 1000\nexec ${sftpServer}\n`, { mode: 0o755 });
    server = await startSshd([`Subsystem sftp ${script}`]);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    if (hangingFile) rmSync(dirname(hangingFile), { recursive: true });
  });
  beforeEach(() => {
    for (const name of readdirSync(server.drops)) rmSync(join(server.drops, name), { recursive: true });
    rmSync(hangingFile, { force: true });
  });

  const settings = (more: Record<string, unknown> = {}) =>
    dropSettings(`sftp://${server.user}@127.0.0.1:${server.port}${server.drops}`, {
      hostKey: server.hostKeys.ed25519.fingerprint,
      privateKey: { file: server.key },
      settle: '0s',
      timeout: '5s',
      ...more,
    });
  const upload = (content: string): string => {
    const file = drop(server.drops, 'students-1.csv', content);
    server.own(file);
    return file;
  };
  /** The server hangs, and time passes, as soon as somebody says so. */
  const hanging = () => {
    const passed = Promise.withResolvers<void>();
    const clock: Clock = { ...steppedClock(), wait: (_ms, signal) => unlessStopped(passed.promise, signal) };
    let hung = false;
    const hang = (): void => {
      // what was read before goes on being written, and told, when the next test has begun
      if (hung) return;
      hung = true;
      server.freezeSftp();
      writeFileSync(hangingFile, '');
      passed.resolve();
    };
    return { clock, hang };
  };
  const silence = { kind: 'Unavailable', line: expect.stringMatching(/127\.0\.0\.1:\d+ said nothing for 5 s/) };

  test('is unavailable: from the start on', async () => {
    const { clock, hang } = hanging();
    hang();
    expect(await failure(csvDrop.pull(settings(), dropContext({ clock })))).toEqual(silence);
    expect(await failure(csvDrop.probe(settings(), dropContext({ clock })))).toEqual(silence);
  });

  test('is unavailable: while the folder is looked at', async () => {
    upload(HEADER + ANN);
    const { clock, hang } = hanging();
    const wait: Clock['wait'] = async (ms, signal) => (ms === 1000 ? hang() : clock.wait(ms, signal));
    const pull = csvDrop.pull(settings({ settle: '1s' }), dropContext({ clock: { ...clock, wait } }));
    expect(await failure(pull)).toEqual(silence);
  });

  test('is unavailable: while a file is fetched', async () => {
    truncateSync(upload(HEADER), LARGE);
    const { clock, hang } = hanging();
    const progress = (text: string): void => void (text.endsWith('fetched') && hang());
    expect(await failure(csvDrop.pull(settings(), dropContext({ clock, progress })))).toEqual(silence);
  });

  test('is unavailable: while a file is archived', async () => {
    upload(HEADER + ANN);
    const { clock, hang } = hanging();
    const answer = await pulled(settings({ archive: 'taken' }), dropContext({ clock }));
    hang();
    expect(await failure(answer.accepted())).toEqual(silence);
  });

  test('may take longer than that for a file, as long as it says something', async () => {
    truncateSync(upload(HEADER), LARGE);
    let now = 0;
    const waiting = new Set<{ until: number; pass: () => void }>();
    const wait: Clock['wait'] = (ms, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const one = { until: now + ms, pass: resolve };
      waiting.add(one);
      signal?.addEventListener('abort', () => waiting.delete(one), { once: true });
      return unlessStopped(promise, signal);
    };
    const progress = (text: string): void => {
      if (text.endsWith('fetched')) now += 4000;
      for (const one of waiting) if (one.until <= now) one.pass();
    };
    const answer = await pulled(settings(), dropContext({ clock: { ...steppedClock(), wait }, progress }));
    expect(answer.parts[0]!.bytes).toBe(LARGE);
    expect(now).toBeGreaterThan(100_000);
  });
});
