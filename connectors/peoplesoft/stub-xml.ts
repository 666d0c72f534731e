import { XMLParser } from 'fast-xml-parser';

/** An element as the stub sees it: its name without the prefix, and the namespace that it is in. */
export interface XmlElement {
  name: string;
  namespace: string | null;
  attributes: Record<string, string>;
  children: XmlElement[];
  text: string;
}

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
});

type Ordered = Record<string, unknown>;

/** The root element of a document, or the words for why it is refused. Namespaces are resolved. */
export function parseStrictly(text: string): XmlElement | string {
  if (/<!DOCTYPE/i.test(text)) return 'a DTD is not allowed';
  try {
    const nodes = parser.parse(text, true) as Ordered[];
    const roots = nodes.filter((one) => !nameOf(one).startsWith('?') && nameOf(one) !== '#text');
    return roots.length === 1 ? elementOf(roots[0]!, new Map()) : 'there is no single root element';
  } catch (error) {
    return `the message is not XML: ${(error as Error).message}`;
  }
}

function nameOf(one: Ordered): string {
  return Object.keys(one).find((key) => key !== ':@')!;
}

function elementOf(one: Ordered, outer: ReadonlyMap<string, string>): XmlElement {
  const full = nameOf(one);
  const attributes = (one[':@'] ?? {}) as Record<string, string>;
  const known = new Map(outer);
  for (const [key, value] of Object.entries(attributes)) {
    const prefix = /^xmlns(?::(.*))?$/.exec(key);
    if (prefix) known.set(prefix[1] ?? '', value);
  }
  const [prefix, name] = full.includes(':') ? (full.split(':', 2) as [string, string]) : ['', full];
  const inside = one[full] as Ordered[];
  return {
    ...{ name, namespace: known.get(prefix) || null, attributes },
    children: inside.filter((child) => nameOf(child) !== '#text').map((child) => elementOf(child, known)),
    text: inside.map((child) => String(child['#text'] ?? '')).join(''),
  };
}
