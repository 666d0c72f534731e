import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linkTo, withQuery } from '../../../../connectors/sis-http/addresses.ts';
import { parsePath, pathText, valueAt, type WrongShape } from '../../../../connectors/sis-http/path.ts';
import { Seen } from '../../../../connectors/sis-http/seen.ts';
import { wordsOf } from '../../../../connectors/sis-http/words.ts';
import { hideSecret } from '../../../../src/base/redact.ts';

describe('a way', () => {
  test('is written and read back', () => {
    expect(parsePath('')).toEqual([]);
    expect(parsePath('$.a.b')).toEqual(['a', 'b']);
    expect(parsePath('a\\.b.0')).toEqual(['a.b', '0']);
    for (const text of ['a', 'a.b.0', 'a\\.b.c']) expect(pathText(parsePath(text))).toBe(text);
  });

  test('leads to a value, to nothing, or cannot be gone', () => {
    const record = { a: { b: ['x', { c: 'y' }] }, n: null };
    expect(valueAt(record, ['a', 'b', '1', 'c'])).toBe('y');
    expect(valueAt(record, ['a', 'z', 'c'])).toBeUndefined();
    expect(valueAt(record, ['n', 'c'])).toBeUndefined();
    expect(valueAt(record, ['toString'])).toBeUndefined();
    expect((valueAt(record, ['a', 'b', 'c']) as WrongShape).reason).toBe('a.b is a list, no object');
    expect((valueAt(record, ['a', 'b', '0', 'c']) as WrongShape).reason).toBe('a.b.0 is a single value, no object');
  });
});

test.each([
  ['</b?x=1>; rel="next"', '/b?x=1'],
  ['</a>; rel=prev, </b>; rel=next', '/b'],
  ['</a>; title="x, rel=next; y"; rel="last", </b>; rel="up next"', '/b'],
  ['</a,b;c>;rel=next', '/a,b;c'],
  ['</a>; rel="nextish"', null],
  ['', null],
])('the Link header %s leads on to %s', (link, wanted) => {
  expect(linkTo({ link }, 'next')).toBe(wanted);
});

test('query parameters are set, and spaces are %20', () => {
  const url = withQuery(new URL('https://sis.example.edu/x?a=1&b=2+3'), { a: 5, filter: "d>='x y'" });
  expect(url.search).toBe('?a=5&b=2%203&filter=d%3E%3D%27x%20y%27');
});

test('what was seen is known again, with its number', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 3 }), { maxLength: 3000, size: 'max' }), (names) => {
      const seen = new Seen();
      const known = new Map<string, number>();
      for (const [number, name] of names.entries()) {
        expect(seen.note(name, number)).toBe(known.get(name) ?? null);
        if (!known.has(name)) known.set(name, number);
      }
    }),
    { numRuns: 20 },
  );
});

test.each([
  ['{"error":"invalid_client","error_description":"no such client"}', 'no such client'],
  ['{"errors":[{"detail":"bad filter"},{"detail":"x"}]}', 'bad filter'],
  [
    '{"imsx_StatusInfo":{"imsx_description":"busy","imsx_CodeMinor":{"imsx_codeMinorField":[{"imsx_codeMinorFieldValue":"server_busy"}]}}}',
    'busy, server_busy',
  ],
  ['"flat"', 'flat'],
  ['plain words', 'plain words'],
  ['<html><body>Error</body></html>', ''],
  [
    '{"message":"user ann@example.edu (id 9500000001) at https://x/y?key=secret is \'Ann\'"}',
    'user [e-mail] (id … at https://x/y?… is …',
  ],
  [`{"message":"${'long '.repeat(100)}"}`, `${'long '.repeat(40)}…`],
  ['{"message":"The user Ann O\'Hara (Mr Lee) is not known. Try again"}', 'The user … (…) is not known. Try again'],
  ['{"data":[]}', ''],
])('the words of %s', (body, words) => {
  expect(wordsOf(body)).toBe(words);
});

test('a secret among the words is not shown, and no part of it where they are cut', () => {
  hideSecret('kanarie client & secret');
  for (const before of [0, 185, 190, 195]) {
    const said = wordsOf(`${'x '.repeat(before / 2)}kanarie client & secret is wrong`);
    expect(said).not.toMatch(/kan|client|secret(?!\])/);
    expect(said.length).toBeLessThanOrEqual(201);
  }
});

test('the words of an endless answer are its first ones, without what they quote', () => {
  const word = 'b'.repeat(500_000);
  expect(wordsOf(word)).toBe(`${'b'.repeat(200)}…`);
  expect(wordsOf(JSON.stringify({ message: `no user "${'Ann '.repeat(100_000)}"` }))).toBe('no user …');
  expect(wordsOf(`no user 'ann ${'of this place '.repeat(10_000)}`)).toBe('no user …');
});
