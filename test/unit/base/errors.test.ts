import { describe, expect, test } from 'vitest';
import {
  at,
  Denied,
  Incomplete,
  Misconfigured,
  messageOf,
  Rejected,
  RosterdError,
  Unavailable,
} from '../../../src/base/errors.ts';

describe('a place', () => {
  test.each([
    [undefined, ''],
    [{}, ''],
    [{ line: 3 }, ''],
    [{ file: 'a.csv' }, 'a.csv'],
    [{ file: 'a.csv', line: 3 }, 'a.csv:3'],
    [{ file: 'a.csv', line: 3, column: 7 }, 'a.csv:3:7'],
    // a column without a line is no place that an editor can go to
    [{ file: 'a.csv', column: 7 }, 'a.csv'],
  ])('%o is %o', (where, text) => {
    expect(at(where)).toBe(text);
  });
});

describe('each kind', () => {
  test.each([
    [Misconfigured, 'Misconfigured'],
    [Denied, 'Denied'],
    [Unavailable, 'Unavailable'],
    [Incomplete, 'Incomplete'],
    [Rejected, 'Rejected'],
  ])('%o carries message, remedy, place and cause', (Kind, name) => {
    const cause = new Error('deeper');
    const error = new Kind('it is so', { remedy: 'do this', where: { file: 'x.yaml', line: 2 }, cause });
    expect(error).toBeInstanceOf(RosterdError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ kind: name, name, message: 'it is so', remedy: 'do this', cause });
    expect(error.line()).toBe('x.yaml:2: it is so; do this');
    expect(error.stack).toContain(name);
  });

  test('without anything more it is its message, and has no cause', () => {
    const error = new Denied('no');
    expect(error.line()).toBe('no');
    expect('cause' in error).toBe(false);
  });

  test('only Unavailable has a delay', () => {
    expect(new Unavailable('later', { delayMs: 30_000 }).delayMs).toBe(30_000);
    expect(new Unavailable('later').delayMs).toBeUndefined();
  });
});

test.each([
  [new Rejected('no such course', { remedy: 'create it' }), 'no such course; create it'],
  [new TypeError('x is not a function'), 'x is not a function'],
  ['a bare string', 'a bare string'],
  [undefined, 'undefined'],
])('the text of %o', (thrown, text) => {
  expect(messageOf(thrown)).toBe(text);
});
