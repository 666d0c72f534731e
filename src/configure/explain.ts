import { z } from 'zod';
import { hint, nearest } from './nearest.ts';
import type { Path } from './problems.ts';

/** Turns what zod finds into what a person in IT reads. */

/** A problem before its line is known: what is wrong, where in the tree, and what to do. */
export interface Finding {
  path: Path;
  /** Which part of `path` is wrong. */
  part: 'key' | 'value';
  message: string;
  remedy: string | null;
}

type Issue = z.core.$ZodIssue;

const missing = 'required, and missing';
/** What our error map says of a union; a connector's own words are anything else, and are kept. */
const anyUnion = 'none of the forms';

/**
 * Checks a value. `known` are the schemas whose keys a misspelt key may have meant: more than one where the keys of
 * one entry are shared out among several schemas.
 */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
  base: Path,
  known: readonly z.ZodType[] = [schema],
): { data: z.output<S> } | { findings: Finding[] } {
  const result = schema.safeParse(value, { error: wording });
  if (result.success) return { data: result.data };
  const schemas = known.map((each) => jsonSchema(each));
  const findings = result.error.issues
    .flatMap((issue) => flatten(issue, []))
    .flatMap(({ issue, path }) => explain(issue, path, value, schemas))
    .map((finding) => ({ ...finding, path: [...base, ...finding.path] }));
  return { findings };
}

/** The JSON Schema of what is written (not of what comes out), with the keys and forms that a person may use. */
export function jsonSchema(schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' });
  return json as z.core.JSONSchema.BaseSchema;
}

const names: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
  null: 'nothing',
};

const wording: z.core.$ZodErrorMap = (issue) => {
  if (issue.input === undefined && issue.code !== 'custom') return missing;
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${names[issue.expected] ?? issue.expected}, got ${got(issue.input, issue.expected)}`;
    case 'invalid_value':
      return `expected ${or(issue.values.map(String))}, got ${got(issue.input, 'string')}`;
    case 'too_small':
      return size(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum, issue.input);
    case 'too_big':
      return size(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum, issue.input);
    case 'invalid_format':
      return issue.format === 'url' ? 'expected a URL' : undefined;
    case 'invalid_union':
      return anyUnion;
    default:
      return undefined;
  }
};

/** `expected at least 1 character`, `expected at most 5, got 6`. */
function size(origin: string, relation: string, limit: number | bigint, input: unknown): string {
  const unit = { string: 'character', array: 'entry', object: 'key', record: 'key' }[origin];
  if (unit === undefined) return `expected ${relation} ${limit}, got ${input}`;
  const plural = unit === 'entry' ? 'entries' : `${unit}s`;
  return `expected ${relation} ${limit} ${limit === 1 ? unit : plural}`;
}

/**
 * What stands there. Text is shown only where a single value was wanted: where a map was, it may be a secret that
 * somebody wrote down in the wrong form.
 */
function got(input: unknown, expected: string): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a map of keys';
  if (typeof input !== 'string') return String(input);
  if (expected === 'object' || expected === 'record' || expected === 'array') return 'text';
  return JSON.stringify(input.length > 40 ? `${input.slice(0, 39)}…` : input);
}

function or(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** Takes unions apart: the issues of the form that was meant, or one sentence about all forms. */
function flatten(issue: Issue, base: Path): { issue: Issue; path: Path }[] {
  const path = [...base, ...(issue.path as Path)];
  if (issue.code !== 'invalid_union' || issue.message !== anyUnion || issue.errors.length === 0)
    return [{ issue, path }];
  const branch = issue.errors.filter((issues) => !issues.some(otherForm)).sort((a, b) => a.length - b.length)[0];
  if (branch === undefined) return [{ issue, path }];
  return branch.flatMap((inner) => flatten(inner, path));
}

/** True when the value as a whole has another form than this branch of a union. */
function otherForm(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return issue.errors.every((issues) => issues.some(otherForm));
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

/** The forms that a union offers, in words. */
function forms(issue: Issue): string[] {
  if (issue.code === 'invalid_union') return issue.errors.flatMap((issues) => issues.filter(otherForm).flatMap(forms));
  if (issue.code === 'invalid_value') return issue.values.map(String);
  return issue.code === 'invalid_type' ? [names[issue.expected] ?? issue.expected] : [];
}

function explain(issue: Issue, path: Path, root: unknown, schemas: readonly z.core.JSONSchema.BaseSchema[]): Finding[] {
  const value = valueAt(root, path);
  const found = (message: string, remedy: string | null = null): Finding[] => [
    { path, part: 'value', message, remedy },
  ];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...path, key], key, keysAt(schemas, path)));
  if (issue.code === 'invalid_key')
    return [{ path, part: 'key', message: issue.issues[0]?.message ?? issue.message, remedy: null }];
  if (value === undefined && issue.code !== 'custom')
    return found(missing, issue.message === missing || issue.message === anyUnion ? null : issue.message);
  if (issue.code === 'invalid_value') return found(issue.message, meant(value, issue.values.map(String)));
  if (issue.code === 'invalid_union' && issue.message === anyUnion) {
    const offered = 'options' in issue && issue.options ? issue.options.map(String) : forms(issue);
    const words = [...new Set(offered)];
    // A form with words of its own is no place for a secret.
    const wordy = words.some((word) => word === 'text' || !Object.values(names).includes(word));
    return found(`expected ${or(words)}, got ${got(value, wordy ? 'string' : 'object')}`, meant(value, words));
  }
  // `settle: 10` is not text, but what it should be is a duration: the description knows.
  const remedy = issue.code === 'invalid_type' ? schemasAt(schemas, path).find((each) => each.description) : undefined;
  return found(issue.message, remedy?.description ?? null);
}

/** A key that is known here may still belong to another form of the value: `columns` beside `column`. */
function unknownKey(path: Path, key: string, known: readonly string[]): Finding {
  if (known.includes(key)) return { path, part: 'key', message: 'does not go with the other keys here', remedy: null };
  return { path, part: 'key', message: 'unknown key', remedy: hint(key, known, 'key') };
}

function meant(written: unknown, words: readonly string[]): string | null {
  if (typeof written !== 'string') return null;
  if (words.includes(written)) return 'write it without quotes';
  const near = nearest(written, words);
  return near?.close ? `did you mean ${near.word}?` : null;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string | number, unknown>)[part]
        : undefined,
    root,
  );
}

/** All keys that the schemas know at a place. */
function keysAt(schemas: readonly z.core.JSONSchema.BaseSchema[], path: Path): string[] {
  return [...new Set(schemasAt(schemas, path).flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

/** What the schemas say of a place, in all forms that it may have. */
function schemasAt(schemas: readonly z.core.JSONSchema.BaseSchema[], path: Path): z.core.JSONSchema.BaseSchema[] {
  let here = schemas.flatMap(allForms);
  for (const part of path)
    here = here
      .flatMap((schema) => {
        const inside =
          typeof part === 'number' ? schema.items : (schema.properties?.[part] ?? schema.additionalProperties);
        return (Array.isArray(inside) ? inside : [inside]) as unknown[];
      })
      .filter((schema): schema is z.core.JSONSchema.BaseSchema => typeof schema === 'object' && schema !== null)
      .flatMap(allForms);
  return here;
}

function allForms(schema: z.core.JSONSchema.BaseSchema): z.core.JSONSchema.BaseSchema[] {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  return [schema, ...(inner as z.core.JSONSchema.BaseSchema[]).flatMap(allForms)];
}
