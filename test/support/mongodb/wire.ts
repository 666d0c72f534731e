import { BSON, type Document } from 'mongodb';

/** Enough of MongoDB's wire protocol to tell one message from the next, and what a request is about. */

const HEADER = 16;
const OP_QUERY = 2004;
const OP_MSG = 2013;

/** Cuts a stream of bytes into whole messages. */
export class Messages {
  #waiting: Buffer[] = [];
  #size = 0;

  /** The messages that are whole with this chunk. */
  *add(chunk: Buffer): Generator<Buffer> {
    this.#waiting.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      if (this.#size < HEADER) return;
      if (this.#waiting[0]!.length < HEADER) this.#waiting = [Buffer.concat(this.#waiting)];
      const length = this.#waiting[0]!.readInt32LE(0);
      if (length < HEADER) throw new Error(`a message of ${length} bytes: this is not MongoDB`);
      if (this.#size < length) return;
      const all = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
      this.#waiting = all.length > length ? [all.subarray(length)] : [];
      this.#size -= length;
      yield all.subarray(0, length);
    }
  }
}

/** The number that the sender gave this message. */
export const requestId = (message: Buffer): number => message.readInt32LE(4);

/** The number of the message that this one answers. */
export const responseTo = (message: Buffer): number => message.readInt32LE(8);

/** What a client asks for. */
export interface Request {
  /** As the server calls it: `insert`, `find`, `findAndModify`, `hello`. */
  name: string;
  database: string | null;
  collection: string | null;
}

/** The documents of an insert, or the statements of an update or a delete. */
export function statementsOf(message: Buffer): Document[] {
  const found: Document[] = [];
  for (const section of sectionsOf(message)) {
    if (Array.isArray(section)) found.push(...section);
    else for (const key of ['documents', 'updates', 'deletes']) found.push(...((section[key] as Document[]) ?? []));
  }
  return found;
}

/** The body of an answer. */
export function answerOf(message: Buffer): Document {
  for (const section of sectionsOf(message)) if (!Array.isArray(section)) return section;
  return {};
}

/** The sections of an OP_MSG: its body, and sequences of documents. */
function* sectionsOf(message: Buffer): Generator<Document | Document[]> {
  if (message.readInt32LE(12) !== OP_MSG) return;
  const withChecksum = (message.readUInt32LE(HEADER) & 1) === 1;
  const end = message.length - (withChecksum ? 4 : 0);
  const documentAt = (at: number): Document => BSON.deserialize(message.subarray(at, at + message.readInt32LE(at)));
  for (let at = HEADER + 4; at < end; ) {
    const kind = message[at]!;
    const size = message.readInt32LE(at + 1);
    if (kind === 0) yield documentAt(at + 1);
    else {
      const sequence: Document[] = [];
      let next = message.indexOf(0, at + 5) + 1;
      for (; next < at + 1 + size; next += message.readInt32LE(next)) sequence.push(documentAt(next));
      yield sequence;
    }
    at += 1 + size;
  }
}

/** Reads the command out of a request; a message that is none, or a compressed one, has a name in brackets. */
export function requestOf(message: Buffer): Request {
  const opCode = message.readInt32LE(12);
  let at = HEADER + 4;
  if (opCode === OP_QUERY) at = message.indexOf(0, at) + 1 + 8;
  else if (opCode !== OP_MSG) return { name: `(${opCode})`, database: null, collection: null };
  else if (message[at] === 0) at += 1;
  else return { name: '(no command first)', database: null, collection: null };
  // the documents of a write are in sections of their own, so this is small
  const command = BSON.deserialize(message.subarray(at, at + message.readInt32LE(at)));
  const [name, value] = Object.entries(command)[0] ?? ['(empty)', null];
  const collection = name === 'getMore' ? command['collection'] : value;
  return {
    name,
    database: typeof command['$db'] === 'string' ? command['$db'] : null,
    collection: typeof collection === 'string' ? collection : null,
  };
}
