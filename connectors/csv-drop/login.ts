import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { connect as openSocket } from 'node:net';
import type SftpClient from 'ssh2-sftp-client';
import { Denied, RosterdError, Unavailable } from '../../src/base/errors.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { fingerprintOf, keyTypeOf, type Trust, trustIn } from './hostkey.ts';
import type { CsvDropSettings, Place } from './schema.ts';

/** A logged-in SFTP connection: who answers has been proved first, and no call outlives the connection. */

/** A folder on an SFTP server. */
export type SftpPlace = Extract<Place, { kind: 'sftp' }>;
/** The calls of the protocol, as the library gives them. */
export type Sftp = Awaited<ReturnType<SftpClient['connect']>>;
type Options = Parameters<SftpClient['connect']>[0];

/** An open connection. */
export interface Connection {
  /**
   * Runs one call; rejects as soon as the connection is lost or the pull is aborted, whatever the library does. A server
   * that says nothing for `timeout` has lost the connection; of a call with many answers each one says `heard`.
   */
  call<T>(run: (sftp: Sftp, done: (error: unknown, value?: T) => void, heard: () => void) => void): Promise<T>;
  /** Never throws, and leaves nothing open. */
  close(): Promise<void>;
}

/** Host key types in the order of preference, each with the signature algorithms that use it. */
const keyTypes: readonly (readonly [type: RegExp, algorithms: readonly string[]])[] = [
  [/^ssh-ed25519$/, ['ssh-ed25519']],
  [/^ecdsa-/, ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521']],
  [/^ssh-rsa$/, ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa']],
];

/** The server cannot show a key of the types it was asked for. */
class NoSuchKey extends Error {}
/** The server showed a key that is not trusted. */
class Untrusted extends Error {}

/**
 * Connects and logs in. A server has several host keys and shows one; when that one is not trusted, it is asked for the
 * others before the login is refused, so that any key of it may be the one in the configuration.
 */
export async function connect(
  place: SftpPlace,
  settings: CsvDropSettings,
  context: SourceContext,
): Promise<Connection> {
  const trust = trustIn(settings.hostKey, settings.knownHosts, place.host, place.port);
  const seen: Buffer[] = [];
  const algorithmsOf = (types: readonly string[]) =>
    keyTypes.filter(([type]) => types.some((name) => type.test(name))).flatMap(([, algorithms]) => algorithms);
  const attempts = [trust.types ? algorithmsOf(trust.types) : null, ...keyTypes.map(([, algorithms]) => algorithms)];
  for (const algorithms of attempts) {
    const asked = keyTypes.find(([, own]) => own === algorithms)?.[0];
    // the types known for this host are all that could be trusted
    if (trust.types && seen.length > 0) break;
    if (asked && seen.some((key) => asked.test(keyTypeOf(key)))) continue;
    try {
      return await logIn(place, settings, context, trust, algorithms, seen);
    } catch (error) {
      if (!(error instanceof Untrusted || error instanceof NoSuchKey)) throw error;
    }
  }
  throw untrusted(place, settings, seen);
}

function untrusted(place: SftpPlace, settings: CsvDropSettings, seen: readonly Buffer[]): Denied {
  const shown = seen.map((key) => `${fingerprintOf(key)} ${keyTypeOf(key)}`).join(', ');
  const expected = [...(settings.hostKey ?? []), ...(settings.knownHosts ? [`a key in ${settings.knownHosts}`] : [])];
  return new Denied(
    `the host key of ${place.host}:${place.port} is not trusted: the server showed ${shown || 'none that can be used'}, expected was ${expected.join(' or ')}`,
    {
      remedy:
        'ask whoever runs the server whether its key has changed, and only then write the new one into hostKey or knownHosts',
    },
  );
}

async function logIn(
  place: SftpPlace,
  settings: CsvDropSettings,
  context: SourceContext,
  trust: Trust,
  algorithms: readonly string[] | null,
  seen: Buffer[],
): Promise<Connection> {
  const { signal } = context;
  const where = `${place.host}:${place.port}`;
  const password = settings.password?.reveal();
  const privateKey = usableKey(settings);
  // read when it is asked for: a drop in a folder has no need of all of SSH
  const { default: Client } = await import('ssh2-sftp-client');
  signal.throwIfAborted();

  // an own socket: destroying it ends everything at once, in every state of the library
  const socket = openSocket({ host: place.host, port: place.port, noDelay: true });
  const client = new Client('rosterd', { error() {}, end() {}, close() {} });
  let refusedKey = false;
  let lost: unknown;
  let loggedIn = false;
  const waiting = new Set<(error: unknown) => void>();
  const lose = (error: unknown): void => {
    lost ??= signal.aborted ? signal.reason : error;
    for (const reject of waiting) reject(lost);
    socket.destroy();
  };
  /** Expects a word from the server. The keep-alive does not notice: SSH answers for an SFTP server that hangs. */
  const expectWord = (): (() => void) => {
    const heard = new AbortController();
    const silent = (): void =>
      lose(
        new Unavailable(`${where} said nothing for ${settings.timeout / 1000} s, with an answer due`, {
          remedy: 'see timeout',
        }),
      );
    context.clock.wait(settings.timeout, heard.signal).then(silent, () => {});
    return () => heard.abort();
  };
  const onAbort = (): void => lose(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const offered = new Set<string>();
  client.on('error', (error: Error & { level?: string }) =>
    lose(loggedIn ? lostConnection(where, error) : loginError(place, settings, error, [...offered], refusedKey)),
  );
  client.on('close', () => lose(lostConnection(where)));
  client.on('change password', () =>
    lose(new Denied(`the password of ${place.username} on ${where} has expired`, { remedy: 'set a new one' })),
  );
  client.on('keyboard-interactive', (_name, _text, _language, prompts: unknown[], answer: (texts: string[]) => void) =>
    answer(prompts.map(() => password ?? '')),
  );

  const call: Connection['call'] = (run) =>
    new Promise((resolve, reject) => {
      if (lost !== undefined) return reject(lost);
      let heard = expectWord();
      const fail = (error: unknown): void => {
        heard();
        reject(error);
      };
      waiting.add(fail);
      const done = (error: unknown, value?: unknown): void => {
        waiting.delete(fail);
        heard();
        if (error) reject(lost ?? error);
        else resolve(value as never);
      };
      const again = (): void => {
        heard();
        if (waiting.has(fail)) heard = expectWord();
      };
      try {
        run(sftp!, done, again);
      } catch (error) {
        done(error);
      }
    });
  const close = async (politely: boolean): Promise<void> => {
    signal.removeEventListener('abort', onAbort);
    lost ??= new Unavailable(`the connection to ${where} has been closed`);
    const closed = socket.closed ? undefined : once(socket, 'close', { signal: AbortSignal.timeout(1000) });
    if (politely && !socket.destroyed) client.end().catch(() => {});
    else socket.destroy();
    // a server that does not answer the farewell is not waited for
    await closed?.catch(() => {});
    socket.destroy();
  };

  let sftp: Sftp | undefined;
  // logged in, but SFTP is a program of its own there, and has to start
  let started = (): void => {};
  client.on('ready', () => {
    started = expectWord();
  });
  try {
    sftp = await new Promise<Sftp>((resolve, reject) => {
      waiting.add(reject);
      const options: Options = {
        sock: socket,
        username: place.username,
        readyTimeout: settings.connectTimeout,
        keepaliveInterval: 10_000,
        keepaliveCountMax: 3,
        hostVerifier: (key: Buffer) => {
          if (trust.trusts(key)) return true;
          refusedKey = true;
          seen.push(Buffer.from(key));
          return false;
        },
        authHandler: methodsInTurn(password !== undefined, privateKey !== undefined, offered) as never,
        ...(password === undefined ? {} : { password, tryKeyboard: true }),
        ...(privateKey === undefined ? {} : privateKey),
        ...(algorithms ? { algorithms: { serverHostKey: algorithms as never } } : {}),
      };
      client.connect(options).then(resolve, (error) => reject(lost ?? unusable(place, settings, error)));
    });
    started();
    loggedIn = true;
    waiting.clear();
    return { call, close: () => close(true) };
  } catch (error) {
    started();
    await close(false);
    throw signal.aborted ? signal.reason : error;
  }
}

/**
 * Each way to log in is tried once and only when the server offers it. A password is given once: a server that takes it
 * by dialogue only (`keyboard-interactive`) gets it there, and a wrong one is not counted twice against the account.
 */
function methodsInTurn(hasPassword: boolean, hasKey: boolean, offered: Set<string>) {
  const tried = new Set<string>();
  return (left: readonly string[] | null): string | false => {
    if (left === null) return 'none';
    for (const method of left) offered.add(method);
    const usable = [
      ...(hasKey ? ['publickey'] : []),
      ...(hasPassword
        ? [left.includes('password') || tried.has('password') ? 'password' : 'keyboard-interactive']
        : []),
    ];
    const next = usable.find((method) => left.includes(method) && !tried.has(method));
    if (next === undefined) return false;
    tried.add(next);
    return next;
  };
}

/** The private key in a form that the SSH library reads: it knows PKCS#1, SEC1 and OpenSSH, but not PKCS#8. */
function usableKey(settings: CsvDropSettings): { privateKey: string; passphrase?: string } | undefined {
  const text = settings.privateKey?.reveal();
  if (text === undefined) return undefined;
  const passphrase = settings.passphrase?.reveal();
  const asWritten = { privateKey: text, ...(passphrase === undefined ? {} : { passphrase }) };
  if (!/-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(text)) return asWritten;
  try {
    const key = createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) });
    const forms: Record<string, 'pkcs1' | 'sec1'> = { rsa: 'pkcs1', ec: 'sec1' };
    const type = forms[key.asymmetricKeyType ?? ''];
    return type ? { privateKey: String(key.export({ type, format: 'pem' })) } : asWritten;
  } catch {
    throw new Denied(`the private key ${settings.privateKey} cannot be opened`, { remedy: 'check passphrase' });
  }
}

