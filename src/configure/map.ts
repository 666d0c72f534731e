import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isPassword, neverStored } from '../connector/passwords.ts';
import { attributePrefix, type CanonicalField, canonicalFields } from './canonical.ts';
import type { FieldMap, FieldSource } from './config.ts';

/** The `map:` of a source: canonical field to column, as written, and its way to a `FieldMap`. */

/** A column that is read; one of passwords never is. */
export const readColumn = z
  .string()
  .min(1)
  .refine((name) => !isPassword(name), neverStored);

const column = readColumn.describe('the name of a column, exactly as in the header');
const text = z.union([z.string(), z.number().transform(String)]);
const values = z
  .record(z.string(), z.union([z.string(), z.number().transform(String), z.null()]))
  .describe('value in the column → value to take; null is blank; values that are not listed are taken as they are');

/** A configured list, here or in a file: what a school's own systems call campuses, schools, departments. */
export const configuredList = z
  .union([z.array(text).min(1), z.strictObject({ file: z.string().min(1) })])
  .transform((written, context): string[] => {
    if (Array.isArray(written)) return written;
    try {
      const lines = readFileSync(written.file, 'utf8').split(/\r?\n/);
      const values = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
      if (values.length) return values;
      context.addIssue({ code: 'custom', path: ['file'], message: 'the file lists nothing' });
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['file'], message: `cannot be read: ${(error as Error).message}` });
    }
    return z.NEVER;
  })
  .describe('the only values there may be: a list, or { file: PATH } with one on each line');

const fieldSource = z
  .union([
    column,
    z.strictObject({
      column,
      values: values.optional(),
      otherwise: text.optional().describe('what values that are not listed become, blank ones too'),
      split: z.string().min(1).optional().describe('what stands between several values in one cell, such as "|"'),
      pick: z
        .enum(['one', 'first', 'all'])
        .optional()
        .describe('of several values: refuse the row, take the first, or all; default: all for attributes, else one'),
      allowed: configuredList.optional(),
      optional: z.literal(true).optional().describe('of the course: a row without one is a person without a course'),
      unknown: z
        .enum(['refuse', 'remark'])
        .optional()
        .describe('a value that is not allowed: the row goes to quarantine (default), or it is taken and remarked'),
    }),
    z.strictObject({
      firstOf: z.array(column).min(1).describe('columns of which the first that is not blank counts'),
    }),
    z.strictObject({
      columns: z.array(column).min(1).describe('columns whose values are joined; blank ones are left out'),
      join: z.string().default(' '),
    }),
    z.strictObject({ constant: text.describe('the same value for every row') }),
  ])
  .transform((written): FieldSource => {
    const source: FieldSource = { columns: [], join: '', constant: null, values: null };
    if (typeof written === 'string') return { ...source, columns: [written] };
    if ('firstOf' in written) return { ...source, columns: written.firstOf, first: true };
    if ('column' in written) {
      const { column, values = null, otherwise, optional, split, pick, allowed = null, unknown = 'refuse' } = written;
      const read: FieldSource = { ...source, columns: [column], values };
      if (otherwise !== undefined) read.otherwise = otherwise;
      if (optional) read.optional = true;
      if (split === undefined && pick === undefined && allowed === null) return read;
      return { ...read, list: { split: split ?? null, pick: pick ?? (split ? 'all' : 'one'), allowed, unknown } };
    }
    if ('columns' in written) return { ...source, columns: written.columns, join: written.join };
    return { ...source, constant: written.constant };
  });

/** Fields whose values are few: what the map itself writes can be checked before the first row is seen. */
const fewValues: Partial<Record<CanonicalField, readonly string[]>> = {
  year: ['0', '1', '2', '3', '4', '5', '6', '7'],
  kind: ['student', 'staff'],
  provision: ['yes', 'no'],
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
    if (few && source.otherwise) refuse(source.otherwise, ['otherwise']);
  });
}

const shape = Object.fromEntries(canonicalFields.map((name) => [name, fieldOf(name).optional()]));

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
          .regex(attributeName, 'an attribute name starts with a letter and has letters, digits, "_", "." and "-"')
          .refine((name) => !isPassword(name), neverStored),
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
