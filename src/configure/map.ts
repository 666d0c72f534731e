import { z } from 'zod';
import { attributePrefix, type CanonicalField, canonicalFields, requiredFields } from './canonical.ts';
import type { FieldMap, FieldSource } from './config.ts';

/** The `map:` of a source: canonical field to column, as written, and its way to a `FieldMap`. */

const column = z.string().min(1).describe('the name of a column, exactly as in the header');
const text = z.union([z.string(), z.number().transform(String)]);
const values = z
  .record(z.string(), z.union([z.string(), z.number().transform(String), z.null()]))
  .describe('value in the column → value to take; null is blank; values that are not listed are taken as they are');

const fieldSource = z
  .union([
    column,
    z.strictObject({ column, values: values.optional() }),
    z.strictObject({
      columns: z.array(column).min(1).describe('columns whose values are joined; blank ones are left out'),
      join: z.string().default(' '),
    }),
    z.strictObject({ constant: text.describe('the same value for every row') }),
  ])
  .transform((written): FieldSource => {
    const source: FieldSource = { columns: [], join: '', constant: null, values: null };
    if (typeof written === 'string') return { ...source, columns: [written] };
    if ('column' in written) return { ...source, columns: [written.column], values: written.values ?? null };
    if ('columns' in written) return { ...source, columns: written.columns, join: written.join };
    return { ...source, constant: written.constant };
  });

/** Fields whose values are few: what the map itself writes can be checked before the first row is seen. */
const fewValues: Partial<Record<CanonicalField, readonly string[]>> = {
  year: ['0', '1', '2', '3', '4', '5', '6', '7'],
  kind: ['student', 'staff'],
};

function fieldOf(name: CanonicalField) {
  const few = fewValues[name];
  const notBlank = name === 'faculty' || name === 'department' || name === 'course' || name === 'email';
  if (few === undefined && !notBlank) return fieldSource;
  return fieldSource.superRefine((source, context) => {
    const refuse = (value: string | null, path: string[]): void => {
      if (few !== undefined && value && !few.includes(value))
        context.addIssue({ code: 'custom', path, message: `${name} is one of ${few.join(', ')}, or blank` });
      if (notBlank && !value?.trim()) context.addIssue({ code: 'custom', path, message: `${name} is never blank` });
    };
    if (source.constant !== null) refuse(source.constant, ['constant']);
    for (const [from, to] of Object.entries(source.values ?? {})) if (few) refuse(to, ['values', from]);
  });
}

const required: readonly string[] = requiredFields;
const shape = Object.fromEntries(
  canonicalFields.map((name) => [name, required.includes(name) ? fieldOf(name) : fieldOf(name).optional()]),
);

/** Attribute names become field names in targets and parts of exports. */
const attributeName = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** What stands under `map:`. */
export const mapSchema = z
  .strictObject({
    ...shape,
    attributes: z
      .record(
        z
          .string()
          .regex(attributeName, 'an attribute name starts with a letter and has letters, digits, "_", "." and "-"'),
        fieldSource,
      )
      .optional()
      .describe('further facts about a person: NAME → column'),
  })
  .transform(({ attributes = {}, ...fields }): FieldMap => {
    const named = Object.entries(attributes).map(([name, source]) => [attributePrefix + name, source] as const);
    const given = Object.entries(fields).filter((entry): entry is [string, FieldSource] => entry[1] !== undefined);
    return Object.fromEntries([...given, ...named]);
  })
  .describe('canonical field → column of the source');
