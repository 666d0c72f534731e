import { isUtf8 } from 'node:buffer';

/**
 * Attribute description, as by `nameOf` → values. Options (`;range=0-1499`, `;lang-de`) are part of it. A few pairs each
 * for millions of entries: a map for each would take more time to make than all the rest.
 */
export class Attributes {
  readonly names: string[];
  readonly values: string[][];
  constructor(names: string[] = [], values: string[][] = []) {
    this.names = names;
    this.values = values;
  }

  get(name: string): string[] | undefined {
    const at = this.names.indexOf(name);
    return at < 0 ? undefined : this.values[at];
  }

  set(name: string, values: string[]): void {
    const at = this.names.indexOf(name);
    this.names[at < 0 ? this.names.length : at] = name;
    this.values[at < 0 ? this.values.length : at] = values;
  }
}

/**
 * An entry as it comes over the wire (RFC 4511, 4.5.2). Values stay bytes until somebody knows what they mean, written as
 * text with one character for each byte: a chunk that arrived is made text once, instead of each value by itself.
 */
export interface Entry {
  dn: string;
  attributes: Attributes;
  /** True: the server gave a part only of some attribute. */
  ranged: boolean;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const OCTETS = 0x04;

/** One piece of tag, length and content (X.690). There is one object for many pieces, for there are millions of them. */
export class Piece {
  tag = 0;
  /** Where the content begins and ends; the end may lie behind the bytes that are there. */
  start = 0;
  end = 0;

  /** Reads a header; false when the bytes up to `limit` do not hold a whole one. Throws where no LDAP server writes so. */
  head(bytes: Buffer, at: number, limit: number): boolean {
    if (at + 2 > limit) return false;
    this.tag = bytes[at]!;
    const first = bytes[at + 1]!;
    this.start = at + 2;
    if (first < 0x80) {
      this.end = this.start + first;
      return true;
    }
    const size = first & 0x7f;
    if (size < 1 || size > 4) throw new Error('a length that LDAP does not have');
    if (this.start + size > limit) return false;
    this.end = this.start + size + bytes.readUIntBE(this.start, size);
    this.start += size;
    return true;
  }

  /** Reads the header of a piece that must be whole and of this kind; gives where its content begins. */
  whole(bytes: Buffer, at: number, limit: number, tag: number): number {
    if (!this.head(bytes, at, limit) || this.end > limit || this.tag !== tag)
      throw new Error('a message that is damaged');
    return this.start;
  }
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
  const piece = new Piece();
  const dn = text.slice(piece.whole(bytes, start, end, OCTETS), piece.end);
  let at = piece.whole(bytes, piece.end, end, SEQUENCE);
  const attributesEnd = piece.end;
  const attributes = new Attributes();
  let ranged = false;
  while (at < attributesEnd) {
    const inside = piece.whole(bytes, at, attributesEnd, SEQUENCE);
    at = piece.end;
    const written = text.slice(piece.whole(bytes, inside, at, OCTETS), piece.end);
    let next = piece.whole(bytes, piece.end, at, SET);
    const valuesEnd = piece.end;
    let values: string[] | undefined;
    while (next < valuesEnd) {
      const value = text.slice(piece.whole(bytes, next, valuesEnd, OCTETS), piece.end);
      // an empty list that grows takes room for 17 at once, and nearly all have one value
      if (values) values.push(value);
      else values = [value];
      next = piece.end;
    }
    let description = descriptions.get(written);
    if (description === undefined) {
      description = nameOf(copyOf(written));
      if (descriptions.size < mostDescriptions) descriptions.set(copyOf(written), description);
    }
    ranged ||= description.includes(';range=');
    attributes.names.push(description);
    attributes.values.push(values ?? []);
  }
  return { dn: utf8(dn) ?? dn, attributes, ranged };
}

/** A piece of a text holds on to the whole text; a copy does not. */
export function copyOf(text: string): string {
  return Buffer.from(text).toString();
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
