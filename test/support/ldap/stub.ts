import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { BerReader, BerWriter, PagedResultsControl, PresenceFilter, SearchRequest } from 'ldapts';
import { onTestFinished } from 'vitest';

/** A directory of a test's own that speaks the protocol and says what the test wants, also what no server should say. */

/** What a client asks. */
export interface Asked {
  kind: 'bind' | 'search' | 'extended' | 'unbind';
  base: string;
  attributes: readonly string[];
  /** Null: the client asks for no page. */
  page: { size: number; cookie: string } | null;
  /** Counts the searches, from 1; those for the root entry are not counted. */
  number: number;
}

/** Says something to the client, in the order of the calls. */
export interface Reply {
  entry(dn: string, attributes: Record<string, (string | Buffer)[]>): Reply;
  reference(...urls: string[]): Reply;
  /** Ends the answer. `cookie` null: without the control that says whether there is more. */
  end(code?: number, cookie?: string | null, message?: string): Reply;
  /** Closes the connection when everything before is on its way; `reset` as a crash does. */
  drop(reset?: boolean): Reply;
  raw(bytes: Buffer): Reply;
  /** The socket, for what is not said in this protocol. */
  socket: Socket;
}

/** A started stub. */
export interface Stub {
  url: string;
  /** What was asked, in order. */
  asked: Asked[];
  /** Open connections. */
  connections(): number;
}

/** The root entry of a stub, unless its script answers for it. */
export const rootEntry = {
  objectClass: ['top'],
  namingContexts: ['dc=example,dc=edu'],
  supportedControl: [PagedResultsControl.type],
};

/** Starts one. `script` answers searches, `login` logins, which succeed without it. It is gone when the test is. */
export async function startStub(
  script: (asked: Asked, reply: Reply) => void,
  root: Record<string, string[]> = rootEntry,
  login: (reply: Reply) => void = (reply) => reply.end(0, null),
): Promise<Stub> {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  let searches = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let held = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      held = Buffer.concat([held, bytes]);
      for (;;) {
        // the greeting of TLS is no message
        if (held[0] !== 0x30) return;
        const reader = new BerReader(held);
        if (!reader.readSequence() || reader.remain < reader.length) return;
        const end = reader.offset + reader.length;
        const id = reader.readInt()!;
        const one = askedOf(reader, id);
        const reply = replyTo(socket, id, responses[one.kind]);
        held = held.subarray(end);
        const forRoot = one.kind === 'search' && one.base === '';
        if (one.kind === 'search' && !forRoot) searches += 1;
        one.number = searches;
        asked.push(one);
        if (one.kind === 'unbind') socket.end();
        else if (one.kind === 'bind') login(reply);
        else if (forRoot) reply.entry('', root).end(0, null);
        else script(one, reply);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as { port: number };
  return { url: `ldap://127.0.0.1:${port}`, asked, connections: () => sockets.size };
}

const responses = { bind: 0x61, search: 0x65, extended: 0x78, unbind: 0 };

function askedOf(reader: BerReader, id: number): Asked {
  const operation = reader.readSequence();
  const plain = { base: '', attributes: [], page: null, number: 0 };
  if (operation === 0x60) return { kind: 'bind', ...plain };
  if (operation === 0x77) return { kind: 'extended', ...plain };
  if (operation !== 0x63) return { kind: 'unbind', ...plain };
  const request = new SearchRequest({ messageId: id, filter: new PresenceFilter() });
  request.parse(reader, []);
  const paging = request.controls?.find((control) => control instanceof PagedResultsControl)?.value;
  return {
    kind: 'search',
    base: request.baseDN,
    attributes: request.attributes,
    page: paging ? { size: paging.size, cookie: paging.cookie?.toString() ?? '' } : null,
    number: 0,
  };
}

function replyTo(socket: Socket, id: number, operation: number): Reply {
  const message = (tag: number, write: (writer: BerWriter) => void, controls?: (writer: BerWriter) => void): void => {
    const writer = new BerWriter();
    writer.startSequence();
    writer.writeInt(id);
    writer.startSequence(tag);
    write(writer);
    writer.endSequence();
    controls?.(writer);
    writer.endSequence();
    socket.write(writer.buffer);
  };
  const reply: Reply = {
    socket,
    entry(dn, attributes) {
      message(0x64, (writer) => {
        writer.writeString(dn);
        writer.startSequence();
        for (const [name, values] of Object.entries(attributes)) {
          writer.startSequence();
          writer.writeString(name);
          writer.startSequence(0x31);
          for (const value of values) writer.writeBuffer(Buffer.from(value as string), 4);
          writer.endSequence();
          writer.endSequence();
        }
        writer.endSequence();
      });
      return reply;
    },
    reference(...urls) {
      message(0x73, (writer) => writer.writeStringArray(urls));
      return reply;
    },
    end(code = 0, cookie = '', text = '') {
      const result = (writer: BerWriter): void => {
        writer.writeEnumeration(code);
        writer.writeString('');
        writer.writeString(text);
      };
      if (cookie === null) message(operation, result);
      else
        message(operation, result, (writer) => {
          writer.startSequence(0xa0);
          new PagedResultsControl({ value: { size: 0, cookie: Buffer.from(cookie) } }).write(writer);
          writer.endSequence();
        });
      return reply;
    },
    drop(reset = false) {
      if (reset) socket.resetAndDestroy();
      else socket.end();
      return reply;
    },
    raw(bytes) {
      socket.write(bytes);
      return reply;
    },
  };
  return reply;
}
