import { getManyValues, isMany, none } from 'stream-chain/defs.js';
import { jsonParser, type Token } from 'stream-json/parser.js';
import { Refused } from '../../src/connector/inbox.ts';

/**
 * Records out of a JSON body as it comes in, one at a time: `{"data": […]}` or `{"data": {"students": […]}}`. The grammar
 * is the parser's business; here is what the two shapes allow, and that nothing of a body can fill the memory.
 */

/** A number as it was written: `1.0` is not `1`, and an id of twenty digits keeps them all. */
export class WrittenNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A value of a record. Objects are maps, so that a key named `__proto__` is a key. */
export type Json = string | WrittenNumber | boolean | null | Json[] | Map<string, Json>;

/** A record of the list, or why it is none. */
export type JsonRecord = { value: Map<string, Json> } | { broken: string };

/** Deeper than any record; the parser keeps a list of what is open, which a hostile body could make long. */
const deepest = 32;

const shape = 'the body is {"data": [records]} or {"data": {"students": [records]}}';

/** Reads records; gives them in lots, as they come. Throws `Refused` when the body is not such a list as a whole. */
export async function* readRecords(body: AsyncIterable<Buffer>, maxRecordBytes: number): AsyncGenerator<JsonRecord[]> {
  const parse = jsonParser({ packValues: true, streamValues: false });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const list = new RecordList(maxRecordBytes);
  let [bytes, silent] = [0, 0];
  const feed = (text: string | typeof none): JsonRecord[] => {
    let tokens: ReturnType<typeof parse>;
    try {
      tokens = parse(text as string);
    } catch (error) {
      throw notJson((error as Error).message.replace(/^Parser /, ''), list.records);
    }
    silent = isMany(tokens) ? 0 : silent + (text === none ? 0 : (text as string).length);
    // a value is given when it has ended; one that does not end would be kept as it grows
    if (silent > maxRecordBytes + 2 ** 20)
      throw notJson(`a value is longer than ${maxRecordBytes} bytes`, list.records);
    return isMany(tokens) ? list.take(getManyValues(tokens) as Token[]) : [];
  };
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw notJson('it is not UTF-8', list.records);
    }
  };
  for await (const chunk of body) {
    bytes += chunk.length;
    const records = feed(decode(chunk));
    if (records.length) yield records;
  }
  if (bytes === 0) throw new Refused(400, 'the body is empty', shape);
  const rest = decode();
  const records = [...(rest ? feed(rest) : []), ...feed(none)];
  if (records.length) yield records;
  list.end();
}

function notJson(why: string, record: number): Refused {
  return new Refused(400, `the body is not JSON: ${why}${record ? `, behind record ${record}` : ''}`, shape);
}

/** Where in the body the next token stands. */
type State = 'start' | 'top' | 'data' | 'students' | 'students value' | 'list' | 'record' | 'end';

