/** The objects of the stub's org: those of the connector's presets, with what Salesforce and EDA say of their fields. */

/** A field as `describe` knows it. */
export interface Field {
  name: string;
  type: 'string' | 'email' | 'double' | 'date' | 'picklist' | 'reference';
  length: number;
  /** External Id; unique as well, unless it says otherwise. */
  externalId?: boolean;
  unique?: boolean;
  required?: boolean;
  /** Filled by the org itself. */
  readOnly?: boolean;
  /** Master-detail that is not re-parentable: required in a new record, refused in an update. */
  master?: boolean;
  values?: readonly string[];
  restricted?: boolean;
  relationshipName?: string;
  referenceTo?: string;
}

/** An object of the org. */
export interface SObject {
  name: string;
  /** First three characters of its ids. */
  prefix: string;
  fields: readonly Field[];
}

const text = (name: string, more: Partial<Field> = {}): Field => ({ name, type: 'string', length: 255, ...more });
const email = (name: string): Field => ({ name, type: 'email', length: 80 });
const date = (name: string): Field => ({ name, type: 'date', length: 0 });
const key = (name: string): Field => text(name, { externalId: true });
const pick = (name: string, values: readonly string[], restricted = false): Field => ({
  ...{ name, type: 'picklist', length: 255, values, restricted },
});
const lookup = (name: string, referenceTo: string, more: Partial<Field> = {}): Field => ({
  ...{ name, type: 'reference', length: 18, referenceTo, relationshipName: name.replace(/__c$/, '__r') },
  ...more,
});
const master = (name: string, referenceTo: string): Field =>
  lookup(name, referenceTo, { master: true, required: true });
const autonumber = text('Name', { readOnly: true, length: 80 });

/** `FirstName` 40, `LastName` 80 and `Name` 255 are Salesforce's own lengths. */
export const objects: readonly SObject[] = [
  {
    name: 'Account',
    prefix: '001',
    fields: [
      text('Name', { required: true }),
      text('hed__School_Code__c', { externalId: true, length: 50 }),
      key('Rosterd_Key__c'),
    ],
  },
  {
    name: 'Contact',
    prefix: '003',
    fields: [
      text('FirstName', { length: 40 }),
      text('LastName', { length: 80, required: true }),
      email('Email'),
      lookup('AccountId', 'Account', { relationshipName: 'Account' }),
      key('Rosterd_Account__c'),
      text('Rosterd_Id__c'),
      { name: 'Rosterd_Year__c', type: 'double', length: 0 },
      text('Rosterd_Status__c'),
      pick('Rosterd_Phase__c', ['Applicant', 'Student'], true),
      text('Legacy_Id__c', { externalId: true, unique: false }),
      email('hed__UniversityEmail__c'),
      email('hed__WorkEmail__c'),
      email('hed__AlternateEmail__c'),
      pick('hed__Preferred_Email__c', ['University Email', 'Work Email', 'Alternate Email']),
    ],
  },
  {
    name: 'Rosterd_Enrolment__c',
    prefix: 'a00',
    fields: [
      key('Rosterd_Key__c'),
      lookup('Rosterd_Contact__c', 'Contact'),
      text('Rosterd_Faculty__c'),
      text('Rosterd_Department__c'),
      text('Rosterd_Course__c'),
      text('Rosterd_Status__c'),
    ],
  },
  {
    name: 'hed__Term__c',
    prefix: 'a01',
    fields: [
      text('Name', { length: 80 }),
      key('Rosterd_Key__c'),
      master('hed__Account__c', 'Account'),
      date('hed__Start_Date__c'),
      date('hed__End_Date__c'),
    ],
  },
  {
    name: 'hed__Course__c',
    prefix: 'a02',
    fields: [
      text('Name', { length: 80 }),
      key('hed__Credentialing_Identifier__c'),
      master('hed__Account__c', 'Account'),
      text('hed__Course_ID__c'),
    ],
  },
  {
    name: 'hed__Course_Offering__c',
    prefix: 'a03',
    fields: [
      text('Name', { length: 80 }),
      key('Rosterd_Key__c'),
      master('hed__Course__c', 'hed__Course__c'),
      master('hed__Term__c', 'hed__Term__c'),
      lookup('hed__Faculty__c', 'Contact'),
      text('hed__Section_ID__c'),
    ],
  },
  {
    name: 'hed__Course_Enrollment__c',
    prefix: 'a04',
    fields: [
      autonumber,
      key('hed__Credentialing_Identifier__c'),
      lookup('hed__Contact__c', 'Contact'),
      lookup('hed__Course_Offering__c', 'hed__Course_Offering__c'),
      lookup('hed__Account__c', 'Account'),
      pick('hed__Status__c', ['Current', 'Former', 'In Progress', 'Completed', 'Enrolled', 'Failed', 'On Hold']),
    ],
  },
];

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
/** The object of that name, without regard to case. */
export const objectNamed = (name: string): SObject | undefined => objects.find((object) => same(object.name, name));
/** The field of that name, without regard to case. */
export const fieldNamed = (object: SObject, name: string): Field | undefined =>
  object.fields.find((field) => same(field.name, name));
/** The reference of that relationship, without regard to case. */
export const relationNamed = (object: SObject, name: string): Field | undefined =>
  object.fields.find(({ relationshipName }) => relationshipName !== undefined && same(relationshipName, name));
/** Unique is the rule for external ids here. */
export const isUnique = (field: Field): boolean => field.externalId === true && field.unique !== false;

/** The answer of `describe`. */
export function describeObject(object: SObject): object {
  const plain = { externalId: false, unique: false, nillable: true, defaultedOnCreate: false };
  const rest = { restrictedPicklist: false, picklistValues: [], relationshipName: null, referenceTo: [] };
  const id = { name: 'Id', type: 'id', length: 18, createable: false, updateable: false };
  const own = { name: 'OwnerId', type: 'reference', length: 18, createable: true, updateable: true };
  return {
    ...{ name: object.name, keyPrefix: object.prefix, custom: object.name.endsWith('__c') },
    ...{ createable: true, updateable: true, deletable: true, queryable: true },
    fields: [
      { ...plain, ...rest, ...id, nillable: false, defaultedOnCreate: true },
      ...(object.fields.some((field) => field.master)
        ? []
        : [{ ...plain, ...rest, ...own, nillable: false, defaultedOnCreate: true }]),
      ...object.fields.map((field) => ({
        ...{ name: field.name, type: field.type, length: field.length },
        ...{ externalId: field.externalId === true, unique: isUnique(field) },
        ...{ nillable: !field.required, defaultedOnCreate: field.readOnly === true },
        ...{ createable: !field.readOnly, updateable: !field.readOnly && !field.master },
        restrictedPicklist: field.restricted === true,
        picklistValues: (field.values ?? []).map((value) => ({ value, label: value, active: true })),
        relationshipName: field.relationshipName ?? null,
        referenceTo: field.referenceTo ? [field.referenceTo] : [],
      })),
    ],
  };
}
