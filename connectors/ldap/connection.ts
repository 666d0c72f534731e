import { isIP, connect as openSocket, type Socket } from 'node:net';
import { type ConnectionOptions, connect as openTls, type TLSSocket } from 'node:tls';
import {
  BerReader,
  type BindRequest,
  BindResponse,
  type ExtendedRequest,
  ExtendedResponse,
  type MessageResponse,
  ProtocolOperation,
  SearchReference,
  type SearchRequest,
  SearchResponse,
  UnbindRequest,
} from 'ldapts';
import { Denied, Unavailable } from '../../src/base/errors.ts';
import type { SourceContext } from '../../src/connector/source.ts';
import { type Entry, Piece, readEntry } from './entry.ts';
import { wordsOf } from './refusal.ts';
import type { Place } from './schema.ts';

/**
 * One connection to a directory. The messages are the library's, its client is not: that one ends a paged search at an
 * empty page, opens a lost connection again as nobody, and holds a whole answer in memory. Here a connection that is lost
 * stays lost, entries stream, and no answer is taken for one that it is not.
 */

/** A message longer than this is no LDAP, or nothing that this process could hold. */
const longestMessage = 256 * 1024 * 1024;
/** Entries that wait to be read before the server is made to wait. */
const mostWaiting = 5000;
/** Entries handed over at a time. */
const batch = 250;

type Request = BindRequest | ExtendedRequest | SearchRequest;
type Settle = { resolve(result: MessageResponse): void; reject(error: unknown): void };
type Pending = { Result: new (options: { messageId: number }) => MessageResponse; search: Answer | null } & Settle;

/** The answer to one search request, as it arrives. */
export class Answer {
  /** Addresses of what lies on other servers. */
  readonly references: string[] = [];
  /** Set once the server has ended its answer; entries may still wait. */
  result: SearchResponse | null = null;
  #entries: Entry[] = [];
  #failure: { error: unknown } | null = null;
  #wake: (() => void) | null = null;
  readonly #taken: () => void;
  constructor(taken: () => void) {
    this.#taken = taken;
  }

  get waiting(): number {
    return this.#entries.length;
  }

  /** The next entries; null after the last one. Throws when the connection was lost before the end. */
  async next(): Promise<Entry[] | null> {
    while (this.#entries.length < batch && !this.result && !this.#failure)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure) throw this.#failure.error;
    if (!this.#entries.length) return null;
    const entries = this.#entries;
    this.#entries = [];
    this.#taken();
    return entries;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length >= batch) this.#wake?.();
  }

  end(result: SearchResponse): void {
    this.result = result;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }
}

/** See above. Every failure is final. */
export class Connection {
  readonly #place: Place;
  #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #failure: { error: unknown } | null = null;
  /** Grows with everything that is said on either side. */
  #sound = 0;
  /** Bytes of a message that has not arrived in full, and how many it takes to go on. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #wanted = 2;
  readonly #piece = new Piece();
  readonly #ended = new AbortController();
  readonly #onAbort: () => void;
  readonly #signal: AbortSignal;

  private constructor(place: Place, socket: Socket, context: SourceContext) {
    this.#place = place;
    this.#socket = socket;
    this.#signal = context.signal;
    this.#onAbort = () => this.#fail(context.signal.reason);
    context.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * Connects, for `ldaps://` with TLS. `trusted` are certificates in PEM, or undefined for those that Node trusts. When
   * `late` is over and the login is not, the connection is given up.
   */
  static async open(
    place: Place,
    trusted: string | undefined,
    context: SourceContext,
    late: Promise<void>,
  ): Promise<Connection> {
    context.signal.throwIfAborted();
    const address = { host: place.host, port: place.port };
    const socket = place.tls ? openTls({ ...address, ...trust(place, trusted) }) : openSocket(address);
    const connection = new Connection(place, socket, context);
    late.then(
      () =>
        connection.#fail(new Unavailable(`${place.url} did not let us in in time`, { remedy: 'see connectTimeout' })),
      () => {},
    );
    try {
      await connection.#ready(socket, place.tls ? 'secureConnect' : 'connect');
    } catch (error) {
      connection.close();
      throw error;
    }
    connection.#listen(socket);
    return connection;
  }