/** What went wrong before the login was through, by what happens next. */
function loginError(
  place: SftpPlace,
  settings: CsvDropSettings,
  error: Error & { level?: string; code?: string },
  offered: readonly string[],
  refusedKey: boolean,
): unknown {
  const where = `${place.host}:${place.port}`;
  if (refusedKey) return new Untrusted();
  if (error.level === 'handshake' && /host key format/.test(error.message)) return new NoSuchKey();
  if (error.level === 'client-authentication') {
    const given = [settings.privateKey && 'a key', settings.password && 'a password'].filter(Boolean).join(' and ');
    return new Denied(`${where} does not let ${place.username} in with ${given}`, {
      cause: error,
      remedy: `check the account and its secret; the server offers ${offered.join(', ') || 'no way to log in'}`,
    });
  }
  if (error.level === 'handshake')
    return new Denied(`no common ground with the SSH server on ${where}: ${error.message}`, { cause: error });
  if (error.level === 'client-timeout')
    return new Unavailable(`${where} did not answer within ${settings.connectTimeout / 1000} s`, { cause: error });
  return new Unavailable(`${where} cannot be reached: ${error.message}`, { cause: error });
}

/** The library refused without an event: it cannot read the key, or the server has no SFTP for this account. */
function unusable(place: SftpPlace, settings: CsvDropSettings, cause: unknown): RosterdError {
  if (cause instanceof RosterdError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (/privateKey/.test(reason))
    return new Denied(`the private key ${settings.privateKey} cannot be used: ${reason}`, {
      cause,
      remedy: 'check privateKey and passphrase',
    });
  return new Denied(`${place.host}:${place.port} lets ${place.username} in, but gives no SFTP: ${reason}`, { cause });
}

function lostConnection(where: string, cause?: Error): Unavailable {
  return new Unavailable(`the connection to ${where} was lost${cause ? `: ${cause.message}` : ''}`, { cause });
}
