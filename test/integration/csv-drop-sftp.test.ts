import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { csvDrop } from '../../connectors/csv-drop/connector.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import {
  besideServer,
  drop,
  dropSettings,
  failure,
  lastOf,
  dropContext as localContext,
  pulled,
  readAll,
  steppedClock,
  temporaryFolder,
} from '../support/drop.ts';
import { requireServer } from '../support/requirements.ts';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';

const HEADER = 'id,email,name\n';
const ANN = '1,ann@x.edu,Ann\n';
const BOB = '2,bob@x.edu,Bob\n';
/** Larger than what can be under way at once, so that a transfer can be caught in the middle. */
const LARGE = 64 * 2 ** 20;

const dropContext = (changes: Partial<SourceContext> = {}): SourceContext =>
  localContext({ ...changes, clock: besideServer(changes.clock ?? steppedClock()) });

requireServer('sftp', sshdMissing)('a drop folder on a real SFTP server', () => {
  let server: Sshd;
  beforeAll(async () => {
    server = await startSshd();
  }, 60_000);
  afterAll(() => server?.stop());
  beforeEach(() => {
    for (const name of readdirSync(server.drops)) rmSync(join(server.drops, name), { recursive: true });
  });

  const address = (path = server.drops, on = server) => `sftp://${on.user}@127.0.0.1:${on.port}${path}`;
  /** Settings with the server's own key and one that logs in, unless said otherwise. */
  const settings = (more: Record<string, unknown> = {}, from = address()) =>
    dropSettings(from, {
      hostKey: server.hostKeys.ed25519.fingerprint,
      privateKey: { file: server.key },
      ...more,
    });
  const upload = (name: string, content: string, modified?: number): string => {
    const file = drop(server.drops, name, content, modified);
    server.own(file);
    return file;
  };
  const uploadLarge = (): string => {
    const file = upload('students-1.csv', HEADER);
    truncateSync(file, LARGE);
    return file;
  };
  const passwordFile = (password: string) => ({ file: drop(temporaryFolder(), 'password', `${password}\n`) });

  test('the newest file is fetched, read and given back', async () => {
    upload('students-1.csv', HEADER + ANN, 1_700_000_000);
    upload('students-2.csv', HEADER + BOB, 1_600_000_000);
    const context = dropContext();
    const answer = await pulled(settings(), context);
    expect(answer.parts).toMatchObject([
      { name: `${address()}/students-1.csv`, bytes: 30, modified: '2023-11-14T22:13:20.000Z' },
    ]);
    expect(await readAll(answer)).toEqual([{ part: 0, line: 2, cells: ['1', 'ann@x.edu', 'Ann'] }]);
    expect(readdirSync(context.spoolDir)).toEqual(['part-0.raw']);
    await answer.close();
    expect(readdirSync(context.spoolDir)).toEqual([]);
  });

  test('a file larger than what is under way at once comes over whole, with progress', async () => {
    const rows = Array.from({ length: 1_000_000 }, (_, i) => `${i},${i}@x.edu,N`).join('\n');
    upload('students-1.csv', `${HEADER}${rows}\n`);
    const seen: string[] = [];
    const answer = await pulled(settings(), dropContext({ progress: (text) => seen.push(text) }));
    let count = 0;
    await answer.scan({ row: () => count++ });
    expect(count).toBe(1_000_000);
    expect(seen).toContainEqual(expect.stringMatching(/^[\d.]+ of \d+ MB of students-1.csv fetched$/));
  });

  test('links are followed, folders are no files, and a home is reached by ~', async () => {
    const file = upload('x.csv', HEADER + ANN);
    execFileSync('ln', ['-s', file, join(server.drops, 'students-1.csv')]);
    mkdirSync(join(server.drops, 'students-2.csv'));
    expect(await readAll(await pulled(settings(), dropContext()))).toHaveLength(1);
    if (server.password === null) return;
    expect((await csvDrop.probe(settings({}, address('/~')), dropContext()))[0]).toContain('/~');
  });

  test('a link to nothing makes all files together no answer, and the newest one only when it is that', async () => {
    upload('students-1.csv', HEADER + ANN, 2000);
    const link = join(server.drops, 'students-2.csv');
    symlinkSync('/nowhere/at/all', link);
    lutimesSync(link, 1000, 1000);
    expect(await readAll(await pulled(settings(), dropContext()))).toHaveLength(1);
    const all = await failure(csvDrop.pull(settings({ pick: 'all' }), dropContext()));
    expect(all).toEqual({ kind: 'Incomplete', line: expect.stringContaining('students-2.csv is a link that leads') });
    lutimesSync(link, 3000, 3000);
    expect((await failure(csvDrop.pull(settings(), dropContext()))).kind).toBe('Incomplete');
  });

  test.each([
    ['an Ed25519 key', () => ({ privateKey: { file: server.key } })],
    [
      'a key with a passphrase',
      () => ({ privateKey: { file: server.lockedKey.file }, passphrase: passwordFile(server.lockedKey.passphrase) }),
    ],
    ['an RSA key in PKCS#8', () => ({ privateKey: { file: server.rsaPemKey } })],
    [
      'a password',
      () => (server.password === null ? {} : { privateKey: undefined, password: passwordFile(server.password) }),
    ],
    [
      'a key, where the password beside it is wrong',
      () => ({ privateKey: { file: server.key }, password: passwordFile('wrong') }),
    ],
  ])('%s logs in', async (_name, login) => {
    upload('students-1.csv', HEADER + ANN);
    expect(await csvDrop.probe(settings(login()), dropContext())).toHaveLength(2);
  });

  test.each([
    [
      'a wrong password',
      () => ({ privateKey: undefined, password: passwordFile('wrong') }),
      /does not let .* in with a password/,
    ],
    [
      'a key that nobody knows',
      () => ({ privateKey: { file: server.strangeKey } }),
      /does not let .* in with a key.*publickey/,
    ],
    [
      'a wrong passphrase',
      () => ({ privateKey: { file: server.lockedKey.file }, passphrase: passwordFile('x') }),
      /user-locked.* cannot be used/,
    ],
    [
      'a missing passphrase',
      () => ({ privateKey: { file: server.lockedKey.file } }),
      /cannot be used.*check privateKey and passphrase/,
    ],
    ['what is no key', () => ({ privateKey: passwordFile('hunter2') }), /cannot be used/],
  ])('%s is denied', async (_name, login, message) => {
    const { kind, line } = await failure(csvDrop.pull(settings(login()), dropContext()));
    expect([kind, line]).toEqual(['Denied', expect.stringMatching(message)]);
    expect(line).not.toMatch(/hunter2|wrong$/);
  });

  test('any key of the server may be the expected one, also in a list', async () => {
    upload('students-1.csv', HEADER + ANN);
    const { ed25519, rsa } = server.hostKeys;
    const other = `SHA256:${'A'.repeat(43)}`;
    for (const hostKey of [rsa.fingerprint, [other, ed25519.fingerprint], [other, rsa.fingerprint]])
      expect(await csvDrop.probe(settings({ hostKey }), dropContext())).toHaveLength(2);
  });

  test('a server with another host key is denied before anything secret is sent, and shows its keys', async () => {
    const hostKey = `SHA256:${'A'.repeat(43)}`;
    const { kind, line } = await failure(csvDrop.pull(settings({ hostKey }), dropContext()));
    expect(kind).toBe('Denied');
    expect(line).toContain(`is not trusted: the server showed ${server.hostKeys.ed25519.fingerprint} ssh-ed25519`);
    expect(line).toContain(`${server.hostKeys.rsa.fingerprint} ssh-rsa`);
    expect(line).toContain(`expected was ${hostKey}`);
  });

  test('known_hosts: plain, hashed by ssh-keygen, and only one of the keys', async () => {
    upload('students-1.csv', HEADER + ANN);
    const { ed25519, rsa } = server.hostKeys;
    for (const { line } of [ed25519, rsa]) {
      const knownHosts = drop(temporaryFolder(), 'known_hosts', `[127.0.0.1]:${server.port} ${line}\n`);
      expect(await csvDrop.probe(settings({ hostKey: undefined, knownHosts }), dropContext())).toHaveLength(2);
      execFileSync('ssh-keygen', ['-H', '-f', knownHosts], { stdio: 'ignore' });
      expect(await csvDrop.probe(settings({ hostKey: undefined, knownHosts }), dropContext())).toHaveLength(2);
    }
  });

  test('known_hosts that has another key, or not this server, is denied', async () => {
    const { ed25519 } = server.hostKeys;
    const strange = execFileSync('ssh-keygen', ['-y', '-f', server.strangeKey], { encoding: 'utf8' });
    for (const content of [`[127.0.0.1]:${server.port} ${strange}`, `127.0.0.1 ${ed25519.line}\n`, '']) {
      const knownHosts = drop(temporaryFolder(), 'known_hosts', content);
      const { kind, line } = await failure(csvDrop.pull(settings({ hostKey: undefined, knownHosts }), dropContext()));
      expect([kind, line]).toEqual(['Denied', expect.stringContaining(`showed ${ed25519.fingerprint} ssh-ed25519`)]);
    }
  });

  test('a folder that is not there is a configuration error, one that may not be read is denied', async () => {
    const missing = await failure(csvDrop.pull(settings({}, address('/nowhere/at/all')), dropContext()));
    expect(missing).toEqual({ kind: 'Misconfigured', line: expect.stringContaining('/nowhere/at/all does not exist') });
    if (process.getuid?.() !== 0) return;
    mkdirSync(join(server.drops, 'closed'));
    chmodSync(join(server.drops, 'closed'), 0o700);
    const closed = await failure(csvDrop.pull(settings({}, address(`${server.drops}/closed`)), dropContext()));
    expect(closed).toEqual({ kind: 'Denied', line: expect.stringContaining('no permission') });
    chmodSync(drop(server.drops, 'students-1.csv', HEADER + ANN), 0o600);
    expect((await failure(csvDrop.pull(settings(), dropContext()))).kind).toBe('Denied');
    expect((await failure(csvDrop.probe(settings(), dropContext()))).kind).toBe('Denied');
  });

  test('a server that is not there is unavailable', async () => {
    const nobody = createServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
    await new Promise((resolve) => nobody.once('listening', resolve));
    const { port } = nobody.address() as { port: number };
    // accepts and says nothing: not an SSH server, or one that hangs
    const from = `sftp://sync@127.0.0.1:${port}/`;
    const silent = await failure(csvDrop.pull(settings({ connectTimeout: '200ms' }, from), dropContext()));
    expect(silent).toEqual({ kind: 'Unavailable', line: expect.stringContaining('did not answer within 0.2 s') });
    await new Promise((resolve) => nobody.close(resolve));
    const refused = await failure(csvDrop.pull(settings({}, from), dropContext()));
    expect(refused).toEqual({ kind: 'Unavailable', line: expect.stringContaining('cannot be reached') });
  });

  test('an upload under way is waited for; the connection survives the wait', async () => {
    const file = upload('students-1.csv', HEADER);
    const clock = steppedClock(() => appendFileSync(file, ANN));
    const answer = await pulled(settings(), dropContext({ clock }));
    expect(clock.waits).toHaveLength(2);
    expect(await readAll(answer)).toHaveLength(1);
    const again = steppedClock();
    await pulled(settings(), dropContext({ clock: again, last: lastOf(answer) }));
    expect(again.waits).toEqual([]);
  });

  test.each([
    ['grows', (file: string) => appendFileSync(file, BOB)],
    ['shrinks', (file: string) => truncateSync(file, 10)],
    ['is deleted', (file: string) => rmSync(file)],
  ])('a file that %s while it is fetched is no answer', async (_name, act) => {
    const file = uploadLarge();
    let acted = false;
    const progress = (text: string): void => {
      if (!acted && text.endsWith('fetched')) {
        acted = true;
        act(file);
      }
    };
    const { kind, line } = await failure(csvDrop.pull(settings(), dropContext({ progress })));
    expect(acted).toBe(true);
    expect([kind, line]).toEqual(['Incomplete', expect.stringContaining('changed while it was read')]);
  });

  test('a server that is gone in the middle is unavailable', async () => {
    uploadLarge();
    const context = dropContext({ progress: (text) => text.endsWith('fetched') && server.dropSessions() });
    const { kind, line } = await failure(csvDrop.pull(settings(), context));
    expect(kind).toBe('Unavailable');
    expect(line).toMatch(/connection to 127.0.0.1:\d+ was lost|No response from server/);
  });

  test('a server that is gone while the file settles is unavailable', async () => {
    upload('students-1.csv', HEADER + ANN);
    const clock = steppedClock(() => server.dropSessions());
    expect((await failure(csvDrop.pull(settings(), dropContext({ clock })))).kind).toBe('Unavailable');
  });

  test('an abort ends a transfer at once, even when the server has stopped answering', async () => {
    uploadLarge();
    const abort = new AbortController();
    const progress = (text: string): void => {
      if (!text.endsWith('fetched') || abort.signal.aborted) return;
      server.freezeSessions();
      abort.abort(new Error('stop'));
    };
    const begun = performance.now();
    await expect(csvDrop.pull(settings(), dropContext({ progress, signal: abort.signal }))).rejects.toThrow('stop');
    expect(performance.now() - begun).toBeLessThan(5000);
    server.dropSessions();
  });

  test('the archive takes what was read, on the server, and never replaces a file', async () => {
    upload('students-1.csv', HEADER + ANN, 1000);
    upload('students-1.csv.done', '', 1000);
    upload('students-0.csv', HEADER + BOB, 500);
    upload('students-0.csv.done', '', 500);
    const written = settings({ archive: 'taken/2026', done: '.done' });
    const answer = await pulled(written, dropContext());
    await answer.accepted();
    const archived = join(server.drops, 'taken/2026');
    const stamped = ['0.csv', '0.csv.done', '1.csv', '1.csv.done'].map((name) => `20260115T021510Z-students-${name}`);
    expect(readdirSync(archived).sort()).toEqual(stamped);
    expect(readdirSync(server.drops)).toEqual(['taken']);

    expect(await csvDrop.pull(written, dropContext({ last: lastOf(answer) }))).toBeNull();
    upload('students-1.csv', HEADER + ANN);
    upload('students-1.csv.done', '');
    await (await pulled(written, dropContext())).accepted();
    expect(readdirSync(archived)).toContain('20260115T021510Z-students-1-2.csv');
  });

  test('the archive leaves a file that has changed since, and tells what it may not do', async () => {
    const file = upload('students-1.csv', HEADER + ANN, 1000);
    const answer = await pulled(settings({ archive: 'taken' }), dropContext());
    writeFileSync(file, HEADER + BOB + ANN);
    await answer.accepted();
    expect(existsSync(file)).toBe(true);
    const denied = await pulled(settings({ archive: '/etc/rosterd-archive' }), dropContext());
    if (process.getuid?.() === 0) expect((await failure(denied.accepted())).kind).toBe('Denied');
  });

  test('no connection outlives what it was made for', async () => {
    upload('students-1.csv', HEADER + ANN);
    const answer = await pulled(settings({ archive: 'taken' }), dropContext());
    await answer.accepted();
    await failure(csvDrop.pull(settings({ hostKey: `SHA256:${'A'.repeat(43)}` }), dropContext()));
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap');
    // the runtime lets go of a closed handle some turns later
    await vi.waitFor(() => expect(sockets()).toEqual([]), { timeout: 10_000, interval: 5 });
  });
});

requireServer('sftp', sshdMissing)('a server that takes passwords by dialogue only', () => {
  test.runIf(process.getuid?.() === 0)(
    'gets the password there',
    async () => {
      const server = await startSshd(['UsePAM yes', 'PasswordAuthentication no', 'KbdInteractiveAuthentication yes']);
      try {
        server.own(drop(server.drops, 'students-1.csv', HEADER + ANN));
        const settings = (password: string) =>
          dropSettings(`sftp://${server.user}@127.0.0.1:${server.port}${server.drops}`, {
            hostKey: server.hostKeys.ed25519.fingerprint,
            password: { file: drop(temporaryFolder(), 'password', password) },
          });
        expect(await csvDrop.probe(settings(server.password!), dropContext())).toHaveLength(2);
        expect((await failure(csvDrop.probe(settings('wrong'), dropContext()))).kind).toBe('Denied');
      } finally {
        await server.stop();
      }
    },
    60_000,
  );
});
