import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CanonicalField, canonicalFields } from '../../../../src/configure/canonical.ts';
import type { FieldMap } from '../../../../src/configure/config.ts';
import { formatOf } from '../../../../src/snapshot/formats/index.ts';

const columns = [...canonicalFields, 'note'];
const fields: FieldMap = Object.fromEntries(
  columns.map((name) => [
    name === 'note' ? 'attributes.note' : name,
    { columns: [name], join: '', constant: null, values: null },
  ]),
);
const normalise = formatOf({ kind: 'map', fields }).normaliser(columns);

/** Text as campus systems write it: letters of many scripts, combining marks, odd spaces, and what should not occur. */
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme', maxLength: 4 }) },
  { weight: 3, arbitrary: fc.constantFrom(' ', '\u00a0', '\t', '\r\n', '\u0085', '\u3000', '\ufeff', '\u2028') },
  { weight: 3, arbitrary: fc.constantFrom('\u0301', 'ß', 'ẞ', 'İ', 'ı', 'Σ', 'ς', 'Å', 'K', 'ǰ', '\u0345', '\u200d') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
);
const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const name = fc.tuple(text, fc.constantFrom('a', 'É', 'Ω'), text).map((parts) => parts.join(''));
const email = fc
  .tuple(fc.constantFrom('', ' ', '\u00a0'), text, fc.constantFrom('@example.edu', '@EXAMPLE.edu', '@İst.example '))
  .map(([before, local, host]) => `${before}x${local}${host}`);
const row: fc.Arbitrary<Record<Exclude<CanonicalField, 'provision'> | 'note', string>> = fc.record({
  faculty: name,
  department: name,
  course: name,
  firstName: text,
  lastName: name,
  email,
  id: text,
  number: fc.constantFrom('', ' ', '9500000001', '\t9519999999'),
  year: fc.constantFrom('', '0', ' 7', '3\u00a0'),
  kind: fc.constantFrom('', 'Student', ' STAFF'),
  alias: text,
  note: text,
});
const cellsOf = (values: Record<string, unknown>): string[] => columns.map((column) => String(values[column] ?? ''));

describe('normalising', () => {
  it('a record again gives the same record', () => {
    let taken = 0;
    fc.assert(
      fc.property(row, (values) => {
        const once = normalise(cellsOf(values));
        if ('quarantined' in once) return;
        taken += 1;
        const { attributes, ...plain } = once.record;
        expect(normalise(cellsOf({ ...plain, note: attributes['note'] }))).toEqual(once);
      }),
      { numRuns: 3000 },
    );
    // Were nearly every row quarantined, the property would say nothing.
    expect(taken).toBeGreaterThan(200);
  });

  it('an alias and an address stay themselves where lower case is another form of the same letters', () => {
    const letters = '\u1fba\u0345';
    const once = normalise(
      cellsOf({
        faculty: 'a',
        department: 'a',
        course: 'a',
        lastName: 'a',
        email: `${letters}@example.edu`,
        alias: letters,
      }),
    );
    expect(once).toMatchObject({ record: { alias: '\u1fb2', email: '\u1fb2@example.edu' } });
  });

  it('answers for any cells at all, and a quarantined row has a reason', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 11, maxLength: 11 }), (cells) => {
        const answer = normalise(cells);
        if ('quarantined' in answer) expect(answer.quarantined.reason).toMatch(/^[a-zA-Z]+ /);
        else expect(answer.record.email).toContain('@');
      }),
      { numRuns: 1000 },
    );
  });
});
