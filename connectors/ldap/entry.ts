import { isUtf8 } from 'node:buffer';

/**
 * An entry as it comes over the wire (RFC 4511, 4.5.2). Values stay bytes until somebody knows what they mean, written as
 * text with one character for each byte: a chunk that arrived is made text once, instead of each value by itself.
 */
export interface Entry {
  dn: string;
  /** Attribute description, as by `nameOf` → values. Options (`;range=0-1499`, `;lang-de`) are part of it. */
  attributes: Map<string, string[]>;
  /** True: the server gave a part only of some attribute. */
  ranged: boolean;
}

/** Tag, and where the content begins and ends. */
interface Piece {
  tag: number;
  start: number;
  end: number;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const OCTETS = 0x04;

/**
 * Reads tag and length (X.690) at `at`; null when the bytes up to `limit` do not hold a whole header. The end may lie
 * behind them. Throws where no LDAP server would write so.
 */
export function header(bytes: Buffer, at: number, limit: number): Piece | null {
  if (at + 2 > limit) return null;
  const tag = bytes[at]!;
  const first = bytes[at + 1]!;
  let start = at + 2;
  if (first < 0x80) return { tag, start, end: start + first };
  const size = first & 0x7f;
  if (size < 1 || size > 4) throw new Error('a length that LDAP does not have');
  if (start + size > limit) return null;
  const length = bytes.readUIntBE(start, size);
  start += size;
  return { tag, start, end: start + length };
}

function piece(bytes: Buffer, at: number, limit: number, tag: number): Piece {
  const found = header(bytes, at, limit);
  if (!found || found.end > limit || found.tag !== tag) throw new Error('an entry that is cut or damaged');
  return found;
}

/** The description of an attribute as it is told apart: without case, and without the option that says how it was sent. */
export function nameOf(description: string): string {
  return description.toLowerCase().replace(/;binary$/, '');
}

/** Descriptions by their spelling: they are few and come again and again. */
const descriptions = new Map<string, string>();
const mostDescriptions = 10_000;

/**
 * Reads an entry from the content of its message; `bytes` and `text` are the same. The library's reader decodes every
 * value twice, and byte by byte.
 */
export function readEntry(bytes: Buffer, text: string, start: number, end: number): Entry {
  const name = piece(bytes, start, end, OCTETS);
  const list = piece(bytes, name.end, end, SEQUENCE);
  const attributes = new Map<string, string[]>();
  let ranged = false;
  for (let at = list.start; at < list.end; ) {
    const attribute = piece(bytes, at, list.end, SEQUENCE);
    const type = piece(bytes, attribute.start, attribute.end, OCTETS);
    const set = piece(bytes, type.end, attribute.end, SET);
    const values: string[] = [];
    for (let next = set.start; next < set.end; ) {
      const value = piece(bytes, next, set.end, OCTETS);
      values.push(text.slice(value.start, value.end));
      next = value.end;
    }
    const written = text.slice(type.start, type.end);
    let description = descriptions.get(written);
    if (description === undefined) {
      description = nameOf(copyOf(written));
      if (descriptions.size < mostDescriptions) descriptions.set(copyOf(written), description);
    }
    ranged ||= description.includes(';range=');
    attributes.set(description, values);
    at = attribute.end;
  }
  return { dn: utf8(text.slice(name.start, name.end)) ?? text.slice(name.start, name.end), attributes, ranged };
}

/** A piece of a text holds on to the whole text; a copy does not. */
function copyOf(text: string): string {
  return bytesOf(text).toString('latin1');
}

/** The bytes of a value. */
export function bytesOf(value: string): Buffer {
  return Buffer.from(value, 'latin1');
}

/** What a value says as UTF-8; null when it is none. */
export function utf8(value: string): string | null {
  if (!/[\x80-\xff]/.test(value)) return value;
  const bytes = bytesOf(value);
  return isUtf8(bytes) ? bytes.toString('utf8') : null;
}

/** The texts of an attribute, for entries of the server about itself. */
export function textsOf(entry: Entry | null, name: string): string[] {
  return (entry?.attributes.get(name.toLowerCase()) ?? []).map((value) => utf8(value) ?? '');
}

/** A GUID as Microsoft prints it: the first three groups are little-endian. Null when the value is none. */
export function guidText(value: string): string | null {
  if (value.length !== 16) return null;
  const bytes = bytesOf(value);
  bytes.subarray(0, 4).swap32();
  bytes.subarray(4, 8).swap16();
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
