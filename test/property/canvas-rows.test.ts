import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FileName, fileNames, keyOf } from '../../connectors/canvas/layout.ts';
import { canvasSettings } from '../../connectors/canvas/schema.ts';
import { buildSheets, Changes, type PlacedRow, type Row, toFiles } from '../../connectors/canvas/sheets.ts';
import type { ChangeType, DeliveryItem } from '../../src/connector/target.ts';
import { course, item, person } from '../unit/connectors/canvas/items.ts';

/** Rows that are handed out one by one are those that a look at the whole batch makes, whatever is in it and in any order. */

const numRuns = Number(process.env['ROSTERD_PROPERTY_RUNS'] ?? 25) * 10;
const courses = ['Car Design', 'Bicycles', 'Trains'].map(course);
const account = (kind: 'student' | 'staff', who: number) => person(who, { kind });

const change: fc.Arbitrary<DeliveryItem> = fc
  .record({
    who: fc.nat(3),
    where: fc.nat(2),
    kind: fc.constantFrom('student' as const, 'staff' as const),
    type: fc.constantFrom<ChangeType[]>(
      'course.create',
      'account.create',
      'account.update',
      'enrolment.add',
      'enrolment.remove',
      'course.archive',
    ),
    enrolled: fc.subarray(courses),
  })
  .map(({ who, where, kind, type, enrolled }) => {
    if (type.startsWith('course')) return item(type, { course: courses[where]! });
    if (type.startsWith('enrolment')) return item(type, { account: account(kind, who), course: courses[where]! });
    const made = item(type, { account: account(kind, who) });
    if (type === 'account.create') return made;
    const before = { kind: kind === 'staff' ? ('student' as const) : ('staff' as const) };
    return { ...made, changed: ['kind'], before, enrolments: enrolled };
  });

/** At most one item of a subject, as the deliverer picks them. */
const batches = fc.uniqueArray(change, {
  maxLength: 20,
  selector: (one) => `${one.account?.account} ${one.course?.course}`,
});

function byKey(rows: readonly PlacedRow[], file: FileName): [string, Row][] {
  return rows
    .filter((row) => row.file === file)
    .map(({ cells, items }) => [keyOf(file, cells), { cells, items: [items].flat() }]);
}

test('one row of each, with the last word and all its items', () => {
  fc.assert(
    fc.property(
      batches,
      fc.record({
        sections: fc.constantFrom('none', 'course'),
        accounts: fc.constantFrom('none', 'departments'),
        courses: fc.constantFrom('ensure', 'existing'),
      }),
      (items, more) => {
        const written = { url: 'https://canvas.example.edu', token: { env: 'CANVAS_TOKEN' }, ...more };
        const settings = canvasSettings.parse(written);
        const changes = new Changes(items, settings);
        const files = toFiles(changes, settings);
        expect(changes.ids).toEqual(items.map((one) => one.item));
        const rows = [...changes.rows()];
        expect(changes.again).toBe(false);
        const sheets = buildSheets(items, settings);
        for (const file of fileNames) {
          const found = byKey(rows, file);
          expect(new Map(found)).toEqual(sheets[file]);
          expect(found).toHaveLength(sheets[file].size);
        }
        // one may take the address that another has given up
        expect(byKey(rows, 'users.csv').map(([key]) => key)).toEqual([...sheets['users.csv'].keys()]);
        expect(toFiles(changes, settings)).toEqual(files);
      },
    ),
    { numRuns },
  );
});
