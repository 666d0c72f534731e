import { createHash } from 'node:crypto';
import { courseKey, type DeliveryItem } from '../../src/connector/target.ts';
import type { SalesforceSettings } from './schema.ts';

/** A record of a collections request. `attributes` is Salesforce's; the rest are fields, or a nested parent. */
export interface UpsertRecord {
  attributes: { type: string };
  [field: string]: unknown;
}

/** One item as a record, with the value of its external id, by which equal records are told. */
export interface Prepared {
  item: DeliveryItem;
  key: string;
  record: UpsertRecord;
}

/** True for changes of a person, false for changes of an enrolment. */
export function isAccountItem(item: DeliveryItem): boolean {
  return item.type.startsWith('account.');
}

/** Turns an item into the record that upserts the state which the item stands for. */
export function prepare(settings: SalesforceSettings, item: DeliveryItem): Prepared {
  return isAccountItem(item) ? contactRecord(settings, item) : enrolmentRecord(settings, item);
}

/**
 * Key of an enrolment: the account and a digest of the course's names, 43 characters. Names themselves would not do:
 * three of them can pass the 255 characters of a field, and Salesforce matches external ids without case.
 */
export function enrolmentKey(account: string, course: NonNullable<DeliveryItem['course']>): string {
  return `${account}:${createHash('sha256').update(courseKey(course)).digest('hex').slice(0, 32)}`;
}

/**
 * Cuts prepared records into requests: at most `size` each, and never two of one key in one request, because Salesforce
 * then refuses both (DUPLICATE_VALUE). Records of one key keep their order.
 */
export function requests(prepared: readonly Prepared[], size: number): Prepared[][] {
  const all: Prepared[][] = [];
  const last = new Map<string, number>();
  for (const entry of prepared) {
    const key = entry.key.toLowerCase();
    let index = last.has(key) ? last.get(key)! + 1 : 0;
    while ((all[index]?.length ?? 0) >= size) index += 1;
    all[index] ??= [];
    all[index]!.push(entry);
    last.set(key, index);
  }
  return all;
}

function contactRecord({ contact }: SalesforceSettings, item: DeliveryItem): Prepared {
  const person = personOf(item);
  const status =
    item.type === 'account.update' ? person.status : item.type === 'account.disable' ? 'disabled' : 'active';
  const record: UpsertRecord = { attributes: { type: contact.object }, [contact.externalId]: person.account };
  for (const name of ['id', 'email', 'firstName', 'lastName', 'kind', 'year'] as const) {
    const field = contact.fields[name];
    if (field) record[field] = person[name];
  }
  record[contact.fields.status] = status === 'disabled' ? 'Disabled' : 'Active';
  return { item, key: person.account, record };
}

function enrolmentRecord({ contact, enrolment }: SalesforceSettings, item: DeliveryItem): Prepared {
  const person = personOf(item);
  if (!item.course) throw new Error(`item ${item.item}: ${item.type} without a course`);
  const key = enrolmentKey(person.account, item.course);
  const record: UpsertRecord = {
    attributes: { type: enrolment.object },
    [enrolment.externalId]: key,
    // The parent by its own external id, so that no id of the org has to be known or kept.
    [enrolment.contactRelation]: { [contact.externalId]: person.account },
  };
  for (const name of ['faculty', 'department', 'course'] as const) {
    const field = enrolment.fields[name];
    if (field) record[field] = item.course[name];
  }
  record[enrolment.fields.status] = item.type === 'enrolment.remove' ? 'Former' : 'Current';
  return { item, key, record };
}

function personOf(item: DeliveryItem): NonNullable<DeliveryItem['account']> {
  if (!item.account) throw new Error(`item ${item.item}: ${item.type} without an account`);
  return item.account;
}
