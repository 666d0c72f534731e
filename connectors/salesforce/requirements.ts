import type { Part } from './parts.ts';
import { chainKeys, enrolmentKey } from './records.ts';
import type { SalesforceSettings } from './schema.ts';
import type { Described } from './wire.ts';

/** What the settings need of an org, and what of it an object lacks. */

type Kind = 'text' | 'number' | 'date';

/** What one object must be like. Names are compared without case, as Salesforce does. */
export interface Expected extends Part {
  /** A key as it is written, for its length. */
  key: string;
  fields: { name: string; kind: Kind; values?: readonly string[] }[];
  /** `master`: given to new records only, so it need not be updateable. */
  relations: { name: string; to: Part; master: boolean }[];
}

/** Every object that is written, in the order of writing. */
export function expectations(settings: SalesforceSettings): Expected[] {
  const { contact, enrolment, courses } = settings;
  const course = { faculty: '', department: '', course: '' };
  const field = (name: string | null | undefined, kind: Kind = 'text', values?: readonly string[]) =>
    name ? [{ name, kind, ...(values && { values }) }] : [];
  const people: Expected = {
    ...{ object: contact.object, externalId: contact.externalId, key: '9500000000', relations: [] },
    fields: [
      ...(['id', 'email', 'firstName', 'lastName'] as const).flatMap((name) => field(contact.fields[name])),
      ...field(contact.fields.kind, 'text', ['student', 'staff']),
      ...field(contact.fields.year, 'number'),
      ...field(contact.fields.status, 'text', Object.values(contact.values)),
      ...field(contact.preferredEmail?.field, 'text', contact.preferredEmail ? [contact.preferredEmail.value] : []),
    ],
  };
  const enrolments: Expected = {
    ...{ object: enrolment.object, externalId: enrolment.externalId, key: enrolmentKey('9500000000', course) },
    fields: [
      ...(['faculty', 'department', 'course'] as const).flatMap((name) => field(enrolment.fields[name])),
      ...field(enrolment.fields.status, 'text', Object.values(enrolment.values)),
    ],
    relations: [
      { name: enrolment.contactRelation, to: contact, master: false },
      ...(enrolment.offeringRelation
        ? [{ name: enrolment.offeringRelation, to: courses!.offering, master: false }]
        : []),
    ],
  };
  if (!courses) return [people, enrolments];
  const { account, term, offering } = courses;
  const chain: Expected[] = [
    { ...account, key: chainKeys.institution(''), fields: field(account.name), relations: [] },
    {
      ...{ ...term, key: chainKeys.term('') },
      fields: [...field(term.name), ...field(term.start, 'date'), ...field(term.end, 'date')],
      relations: [{ name: term.accountRelation, to: account, master: true }],
    },
    {
      ...{ ...courses.course, key: chainKeys.course(course), fields: field(courses.course.name) },
      relations: [{ name: courses.course.accountRelation, to: account, master: true }],
    },
    {
      ...{ ...offering, key: chainKeys.offering(course, ''), fields: field(offering.name) },
      relations: [
        { name: offering.courseRelation, to: courses.course, master: true },
        { name: offering.termRelation, to: term, master: true },
      ],
    },
  ];
  return [...chain, people, enrolments];
}

const texts = /^(string|textarea|picklist|multipicklist|combobox|email|phone|url|encryptedstring)$/;
const types: Record<Kind, RegExp> = { text: texts, number: /^(double|int|long|currency|percent)$/, date: /^date$/ };

/** Which e-mail field a value of EDA's selector stands for. */
const preferredFields: Record<string, string> = {
  'university email': 'hed__universityemail__c',
  'work email': 'hed__workemail__c',
  'alternate email': 'hed__alternateemail__c',
};

/** What keeps the object from taking our records. */
export function problems({ object, externalId, key, fields, relations }: Expected, found: Described): string[] {
  const same = (a: string | null | undefined, b: string): boolean => a?.toLowerCase() === b.toLowerCase();
  const named = (name: string) => found.fields.find((field) => same(field.name, name));
  const wrong: string[] = [];
  const filled = new Set([externalId.toLowerCase()]);
  if (!found.createable || !found.updateable) wrong.push(`the user may not create and edit ${object}`);

  const id = named(externalId);
  if (!id) wrong.push(`${object} has no field ${externalId}`);
  else {
    const lacks = [!id.externalId && 'External Id', !id.unique && 'Unique'].filter(Boolean);
    if (lacks.length) wrong.push(`${object}.${externalId} must be marked ${lacks.join(' and ')}`);
    if (!texts.test(id.type)) wrong.push(`${object}.${externalId} is of type ${id.type}, and takes text`);
    else if (id.length && id.length < key.length)
      wrong.push(`${object}.${externalId} takes ${id.length} characters, and needs ${key.length}`);
    if (!id.createable) wrong.push(`${object}.${externalId} cannot be written`);
  }

  for (const { name, kind, values = [] } of fields) {
    const field = named(name);
    filled.add(name.toLowerCase());
    if (!field) {
      wrong.push(`${object} has no field ${name}`);
      continue;
    }
    if (!field.createable || !field.updateable) wrong.push(`${object}.${name} cannot be written`);
    if (!types[kind].test(field.type)) wrong.push(`${object}.${name} is of type ${field.type}, and takes a ${kind}`);
    for (const value of values) {
      if (field.length && field.length < value.length)
        wrong.push(`${object}.${name} takes ${field.length} characters, too few for ${value}`);
      if (field.restrictedPicklist && !field.picklistValues.some((one) => one.active && one.value === value))
        wrong.push(`${object}.${name} is a restricted picklist without the value ${value}`);
      const email = preferredFields[value.toLowerCase()];
      if (email && !fields.some((one) => same(one.name, email)))
        wrong.push(`${object}.${name} is given ${value}, and ${email} is not among the fields: it would be blank`);
    }
  }

  for (const { name, to, master } of relations) {
    const field = found.fields.find((one) => same(one.relationshipName, name));
    if (!field) {
      wrong.push(`${object} has no relationship ${name}`);
      continue;
    }
    filled.add(field.name.toLowerCase());
    if (!field.referenceTo.some((one) => same(one, to.object)))
      wrong.push(`${object}.${name} does not lead to ${to.object}`);
    if (!field.createable || (!field.updateable && !master))
      wrong.push(
        `${object}.${field.name} cannot be written${field.createable ? ' again: allow reparenting, or make it a lookup' : ''}`,
      );
  }

  for (const { name, nillable, defaultedOnCreate, createable } of found.fields)
    if (!nillable && !defaultedOnCreate && createable && !filled.has(name.toLowerCase()))
      wrong.push(`${object}.${name} is required, and nothing fills it`);
  return wrong;
}
