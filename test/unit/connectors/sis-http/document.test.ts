import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BadDocument, DocumentReader } from '../../../../connectors/sis-http/document.ts';
import { type Json, parsePath } from '../../../../connectors/sis-http/path.ts';

/** Reads a document in pieces of the given size. */
function read(bytes: Buffer, path: string, pieceBytes: number) {
  const records: Json[] = [];
  const reader = new DocumentReader(parsePath(path), (record) => records.push(record));
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.write(bytes.subarray(at, at + pieceBytes));
  reader.end();
  return { records, envelope: reader.envelope, foundList: reader.foundList };
}

/** What `JSON.parse` gives, with numbers and truth values as the text that they are. */
const plain = (value: unknown): unknown => {
  if (value === null || typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object') return JSON.stringify(value);
  const made = {};
  for (const [key, inside] of Object.entries(value))
    Object.defineProperty(made, key, { value: plain(inside), enumerable: true, writable: true, configurable: true });
  return made;
};

const anyValue = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const pieces = fc.integer({ min: 1, max: 50 });

describe('a document', () => {
  test('is read as JSON.parse reads it, wherever it is cut into pieces', () => {
    fc.assert(
      fc.property(fc.array(anyValue), anyValue, pieces, (list, beside, size) => {
        const bytes = Buffer.from(JSON.stringify({ beside, data: { 'the.list': list, after: beside } }));
        const found = read(bytes, 'data.the\\.list', size);
        expect(found.foundList).toBe(true);
        expect(found.records).toEqual(plain(list));
        expect(found.envelope).toEqual(plain({ beside, data: { 'the.list': [], after: beside } }));
      }),
    );
  });

  test('that ends anywhere but at its end is refused', () => {
    const bytes = Buffer.from(JSON.stringify({ n: 12, data: [{ id: 'ä', list: [1, true, null] }, 'x'], last: false }));
    for (let end = 0; end < bytes.length; end++)
      expect(() => read(bytes.subarray(0, end), 'data', 7), `cut at ${end}`).toThrow(BadDocument);
    expect(read(bytes, 'data', 7).records).toHaveLength(2);
  });

  test('that JSON.parse refuses is refused, and no other but one that has a name twice', () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), fc.constantFrom(...'{}[],:"0x tn-'), pieces, (value, place, mark, size) => {
        const text = JSON.stringify({ data: [value] });
        const at = place % text.length;
        const spoiled = text.slice(0, at) + mark + text.slice(at + 1);
        let whole = true;
        try {
          JSON.parse(spoiled);
        } catch {
          whole = false;
        }
        const reading = (): unknown => read(Buffer.from(spoiled), 'data', size);
        if (!whole) expect(reading).toThrow(BadDocument);
        else
          try {
            reading();
          } catch (error) {
            // JSON.parse takes the last of two without a word
            expect(String(error)).toMatch(/has a name twice/);
          }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['[1]', '', true],
    ['{"a":[1]}', '', false],
    ['{"a":[[],[1]]}', 'a.1', true],
    ['{"a":[{"b":[1]}]}', 'a.0.b', true],
    ['{"a":{"b":null}}', 'a.b', false],
    ['{"b":{"a":[1]}}', 'a', false],
    ['{"x":[{"a":[1]}],"a":[]}', 'a', true],
  ])('%s has its list at "%s": %s', (text, path, foundList) => {
    expect(read(Buffer.from(text), path, 3).foundList).toBe(foundList);
  });

  test('that would fill the memory is refused', () => {
    const deep = Buffer.from(`{"data":[${'['.repeat(200)}`);
    expect(() => read(deep, 'data', 1024)).toThrow(/nested more than 100/);
    expect(() =>
      read(Buffer.from(`{"data":[["${'x,'.repeat(10)}"],[${'1,'.repeat(300_000)}1]]}`), 'data', 65_536),
    ).toThrow(/more than 200000 values in one record/);
    expect(() => read(Buffer.from(`{"data":["${'x'.repeat(17 * 2 ** 20)}`), 'data', 65_536)).toThrow(
      /a single value of more than/,
    );
  });

  test('may have names that mean something to the language', () => {
    const { records } = read(Buffer.from('{"data":[{"__proto__":{"id":"1"},"constructor":"c"}]}'), 'data', 100);
    expect(Object.keys(records[0] as object)).toEqual(['__proto__', 'constructor']);
    expect((records[0] as { id?: string }).id).toBeUndefined();
  });
});
