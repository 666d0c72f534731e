import { createHash } from 'node:crypto';
import { closest, distance } from 'fastest-levenshtein';
import { courseKey, type DeliveryItem } from '../../src/connector/target.ts';

/**
 * Templates of bodies and paths: text with {placeholders}. A leaf that is exactly one placeholder keeps the type of its
 * value (a year stays a number, a missing id is null); within a longer text a null is the empty text.
 */

/** Names that a template may use. */
export const placeholders = [
  'account',
  'id',
  'email',
  'firstName',
  'lastName',
  'kind',
  'year',
  'status',
  'type',
  'faculty',
  'department',
  'course',
  'courseCode',
  'item',
  'node',
] as const;
export type Placeholder = (typeof placeholders)[number];
/** What stands for each placeholder; null when the change has no such thing. */
export type Values = Readonly<Record<Placeholder, string | number | null>>;

/** A body template: what YAML and JSON can say. */
export type Template = string | number | boolean | null | readonly Template[] | { readonly [key: string]: Template };

const pattern = /\{([^{}]*)\}/g;

/** What is wrong with the placeholders of one text; null when nothing is. */
export function complaint(text: string): string | null {
  for (const [, name] of text.matchAll(pattern)) {
    if ((placeholders as readonly string[]).includes(name!)) continue;
    const nearest = closest(name!, [...placeholders]);
    const hint = distance(name!, nearest) <= 3 ? `did you mean {${nearest}}?` : `known are ${placeholders.join(', ')}`;
    return `unknown placeholder {${name}}; ${hint}`;
  }
  return null;
}

/** All complaints about a body template, each with the path of keys to it. */
export function complaints(
  template: Template,
  path: (string | number)[] = [],
): { path: (string | number)[]; message: string }[] {
  if (typeof template === 'string') {
    const message = complaint(template);
    return message === null ? [] : [{ path, message }];
  }
  if (template === null || typeof template !== 'object') return [];
  if (Array.isArray(template)) return template.flatMap((entry, index) => complaints(entry, [...path, index]));
  return Object.entries(template).flatMap(([key, value]) => [
    ...(/[{}]/.test(key) ? [{ path: [...path, key], message: 'placeholders stand in values, not in keys' }] : []),
    ...complaints(value as Template, [...path, key]),
  ]);
}

/** The values of one item. */
export function valuesOf(item: DeliveryItem, node: string): Values {
  const { account, course } = item;
  return {
    account: account?.account ?? null,
    id: account?.id ?? null,
    email: account?.email ?? null,
    firstName: account?.firstName ?? null,
    lastName: account?.lastName ?? null,
    kind: account?.kind ?? null,
    year: account?.year ?? null,
    status: item.type === 'account.disable' ? 'disabled' : (account?.status ?? null),
    type: item.type,
    faculty: course?.faculty ?? null,
    department: course?.department ?? null,
    course: course?.course ?? null,
    // Names of courses are long and hold slashes, which web servers refuse in paths even when they are encoded.
    courseCode: course ? createHash('sha256').update(courseKey(course)).digest('hex').slice(0, 16) : null,
    item: item.item,
    node,
  };
}

/** A body with its values in. */
export function fillBody(template: Template, values: Values): Template {
  if (typeof template === 'string') {
    const whole = /^\{([^{}]*)\}$/.exec(template)?.[1];
    if (whole !== undefined) return values[whole as Placeholder];
    return template.replace(pattern, (_, name: Placeholder) => String(values[name] ?? ''));
  }
  if (template === null || typeof template !== 'object') return template;
  if (Array.isArray(template)) return template.map((entry) => fillBody(entry, values));
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fillBody(value as Template, values)]));
}

/**
 * A path with its values in, percent-encoded; or the name of a placeholder that cannot stand in a path, because its
 * value is missing or one that URLs take for a step up (`.`, `..`): the request would reach another resource.
 */
export function fillPath(template: string, values: Values): { path: string } | { unusable: Placeholder } {
  let unusable: Placeholder | undefined;
  const path = template.replace(pattern, (_, name: Placeholder) => {
    const value = values[name];
    if (value === null || value === '' || value === '.' || value === '..') unusable ??= name;
    return encodeURIComponent(String(value));
  });
  return unusable === undefined ? { path } : { unusable };
}
