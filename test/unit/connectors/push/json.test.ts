import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Json, type JsonRecord, readRecords, WrittenNumber } from '../../../../connectors/push/json.ts';

/** Cuts bytes at these places, in the middle of characters as well. */
async function* cut(bytes: Buffer, places: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const place of [...new Set(places.map((one) => one % (bytes.length + 1)))].sort((a, b) => a - b)) {
    yield bytes.subarray(from, place);
    from = place;
  }
  yield bytes.subarray(from);
}

async function read(text: string, places: readonly number[] = [], max = 100_000): Promise<JsonRecord[]> {
  const all: JsonRecord[] = [];
  for await (const records of readRecords(cut(Buffer.from(text), places), max)) all.push(...records);
  return all;
}

/** What `JSON.parse` would give. */
function plain(value: Json): unknown {
  if (value instanceof WrittenNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  const entries = [...value].map(([key, its]) => [key, plain(its)]);
  return Object.fromEntries(entries);
}

const value = fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' });
const records = fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), value, { maxKeys: 5 }), { maxLength: 6 });

test('records are what JSON.parse makes of them, wherever the body is cut', async () => {
  await fc.assert(
    fc.asyncProperty(records, fc.boolean(), fc.array(fc.nat(), { maxLength: 8 }), async (list, wrapped, places) => {
      const text = JSON.stringify({ data: wrapped ? { students: list } : list });
      const got = (await read(text, places)).map((one) => ('value' in one ? plain(one.value) : one));
      // -0 is written 0
      expect(got).toEqual(JSON.parse(JSON.stringify(list)));
    }),
  );
});

test('a body that ends early is never a shorter list', async () => {
  await fc.assert(
    fc.asyncProperty(records, fc.nat(), async (list, at) => {
      const text = Buffer.from(JSON.stringify({ data: list }));
      const short = text.subarray(0, at % text.length);
      await expect(
        (async () => {
          for await (const _ of readRecords(cut(short, []), 100_000));
        })(),
      ).rejects.toMatchObject({ kind: 'Rejected', status: 400 });
    }),
  );
});

test('a number is as it was written', async () => {
  const [one] = await read('{"data":[{"a":12345678901234567890,"b":1.0,"c":-0e5}]}');
  expect([...(one as { value: Map<string, WrittenNumber> }).value.values()].map(({ text }) => text)).toEqual([
    '12345678901234567890',
    '1.0',
    '-0e5',
  ]);
});

test('a record that is too long is not kept, and the next one is read', async () => {
  const long = { a: ['x'.repeat(300)], b: 'y'.repeat(300), c: { d: 'z' } };
  const got = await read(JSON.stringify({ data: [long, { a: 'b' }] }), [], 400);
  expect(got).toEqual([{ broken: 'is longer than 400 bytes (maxRecordBytes)' }, { value: new Map([['a', 'b']]) }]);
});

test('a value without end is not gathered', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    yield Buffer.from('{"data":[{"a":"');
    for (;;) yield Buffer.alloc(65_536, 'x');
  }
  const reading = (async () => {
    for await (const _ of readRecords(endless(), 1000));
  })();
  await expect(reading).rejects.toMatchObject({ status: 400, message: expect.stringContaining('a value is longer') });
});
