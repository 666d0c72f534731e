import type { z } from 'zod';
import type { DeclaredFormat, FieldSource, Form, ListRule } from '../../../configure/config.ts';

/** A named format: its options, and what they make of it. Everything is data; the one reader of rows does the rest. */
export interface FormatDeclaration<O = unknown> {
  name: string;
  /** One sentence for the generated schema. */
  description: string;
  options: z.ZodType<O>;
  declare(options: O): Omit<DeclaredFormat, 'kind' | 'name'>;
}

const nothing: FieldSource = { columns: [], join: '', constant: null, values: null };

/** A column as it is, and how it is read further. */
export function column(name: string, more: Partial<FieldSource> = {}): FieldSource {
  return { ...nothing, columns: [name], ...more };
}

/** The first of several columns that is not blank. */
export function firstOf(...columns: string[]): FieldSource {
  return { ...nothing, columns, first: true };
}

/** The same value for every row. */
export function constant(value: string): FieldSource {
  return { ...nothing, constant: value };
}

/** Several values in one cell: all of them. */
export function all(split: string | null, more: Partial<ListRule> = {}): ListRule {
  return { split, pick: 'all', allowed: null, unknown: 'refuse', ...more };
}

/** One value, which is on a list. */
export function oneOf(allowed: readonly string[], more: Partial<ListRule> = {}): ListRule {
  return { split: null, pick: 'one', allowed, unknown: 'refuse', ...more };
}

/** A value of a shape, or the row is refused with `says`. */
export function must(pattern: string, says: string): Form {
  return { pattern, mode: 'must', says };
}