  /** Goes over to TLS, after the server has agreed to. What came unprotected after that is not believed. */
  async secure(trusted: string | undefined): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners('data');
    if (this.#heldBytes || this.#pending.size)
      throw this.#fail(new Denied(`${this.#place.url}: something was said between StartTLS and TLS`));
    plain.removeAllListeners('error').removeAllListeners('close');
    plain.on('error', (cause) => this.#lost(cause));
    const { host } = this.#place;
    // without the host the name in the certificate would be compared with "localhost" where the host is an address
    const socket = openTls({ socket: plain, host, ...trust(this.#place, trusted) });
    this.#socket = socket;
    await this.#ready(socket, 'secureConnect');
    this.#listen(socket);
  }

  async #ready(socket: Socket | TLSSocket, sign: 'connect' | 'secureConnect'): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    await new Promise<void>((resolve, reject) => {
      socket.once(sign, () => resolve());
      socket.on('error', (cause: NodeJS.ErrnoException) => this.#fail(this.#noConnection(socket, cause)));
      this.#ended.signal.addEventListener('abort', () => reject(this.#failure!.error), { once: true });
    });
    socket.removeAllListeners('error');
  }

  #noConnection(socket: Socket | TLSSocket, cause: NodeJS.ErrnoException): unknown {
    const { url } = this.#place;
    const untrusted = (socket as TLSSocket).authorizationError;
    if (untrusted) {
      const name = String(untrusted) === 'ERR_TLS_CERT_ALTNAME_INVALID';
      return new Denied(
        name
          ? `${url}: its certificate is for another name`
          : `${url}: its certificate is not trusted (${cause.message})`,
        {
          cause,
          remedy: name
            ? `connect by a name that is in the certificate; ${cause.message.replace(/^Hostname\/IP does not match certificate's altnames: /, '')}`
            : 'give the certificate of its authority as ca',
        },
      );
    }
    if (cause.code === 'EPROTO' || cause.code?.startsWith('ERR_SSL_'))
      return new Denied(`${url}: no TLS (${cause.code})`, {
        cause,
        remedy: 'ldaps:// is usually on port 636; on port 389 it is ldap:// with startTLS: true',
      });
    const inTls = 'authorized' in socket && cause.code === 'ECONNRESET';
    return new Unavailable(`${url} cannot be reached: ${cause.message || cause.code}`, {
      cause,
      ...(inTls ? { remedy: 'it listens, but not for TLS? ldaps:// is usually on port 636' } : {}),
    });
  }

  #listen(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', (cause) => this.#lost(cause));
    socket.on('close', () => this.#lost());
  }

  #lost(cause?: Error): void {
    this.#fail(
      new Unavailable(`the connection to ${this.#place.url} was lost${cause ? `: ${cause.message}` : ''}`, { cause }),
    );
  }

  /** Ends everything with this error; the first one counts. */
  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    this.#socket.destroy();
    for (const { reject } of this.#pending.values()) reject(this.#failure.error);
    this.#pending.clear();
    this.#ended.abort();
    return this.#failure.error;
  }

  /** From now on a server that owes an answer and is silent for `ms` has lost the connection. Noticed within half as much again. */
  watch(ms: number, context: SourceContext): void {
    const watching = async (): Promise<void> => {
      let silent = 0;
      for (;;) {
        const before = this.#sound;
        await context.clock.wait(ms / 2, this.#ended.signal);
        const owes = this.#pending.size > 0 && !this.#socket.isPaused();
        silent = owes && before === this.#sound ? silent + 1 : 0;
        if (silent === 2)
          this.#fail(
            new Unavailable(`${this.#place.url} said nothing for ${ms / 1000} s, with an answer due`, {
              remedy: 'see timeout',
            }),
          );
      }
    };
    watching().catch(() => {});
  }

  /** Sends a request other than a search. */
  ask(request: Exclude<Request, SearchRequest>): Promise<MessageResponse> {
    const Result = request.protocolOperation === ProtocolOperation.LDAP_REQ_BIND ? BindResponse : ExtendedResponse;
    return new Promise((resolve, reject) => this.#send(request, { Result, search: null, resolve, reject }));
  }

  /** Sends a search; what comes of it is taken from the answer. */
  search(request: SearchRequest): Answer {
    const answer: Answer = new Answer(() => this.#socket.resume());
    this.#send(request, {
      Result: SearchResponse,
      search: answer,
      resolve: (result) => answer.end(result as SearchResponse),
      reject: (error) => answer.fail(error),
    });
    return answer;
  }

