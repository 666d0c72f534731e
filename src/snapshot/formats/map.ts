import type { FieldMap } from '../../configure/config.ts';
import type { ColumnExpectation } from '../../connector/source.ts';

/** Every column that the map names must be there: one that is gone would read as blank for everybody. */
export function mapColumns(fields: FieldMap): ColumnExpectation {
  const named = Object.values(fields).flatMap((source) => source.columns);
  return { required: [...new Set(named)].sort(), optional: [], exact: false };
}

/** The map as one text; two maps with one meaning have one text, whatever order they are written in. */
export function mapText(fields: FieldMap): string {
  const sorted = (record: Readonly<Record<string, unknown>>): [string, unknown][] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    sorted(fields).map(([field, source]) => {
      const { columns, join, constant, values, ...rest } = source as FieldMap[string];
      const old = [field, columns, columns.length > 1 ? join : '', constant, values === null ? null : sorted(values)];
      return Object.keys(rest).length ? [...old, sorted(rest)] : old;
    }),
  );
}
