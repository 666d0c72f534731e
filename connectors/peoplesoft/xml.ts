import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';

/** XML as requests are written and answers read. Definitions of types and entities are refused: nobody sends them rightly. */

/** An element: name, then text or elements, then attributes. */
export type Element = readonly [
  name: string,
  content: string | readonly Element[],
  attributes?: Readonly<Record<string, string>>,
];

/** A name that an element may have. */
export const elementName = /^[A-Za-z_][\w.-]*$/;

/** A character that XML 1.0 cannot carry in any form. */
const impossible = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** True when XML can carry the text. */
export function fitsXml(text: string): boolean {
  return !impossible.test(text);
}

const builder = new XMLBuilder({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  suppressEmptyNode: true,
});

/** A document, in one line. */
export function writeXml(root: Element): string {
  return `<?xml version="1.0" encoding="UTF-8"?>${builder.build([nodeOf(root)])}`;
}

function nodeOf([name, content, attributes]: Element): object {
  const inside =
    typeof content === 'string' ? (content === '' ? [] : [{ '#text': content }]) : content.map((one) => nodeOf(one));
  return { [name]: inside, ...(attributes ? { ':@': attributes } : {}) };
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  // also what numeric references say
  htmlEntities: true,
});

/**
 * A document as objects: elements by their local names, several of one name as a list, attributes with an `@`, the text of
 * an element that has attributes as `#text`. Null when it is not whole, or brings a DTD.
 */
export function readXml(text: string): Record<string, unknown> | null {
  if (/<!(DOCTYPE|ENTITY)/i.test(text) || XMLValidator.validate(text) !== true) return null;
  try {
    return parser.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
