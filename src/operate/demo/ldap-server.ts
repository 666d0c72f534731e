import { type AddressInfo, createServer, type Socket } from 'node:net';
import { BerReader, BerWriter } from 'ldapts';
import type { DirectoryEntry } from './campus.ts';
import type { StandIn } from './staff-api.ts';

/**
 * A directory that is just enough for the demo to read one over LDAP (RFC 4511): one account logs in, the root entry says
 * what the server is, any other search gives all people, page by page (RFC 2696). Filters are not looked at.
 */
export async function startDirectory(
  login: { dn: string; password: string },
  entries: () => readonly DirectoryEntry[],
): Promise<StandIn> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    let held = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      for (let size = messageSize(held); size !== null && size <= held.length; size = messageSize(held)) {
        answer(socket, new BerReader(Buffer.from(held.subarray(0, size))), login, entries);
        held = held.subarray(size);
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const tags = { bind: 0x60, bound: 0x61, unbind: 0x42, search: 0x63, entry: 0x64, done: 0x65, controls: 0xa0 };
const results = { success: 0, protocolError: 2, invalidCredentials: 49, insufficientAccessRights: 50 };
const paging = '1.2.840.113556.1.4.319';

/** Bytes of the first message, once its length is there. */
function messageSize(bytes: Buffer): number | null {
  const first = bytes[1];
  if (first === undefined) return null;
  if (first < 0x80) return 2 + first;
  const octets = first & 0x7f;
  return bytes.length < 2 + octets ? null : 2 + octets + bytes.readUIntBE(2, octets);
}

const loggedIn = new WeakSet<Socket>();

function answer(
  socket: Socket,
  request: BerReader,
  login: { dn: string; password: string },
  entries: () => readonly DirectoryEntry[],
): void {
  request.readSequence();
  const id = request.readInt()!;
  const operation = request.readSequence()!;
  const end = request.offset + request.length;
  const send = (tag: number, write: (writer: BerWriter) => void, after?: (writer: BerWriter) => void): void => {
    const writer = new BerWriter();
    writer.startSequence();
    writer.writeInt(id);
    writer.startSequence(tag);
    write(writer);
    writer.endSequence();
    after?.(writer);
    writer.endSequence();
    socket.write(writer.buffer);
  };
  const result = (code: number) => (writer: BerWriter) => {
    writer.writeEnumeration(code);
    writer.writeString('');
    writer.writeString('');
  };
  if (operation === tags.unbind) socket.end();
  else if (operation === tags.bind) {
    request.readInt();
    const dn = request.readString();
    const right = dn === login.dn && request.readString(0x80) === login.password;
    if (right) loggedIn.add(socket);
    send(tags.bound, result(right ? results.success : results.invalidCredentials));
  } else if (operation === tags.search) {
    const base = request.readString()!;
    const give = ({ dn, attributes }: DirectoryEntry): void =>
      send(tags.entry, (writer) => {
        writer.writeString(dn);
        writer.startSequence();
        for (const [name, values] of Object.entries(attributes)) {
          writer.startSequence();
          writer.writeString(name);
          writer.startSequence(0x31);
          for (const value of values) writer.writeString(value);
          writer.endSequence();
          writer.endSequence();
        }
        writer.endSequence();
      });
    if (base === '') {
      give({ dn: '', attributes: { supportedControl: [paging], namingContexts: ['dc=example,dc=edu'] } });
      send(tags.done, result(results.success));
      return;
    }
    if (!loggedIn.has(socket)) {
      send(tags.done, result(results.insufficientAccessRights));
      return;
    }
    request.offset = end;
    const page = pageOf(request);
    const all = entries();
    const from = page ? Number(page.cookie || '0') : 0;
    const to = page ? Math.min(from + page.size, all.length) : all.length;
    for (const entry of all.slice(from, to)) give(entry);
    send(
      tags.done,
      result(results.success),
      page ? (writer) => writePage(writer, to < all.length ? `${to}` : '') : undefined,
    );
  } else send(tags.done, result(results.protocolError));
}

/** The page that a request asks for, in its controls. */
function pageOf(request: BerReader): { size: number; cookie: string } | null {
  if (request.remain <= 0 || request.peek() !== tags.controls) return null;
  request.readSequence(tags.controls);
  request.readSequence();
  if (request.readString() !== paging) return null;
  if (request.peek() === 0x01) request.readBoolean();
  const value = new BerReader(request.readString(0x04, true)!);
  value.readSequence();
  return { size: value.readInt()!, cookie: value.readString()! };
}

function writePage(writer: BerWriter, cookie: string): void {
  const value = new BerWriter();
  value.startSequence();
  value.writeInt(0);
  value.writeString(cookie);
  value.endSequence();
  writer.startSequence(tags.controls);
  writer.startSequence();
  writer.writeString(paging);
  writer.writeBuffer(value.buffer, 0x04);
  writer.endSequence();
  writer.endSequence();
}
