import type { FieldMap } from '../../configure/config.ts';
import type { ColumnExpectation } from '../../connector/source.ts';

/**
 * Unitu's student list: eight fields, one row per person and course, names exactly as in its own contract. The list is
 * exact, because a ninth column means that the file is something else and its rows may mean something else too.
 */
export const unituColumns: ColumnExpectation = {
  required: ['faculty', 'department', 'course', 'firstName', 'lastName', 'email', 'year'],
  optional: ['id'],
  exact: true,
  numbers: ['year'],
};

/** Each column is the canonical field of its name. */
export const unituFields: FieldMap = Object.fromEntries(
  [...unituColumns.required, ...unituColumns.optional].map((column) => [
    column,
    { columns: [column], join: '', constant: null, values: null },
  ]),
);
