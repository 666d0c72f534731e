import { Incomplete } from '../../src/base/errors.ts';
import type { Client, Got } from './client.ts';
import { BadDocument, DocumentReader } from './document.ts';
import { type Json, kindOf, type Path, pathText, valueAt, WrongShape } from './path.ts';
import type { Total } from './schema.ts';
import { wordsOf } from './words.ts';

/** One answer with a list of records in it, read from its first byte to its last. */
export interface Page {
  /** Where it came from: what links in it are relative to. */
  url: URL;
  count: number;
  /** How many there are on all pages, by this answer; null where it does not say. */
  total: number | null;
  /** The document without its list. */
  envelope: Json;
  headers: Record<string, string>;
}

/** What is read, and how an answer of it is told to be whole. */
export interface PageShape {
  records: Path;
  total: Total | undefined;
  contentType: string | undefined;
}

/** Takes a record; when it gives a promise, nothing more is read until that is kept. */
export type OnRecord = (record: Json) => Promise<void> | void;

/** Reads a page. Throws `Incomplete` unless the document is whole and has its list. */
export async function readPage(client: Client, url: URL, shape: PageShape, first: boolean, onRecord: OnRecord) {
  return readAnswer(await client.get(url, { first }), shape, onRecord);
}

/** Reads an answer whose headers are here already. */
export async function readAnswer(got: Got, shape: PageShape, onRecord: OnRecord): Promise<Page> {
  const { name, headers } = got;
  proveType(name, headers['content-type'], shape.contentType);
  let waiting: Json[] = [];
  let count = 0;
  const reader = new DocumentReader(shape.records, (record) => waiting.push(record));
  const give = async (): Promise<void> => {
    const ready = waiting;
    waiting = [];
    for (const record of ready) {
      count += 1;
      const promise = onRecord(record);
      if (promise !== undefined) await promise;
    }
  };
  try {
    for await (const chunk of got.body) {
      reader.write(chunk);
      await give();
    }
    reader.end();
  } catch (cause) {
    if (!(cause instanceof BadDocument)) throw cause;
    throw new Incomplete(`${name}: the answer ${cause.message}`, {
      remedy: 'nothing of it is believed; the next run asks again',
      cause,
    });
  }
  const envelope = reader.envelope!;
  if (!reader.foundList) throw noList(name, shape.records, envelope);
  return { url: got.url, count, total: totalOf(name, shape.total, headers, envelope), envelope, headers };
}

function proveType(name: string, found: string | undefined, allowed: string | undefined): void {
  if (found === undefined) return;
  const type = found.split(';')[0]!.trim().toLowerCase();
  if (type === allowed?.toLowerCase() || /^application\/([a-z0-9.+-]+\+)?json$/.test(type)) return;
  throw new Incomplete(`${name}: the answer is ${type} and not JSON`, {
    remedy:
      type === 'text/html'
        ? 'a page for people: the login page of a gateway, an error page, or url is not that of the API'
        : `if it is JSON all the same, set contentType: ${type}`,
  });
}

/** No list is no empty list: many servers report errors with status 200. */
function noList(name: string, records: Path, envelope: Json): Incomplete {
  const found = valueAt(envelope, records);
  const place = records.length ? pathText(records) : 'the answer';
  const there =
    found instanceof WrongShape
      ? found.reason
      : found === undefined
        ? `${place} is missing`
        : `${place} is ${kindOf(found)}`;
  const isObject = envelope !== null && typeof envelope === 'object' && !Array.isArray(envelope);
  const names = isObject ? `; the answer has ${namesOf(Object.keys(envelope))}` : '';
  const words = wordsOf(JSON.stringify(envelope));
  const said = words ? `; the server says: ${words}` : '';
  return new Incomplete(`${name}: no list of records: ${there}${names}${said}`, {
    remedy: 'an answer without its list is never taken for an empty one; correct records if the list is elsewhere',
  });
}

/** More names than this are no fields of an envelope. */
const mostNames = 20;

/** Names of fields, for a message. Where people are listed by their names, logins or addresses, none is shown. */
function namesOf(keys: readonly string[]): string {
  if (keys.length === 0) return 'nothing';
  const isField = (key: string): boolean => /^[\p{L}_@$][\p{L}\p{N}_.:$-]{0,39}$/u.test(key) && !/\d{4}/.test(key);
  if (keys.length <= mostNames && keys.every(isField)) return keys.map((key) => JSON.stringify(key)).join(', ');
  return `${keys.length} ${keys.length === 1 ? 'name' : 'names'}, which may be people's`;
}

function totalOf(
  name: string,
  total: Total | undefined,
  headers: Record<string, string>,
  envelope: Json,
): number | null {
  if (total === undefined) return null;
  const found = 'header' in total ? headers[total.header.toLowerCase()] : valueAt(envelope, total.path);
  if (found === undefined || found === null) return null;
  if (typeof found === 'string' && /^\d{1,15}$/.test(found.trim())) return Number(found);
  const place = 'header' in total ? total.header : pathText(total.path);
  throw new Incomplete(`${name}: the total (${place}) is no whole number`, { remedy: 'correct total' });
}
