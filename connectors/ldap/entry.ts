import { isUtf8 } from 'node:buffer';

/** An entry as it comes over the wire (RFC 4511, 4.5.2): values stay bytes until somebody knows what they mean. */
export interface Entry {
  dn: string;
  /** Attribute description in lower case → values. Options (`;range=0-1499`, `;lang-de`) are part of it. */
  attributes: Map<string, Buffer[]>;
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

/** Descriptions are few and come again and again. */
const descriptions = new Map<string, string>();
const mostDescriptions = 10_000;

/** Reads an entry from the content of its message. The library's reader decodes every value twice; this takes a third. */
export function readEntry(bytes: Buffer, start: number, end: number): Entry {
  const name = piece(bytes, start, end, OCTETS);
  const list = piece(bytes, name.end, end, SEQUENCE);
  const attributes = new Map<string, Buffer[]>();
  for (let at = list.start; at < list.end; ) {
    const attribute = piece(bytes, at, list.end, SEQUENCE);
    const type = piece(bytes, attribute.start, attribute.end, OCTETS);
    const set = piece(bytes, type.end, attribute.end, SET);
    const values: Buffer[] = [];
    for (let next = set.start; next < set.end; ) {
      const value = piece(bytes, next, set.end, OCTETS);
      values.push(bytes.subarray(value.start, value.end));
      next = value.end;
    }
    const written = bytes.toString('latin1', type.start, type.end);
    let description = descriptions.get(written);
    if (description === undefined) {
      description = written.toLowerCase();
      if (descriptions.size < mostDescriptions) descriptions.set(written, description);
    }
    attributes.set(description, values);
    at = attribute.end;
  }
  return { dn: bytes.toString('utf8', name.start, name.end), attributes };
}

/** Text of a value; null when it is none. */
export function textOf(value: Buffer): string | null {
  return isUtf8(value) ? value.toString('utf8') : null;
}

/** The texts of an attribute, for entries of the server about itself. */
export function textsOf(entry: Entry | null, name: string): string[] {
  return (entry?.attributes.get(name.toLowerCase()) ?? []).map((value) => value.toString('utf8'));
}

/** A GUID as Microsoft prints it: the first three groups are little-endian. Null when the bytes are none. */
export function guidText(bytes: Buffer): string | null {
  if (bytes.length !== 16) return null;
  const groups = [
    bytes.subarray(0, 4).toReversed(),
    bytes.subarray(4, 6).toReversed(),
    bytes.subarray(6, 8).toReversed(),
    bytes.subarray(8, 10),
    bytes.subarray(10),
  ];
  return groups.map((group) => Buffer.from(group).toString('hex')).join('-');
}
