import { hash } from 'node:crypto';
import { type CourseName, courseKey, type DeliveryItem } from '../../src/connector/target.ts';
import type { SalesforceSettings } from './schema.ts';

/** What a field is given; undefined: it is left as it is. */
export type Value = string | number | null | undefined;

/**
 * A record before it has a form. A field of a parent, by which it is found, is named as in CSV: `Parent__r.Key__c`. Every
 * record of an object has the same names, so that they make a table.
 */
export type Fields = Record<string, Value>;

/** A record with the value of its external id, by which equal records are told, and with what it is written for. */
export interface Prepared<T = DeliveryItem> {
  about: T;
  key: string;
  /** What it hangs on: records of one parent go together, because they lock it. */
  parent: string;
  fields: Fields;
}

/** True for changes of a person. */
export function isAccountItem(item: DeliveryItem): boolean {
  return item.type.startsWith('account.');
}

/** True for changes of an enrolment. */
export function isEnrolmentItem(item: DeliveryItem): boolean {
  return item.type.startsWith('enrolment.');
}

/** Turns a change of a person or an enrolment into the record that upserts the state which the item stands for. */
export function prepare(settings: SalesforceSettings, item: DeliveryItem): Prepared {
  return isAccountItem(item) ? contactRecord(settings, item) : enrolmentRecord(settings, item);
}

/** 32 characters of a digest. Names would not do as keys: they can be long, and keys are matched without case. */
function digest(text: string): string {
  return hash('sha256', text).slice(0, 32);
}

/** Key of an enrolment: the account and a digest of the course's names, 43 characters. */
export function enrolmentKey(account: string, course: CourseName): string {
  return `${account}:${digest(courseKey(course))}`;
}

/** Keys of what a course offering hangs on, at most 44 characters. The offering is one of the term. */
export const chainKeys = {
  institution: (name: string): string => `institution:${digest(name)}`,
  department: ({ faculty, department }: CourseName): string => `department:${digest(`${faculty}\u001f${department}`)}`,
  term: (key: string): string => `term:${digest(key)}`,
  course: (course: CourseName): string => `course:${digest(courseKey(course))}`,
  offering: (course: CourseName, term: string): string => `offering:${digest(`${courseKey(course)}\u001f${term}`)}`,
};

/** A record of a collections request: parents are objects in it. What is undefined is not in its JSON. */
export function recordOf(object: string, fields: Fields): Record<string, unknown> {
  const record: Record<string, unknown> = { attributes: { type: object } };
  for (const [name, value] of Object.entries(fields)) {
    const [relation, field] = name.split('.') as [string, string | undefined];
    if (field === undefined) record[name] = value;
    else if (value !== undefined) record[relation] = { [field]: value };
  }
  return record;
}

/**
 * Cuts prepared records into rounds of requests: at most `size` records each, and never two of one key in one round,
 * because Salesforce refuses both in one request (DUPLICATE_VALUE), and side by side the later one might come first.
 * Records of one parent stand together.
 */
export function rounds<T>(prepared: readonly Prepared<T>[], size: number): Prepared<T>[][][] {
  const all: Prepared<T>[][] = [];
  const seen = new Map<string, number>();
  for (const entry of prepared) {
    const key = entry.key.toLowerCase();
    const round = seen.get(key) ?? 0;
    seen.set(key, round + 1);
    all[round] ??= [];
    all[round]!.push(entry);
  }
  return all.map((round) => chunks(byParent(round), size));
}

/** Sorted by parent; the order of what has the same one stays. */
export function byParent<T>(prepared: readonly Prepared<T>[]): Prepared<T>[] {
  return [...prepared].sort((a, b) => (a.parent < b.parent ? -1 : a.parent > b.parent ? 1 : 0));
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function contactRecord({ contact }: SalesforceSettings, item: DeliveryItem): Prepared {
  const person = personOf(item);
  const status =
    item.type === 'account.update' ? person.status : item.type === 'account.disable' ? 'disabled' : 'active';
  const fields: Fields = { [contact.externalId]: person.account };
  for (const name of ['id', 'email', 'firstName', 'lastName', 'kind', 'year'] as const) {
    const field = contact.fields[name];
    if (field) fields[field] = person[name];
  }
  fields[contact.fields.status] = contact.values[status];
  const preferred = contact.preferredEmail;
  // A selector that points at a blank field makes EDA refuse the whole person.
  if (preferred) fields[preferred.field] = person.email ? preferred.value : undefined;
  return { about: item, key: person.account, parent: '', fields };
}

function enrolmentRecord({ contact, enrolment, courses, term }: SalesforceSettings, item: DeliveryItem): Prepared {
  const person = personOf(item);
  if (!item.course) throw new Error(`item ${item.item}: ${item.type} without a course`);
  const ends = item.type === 'enrolment.remove';
  const key = enrolmentKey(person.account, item.course);
  const offering = enrolment.offeringRelation ? chainKeys.offering(item.course, term!.key) : null;
  const fields: Fields = {
    [enrolment.externalId]: key,
    // The parent by its own external id, so that no id of the org has to be known or kept.
    [`${enrolment.contactRelation}.${contact.externalId}`]: person.account,
  };
  if (offering !== null)
    // An enrolment that ends keeps its offering, which may be one of an earlier term.
    fields[`${enrolment.offeringRelation}.${courses!.offering.externalId}`] = ends ? undefined : offering;
  for (const name of ['faculty', 'department', 'course'] as const) {
    const field = enrolment.fields[name];
    if (field) fields[field] = item.course[name];
  }
  fields[enrolment.fields.status] = enrolment.values[ends ? 'former' : 'current'];
  return { about: item, key, parent: offering ?? person.account, fields };
}

function personOf(item: DeliveryItem): NonNullable<DeliveryItem['account']> {
  if (!item.account) throw new Error(`item ${item.item}: ${item.type} without an account`);
  return item.account;
}