  #send(request: Request, pending: Pending): void {
    if (this.#failure) {
      pending.reject(this.#failure.error);
      return;
    }
    request.messageId = ++this.#lastId;
    this.#pending.set(request.messageId, pending);
    this.#sound += 1;
    // an answer that was told to wait may stand before the one that this request is for
    this.#socket.resume();
    this.#socket.write(request.write());
  }

  /** Cuts the stream into messages. */
  #read(bytes: Buffer): void {
    this.#sound += 1;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes < this.#wanted) return;
    const all = this.#held.length === 1 ? bytes : Buffer.concat(this.#held, this.#heldBytes);
    const text = all.toString('latin1');
    const piece = this.#piece;
    let at = 0;
    this.#wanted = 2;
    try {
      while (at < all.length) {
        if (!piece.head(all, at, all.length)) break;
        const { end } = piece;
        if (piece.tag !== 0x30 || end - at > longestMessage) throw new Error('bytes that are no LDAP message');
        if (end > all.length) {
          this.#wanted = end - at;
          break;
        }
        this.#take(all, text, at, piece.start, end);
        if (this.#failure) return;
        at = end;
      }
    } catch (cause) {
      this.#fail(
        new Unavailable(`${this.#place.url} sent what cannot be read: ${(cause as Error).message}`, { cause }),
      );
      return;
    }
    this.#held = at < all.length ? [all.subarray(at)] : [];
    this.#heldBytes = all.length - at;
  }

  /** Takes one message. Throws when it is not what was asked for. */
  #take(all: Buffer, text: string, start: number, inside: number, end: number): void {
    const piece = this.#piece;
    const number = piece.whole(all, inside, end, 0x02);
    const id = all.readUIntBE(number, Math.min(piece.end - number, 4));
    const pending = this.#pending.get(id);
    if (pending?.search && all[piece.end] === ProtocolOperation.LDAP_RES_SEARCH_ENTRY) {
      const { search } = pending;
      const from = piece.whole(all, piece.end, end, ProtocolOperation.LDAP_RES_SEARCH_ENTRY);
      search.add(readEntry(all, text, from, piece.end));
      // only an answer that nobody else waits behind is held up
      if (search.waiting >= mostWaiting && this.#pending.size === 1) this.#socket.pause();
      return;
    }
    const reader = new BerReader(all.subarray(start, end));
    reader.readSequence();
    reader.readInt();
    const operation = reader.readSequence();
    if (id === 0) {
      const notice = parsed(new ExtendedResponse({ messageId: 0 }), reader);
      this.#fail(new Unavailable(`${this.#place.url} ended the connection (${wordsOf(notice)})`));
      return;
    }
    if (!pending) throw new Error('an answer to a question that was not asked');
    if (pending.search && operation === ProtocolOperation.LDAP_RES_SEARCH_REF) {
      pending.search.references.push(...parsed(new SearchReference({ messageId: id }), reader).uris);
    } else {
      const result = new pending.Result({ messageId: id });
      if (result.protocolOperation !== operation) throw new Error('an answer of another kind than the question');
      this.#pending.delete(id);
      pending.resolve(parsed(result, reader));
    }
  }

  /** Takes leave and closes. Never throws. */
  close(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    const socket = this.#socket;
    // a server that is still answering would go on for long
    const open = !this.#failure && !this.#pending.size;
    this.#failure ??= { error: new Unavailable(`the connection to ${this.#place.url} is closed`) };
    this.#ended.abort();
    socket.removeAllListeners('error').on('error', () => {});
    if (open && socket.writable) socket.end(new UnbindRequest({ messageId: ++this.#lastId }).write());
    else socket.destroy();
    // nothing that comes now is read, so that the other side's end arrives
    socket.removeAllListeners('data').resume();
    socket.unref();
  }
}

function parsed<M extends MessageResponse | SearchReference>(message: M, reader: BerReader): M {
  message.parse(reader, []);
  return message;
}

function trust(place: Place, trusted: string | undefined): ConnectionOptions {
  return {
    ...(trusted === undefined ? {} : { ca: trusted }),
    ...(isIP(place.host) ? {} : { servername: place.host }),
  };
}
