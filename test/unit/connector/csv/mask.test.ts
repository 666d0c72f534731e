import { expect, test } from 'vitest';
import { type MaskRules, masking } from '../../../../src/connector/csv/mask.ts';

/** What reaches the digests, as text. */
function masked(row: string, rule: MaskRules | null, at = { part: 0, line: 7 }): string {
  let got = '';
  const rules = Array.from({ length: at.part + 1 }, () => rule);
  const sink = masking(
    {
      row(bytes, start, end) {
        got = Buffer.from(bytes.subarray(start, end)).toString('latin1');
      },
    },
    rules,
  );
  const bytes = Buffer.from(`x${row}y`, 'latin1');
  sink.row(bytes, 1, bytes.length - 1, at.part, 1, at.line);
  expect(got).toHaveLength(row.length);
  return got;
}
const third: MaskRules = { at: [2], columns: 4, delimiter: ',' };

test.each([
  ['a,b,secret,d', 'a,b,******,d'],
  ['"a,""x""",b,"se,cr\n""et",d', '"a,""x""",b,************,d'],
  ['a,b,,d', 'a,b,,d'],
  [',,secret,', ',,******,'],
  ['"","",s,""', '"","",*,""'],
])('%j loses its password and nothing else', (row, expected) => {
  expect(masked(row, third)).toBe(expected);
});

test('the last column and several of them are masked as well', () => {
  expect(masked('a,b,c,secret', { ...third, at: [0, 3] })).toBe('*,b,c,******');
  expect(masked('a;b;secret', { at: [2], columns: 3, delimiter: ';' })).toBe('a;b;******');
});

test('a file without passwords goes through as it is', () => {
  expect(masked('a,"b,secret,d', null)).toBe('a,"b,secret,d');
});

test.each(['a,b,c,secret,d', 'a,secret', 'a,b,"secret,d', 'a,b,"sec"ret,d', 'a,b,sec"ret,d', '"'.repeat(9)])(
  '%j may have it anywhere: it is known by its place',
  (row) => {
    const got = masked(row, third);
    expect(got).not.toMatch(/secret|ret/);
    expect(masked(row, third)).toBe(got);
    // two such rows are never one
    expect(masked(row, third, { part: 0, line: 8 })).not.toBe(got);
    expect(masked(row, third, { part: 1, line: 7 })).not.toBe(got);
  },
);
