import type { Parts } from './parts.ts';

const statuses = { active: 'Active', disabled: 'Disabled' };
const ends = { current: 'Current', former: 'Former' };

/** Plain Salesforce: the standard Contact, and an object for enrolments that the site makes. */
const contact: Parts = {
  contact: {
    object: 'Contact',
    externalId: 'Rosterd_Account__c',
    fields: {
      id: 'Rosterd_Id__c',
      email: 'Email',
      firstName: 'FirstName',
      lastName: 'LastName',
      year: 'Rosterd_Year__c',
      status: 'Rosterd_Status__c',
    },
    values: statuses,
    preferredEmail: null,
  },
  enrolment: {
    object: 'Rosterd_Enrolment__c',
    externalId: 'Rosterd_Key__c',
    contactRelation: 'Rosterd_Contact__r',
    offeringRelation: null,
    fields: {
      faculty: 'Rosterd_Faculty__c',
      department: 'Rosterd_Department__c',
      course: 'Rosterd_Course__c',
      status: 'Rosterd_Status__c',
    },
    values: ends,
  },
  courses: null,
};

/**
 * Education Data Architecture, namespace `hed`. Where EDA ships a field that is External Id and Unique
 * (`hed__Credentialing_Identifier__c`) it is the key; Contact, Account, Term and Course Offering have none, so the site
 * makes one there.
 */
const eda: Parts = {
  contact: {
    ...contact.contact,
    fields: { ...contact.contact.fields, email: 'hed__UniversityEmail__c' },
    preferredEmail: { field: 'hed__Preferred_Email__c', value: 'University Email' },
  },
  enrolment: {
    object: 'hed__Course_Enrollment__c',
    externalId: 'hed__Credentialing_Identifier__c',
    contactRelation: 'hed__Contact__r',
    offeringRelation: 'hed__Course_Offering__r',
    fields: { status: 'hed__Status__c' },
    values: ends,
  },
  courses: {
    account: { object: 'Account', externalId: 'Rosterd_Key__c', name: 'Name' },
    term: {
      ...{ object: 'hed__Term__c', externalId: 'Rosterd_Key__c', name: 'Name' },
      ...{ start: 'hed__Start_Date__c', end: 'hed__End_Date__c', accountRelation: 'hed__Account__r' },
    },
    course: {
      ...{ object: 'hed__Course__c', externalId: 'hed__Credentialing_Identifier__c', name: 'Name' },
      accountRelation: 'hed__Account__r',
    },
    offering: {
      ...{ object: 'hed__Course_Offering__c', externalId: 'Rosterd_Key__c', name: 'Name' },
      ...{ courseRelation: 'hed__Course__r', termRelation: 'hed__Term__r' },
    },
  },
};

/** Presets are data: whatever is written in the settings stands in place of what they say. */
export const presets: Record<'contact' | 'eda', Parts> = { contact, eda };
