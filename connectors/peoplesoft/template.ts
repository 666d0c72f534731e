import { createHash } from 'node:crypto';
import { closest, distance } from 'fastest-levenshtein';
import { courseKey, type DeliveryItem } from '../../src/connector/target.ts';

/**
 * Templates of bodies and paths: text with {placeholders}. A leaf that is exactly one placeholder keeps the type of its
 * value (a year stays a number, a missing id is null); within a longer text a null is the empty text.
 */

/** Fields of a person that a change may have had another value of before: `{before.email}`. */
const personFields = ['id', 'email', 'firstName', 'lastName', 'kind', 'year', 'status'] as const;

/** Names that a template may use, beside `{attributes.NAME}` and `{before.attributes.NAME}`. */
export const placeholders = [
  'account',
  ...personFields,
  'effStatus',
  'type',
  'changed',
  'emailConfirmed',
  'faculty',
  'department',
  'course',
  'courseCode',
  'item',
  'node',
  'today',
  ...personFields.map((field) => `before.${field}` as const),
] as const;
/** What stands for a placeholder; a list only for `changed`. */
export type Value = string | number | boolean | null | readonly string[];
/** What stands for each placeholder, by its name; one that is not in it has no value. */
export type Values = Readonly<Record<string, Value>>;
/** What becomes of a leaf that is one placeholder without a value. */
export type Empty = 'null' | 'omit' | 'blank';

/** A body template: what YAML and JSON can say. */
export type Template = string | number | boolean | null | readonly Template[] | { readonly [key: string]: Template };

const pattern = /\{([^{}]*)\}/g;
const attribute = /^(before\.)?attributes\../;

/** The placeholders of a template, each once. */
export function placeholdersIn(template: Template): Set<string> {
  const names = new Set<string>();
  const collect = (part: Template): void => {
    if (typeof part === 'string') for (const [, name] of part.matchAll(pattern)) names.add(name!);
    else if (part !== null && typeof part === 'object') for (const inner of Object.values(part)) collect(inner);
  };
  collect(template);
  return names;
}

/** What is wrong with the placeholders of one text; null when nothing is. */
export function complaint(text: string): string | null {
  for (const [, name] of text.matchAll(pattern)) {
    if ((placeholders as readonly string[]).includes(name!) || attribute.test(name!)) continue;
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

/** The values of one item; `today` as the site writes dates. */
export function valuesOf(item: DeliveryItem, node: string, today = '{today}'): Values {
  const { account, course, before } = item;
  const status = item.type === 'account.disable' ? 'disabled' : (account?.status ?? null);
  const attributes = (of: Readonly<Record<string, string>> | undefined, prefix: string): [string, Value][] =>
    Object.entries(of ?? {}).map(([name, value]) => [`${prefix}attributes.${name}`, value]);
  return {
    account: account?.account ?? null,
    id: account?.id ?? null,
    email: account?.email ?? null,
    firstName: account?.firstName ?? null,
    lastName: account?.lastName ?? null,
    kind: account?.kind ?? null,
    year: account?.year ?? null,
    status,
    effStatus: status === null ? null : status === 'active' ? 'A' : 'I',
    type: item.type,
    changed: item.changed,
    emailConfirmed: item.emailConfirmed,
    faculty: course?.faculty ?? null,
    department: course?.department ?? null,
    course: course?.course ?? null,
    // Names of courses are long and hold slashes, which web servers refuse in paths even when they are encoded.
    courseCode: course ? createHash('sha256').update(courseKey(course)).digest('hex').slice(0, 16) : null,
    item: item.item,
    node,
    today,
    ...Object.fromEntries(attributes(account?.attributes, '')),
    ...Object.fromEntries(personFields.map((field) => [`before.${field}`, before?.[field] ?? null])),
    ...Object.fromEntries(attributes(before?.attributes, 'before.')),
  };
}

/** By time zone: to make one takes longer than all the rest of a request. */
const calendars = new Map<string, Intl.DateTimeFormat>();

function calendarOf(timeZone: string): Intl.DateTimeFormat {
  let calendar = calendars.get(timeZone);
  if (!calendar) {
    const options = { timeZone, year: 'numeric', month: '2-digit', day: '2-digit', calendar: 'gregory' } as const;
    calendar = new Intl.DateTimeFormat('en-US', options);
    calendars.set(timeZone, calendar);
  }
  return calendar;
}

/** The day that was asked for last: of a second a thousand items are sent. */
let lastDay = { asked: '', day: '' };

/** Today where the site is, by a pattern of `yyyy`, `MM` and `dd`. */
export function todayOf(now: Date, { timeZone, format }: { timeZone: string; format: string }): string {
  const asked = `${Math.floor(now.getTime() / 1000)} ${timeZone} ${format}`;
  if (lastDay.asked === asked) return lastDay.day;
  const parts = calendarOf(timeZone).formatToParts(now);
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)!.value;
  const day = format.replace('yyyy', part('year')).replace('MM', part('month')).replace('dd', part('day'));
  lastDay = { asked, day };
  return day;
}

/** A leaf that its rule leaves out. */
const left: unique symbol = Symbol('left out');

/** A body with its values in. */
export function fillBody(template: Template, values: Values, empty: Empty = 'null'): Template {
  const filled = fill(template, values, empty);
  return filled === left ? null : filled;
}

function fill(template: Template, values: Values, empty: Empty): Template | typeof left {
  if (typeof template === 'string') {
    const whole = /^\{([^{}]*)\}$/.exec(template)?.[1];
    if (whole === undefined) return template.replace(pattern, (_, name: string) => textOf(values[name]));
    const value = values[whole] ?? null;
    if (value !== null || empty === 'null') return value;
    return empty === 'omit' ? left : '';
  }
  if (template === null || typeof template !== 'object') return template;
  if (Array.isArray(template))
    return template.map((entry) => fill(entry, values, empty)).filter((entry) => entry !== left);
  const entries = Object.entries(template).map(
    ([key, value]) => [key, fill(value as Template, values, empty)] as const,
  );
  return Object.fromEntries(entries.filter((entry): entry is [string, Template] => entry[1] !== left));
}

function textOf(value: Value | undefined): string {
  return Array.isArray(value) ? value.join(',') : String(value ?? '');
}

/**
 * A path with its values in, percent-encoded; or the name of a placeholder that cannot stand in a path, because its
 * value is missing or one that URLs take for a step up (`.`, `..`): the request would reach another resource.
 */
export function fillPath(template: string, values: Values): { path: string } | { unusable: string } {
  let unusable: string | undefined;
  const path = template.replace(pattern, (_, name: string) => {
    const text = textOf(values[name]);
    if (text === '' || text === '.' || text === '..') unusable ??= name;
    return encodeURIComponent(text);
  });
  return unusable === undefined ? { path } : { unusable };
}
