import { getManyValues, isMany, none } from 'stream-chain/defs.js';
import { jsonParser, type Token } from 'stream-json/parser.js';
import type { Json, Path } from './path.ts';

/**
 * One JSON document whose list of records streams by: each record is given away when it has ended, everything around
 * the list (totals, cursors, error texts) is kept. The grammar is the parser's business; here is where the list lies,
 * whether there is one at all, and that nothing of a document can fill the memory.
 */

/** Values around the list, or inside one record; more are no roster. */
const mostValues = 200_000;
const deepest = 100;
/** One text or number of more bytes than this is refused before it fills the memory. */
const longestToken = 16 * 1024 * 1024;

/** What is wrong with a document; the message says it without showing any of it. */
export class BadDocument extends Error {}

interface Frame {
  value: Json[] | { [key: string]: Json };
  key: string;
  isRecords: boolean;
}

/** Reads one document, chunk by chunk. */
export class DocumentReader {
  /** What is around the list; the list itself is empty in it. Undefined until the document has ended. */
  envelope: Json | undefined;
  /** A list lies where the records are said to be. */
  foundList = false;
  readonly #path: Path;
  readonly #onRecord: (record: Json) => void;
  readonly #parse = jsonParser({ packValues: true, streamValues: false });
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  readonly #stack: Frame[] = [];
  #values = 0;
  #inRecords = false;
  #read = 0;
  /** Characters since the last token. */
  #silent = 0;
  constructor(path: Path, onRecord: (record: Json) => void) {
    this.#path = path;
    this.#onRecord = onRecord;
  }

  /** Takes the next bytes; records that end in them are given away before this returns. Throws `BadDocument`. */
  write(chunk: Uint8Array): void {
    this.#read += chunk.length;
    this.#feed(this.#text(chunk));
  }

  /** The bytes have ended. Throws `BadDocument` when the document has not. */
  end(): void {
    if (this.#read === 0) throw new BadDocument('is empty');
    this.#feed(this.#text());
    this.#feed(none);
    if (this.envelope === undefined) throw new BadDocument(`is cut off after ${this.#read} bytes`);
  }

  #text(chunk?: Uint8Array): string {
    try {
      return chunk ? this.#utf8.decode(chunk, { stream: true }) : this.#utf8.decode();
    } catch {
      throw new BadDocument('is not valid UTF-8');
    }
  }

  #feed(text: string | typeof none): void {
    let tokens: ReturnType<ReturnType<typeof jsonParser>>;
    try {
      tokens = this.#parse(text as string);
    } catch {
      // the parser's own message may quote the document
      if (text === none) throw new BadDocument(`is cut off after ${this.#read} bytes`);
      throw new BadDocument(`is not valid JSON within the first ${this.#read} bytes`);
    }
    if (isMany(tokens)) {
      this.#silent = 0;
      for (const token of getManyValues(tokens) as Token[]) this.#token(token);
    } else if (text !== none) this.#silent += (text as string).length;
    // a value is given when it has ended; one that does not end would be kept as it grows
    if (this.#silent > longestToken) throw new BadDocument(`has a single value of more than ${longestToken} bytes`);
  }

  #token(token: Token): void {
    switch (token.name) {
      case 'startObject':
        this.#open({});
        break;
      case 'startArray':
        this.#open([]);
        break;
      case 'endObject':
      case 'endArray':
        this.#close();
        break;
      case 'keyValue':
        this.#stack.at(-1)!.key = token.value;
        break;
      // numbers and truth values stay the text that they are: 12345678901234567890 is somebody's id
      case 'stringValue':
      case 'numberValue':
        this.#scalar(token.value);
        break;
      case 'trueValue':
        this.#scalar('true');
        break;
      case 'falseValue':
        this.#scalar('false');
        break;
      case 'nullValue':
        this.#scalar(null);
        break;
    }
  }

  #scalar(value: Json): void {
    this.#count();
    this.#done(value);
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > mostValues)
      throw new BadDocument(
        `has more than ${mostValues} values ${this.#inRecords ? 'in one record' : 'beside records'}`,
      );
  }

  #open(value: Frame['value']): void {
    this.#count();
    if (this.#stack.length >= deepest) throw new BadDocument(`is nested more than ${deepest} levels deep`);
    const isRecords = !this.#inRecords && Array.isArray(value) && this.#isAtRecords();
    if (isRecords) {
      if (this.foundList) throw new BadDocument('has its list of records twice');
      this.foundList = true;
      this.#inRecords = true;
      this.#values = 0;
    }
    this.#stack.push({ value, key: '', isRecords });
  }

  #isAtRecords(): boolean {
    const { length } = this.#path;
    if (this.#stack.length !== length) return false;
    return this.#path.every((name, at) => {
      const { value, key } = this.#stack[at]!;
      return (Array.isArray(value) ? String(value.length) : key) === name;
    });
  }

  #close(): void {
    const { value, isRecords } = this.#stack.pop()!;
    if (isRecords) this.#inRecords = false;
    this.#done(value);
  }

  #done(value: Json): void {
    const parent = this.#stack.at(-1);
    if (parent === undefined) this.envelope = value;
    else if (Array.isArray(parent.value)) {
      if (parent.isRecords) {
        this.#values = 0;
        this.#onRecord(value);
      } else parent.value.push(value);
    } else {
      if (Object.hasOwn(parent.value, parent.key))
        throw new BadDocument('has a name twice in one object, and nobody can tell which one counts');
      // plain assignment would make this name the prototype
      if (parent.key === '__proto__') Object.defineProperty(parent.value, parent.key, { value, enumerable: true });
      else parent.value[parent.key] = value;
    }
  }
}
