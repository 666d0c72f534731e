import { Tokenizer, TokenType } from '@streamparser/json';
import type { Json, Path } from './path.ts';

/**
 * One JSON document whose list of records streams by: each record is given away when it has ended, everything around
 * the list (totals, cursors, error texts) is kept. The tokens come from a library; the grammar is here, because the
 * library's own parser cannot tell a list that is empty from one that is missing.
 */

/** Values around the list, or inside one record; more are no roster. */
const mostValues = 200_000;
const deepest = 100;
/** One text or number of more bytes than this is refused before it fills the memory. */
const longestToken = 16 * 1024 * 1024;

/** What is wrong with a document; the message says it without showing any of it. */
export class BadDocument extends Error {}

/** Numbers stay the text that they are: 12345678901234567890 is somebody's id. */
class ExactTokenizer extends Tokenizer {
  protected override parseNumber(text: string): number {
    return text as unknown as number;
  }
}

interface Frame {
  value: Json[] | { [key: string]: Json };
  key: string;
  isRecords: boolean;
}

type Expected = 'value' | 'value or ]' | 'name or }' | 'name' | ':' | ', or ]' | ', or }' | 'the end';

/** Reads one document, chunk by chunk. */
export class DocumentReader {
  /** What is around the list; the list itself is empty in it. Undefined until the document has ended. */
  envelope: Json | undefined;
  /** A list lies where the records are said to be. */
  foundList = false;
  readonly #path: Path;
  readonly #onRecord: (record: Json) => void;
  readonly #tokenizer = new ExactTokenizer();
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  readonly #stack: Frame[] = [];
  #expected: Expected = 'value';
  #values = 0;
  #inRecords = false;
  #read = 0;
  #lastToken = 0;
  constructor(path: Path, onRecord: (record: Json) => void) {
    this.#path = path;
    this.#onRecord = onRecord;
    this.#tokenizer.onToken = ({ token, value }) => this.#token(token, value as unknown as string);
  }

  /** Takes the next bytes; records that end in them are given away before this returns. Throws `BadDocument`. */
  write(chunk: Uint8Array): void {
    this.#proveText(chunk, true);
    this.#read += chunk.length;
    this.#guarded(() => this.#tokenizer.write(chunk));
    if (this.#read - this.#lastToken > longestToken)
      throw new BadDocument(`has a single value of more than ${longestToken} bytes`);
  }

  /** The bytes have ended. Throws `BadDocument` when the document has not. */
  end(): void {
    this.#proveText(new Uint8Array(0), false);
    if (this.#read === 0) throw new BadDocument('is empty');
    this.#guarded(() => this.#tokenizer.end());
    if (this.#expected !== 'the end') throw new BadDocument(`is cut off: after ${this.#read} bytes ${this.#missing()}`);
  }

  #missing(): string {
    return this.#stack.length ? `${this.#stack.length} brackets are still open` : 'there is no value';
  }

  #proveText(chunk: Uint8Array, stream: boolean): void {
    try {
      this.#utf8.decode(chunk, { stream });
    } catch {
      throw new BadDocument('is not valid UTF-8');
    }
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof BadDocument) throw error;
      // the tokenizer's own messages quote the document
      throw new BadDocument(`is not valid JSON near byte ${this.#lastToken}`);
    }
  }

  #token(token: TokenType, value: string): void {
    this.#lastToken = this.#read;
    switch (token) {
      case TokenType.LEFT_BRACE:
        this.#open({}, 'name or }');
        return;
      case TokenType.LEFT_BRACKET:
        this.#open([], 'value or ]');
        return;
      case TokenType.RIGHT_BRACE:
        this.#close('name or }', ', or }');
        return;
      case TokenType.RIGHT_BRACKET:
        this.#close('value or ]', ', or ]');
        return;
      case TokenType.COLON:
        if (this.#expected !== ':') throw this.#wrong('a colon');
        this.#expected = 'value';
        return;
      case TokenType.COMMA:
        if (this.#expected === ', or ]') this.#expected = 'value';
        else if (this.#expected === ', or }') this.#expected = 'name';
        else throw this.#wrong('a comma');
        return;
      case TokenType.STRING:
        if (this.#expected === 'name' || this.#expected === 'name or }') {
          this.#stack.at(-1)!.key = value;
          this.#expected = ':';
        } else this.#scalar(value);
        return;
      case TokenType.TRUE:
        this.#scalar('true');
        return;
      case TokenType.FALSE:
        this.#scalar('false');
        return;
      case TokenType.NULL:
        this.#scalar(null);
        return;
      default:
        this.#scalar(value);
    }
  }

  #scalar(value: Json): void {
    this.#proveValue();
    this.#done(value);
  }

  #proveValue(): void {
    if (this.#expected !== 'value' && this.#expected !== 'value or ]') throw this.#wrong('a value');
    this.#values += 1;
    if (this.#values > mostValues)
      throw new BadDocument(
        `has more than ${mostValues} values ${this.#inRecords ? 'in one record' : 'beside records'}`,
      );
  }

  #open(value: Frame['value'], expected: Expected): void {
    this.#proveValue();
    if (this.#stack.length >= deepest) throw new BadDocument(`is nested more than ${deepest} levels deep`);
    const isRecords = !this.#inRecords && Array.isArray(value) && this.#isAtRecords();
    if (isRecords) {
      if (this.foundList) throw new BadDocument('has its list of records twice');
      this.foundList = true;
      this.#inRecords = true;
      this.#values = 0;
    }
    this.#stack.push({ value, key: '', isRecords });
    this.#expected = expected;
  }

  #isAtRecords(): boolean {
    const { length } = this.#path;
    if (this.#stack.length !== length) return false;
    return this.#path.every((name, at) => {
      const { value, key } = this.#stack[at]!;
      return (Array.isArray(value) ? String(value.length) : key) === name;
    });
  }

  #close(empty: Expected, filled: Expected): void {
    if (this.#expected !== empty && this.#expected !== filled) throw this.#wrong('a closing bracket');
    const { value, isRecords } = this.#stack.pop()!;
    if (isRecords) this.#inRecords = false;
    this.#done(value);
  }

  #done(value: Json): void {
    const parent = this.#stack.at(-1);
    if (parent === undefined) {
      this.envelope = value;
      this.#expected = 'the end';
    } else if (Array.isArray(parent.value)) {
      if (parent.isRecords) {
        this.#values = 0;
        this.#onRecord(value);
      } else parent.value.push(value);
      this.#expected = ', or ]';
    } else {
      // plain assignment would make this name the prototype
      if (parent.key === '__proto__') Object.defineProperty(parent.value, parent.key, { value, enumerable: true });
      else parent.value[parent.key] = value;
      this.#expected = ', or }';
    }
  }

  #wrong(what: string): BadDocument {
    return new BadDocument(`is not valid JSON near byte ${this.#read}: ${what} stands where ${this.#expected} belongs`);
  }
}