class RecordList {
  /** Records that have ended. */
  records = 0;
  readonly #maxBytes: number;
  #state: State = 'start';
  #wrapped = false;
  #seen = false;
  #depth = 0;
  #open: (Map<string, Json> | Json[])[] = [];
  #keys: string[] = [];
  #bytes = 0;
  #broken: string | null = null;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(tokens: readonly Token[]): JsonRecord[] {
    const done: JsonRecord[] = [];
    for (const token of tokens) {
      const record = this.#state === 'record' || this.#state === 'list' ? this.#inList(token) : this.#outside(token);
      if (record) done.push(record);
    }
    return done;
  }

  /** Proves that there was a list. */
  end(): void {
    if (this.#state !== 'end' || !this.#seen) throw new Refused(400, 'the body has no list of records', shape);
  }

  #outside(token: Token): undefined {
    const { name } = token;
    const go = (to: State): undefined => {
      this.#state = to;
    };
    if (this.#state === 'start' && name === 'startObject') return go('top');
    if (this.#state === 'top' && name === 'endObject') return go('end');
    if (this.#state === 'top' && name === 'keyValue') return this.#key(token.value, 'data', 'data');
    if (this.#state === 'data' && name === 'startObject') return go('students');
    if (this.#state === 'students' && name === 'keyValue') return this.#key(token.value, 'students', 'students value');
    if (this.#state === 'students' && name === 'endObject') return go('top');
    if ((this.#state === 'data' || this.#state === 'students value') && name === 'startArray') {
      this.#wrapped = this.#state !== 'data';
      this.#seen = true;
      return go('list');
    }
    throw new Refused(400, 'the body has no list of records where one belongs', shape);
  }

  #key(key: string, wanted: string, to: State): undefined {
    if (key !== wanted) throw new Refused(400, `the body has a key beside ${JSON.stringify(wanted)}`, shape);
    if (this.#seen) throw new Refused(400, `the body has ${JSON.stringify(wanted)} twice`, shape);
    this.#state = to;
  }

  #inList(token: Token): JsonRecord | undefined {
    switch (token.name) {
      case 'startObject':
        return this.#start(new Map());
      case 'startArray':
        return this.#start([]);
      case 'endObject':
      case 'endArray':
        if (this.#state === 'list') {
          this.#state = this.#wrapped ? 'students' : 'top';
          return undefined;
        }
        return this.#finish();
      case 'keyValue':
        return this.#setKey(token.value);
      case 'stringValue':
        return this.#value(token.value, token.value.length);
      case 'numberValue':
        return this.#value(new WrittenNumber(token.value), token.value.length);
      case 'nullValue':
      case 'trueValue':
      case 'falseValue':
        return this.#value(token.value, 4);
      default:
        return undefined;
    }
  }

  #start(value: Map<string, Json> | Json[]): undefined {
    if (this.#state === 'list') {
      this.#state = 'record';
      if (Array.isArray(value)) this.#broken = 'is a list, not an object';
    } else this.#put(value, 2);
    this.#depth += 1;
    if (this.#depth > deepest)
      throw new Refused(400, `record ${this.records + 1} is nested more than ${deepest} deep`, 'records are flat');
    this.#open.push(value);
  }

  #finish(): JsonRecord | undefined {
    this.#depth -= 1;
    const value = this.#open.pop()!;
    if (this.#depth > 0) return undefined;
    const broken = this.#broken;
    this.#broken = null;
    this.#bytes = 0;
    this.#state = 'list';
    this.records += 1;
    return broken === null ? { value: value as Map<string, Json> } : { broken };
  }

  #setKey(key: string): undefined {
    const map = this.#open.at(-1) as Map<string, Json>;
    if (map.has(key))
      throw new Refused(400, `record ${this.records + 1} has a key twice, and nobody can tell which one counts`);
    this.#keys.push(key);
    this.#room(key.length);
    // its place, so that the same key again is noticed even when the value is not kept
    map.set(key, null);
  }

  #value(value: Json, bytes: number): JsonRecord | undefined {
    if (this.#state !== 'list') {
      this.#put(value, bytes);
      return undefined;
    }
    this.records += 1;
    return { broken: `is ${typeof value === 'string' ? 'text' : 'a value'}, not an object` };
  }

  #put(value: Json, bytes: number): void {
    const into = this.#open.at(-1)!;
    const key = Array.isArray(into) ? null : this.#keys.pop()!;
    if (!this.#room(bytes)) return;
    if (Array.isArray(into)) into.push(value);
    else into.set(key!, value);
  }

  /** True while the record is not too long; what is over is not kept. */
  #room(bytes: number): boolean {
    this.#bytes += bytes + 4;
    if (this.#bytes <= this.#maxBytes) return true;
    this.#broken ??= `is longer than ${this.#maxBytes} bytes (maxRecordBytes)`;
    if (this.#bytes > this.#maxBytes * 16 + 2 ** 20)
      throw new Refused(400, `record ${this.records + 1} is far longer than maxRecordBytes (${this.#maxBytes})`);
    return false;
  }
}
